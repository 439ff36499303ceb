"""suppression: opt-outs of every format and spelling, and files that cannot be read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.sources import HiddenText, OptOuts, RecipientsFile, RecipientsQuery, TextSource
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.phones import normalize_opt_out
from smsby_deploy.recipients.suppression import (
    check_without_databases,
    count_gone_opt_outs,
    leave_out,
    load_suppression,
    opt_out_positions,
    opted_out_places,
)
from tests.recipients.mailings import AT


def _source(path: Path, **changes: Any) -> OptOuts:
    return OptOuts(RecipientsFile(path, path.name, "phone", AT, is_opt_outs=True)._replace(**changes))


def _load(folder: Path, name: str, content: str, on_invalid: Any = "fail") -> tuple[PhoneSet, list[Problem]]:
    (folder / name).write_text(content, encoding="utf-8")
    return load_suppression([_source(folder / name)._replace(on_invalid=on_invalid)])


def test_load_suppression_formats(tmp_path: Path) -> None:
    """CSV as Excel writes it or with its settings, JSONL and .txt are read, with phones of any country and spelling."""
    (tmp_path / "a.csv").write_bytes("Phone;Имя\r\n+375 29 111-11-11;Анна\r\n\r\n".encode("cp1251"))
    (tmp_path / "b.txt").write_text(
        "\ufeff375292222222\n\nno number\n+7 916 123-45-67\n", encoding="utf-16", newline="\r\n"
    )
    (tmp_path / "c.jsonl").write_text('{"tel": 80333333333}\n')
    (tmp_path / "d.csv").write_text("x|phone\n,|375444444444\n")
    files = [
        _source(tmp_path / "a.csv"),
        _source(tmp_path / "b.txt"),
        _source(tmp_path / "c.jsonl", phone="tel"),
        _source(tmp_path / "d.csv", delimiter="|"),
    ]
    suppressed, problems = load_suppression(files)
    for phone in ("375291111111", "375292222222", "79161234567", "375333333333", "375444444444"):
        assert phone in suppressed
    assert len(suppressed) == 5
    assert [(problem.location.file, problem.location.line) for problem in problems] == [
        ("a.csv", 1),
        ("b.txt", 3),
    ]


def test_only_to_holds_out_all_others(tmp_path: Path) -> None:
    """Under only_to all others are held out, and a test phone that opted out gets nothing either."""
    (tmp_path / "a.txt").write_text("375292222222\n")
    suppressed, problems = load_suppression(
        [_source(tmp_path / "a.txt")], ["80 29 111-11-11", "375292222222"]
    )
    held_out = [phone in suppressed for phone in ("375291111111", "375292222222", "375293333333")]
    assert (held_out, problems) == ([False, True, True], [])
    assert "375291111111" in load_suppression([], [])[0]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [("a.csv", b"tel\n375291234567\n", 1), ("a.csv", b"phone,x\n375291234567\n", 2), ("a.txt", b"12\n\x98\n", 2),
     ("a.csv", b"PK\x03\x04", 1)],
)  # fmt: skip
def test_load_suppression_unreadable_file(name: str, content: bytes, line: int, tmp_path: Path) -> None:
    """A file that cannot be read is an error, since a recipient who opted out could be in it."""
    (tmp_path / name).write_bytes(content)
    _, problems = load_suppression([_source(tmp_path / name)])
    assert [(p.severity, p.code, p.location.line) for p in problems][-1] == ("error", "SUPPRESS_FILE", line)


@pytest.mark.parametrize(
    "line",
    ["3.75291E+11", '"375291234568, 375331234568"', "375291234569 (Anna)", "810375291234571", "unknown",
     ",2026-11-01", "12"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["out.csv", "bare.csv", "out.txt"])
def test_opt_out_that_is_not_a_phone(name: str, line: str, tmp_path: Path) -> None:
    """An opt-out that is not a phone is an error at its place, as that recipient would get the SMS; `drop` counts it."""
    content = f"375291234567\n{line}\n"
    if name == "bare.csv" and line.startswith(","):
        content = "375291234567\nnone\n"  # a blank cell is a blank line there
    if name == "out.csv":
        content = f"phone,when\n{line if line.startswith(',') else f'{line},x'}\n375291234567,\n"
    suppressed, (problem,) = _load(tmp_path, name, content)
    assert (problem.severity, problem.code) == (Severity.ERROR, "SUPPRESS_PHONE")
    assert problem.location is not None and problem.location[:2] == (name, 2)
    suppressed, (problem,) = _load(tmp_path, name, content, "drop")
    assert (problem.severity, problem.code) == (Severity.WARNING, "SUPPRESS_PHONE")
    assert problem.message.startswith("1 line dropped")
    assert "375291234567" in suppressed and len(suppressed) == 1


def test_unreadable_first_line_of_opt_outs_without_a_header(tmp_path: Path) -> None:
    """An unreadable first line is an error, not a header; several columns need a header."""
    _, [problem] = _load(tmp_path, "out.csv", "375291234567 (Anna)\n375291234568\n")
    assert (problem.code, problem.location and problem.location.line) == ("SUPPRESS_PHONE", 1)
    _, [problem] = _load(tmp_path, "out.csv", "375291234567,2026-11-01\n375291234568,2026-11-02\n")
    assert problem.code == "SUPPRESS_FILE"
    assert "the first line is not a header" in problem.message


@pytest.mark.parametrize(
    "content",
    ["375291234567,375291234568\n", "375291234567;Anna", "tel\n", "# old\n12345\n", "not a phone\n"],
)
def test_only_line_of_opt_outs_that_is_not_a_header(content: str, tmp_path: Path) -> None:
    """The only line of a list is an opt-out that cannot be read, not the header of an empty list."""
    _, [problem] = _load(tmp_path, "out.csv", content)
    assert (problem.severity, problem.code) == (Severity.ERROR, "SUPPRESS_FILE")
    assert problem.location is not None and problem.location.line == content.count("\n", 0, -1) + 1
    assert "375291234567" not in problem.message


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("out.jsonl", '{"phone": "none"}\n{"phone": "375291234567"}\n', 1),
        ("out.txt", "phone;name\nnone;Anna\n375291234567;\n", 2),
        ("out.txt", "375291234567\n" * 1000 + "none\n375291234568\n", 1001),
    ],
)
def test_row_without_a_digit_that_is_no_header(name: str, content: str, line: int, tmp_path: Path) -> None:
    """Only the first line of a bare list can be a header; any other without a digit is an unreadable opt-out."""
    _, [problem] = _load(tmp_path, name, content)
    assert (problem.code, problem.location and problem.location.line) == ("SUPPRESS_PHONE", line)


def test_dropped_lines_of_other_columns(tmp_path: Path) -> None:
    """With several columns none is taken for the phones, even if lines that are not phones are dropped."""
    suppressed, [problem] = _load(tmp_path, "out.csv", "id,tel\n375291234567,375291234568\n", "drop")
    assert (len(suppressed), problem.severity, problem.code) == (0, Severity.ERROR, "SUPPRESS_FILE")


@pytest.mark.parametrize(
    ("content", "dropped", "phones"),
    [
        ("none\nxx\n", 1, 0),
        ("12\nxx\n375291234567\n", 2, 1),
        ("Телефон\n375291234567\n", 0, 1),
        ("12\n", 1, 0),
    ],
)
def test_dropped_first_line_of_opt_outs(content: str, dropped: int, phones: int, tmp_path: Path) -> None:
    """With `drop` the first line of a single column is dropped and counted, unless it is a header."""
    suppressed, problems = _load(tmp_path, "out.csv", content, "drop")
    assert len(suppressed) == phones
    assert {problem.severity for problem in problems} <= {Severity.WARNING}
    assert any(problem.message.startswith(f"{dropped} line") for problem in problems) == (dropped > 0)
    assert ("SUPPRESS_EMPTY" in [problem.code for problem in problems]) == (phones == 0)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("out.csv", '# from the CRM, 2026\nphone,note\n\n375291234567,"a\n# b"\n  # "old"\n375291234568,\n'),
        ("out.csv", "\ufeff# Anna's\r\nphone\r\n375291234567\r\n#375291111111\r\n\r\n375291234568\r\n"),
        ("out.csv", "375291234567\n375291234568\n"),
        ("out.csv", "# export\n\n+375 (29) 123-45-67;\r\n\r\n80291234568;;\r\n"),
        ("out.csv", '"375291234567"\n="375291234568"\n# "old"\n'),
        ("out.txt", "# export\n\n375291234567\n# 375291111111\n375291234568\n"),
        ("out.txt", "# export\nТелефон\n375291234567\n375291234568\n"),
        ("out.txt", "#\nphone;name\n375291234567;Anna\n#\n375291234568;\n"),
        ("out.jsonl", '# export\n{"phone": "375291234567"}\n\n{"phone": 375291234568}\n'),
    ],
)
def test_opt_outs_with_comments(name: str, content: str, tmp_path: Path) -> None:
    """Comments, blank lines and a header are allowed, and suppress no recipient."""
    suppressed, problems = _load(tmp_path, name, content)
    assert problems == []
    assert "375291234567" in suppressed and "375291234568" in suppressed and len(suppressed) == 2


def test_comments_keep_line_numbers(tmp_path: Path) -> None:
    """A problem has its physical line, even below comments and cells of several lines."""
    _, (problem,) = _load(tmp_path, "out.csv", '#\nphone,note\n375291234567,"a\n# b"\n#\nunknown,\n')
    assert problem.location is not None and problem.location.line == 6


@pytest.mark.parametrize(
    "content", ["", "\n", "# none yet\n", "phone\n", "# export\nphone,when\n\n", "Phones of clients\n"]
)
def test_empty_opt_outs(content: str, tmp_path: Path) -> None:
    """A list without a phone is a warning, since it may be the wrong file."""
    name = (
        "out.txt" if content.startswith("Phones") else "out.csv"
    )  # any words can be the header of a bare list
    _, (problem,) = _load(tmp_path, name, content)
    assert (problem.severity, problem.code) == (Severity.WARNING, "SUPPRESS_EMPTY")


def test_opt_outs_all_dropped(tmp_path: Path) -> None:
    """A list whose lines were all dropped is a warning, in addition to the number of dropped lines."""
    _, problems = _load(tmp_path, "out.txt", "1\n2\n", "drop")
    assert [(p.severity, p.code) for p in problems] == [
        (Severity.WARNING, "SUPPRESS_PHONE"),
        (Severity.WARNING, "SUPPRESS_EMPTY"),
    ]


def test_dropped_opt_outs_without_the_column_are_an_error(tmp_path: Path) -> None:
    """A phone column that no row has is an error and drops nothing; a row without it is dropped."""
    _, [problem] = _load(tmp_path, "out.jsonl", '{"tel": "375291234567"}\n' * 2, "drop")
    assert (problem.severity, problem.code) == (Severity.ERROR, "SUPPRESS_FILE")
    assert "no column 'phone'; columns: tel" in problem.message
    suppressed, [problem] = _load(tmp_path, "out.jsonl", '{"tel": "1"}\n{"phone": "375291234567"}\n', "drop")
    assert (len(suppressed), problem.code) == (1, "SUPPRESS_PHONE")


@pytest.mark.parametrize(("header", "column"), [("name,Tel,x", "Tel"), ("id", "id")])
def test_opt_outs_with_another_column(header: str, column: str, tmp_path: Path) -> None:
    """If the phone column has another name, the message shows how to set it."""
    _, (problem,) = _load(
        tmp_path, "out.csv", f"{header}\n{',' * header.count(',')}\n1{',' * header.count(',')}\n"
    )
    assert f"{{file: out.csv, phone: {column}}}" in problem.message


@pytest.mark.parametrize(
    ("raw", "phone"),
    [("+375 (0)29 123-45-70", "375291234570"), ("8 017 234-56-78", "375172345678"), ("375172345678", "375172345678"),
     ("+49 (0)171 2345678", "491712345678"), ("+49 30 901820", "4930901820"), ("8 916 123-45-67", "79161234567")],
)  # fmt: skip
def test_normalize_opt_out_of_any_kind(raw: str, phone: str) -> None:
    """Landlines and foreign numbers are phones, and a trunk prefix is left out."""
    assert normalize_opt_out(raw) == phone


@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)), st.booleans())
def test_normalize_opt_out_of_every_country(region: str, is_landline: bool) -> None:
    """Every country's example number is a phone, and the same one in each international spelling."""
    kinds = phonenumbers.PhoneNumberType
    kind = kinds.FIXED_LINE if is_landline else kinds.MOBILE
    number = phonenumbers.example_number_for_type(region, kind)
    if number is not None:
        form = phonenumbers.PhoneNumberFormat
        plain = phonenumbers.format_number(number, form.E164)
        assert normalize_opt_out(plain) == plain[1:]
        assert normalize_opt_out(phonenumbers.format_number(number, form.INTERNATIONAL)) == plain[1:]


def _query(folder: Path, sql: str, *, url: str | None = "") -> OptOuts:
    url = f"sqlite:///{folder / 'crm.db'}" if url == "" else url
    secret = None if url is None else HiddenText(url)
    return OptOuts(
        RecipientsQuery(TextSource(sql, AT), "sql:suppress/1", "CRM_URL", secret, None, "phone", AT)
    )


def test_opt_outs_of_a_query(tmp_path: Path) -> None:
    """The rows of a query are opt-outs in any order, and a row that is not a phone is an error with its number."""
    with closing(sqlite3.connect(tmp_path / "crm.db")) as database:
        database.execute("create table gone (phone)")
        database.executemany("insert into gone values (?)", [("375291234567",), (375291234568,)])
        database.commit()
        suppressed, problems = load_suppression([_query(tmp_path, "select phone from gone")])
        assert problems == [] and "375291234568" in suppressed and len(suppressed) == 2
        database.execute("insert into gone values ('unknown')")
        database.commit()
    _, (problem,) = load_suppression([_query(tmp_path, "select phone from gone")])
    assert (problem.severity, problem.code, problem.location) == (Severity.ERROR, "SUPPRESS_PHONE", AT)
    assert problem.message.startswith("row 3 of the query: ")
    _, (problem,) = load_suppression([_query(tmp_path, "select phone from gone where false")])
    assert problem.code == "SUPPRESS_EMPTY"


@pytest.mark.parametrize(
    ("sql", "url"), [("select phone from missing", ""), ("select 1 as phone", None), ("select 1 as tel", "")]
)
def test_opt_outs_of_a_failing_query(sql: str, url: str | None, tmp_path: Path) -> None:
    """A query that fails is an error, since a recipient who opted out could be among its rows."""
    sqlite3.connect(tmp_path / "crm.db").close()
    for on_invalid in ("fail", "drop"):
        _, problems = load_suppression([_query(tmp_path, sql, url=url)._replace(on_invalid=on_invalid)])
        assert [problem.severity for problem in problems] == [Severity.ERROR]


def test_check_without_databases(tmp_path: Path) -> None:
    """Without the database's URL, `validate` leaves the query out with a note."""
    entry = _query(tmp_path, "select 1", url=None)
    readable, (note,) = check_without_databases([entry, _source(tmp_path / "a.csv")])
    assert readable == [_source(tmp_path / "a.csv")]
    assert (note.severity, note.code) == (Severity.NOTE, "NOT_READ")


def _positions(audience: list[bool]) -> str:
    return opt_out_positions(bytearray(not one for one in audience)) or ""


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_opt_out_positions_notice_who_is_missing(audience: list[tuple[bool, bool]]) -> None:
    """A missing opt-out is noticed, even if another was added; later opt-outs do not matter."""
    then, now = ([one[index] for one in audience] for index in (0, 1))
    is_kept = all(n for t, n in audience if t)
    assert (count_gone_opt_outs(_positions(then), _positions(now)) == 0) is is_kept


@given(st.lists(st.booleans(), max_size=60))
def test_opt_out_positions_name_the_places(audience: list[bool]) -> None:
    """Recipients at recorded positions are left out again, even if their opt-outs are gone by now."""
    mask = bytearray(not one for one in audience)
    text = _positions(audience)
    assert list(opted_out_places(text)) == [place for place, one in enumerate(audience) if one]
    assert leave_out(bytearray(b"\1") * len(audience), opted_out_places(text)) == mask


def test_opt_out_positions_are_distances() -> None:
    """Positions are stored as distances, which are short; without an opt-out there are none."""
    assert opt_out_positions(bytearray([1, 0, 0, 1, 1, 0])) == "1 1 3"
    assert opt_out_positions(bytearray([1, 1])) is None
