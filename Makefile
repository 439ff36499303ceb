# The developers' contract: every chore is one word, and CI calls only these.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup browser postgres demo test bench lint format docs docs-reference pictures ci clean

help: ## list the chores
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

.venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

setup: .venv/.installed ## make .venv and install everything

browser: ## Chromium for the tests of the sandbox's page (Debian, as root); without it they are skipped and say so
	command -v chromedriver >/dev/null || { apt-get update -qq && \
		apt-get install -y -qq --no-install-recommends chromium chromium-driver; }

postgres: ## PostgreSQL for the tests of databases (Debian, as root); without it they are skipped and say so
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql; }

demo: setup ## validate, plan, apply and status of the sample project against a local sms.by
	$(BIN)/smsby-deploy demo

test: setup ## all tests: unit, property and end-to-end
	$(BIN)/python -m pytest -n 4

bench: setup ## speed and memory, against floors measured in the same run (docs/performance.md); BENCH="plan --rows 100000"
	$(BIN)/python -m tests.bench $(BENCH)

lint: setup ## ruff, mypy strict, the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs-reference: setup ## write docs/commands.md and the outputs in README.md anew
	UPDATE_DOCS=1 $(BIN)/python -m pytest -n 0 tests/test_docs.py tests/test_readme.py

.venv/.docs: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	touch $@

docs: .venv/.docs ## the docs as a site in .site, strict: a dead link fails it
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo .site/index.html

pictures: .venv/.docs ## the pictures of the README, from real runs (needs Chromium: make browser)
	fc-list | grep -qi emoji || apt-get install -y -qq --no-install-recommends fonts-noto-color-emoji
	$(BIN)/python script/pictures.py

ci: lint docs test ## what gates a landing

clean: ## remove what the other chores made
	rm -rf .venv .site dist .hypothesis .mypy_cache .ruff_cache .import_linter_cache
