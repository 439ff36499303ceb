"""csv_dialect: format, encoding and delimiter of real users' files, and their problems."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsby_deploy.config.sources import OptOuts, RecipientsFile
from smsby_deploy.problems import Location
from smsby_deploy.recipients import csv_dialect
from smsby_deploy.recipients.audience import AudienceReport, read_audience
from smsby_deploy.recipients.csv_dialect import (
    detect_delimiter,
    detect_dialect,
    open_recipients,
)
from smsby_deploy.recipients.rows import RecipientsError
from smsby_deploy.recipients.suppression import load_suppression
from tests.recipients.mailings import make_mailing

_AT = Location("sale.yaml", 5, 17)
_ANNA = [("375291234567", "Анна")]


def _source(path: Path, **changes: Any) -> RecipientsFile:
    return RecipientsFile(path, path.name, "phone", _AT)._replace(**changes)


def _read(source: RecipientsFile) -> tuple[list[tuple[str, dict[str, str], int]], AudienceReport]:
    report = AudienceReport()
    batches = read_audience(make_mailing(source), None, report)
    rows = [row for batch in batches for row in zip(batch.phones, batch.variables, batch.lines, strict=True)]
    return rows, report


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("phone,name\n375291234567,Анна\n".encode(), "csv, utf-8, delimiter ','"),
        ("\ufeffPhone;name\r\n375291234567;Анна\r\n;\r\n\r\n".encode(), "csv, utf-8-sig, delimiter ';'"),
        ("phone;name\n375291234567;Анна\n".encode("cp1251"), "csv, cp1251, delimiter ';'"),
        ("phone\tname\n375291234567\tАнна".encode(), "csv, utf-8, delimiter '\\t'"),
        ("phone\tname\r\n375291234567\tАнна\r\n".encode("utf-16"), "csv, utf-16, delimiter '\\t'"),
        ("phone|name\r\n375291234567|Анна\r\n".encode("utf-16-le"), "csv, utf-16-le, delimiter '|'"),
        ("phone;name\r\n375291234567;Анна\r\n".encode("utf-16-be"), "csv, utf-16-be, delimiter ';'"),
        ('"phone","name"\n"375291234567","Анна"\n'.encode(), "csv, utf-8, delimiter ','"),
        ('"phone";"a, b, c";name\n375291234567;x;Анна\n'.encode(), "csv, utf-8, delimiter ';'"),
        ("sep=;\r\nphone;name\r\n375291234567;Анна\r\n".encode(), "csv, utf-8, delimiter ';'"),
        ("\r\n \r\nphone;name;;\r\n375291234567;Анна;;\r\n".encode(), "csv, utf-8, delimiter ';'"),
        ("phone,name\r375291234567,Анна\r".encode(), "csv, utf-8, delimiter ','"),
    ],
)
def test_dialect_is_detected(content: bytes, expected: str, tmp_path: Path) -> None:
    """A row is the same with any byte order mark, encoding, delimiter, line break, blank rows or empty columns."""
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    rows, report = _read(_source(path))
    assert {problem.code for problem in report.problems} <= {"ENCODING_GUESSED"}
    assert [(phone, variables["name"]) for phone, variables, _ in rows] == _ANNA
    assert str(detect_dialect(_source(path))) == expected


def test_dialect_settings_take_precedence(tmp_path: Path) -> None:
    """`encoding` and `delimiter` are used as given, and only a byte order mark is skipped."""
    path = tmp_path / "list.csv"
    path.write_bytes("\ufeffphone,x;name\n375291234567;Анна\n".encode())
    rows, report = _read(_source(path, encoding="utf-8", delimiter=";", phone="phone,x"))
    assert {problem.code for problem in report.problems} <= {"ENCODING_GUESSED"}
    assert [(phone, variables["name"]) for phone, variables, _ in rows] == _ANNA
    path.write_bytes("phone;name\n375291234567;Анна\n".encode("cp866"))
    rows, _ = _read(_source(path, encoding="cp866"))
    assert [(phone, variables["name"]) for phone, variables, _ in rows] == _ANNA


@pytest.mark.parametrize(
    ("content", "changes", "line", "why"),
    [
        ("phone,name\n375291234567,Анна\n".encode() * 3 + b"375291234567,\xc0\n", {}, 7, "not UTF-8, but others"),
        ("phone,name\n375291234567,Я\n".encode() + "375291234567,Мария\n".encode("cp1251"), {}, 3, "or set `encoding:`"),
        ("phone,имя\n".encode() + "375291234567,Мария\n".encode("cp1251") * 9, {}, 2, "not UTF-8, but others are"),
        (b"\xef\xbb\xbfphone,name\n" + "375291234567,Мария\n".encode("cp1251"), {}, 2, "not UTF-8, but others are"),
        ("phone;name\n375291234567;Анна\n".encode("cp1251"), {"encoding": "utf-8"}, 2, "not utf-8; correct"),
        (b"phone;name\n375291234567;\x98\n", {}, 2, "not cp1251"),
        (b"phone\n", {"encoding": "klingon"}, 1, "unknown encoding klingon"),
        (b"phone\n", {"encoding": "rot13"}, 1, "unknown encoding rot13"),
        (b"phone\n", {"encoding": "undefined"}, 1, "not undefined"),
        (b"phone\n", {"delimiter": "\n"}, 1, "cannot separate columns"),
        (b"PK\x03\x04\x14", {}, 1, "Excel workbook"),
        (b"phone,name\n" + b"375291234567,Anna\n" * 9 + b"375291234567,A\0\n", {}, 11, "zero byte"),
        (b"phone,name\n375291234567,A\0B\n", {}, 2, "zero byte"),
        (b"phone,name\n375291234567,\0\0\0\0\0\0\0\0\n", {}, 2, "zero byte"),
        (b"phone,name\n" + b"375291234567,Anna\n" * 9000 + b"375291234567,A\0\n", {}, 9002, "zero byte"),
        (b'phone,name\n375291234567,"A"\n' + b"375291234567,Anna\n" * 9000 + b"1,A\0\n", {}, 9003, "zero byte"),
        (b"phone,name,name\n", {}, 1, "duplicate column names: name"),
        (b"375291234567,375291234567\n", {}, 1, "the first line is not a header"),
        (b'phone,name\n375291234567,x\n375291234568,"a\nb\n', {}, 3, "the quotes of a cell are never closed"),
        (b'phone,name\n375291234567,"' + b"x\n" * 70_000 + b'"\n', {}, 2, "more than 131,072 characters"),
        (b'phone,name\n375291234567,x\n375291234568,"a" b\n', {}, 3, "not valid CSV: a quote within a quoted cell"),
        (b"", {}, 1, "empty"),
        (b"\n\n", {}, 1, "empty"),
    ],
)  # fmt: skip
def test_unreadable_file_is_reported_at_its_line(
    content: bytes, changes: dict[str, str], line: int, why: str, tmp_path: Path
) -> None:
    """An unreadable file is one problem with the physical line and the reason, never a guess with wrong letters."""
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    _, report = _read(_source(path, **changes))
    (problem,) = report.problems
    assert (problem.code, problem.location.file, problem.location.line) == ("RECIPIENTS", "list.csv", line)
    assert why in problem.message


def test_missing_file_is_a_problem(tmp_path: Path) -> None:
    """A missing file, or a directory in its place, is a problem."""
    for path in (tmp_path / "gone.csv", tmp_path):
        _, report = _read(_source(path))
        assert [problem.code for problem in report.problems] == ["FILE_MISSING"]


def test_dialect_of_a_txt(tmp_path: Path) -> None:
    """A .txt whose first line has the phone column is a table saved by Excel, and otherwise has one phone per line."""
    path = tmp_path / "list.txt"
    path.write_text("375291234567\n\n375297654321\n")
    assert [line for *_, line in _read(_source(path))[0]] == [1, 3]
    path.write_text("Phone\tname\n375291234567\tАнна\n", encoding="utf-16")
    rows, _ = _read(_source(path))
    assert [(phone, variables["name"]) for phone, variables, _ in rows] == _ANNA


def test_rows_before_a_broken_line_are_read(tmp_path: Path) -> None:
    """Rows before a broken line are read and checked, and the damage is reported at its line."""
    path = tmp_path / "list.csv"
    path.write_bytes(b'phone,note\n375291234567,"a\r\nb\rc\nd"\n12345678,x\n375297654321,"open\n')
    rows, report = _read(_source(path))
    assert [line for *_, line in rows] == [2]
    assert [(problem.code, problem.location.line) for problem in report.problems] == [
        ("PHONE", 6),
        ("RECIPIENTS", 7),
    ]


_cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@given(
    st.lists(
        st.tuples(st.integers(0, 9_999_999), _cells), min_size=1, max_size=12, unique_by=lambda row: row[0]
    ),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_csv_round_trip(recipients: list[tuple[int, str]], delimiter: str, encoding: str, end: str) -> None:
    """Any quoted text is read unchanged, except for a spreadsheet's mark, and every row has its physical line."""
    lines, text, line = [], f"phone{delimiter}name{end}", 2
    for number, name in recipients:
        row = f'37529{number:07d}{delimiter}"{name.replace(chr(34), chr(34) * 2)}"{end}'
        lines.append(line)
        line += row.replace("\r\n", "\n").replace("\r", "\n").count("\n")
        text += row
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "list.csv")
        path.write_bytes(text.encode(encoding))
        rows, report = _read(_source(path))
    assert {problem.code for problem in report.problems} <= {"ENCODING_GUESSED"}
    assert [(variables["name"], line) for _, variables, line in rows] == [
        (_without_mark(name.replace("\r\n", "\n").replace("\r", "\n").strip()), line)
        for (_, name), line in zip(recipients, lines, strict=True)
    ]


def _without_mark(cell: str) -> str:
    """Return `cell` without the mark of a spreadsheet, `'007` or `="007"`."""
    if len(cell) > 1 and cell.startswith("'") and not cell.endswith("'"):
        return cell[1:].strip()
    inner = cell[2:-1]  # with each quote doubled
    is_formula = len(cell) > 2 and cell.startswith('="') and cell.endswith('"')
    return inner.replace('""', '"').strip() if is_formula and '"' not in inner.replace('""', "") else cell


@pytest.mark.parametrize(
    ("early", "late", "expected"),
    [
        ("Anna", "Анна".encode("cp1251"), [("ENCODING_GUESSED", 1)]),
        ("Anna", "Анна".encode(), []),
        ("Анна", "Анна".encode("cp1251"), [("RECIPIENTS", 5002)]),
        ("Анна", "Анна".encode()[:-1], [("RECIPIENTS", 5002)]),
    ],
    ids=["cp1251 after Latin", "utf-8 after Latin", "cp1251 after utf-8", "damaged utf-8"],
)
def test_encoding_is_detected_beyond_the_sample(
    early: str, late: bytes, expected: list[tuple[str, int]], tmp_path: Path
) -> None:
    """An encoding that shows only after the first 64 KB is found, and damage is reported at its line, never decoded."""
    path = tmp_path / "list.csv"
    rows = "".join(f"37529{n:07d},{early}\n" for n in range(5000))
    path.write_bytes(f"phone,name\n{rows}375291234567,".encode() + late + b"\n")
    recipients, report = _read(_source(path))
    assert [(problem.code, problem.location.line) for problem in report.problems] == expected
    assert {variables["name"] for _, variables, _ in recipients} <= {early, "Анна"}
    assert len(recipients) == 5001 or "RECIPIENTS" in dict(expected)


_letters = st.lists(
    st.sampled_from([b"Anna", b"\n", "Анна".encode(), "Анна".encode("cp1251"), "Рђ".encode("cp1251"), b"\xff", b"\xd0"])
).map(b"".join)  # fmt: skip


@given(_letters, st.sampled_from([b"", b"\xef\xbb\xbf"]), st.integers(4, 9), st.integers(1, 9))
def test_utf8_is_never_decoded_as_cp1251(content: bytes, mark: bytes, sample: int, block: int) -> None:
    """UTF-8 is read as UTF-8 and nothing else is, wherever samples and blocks end."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_dialect, "_SAMPLE", sample)
        patch.setattr(csv_dialect, "_BLOCK", block)
        path = Path(folder, "list.csv")
        path.write_bytes(mark + b"a" + content)  # no UTF-16 mark is at its start
        try:
            text = (mark + b"a" + content).decode("utf-8-sig")
        except UnicodeDecodeError:
            text = None
        try:
            with open_recipients(_source(path)) as (found, lines):
                read = "".join(lines)
        except RecipientsError as error:
            assert text is None
            assert str(error).startswith("this line is not")
            return
    assert found.encoding == ("cp1251" if text is None else "utf-8-sig" if mark else "utf-8")
    assert read == (text or (mark + b"a" + content).decode("cp1251"))


_bytes = st.binary(max_size=200) | st.lists(
    st.sampled_from(
        [b"phone", b"name", b";", b",", b"\t", b'"', b"\n", b"\r\n", b"\r", b"375291234567", b"80331234567", b"\xef\xbb\xbf",
         b"\xff\xfe", b"\0", b"\xc0\xed", "Анна".encode(), b"{", b"}", b'{"phone": "375291234567"}', b"[", b":", b"\\ud800",
         b"sep=;", b"sep=", b"1e999", b" "]
    ),
    max_size=40,
).map(b"".join)  # fmt: skip


def _sources(path: Path) -> Iterator[RecipientsFile]:
    for encoding in (None, "utf-8", "cp1251", "utf-16"):
        for delimiter in (None, ";"):
            yield _source(path, encoding=encoding, delimiter=delimiter)


@settings(max_examples=2 * settings().max_examples)
@given(_bytes, st.sampled_from([".csv", ".jsonl", ".txt"]))
def test_any_bytes_give_rows_or_a_problem(content: bytes, suffix: str) -> None:
    """Any bytes give rows or a problem without an exception: counts add up, and a problem's line exists and has no number."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "list" + suffix)
        path.write_bytes(content)
        most = content.count(b"\n") + content.count(b"\r") + 1
        for source in _sources(path):
            rows, report = _read(source)
            assert rows or report.problems
            assert report.rows >= len(rows) + report.duplicate
            for problem in report.problems:
                assert problem.location.line is not None
                assert not re.search(r"(?:\d\W*){7}", problem.message)
                assert 1 <= problem.location.line <= most or problem.code == "EMPTY_AUDIENCE"
            for _, variables, line in rows:
                assert 1 <= line <= most
                "".join(variables.values()).encode()
            load_suppression([OptOuts(source), OptOuts(source._replace(is_opt_outs=True), "drop")])
            try:
                assert str(detect_dialect(source))
            except RecipientsError as error:
                assert str(error)


@given(st.text(max_size=60))
def test_a_delimiter_is_always_one_of_the_known(header: str) -> None:
    """The delimiter is always one of the known ones, whatever the header has."""
    assert detect_delimiter(header) in ",;\t|"
