"""list_files: fast reading of a CSV file equals simple reading, whatever its bytes and wherever its blocks end."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smsby_deploy.config.sources import RecipientsFile
from smsby_deploy.problems import Location
from smsby_deploy.recipients import list_files
from smsby_deploy.recipients.audience import AudienceReport, find_differing, read_audience
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from smsby_deploy.recipients.phones import BadPhone, normalize_phone
from smsby_deploy.recipients.rows import SourceFacts
from tests.recipients.mailings import make_mailing

_AT = Location("sale.yaml", 5, 17)
_OUT = "375291111111"


@dataclass
class _SimpleReading:
    """A file as a simple reader sees it; `recipients` are phone, variables, line, and whether not suppressed."""

    recipients: list[tuple[str, dict[str, str], int, bool]] = field(default_factory=list)
    problems: list[tuple[str, int]] = field(default_factory=list)
    rows: int = 0
    repeated: list[int] = field(default_factory=list)
    differing: list[int] = field(default_factory=list)


def _records(path: Path, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """Yield each record with the line at which it begins; None for a broken one."""
    with path.open(encoding=encoding, newline="") as file:
        if file.read(1) != "\ufeff":
            file.seek(0)
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        while True:
            line = reader.line_num + 1
            try:
                yield line, next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield line, None
                return


def _read_simply(path: Path, encoding: str, delimiter: str) -> _SimpleReading:
    found = _SimpleReading()
    header: list[str] = []
    first: dict[str, list[str]] = {}
    for line, record in _records(path, encoding, delimiter):
        if record is None:
            found.problems.append(("RECIPIENTS", line))
            return found
        if not any(cell.strip() for cell in record):
            continue
        if not header:
            header = [name.strip() for name in record]
            while not header[-1]:
                header.pop()
            continue
        while len(record) > len(header) and not record[-1].strip():
            record.pop()
        found.rows += 1
        if len(record) != len(header):
            found.problems.append(("ROW", line))
            continue
        try:
            phone = normalize_phone(record[0])
        except BadPhone:
            found.problems.append(("PHONE", line))
            continue
        values = [_without_mark(_with_plain_breaks(cell).strip()) for cell in record[1:]]
        if phone in first:
            found.repeated.append(line)
            if values != first[phone]:
                found.differing.append(line)
            continue
        first[phone] = values
        variables = dict(zip(header[1:], values, strict=True)) | {"phone": phone}
        if "na\nme" in variables:
            variables["na_me"] = variables["na\nme"]
        found.recipients.append((phone, variables, line, phone != _OUT))
    if not found.rows or (not found.recipients and not found.problems):
        found.problems.append(("EMPTY_AUDIENCE", 5))
    return found


def _with_plain_breaks(cell: str) -> str:
    return cell.replace("\r\n", "\n").replace("\r", "\n")


def _without_mark(cell: str) -> str:
    is_marked = len(cell) > 1 and cell.startswith("'") and not cell.endswith("'")
    return cell[1:].strip() if is_marked else cell


_PHONES = st.sampled_from(
    [
        "375291111111",
        "+375 29 222-22-22",
        "80293333333",
        "8 (044) 444 44 44",
        "375295555555.0",
        "12",
        "",
        " ",
        "٣٧٥",
    ]
)
_ODD = [
    "\r",
    "\n",
    "\r\n",
    "\x7f",
    "\uffff",
    "\ufeff",
    "\x0b",
    "\x85",
    "\u2028",
    '"',
    '""',
    "'",
    "~",
    "я" * 200,
]
_CELLS = st.lists(st.sampled_from(["Анна", "x", " ", *_ODD]), max_size=3).map("".join)
_QUOTED = _CELLS.map(lambda cell: '"' + cell.replace('"', '""') + '"')
_ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"])
_ROW = st.tuples(
    _PHONES | _QUOTED,
    st.lists(st.sampled_from(["Анна", "x", ""]) | _CELLS | _QUOTED, min_size=1, max_size=3),
    _ENDS,
)
_BLANK = st.sampled_from(["\n", "\r\n", "  \n", "\r"])
_HEADERS = st.sampled_from(
    ["phone|name", "\n \nphone|name", "phone|name||", 'phone|"na\nme"', "phone", " phone |name|code"]
)


@given(
    header=_HEADERS,
    lines=st.lists(_ROW | _BLANK, max_size=8),
    delimiter=st.sampled_from([",", ";", "\t", "|", ":", "x", "\x7f", "я"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp1251", "utf-16"]),
    is_cut=st.booleans(),
    block_rows=st.integers(1, 5),
    row_characters=st.integers(1, 5),
)
@example(  # the character that marks row ends is in a cell, exactly where a row would end
    "phone|name", [("375291111111", ["x", "\x7f"], "\n"), "z\n"], ",", "utf-8", False, 5, 5
)
@example("phone|name", [("375291111111", ['"Анна\rАнна"'], "\n")], ",", "utf-8", False, 1, 1)
@example("phone|name", [("375291111111", ["x"], "\n"), ('"2\n"', ["x"], "\n")], ";", "utf-8", False, 1, 1)
def test_text_file_blocks_may_end_anywhere(
    header: str,
    lines: list[tuple[str, list[str], str] | str],
    delimiter: str,
    encoding: str,
    is_cut: bool,
    block_rows: int,
    row_characters: int,
) -> None:
    """Recipients, variables, lines, problems, repeats and opt-outs are those of a simple reading, wherever blocks end."""
    written = [one if isinstance(one, str) else delimiter.join((one[0], *one[1])) + one[2] for one in lines]
    text = header.replace("|", delimiter) + "\n" + "".join(written)
    with TemporaryDirectory() as folder:
        path = Path(folder, "list.csv")
        content = text.encode(encoding, "ignore")
        path.write_bytes(
            content.removesuffix("\n".encode(encoding)[-1:]) if is_cut and encoding != "utf-16" else content
        )
        simple = _read_simply(path, encoding, delimiter)
        source = RecipientsFile(path, path.name, "phone", _AT, encoding, delimiter)
        out = PhoneSet()
        out.add_all(number_phones([_OUT]))
        report = AudienceReport()
        with (
            patch.object(list_files, "_ROW_CHARACTERS", row_characters),
            patch.object(list_files, "BLOCK_ROWS", block_rows),
        ):
            batches = list(read_audience(make_mailing(source), out, report))
            differing = find_differing(make_mailing(source), report)
    recipients = [
        (phone, batch.variables[row], batch.lines[row], bool(batch.not_suppressed[row]))
        for batch in batches
        for row, phone in enumerate(batch.phones)
    ]
    assert recipients == simple.recipients
    assert [batch.variables_of(row) for batch in batches for row in range(len(batch.phones))] == [
        variables for _, variables, _, _ in recipients
    ]
    assert [(problem.code, problem.location.line) for problem in report.problems] == simple.problems
    assert (report.rows, report.duplicate) == (simple.rows, len(simple.repeated))
    assert report.invalid == report.rows - report.duplicate - len(recipients)
    assert list(report.repeats.lines) == simple.repeated
    assert differing == simple.differing


def test_spreadsheet_marks_are_removed_from_every_cell(tmp_path: Path) -> None:
    """="007" and '007 are read as 007, with or without quotes; other apostrophes and equals signs stay."""
    for rows in (
        "375291234567,'007,O'Neil\n375291234568,a=b,'x'\n",
        '"375291234567",="007",O\'Neil\n375291234568,a=b,\'x\'\n',
        '"=""375291234567""","=""007""",O\'Neil\n375291234568,a=b,\'x\'\n',
    ):
        path = tmp_path / "r.csv"
        path.write_text(f"phone,code,name\n{rows}", encoding="utf-8")
        source = RecipientsFile(path, "r.csv", "phone", Location("c.yaml", 1))
        cells = [row for block in list_files.read_list_file(source, SourceFacts()) for row in block.cells]
        assert cells == [["375291234567", "007", "O'Neil"], ["375291234568", "a=b", "'x'"]]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [('="ООО ""Ромашка"""', 'ООО "Ромашка"'), ('=""""', '"'), ('="a"&"b"', '="a"&"b"'), ('="a"b"', '="a"b"')],
)
def test_quotes_within_a_spreadsheet_mark_are_not_doubled(cell: str, expected: str, tmp_path: Path) -> None:
    """A marked text with quotes is kept, and another formula stays as it is."""
    path = tmp_path / "r.csv"
    quoted = cell.replace('"', '""')
    path.write_text(f'phone,code\n375291234567,"{quoted}"\n', encoding="utf-8")
    source = RecipientsFile(path, "r.csv", "phone", Location("c.yaml", 1))
    assert [block.cells for block in list_files.read_list_file(source, SourceFacts())] == [
        [["375291234567", expected]]
    ]


def _read_file(path: Path) -> tuple[list[dict[str, str]], AudienceReport]:
    report = AudienceReport()
    source = RecipientsFile(path, path.name, "phone", _AT)
    batches = list(read_audience(make_mailing(source), None, report))
    return [variables for batch in batches for variables in batch.variables], report


@given(st.lists(st.text("ab\n,;'", min_size=1), min_size=1, max_size=5), st.sampled_from(["\r\n", "\r"]))
def test_line_breaks_in_cells(cells: list[str], line_break: str) -> None:
    """Values are the same with every kind of line break, even in quoted cells."""
    rows = "".join(f'37529{index:07},"{cell}"\n' for index, cell in enumerate(cells))
    content = f"phone,note\n{rows}"
    with TemporaryDirectory() as folder:
        path = Path(folder, "list.csv")
        path.write_bytes(content.encode())
        expected = _read_file(path)[0]
        path.write_bytes(content.replace("\n", line_break).encode())
        assert _read_file(path)[0] == expected


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.jsonl", '{"phone":"375291234567","phone":"375291234568","name":"A"}', "ROW"),
        ("a.jsonl", '{"phone":"375291234567","Phone":"375291234568"}', "ROW"),
        ("a.csv", "phone,name,Name\n375291234567,A,B\n", "RECIPIENTS"),
        ("a.csv", "Phone,phone\n375291234567,375291234568\n", "RECIPIENTS"),
    ],
)
def test_name_that_occurs_twice(name: str, content: str, code: str, tmp_path: Path) -> None:
    """A duplicate key or column, even in another case, is an error, since either value could be right."""
    (tmp_path / name).write_text(content)
    recipients, report = _read_file(tmp_path / name)
    assert not recipients
    assert [(problem.severity, problem.code) for problem in report.problems] == [("error", code)]


@pytest.mark.parametrize("row", ['"name": "A\\u0000"', '"A\\u0000": "name"'])
def test_json_line_with_a_nul(row: str, tmp_path: Path) -> None:
    """A text with a NUL is an error."""
    (tmp_path / "a.jsonl").write_text(f'{{"phone": "375291234567", {row}}}')
    recipients, report = _read_file(tmp_path / "a.jsonl")
    assert not recipients
    (problem,) = report.problems
    assert (problem.code, problem.message) == ("ROW", "contains a NUL character; remove it")


@pytest.mark.parametrize("encoding", ["cp1251", "cp1250", "cp1257", "cp866", "koi8-r", "utf-16-le"])
def test_guessed_encoding_is_reported(encoding: str, tmp_path: Path) -> None:
    """An encoding that was guessed is reported, unless it is UTF-8 or marked or named in the project."""
    name = {"cp1250": "Łukasz Żółć", "cp1257": "Žydrūnas Šarūnas"}.get(encoding, "Анна Петровна")
    path = tmp_path / "a.csv"
    path.write_bytes(f"phone,name\n375291234567,{name}\n".encode(encoding))
    _, report = _read_file(path)
    assert [(problem.severity, problem.code) for problem in report.problems] == [
        ("warning", "ENCODING_GUESSED")
    ]
    report = AudienceReport()
    source = RecipientsFile(path, path.name, "phone", _AT, encoding=encoding)
    (batch,) = read_audience(make_mailing(source), None, report)
    assert (batch.variables[0]["name"], report.problems) == (name, [])
    for certain in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_bytes(f"phone,name\n375291234567,{name}\n".encode(certain))
        assert _read_file(path)[1].problems == []
