"""Written text keeps its meaning, and cannot control a terminal, a CI log or a spreadsheet."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.output.console import make_console
from smsby_deploy.output.terminal import (
    break_commands,
    clean,
    escape_json,
    inert_cell,
    safe_line,
    write_line,
    write_text,
)
from smsby_deploy.wording import remove_controls

CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
COMMAND = re.compile(r"^\s*::|##\w*\[", re.MULTILINE)
_PACKAGE = Path(__file__).resolve().parent.parent.parent / "smsby_deploy"
_odd = st.text(st.sampled_from("a :#[]=\n\t\r\x00\x1b\x7f\x85\x9b\u061c\u200e\u202e\u2028\u2066\ud800я"))


@given(_odd)
def test_written_text_has_no_power(text: str) -> None:
    """No control character or workflow command is left, and lines stay lines."""
    stream = io.StringIO()
    write_text(text, stream)
    assert not CONTROLS.search(stream.getvalue())
    assert not COMMAND.search(stream.getvalue())
    assert stream.getvalue().count("\n") == text.count("\n")
    stream.getvalue().encode()


@given(_odd)
def test_rich_consoles_write_the_same_way(text: str) -> None:
    """A style of rich does not bypass the cleaner."""
    stream = io.StringIO()
    console = make_console(stream, color=False)
    console.print(text, style="bold", soft_wrap=True)
    assert not CONTROLS.search(stream.getvalue())
    assert not COMMAND.search(stream.getvalue())


@given(_odd)
def test_json_keeps_its_content(text: str) -> None:
    """JSON is read back with everything that was escaped, including half surrogate pairs."""
    written = escape_json(json.dumps({text: [text]}, ensure_ascii=False))
    assert json.loads(written) == {text: [text]}
    assert not CONTROLS.search(written)
    assert not COMMAND.search(written)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("::stop-commands::x.yaml: error", ": :stop-commands::x.yaml: error"),
        ("  ::set-env name=A::b", "  : :set-env name=A::b"),
        ("text ##[add-mask]1", "text # #[add-mask]1"),
        ("##vso[task.setvariable]1", "# #vso[task.setvariable]1"),
        ("a::b ## title #[", "a::b ## title #["),
    ],
)
def test_commands_of_ci_services_are_broken(line: str, shown: str) -> None:
    """Workflow commands are broken, even after white space, which GitHub trims before it looks for `::`."""
    stream = io.StringIO()
    write_line(line, stream)
    assert stream.getvalue() == f"{shown}\n"
    assert break_commands(shown) == shown


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r1", '"=', "' +", "\uff1d"])
def test_formulas_are_quoted(start: str) -> None:
    """A spreadsheet takes a formula as text, even after quotes and blanks."""
    assert inert_cell(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("cell", ["", "375291234567", "a=b", "sale/vip", "2027-03-01"])
def test_other_cells_stay(cell: str) -> None:
    """A cell that is no formula gets no quote."""
    assert inert_cell(cell) == cell


def test_letters_of_every_alphabet_stay() -> None:
    """Joiners of emoji and Indic scripts stay, as they are not marks of direction."""
    text = "Прывітанне, ¡hola! שלום 👩\u200d👧"
    assert remove_controls(text) == text


def test_no_writer_goes_around_the_cleaner() -> None:
    """Commands write only with this module or with our rich consoles."""
    direct = re.compile(r"click\.s?echo\(|\bprint\(|sys\.std(out|err)\.write")
    around = [
        f"{path.relative_to(_PACKAGE)}: {line.strip()}"
        for room in ("cli", "output")
        for path in sorted((_PACKAGE / room).glob("*.py"))
        for line in path.read_text("utf-8").splitlines()
        if direct.search(line) and "console.print(" not in line and "def print(" not in line
    ]
    assert [line for line in around if not line.startswith("output/console.py")] == []


def test_safe_line_removes_control_characters_and_phones() -> None:
    """An escape sequence or a line break in a text cannot rewrite the terminal or fake a line."""
    assert clean("a\x1b[2J\nb") == "a [2J b"
    assert safe_line("of\n375291234567") == "of 37529*****67"
    assert safe_line("1\u00a0234 of 375291234567\u2028") == "1\u00a0234 of 37529*****67 "
    assert "1234567" not in safe_line("37529\u00a01234567")
