"""The reference pages of the docs agree with the code."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from smsby_deploy import errors
from smsby_deploy.cli.main import group
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.resources import load_schema

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMAS = ("project", "campaign", "plan", "lock", "approval")
_CODE = re.compile(
    r'(?:Problem\(\s*Severity\.\w+,|_problem\(|place_problem\(\w+(?:\.\w+)?,|complain\(|at\([^"]*,)\s*"([A-Z_]+)"'
)
_GENERATED = "<!-- generated -->\n"
_WIDTH = 100


def _doc(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def _commands(command: click.Command, parent: click.Context | None = None) -> Iterator[click.Context]:
    """Yield the contexts of `command` and of every command below it."""
    name = command.name if parent else "smsby-deploy"
    context = click.Context(
        command, info_name=name, parent=parent, terminal_width=_WIDTH, **command.context_settings
    )
    yield context
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            found.name = child
            yield from _commands(found, context)


COMMANDS = list(_commands(group))
_ids = [context.command_path for context in COMMANDS]


def test_problem_codes_are_all_documented() -> None:
    """docs/problems.md has a row for each code the program can report, in order, and no other rows."""
    sources = [path.read_text("utf-8") for path in (ROOT / "smsby_deploy").rglob("*.py")]
    used = {code for source in sources for code in _CODE.findall(source)}
    listed = re.findall(r"^\| `([A-Z_]+)`", _doc("problems.md"), re.MULTILINE)
    assert listed == sorted(listed)
    rows = set(listed)
    assert used <= rows
    assert {code for code in rows if not any(f'"{code}"' in source for source in sources)} == set()


def test_guarantees_name_tests_that_exist() -> None:
    """Each row of docs/guarantees.md ends with the tests that prove it."""
    rows = [
        line
        for line in _doc("guarantees.md").splitlines()
        if line.startswith("| ") and "proven by" not in line
    ]
    assert len(rows) > 20
    for row in rows:
        tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert tests, row
        for file, name in tests:
            assert f"def {name}(" in (ROOT / file).read_text("utf-8"), (file, name)


def test_docs_refer_to_nothing_outside_the_project() -> None:
    """Every file that the docs mention is in the project."""
    for path in [*ROOT.glob("docs/*.md"), ROOT / "README.md", *(ROOT / "smsby_deploy").rglob("*.py")]:
        assert "/".join(("..", "shared")) not in path.read_text("utf-8"), path


def test_command_reference_is_what_help_prints() -> None:
    """docs/commands.md shows the current help of every command."""
    sections = [f"## {context.command_path}\n\n```text\n{context.get_help()}\n```\n" for context in COMMANDS]
    generated = "\n" + "\n".join(sections)
    head, _, below = _doc("commands.md").partition(_GENERATED)
    if os.environ.get("UPDATE_DOCS"):
        (ROOT / "docs/commands.md").write_text(head + _GENERATED + generated, encoding="utf-8")
        return
    assert below == generated, "run `make docs-reference`"


@pytest.mark.parametrize("context", COMMANDS, ids=_ids)
def test_help_describes_command_and_options(context: click.Context) -> None:
    """Each --help says what the command does, describes every option, and ends with examples."""
    assert context.command.help
    for parameter in context.command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.opts
    assert context.get_help().split("Examples:\n")[1].strip()


@pytest.mark.parametrize("context", COMMANDS, ids=_ids)
def test_help_fits_a_terminal(context: click.Context) -> None:
    """Each --help fits into 80 columns, truncates nothing, and names every value by its meaning."""
    narrow = click.Context(
        context.command, info_name=context.info_name, parent=context.parent, terminal_width=80
    )
    shown = narrow.get_help()
    assert [line for line in shown.splitlines() if len(line) > 80] == []
    assert "..." not in re.sub(r"\]\.\.\.|[A-Z]\.\.\.", "", shown)
    assert " RANGE" not in shown


@pytest.mark.parametrize("context", COMMANDS, ids=_ids)
def test_help_examples_parse(context: click.Context) -> None:
    """Each example uses commands and options that exist, and at least one is of this command."""
    parsed = [_parse(words) for line in _epilog_lines(context) for words in _words(line)]
    assert any(path.startswith(context.command_path) for path in parsed)


def _epilog_lines(context: click.Context) -> list[str]:
    return (context.command.epilog or "").replace("\\\n", "").splitlines()


def _words(line: str) -> Iterator[list[str]]:
    """Yield the arguments of each `smsby-deploy` in a line of shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] | None = None
    for word in [*lexer, ";"]:
        if set(word) <= set(";&|<>") and words is not None:
            yield words
            words = None
        elif word == "smsby-deploy":
            words = []
        elif words is not None:
            words.append(word)


def _parse(words: list[str]) -> str:
    """Parse a command line without running it, and return the path of its command."""
    context = group.make_context("smsby-deploy", list(words))
    while isinstance(context.command, click.Group):
        name, command, rest = context.command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        assert command is not None
        context = command.make_context(name, rest, parent=context)
    return context.command_path


def test_exit_codes_are_all_documented() -> None:
    """docs/exit-codes.md has a row for each exit code."""
    tree = [errors.SmsbyDeployError]
    for cls in tree:
        tree.extend(cls.__subclasses__())
    rows = {int(code) for code in re.findall(r"^\| (\d+) \|", _doc("exit-codes.md"), re.MULTILINE)}
    assert rows == {cls.exit_code for cls in tree} | {
        ExitCode.DONE,
        ExitCode.CHANGES_TO_APPLY,
        ExitCode.WRONG_USAGE,
    }


def _properties(schema: Any) -> Iterator[tuple[str, Any]]:
    """Yield every property that a schema declares at any depth, with its own schema."""
    if isinstance(schema, dict):
        for name, value in schema.get("properties", {}).items():
            yield name, value
        for key, value in schema.items():
            if key not in ("examples", "default", "const", "enum", "required"):
                yield from _properties(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _properties(value)


@pytest.mark.parametrize("name", SCHEMAS)
def test_file_keys_are_all_documented(name: str) -> None:
    """docs/files.md names each key as code, in the section of its file."""
    section = _doc("files.md").split(f"<!-- {name} -->")[1].split("<!--")[0]
    named = set(re.findall(r"`([A-Za-z0-9_]+)`", section))
    assert {key for key, _ in _properties(load_schema(name))} <= named


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_keys_have_title_and_description(name: str) -> None:
    """An editor can explain every key."""
    for key, schema in _properties(load_schema(name)):
        assert schema.get("title"), key
        assert schema.get("description", "").endswith("."), key


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_examples_are_valid(name: str) -> None:
    """The schema accepts the examples and defaults that an editor offers."""
    from jsonschema import Draft202012Validator

    whole = load_schema(name)
    Draft202012Validator.check_schema(whole)
    for key, schema in _properties(whole):
        validator = Draft202012Validator(schema | {"$defs": whole.get("$defs", {})})
        for example in [*schema.get("examples", []), *([schema["default"]] if "default" in schema else [])]:
            assert validator.is_valid(example), (key, example)


def test_architecture_names_every_folder() -> None:
    """docs/architecture.md is one page with a row for each folder of the package."""
    page = _doc("architecture.md")
    folders = {path.parent.name for path in (ROOT / "smsby_deploy").glob("*/__init__.py")}
    assert set(re.findall(r"^\| `(\w+)/` \|", page, re.MULTILINE)) == folders
    assert len(page.splitlines()) < 100
