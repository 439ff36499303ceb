# Every development task is one word here, and CI runs only these.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
.DEFAULT_GOAL := help
# Many images for containers set it. Without bytecode each worker and each command of the tests compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE
# Tests that run the real command, a browser, a build, a pipeline or the documents. All others are unit tests, except those
# marked as slow (tests/conftest.py): they start PostgreSQL, an S3 server or git with a remote, or measure memory.
SLOW_TESTS := tests/browser tests/ci tests/docs tests/e2e tests/security
# Where unit tests make their thousands of temporary folders: in memory, where syncing a lock waits for no disk, if a gigabyte is free
# there. Empty means the usual place.
MEMORY := $(shell df -k --output=avail /dev/shm 2>/dev/null | awk 'NR == 2 && $$1 > 1000000 {print "/dev/shm"}')
.PHONY: help setup browser postgres demo check unit test bench lint format docs docs-reference requirements pictures ci clean

help: ## list the tasks
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

.venv/.sandbox: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[sandbox]'
	touch $@

.venv/.installed: .venv/.sandbox
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

setup: .venv/.installed ## create .venv and install everything

browser: ## install Chromium for tests/browser (Debian, as root); without it those tests are skipped
	command -v chromedriver >/dev/null || { apt-get update -qq && \
		apt-get install -y -qq --no-install-recommends chromium chromium-driver; }

postgres: ## install PostgreSQL and PgBouncer for the database tests (Debian, as root); without them those tests are skipped
	{ ls /usr/lib/postgresql/*/bin/initdb && ls /usr/sbin/pgbouncer; } >/dev/null 2>&1 || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql pgbouncer; }

demo: .venv/.sandbox ## validate, plan, apply and show the status of the sample project against a local sms.by
	$(BIN)/smsby-deploy demo

check: lint unit ## lint, types and unit tests: under a minute

# A third of the generated examples is enough: this runs many times a day, with new examples each time.
unit: export TMPDIR := $(MEMORY)
unit: setup ## the unit tests
	$(BIN)/python -m pytest -n 2 --dist worksteal --hypothesis-profile=unit -m "not slow" tests $(SLOW_TESTS:%=--ignore=%)

# The slow tests mostly wait for disks and processes, so there are more workers than the two cores of a small machine.
test: setup ## all tests
	$(BIN)/python -m pytest -n 4 --dist worksteal

bench: setup ## speed and memory, compared with a floor measured in the same run (docs/performance.md); BENCH="plan --rows 100000"
	$(BIN)/python -m tests.bench $(BENCH)

lint: setup ## ruff, mypy strict, the import contracts, the word list
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python script/check_words.py

format: setup ## format the code and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs-reference: setup ## regenerate docs/commands.md and the outputs in README.md
	UPDATE_DOCS=1 $(BIN)/python -m pytest -n 0 tests/docs/test_reference.py tests/docs/test_readme.py

.venv/.docs: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	touch $@

docs: .venv/.docs ## build the documentation site in .site; a dead link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo .site/index.html

requirements: setup ## pin what the pipelines install, by version and hash (before a release)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/python script/lock_requirements.py

pictures: .venv/.docs ## regenerate the pictures of the README from real runs (needs Chromium: make browser)
	fc-list | grep -qi emoji || apt-get install -y -qq --no-install-recommends fonts-noto-color-emoji
	$(BIN)/python script/pictures.py

ci: lint docs test ## what must pass before a change is merged

clean: ## remove what the other tasks made
	rm -rf .venv .site dist .hypothesis .mypy_cache .ruff_cache .import_linter_cache
