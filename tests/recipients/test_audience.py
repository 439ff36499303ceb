"""audience: rows at their lines, invalid phones, repeats, empty audiences."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

from smsby_deploy.config.sources import InlineRecipients, OptOuts, RecipientsFile
from smsby_deploy.problems import Location
from smsby_deploy.recipients import list_files
from smsby_deploy.recipients.audience import AudienceReport, find_differing, read_audience
from smsby_deploy.recipients.suppression import load_suppression
from tests.recipients.mailings import make_mailing

_AT = Location("sale.yaml", 5, 17)


def _source(path: Path, **changes: Any) -> RecipientsFile:
    return RecipientsFile(path, path.name, "phone", _AT)._replace(**changes)


def _read(
    source: RecipientsFile, **changes: Any
) -> tuple[list[tuple[str, dict[str, str], int]], AudienceReport]:
    report = AudienceReport()
    with patch.object(list_files, "BLOCK_ROWS", 2):
        batches = list(read_audience(make_mailing(source, **changes), None, report))
    rows = [row for batch in batches for row in zip(batch.phones, batch.variables, batch.lines, strict=True)]
    return rows, report


def test_audience_problems_have_physical_lines(tmp_path: Path) -> None:
    """A quoted line break does not shift later lines; repeats are counted, and the first row is used."""
    path = tmp_path / "list.csv"
    path.write_text('phone,note\n375291234567,"two\nlines"\n123,x\n80291234567,again\n375292222222\n')
    rows, report = _read(_source(path))
    assert [line for *_, line in rows] == [2]
    assert [(problem.code, problem.location.line) for problem in report.problems] == [
        ("PHONE", 4),
        ("ROW", 6),
    ]
    assert (report.rows, report.invalid, report.duplicate) == (4, 2, 1)


def test_audience_from_jsonl(tmp_path: Path) -> None:
    """JSONL rows are objects without nested values, and a bad line is a problem at its line."""
    path = tmp_path / "list.jsonl"
    path.write_text('{"phone": 375291234567, "n": 1.5}\n\n[1]\n{broken\n')
    rows, report = _read(_source(path))
    assert [(phone, variables["n"]) for phone, variables, _ in rows] == [("375291234567", "1.5")]
    assert [problem.location.line for problem in report.problems] == [3, 4]


def test_jsonl_numbers_stay_as_written(tmp_path: Path) -> None:
    """1.50 stays 1.50, true is a word and null is empty; a lone surrogate or deep nesting is an invalid row."""
    path = tmp_path / "list.jsonl"
    good = '{"phone": "375291234567", "price": 1.50, "big": 12345678901234567890, "vip": true, "city": null}'
    bad = ['{"phone": "375291234568", "name": "\\ud800"}', "[" * 90_000, '{"phone": NaN}', "{}"]
    path.write_text("\n".join([good, *bad]))
    rows, report = _read(_source(path))
    values = {
        "phone": "375291234567",
        "price": "1.50",
        "big": "12345678901234567890",
        "vip": "true",
        "city": "",
    }
    assert [variables for _, variables, _ in rows] == [values]
    assert [(problem.code, problem.location.line) for problem in report.problems] == [
        ("ROW", n) for n in (2, 3, 4, 5)
    ]


def test_audience_columns_ignore_case(tmp_path: Path) -> None:
    """PHONE is the phone column, and a template can use Name as Name or name."""
    path = tmp_path / "list.csv"
    path.write_text("PHONE,Name\n375291234567, Анна \n")
    ((phone, variables, _),), report = _read(_source(path))
    assert not report.problems
    assert phone == variables["phone"] == "375291234567"
    assert (variables["Name"], variables["name"]) == ("Анна", "Анна")


def test_missing_phone_column_names_the_others(tmp_path: Path) -> None:
    """A missing phone column is a problem at the header's line that names the likely one, whatever the rows."""
    path = tmp_path / "list.csv"
    for rows in ("375291234567,x\n", "375291234567,x,y,z\n", ""):
        path.write_text(f"\nname,tel\n{rows}")
        _, report = _read(_source(path))
        (problem,) = report.problems
        assert (problem.code, problem.location.line) == ("RECIPIENTS", 2)
        assert problem.message.endswith("columns: name, tel; name the column: {file: list.csv, phone: tel}")


def test_missing_header_shows_no_recipient(tmp_path: Path) -> None:
    """If the first line is a recipient instead of a header, its number and name are not shown."""
    path = tmp_path / "list.csv"
    for line in ("375291234567,Anna", "Anna,+375 (29) 123-45-67", "375291234567,375291234567"):
        path.write_text(f"{line}\n{line}\n")
        (problem,) = [*_read(_source(path))[1].problems]
        assert problem.code == "RECIPIENTS"
        assert "Anna" not in problem.message
        assert "29" not in problem.message
        assert "29" not in load_suppression([OptOuts(_source(path))])[1][0].message


def test_dropped_rows_are_counted_not_reported(tmp_path: Path) -> None:
    """With on_invalid: drop, invalid rows are only counted, and a file with no other rows is empty."""
    path = tmp_path / "list.csv"
    path.write_text("phone\n123\n375291234567\n")
    rows, report = _read(_source(path), on_invalid="drop")
    assert [line for *_, line in rows] == [3]
    assert (report.rows, report.invalid, report.problems) == (2, 1, [])
    path.write_text("phone\n123\n")
    assert [p.code for p in _read(_source(path), on_invalid="drop")[1].problems] == ["EMPTY_AUDIENCE"]


def test_find_differing_repeats(tmp_path: Path) -> None:
    """A dropped repeat whose values differ from the first row is found, whatever the spelling of its phone."""
    path = tmp_path / "list.csv"
    path.write_text(
        "phone,name\n375291234567,Анна\n80291234567, Анна \n375291234567,Ольга\n375331234567,Вера\n291234567,Ия\n"
    )
    rows, report = _read(_source(path))
    assert [variables["name"] for _, variables, _ in rows] == ["Анна", "Вера"]
    assert report.duplicate == 3
    assert find_differing(make_mailing(_source(path)), report) == [4, 6]


def test_find_differing_inline_recipients() -> None:
    """An inline recipient differs by another variable or its own text."""
    rows = [
        {"phone": "+375 29 123-45-67", "name": "Анна"},
        {"phone": "375291234567", "name": "Анна"},
        {"phone": "375291234567", "name": "Анна", "text": "own"},
        {"phone": "375291234567"},
    ]
    mailing = make_mailing(InlineRecipients(rows, _AT, [(line, 1) for line in range(5, 9)]))
    report = AudienceReport()
    batches = read_audience(mailing, None, report)
    assert [batch.phones for batch in batches] == [["375291234567"]]
    assert report.duplicate == 3
    assert find_differing(mailing, report) == [7, 8]


def test_invalid_inline_phone_has_its_column() -> None:
    """Each of several invalid phones on one line has its column."""
    at = Location("sale.yaml", 5, 17)
    rows = [{"phone": phone} for phone in ("375291111111", "1", "375171111111")]
    recipients = InlineRecipients(rows, at, [(5, 18), (5, 34), (5, 39)])
    report = AudienceReport()
    assert not list(read_audience(make_mailing(recipients), None, report))[1:]
    assert [(p.location.line, p.location.column) for p in report.problems] == [(5, 34), (5, 39)]
    assert report.problems[0].message == "only 1 digit; a phone number has at least 7"


def test_audience_countries(tmp_path: Path) -> None:
    """Foreign phones are errors by default, and recipients with `countries`."""
    path = tmp_path / "list.csv"
    path.write_text("phone\n+7 916 123-45-67\n")
    assert [problem.code for problem in _read(_source(path))[1].problems] == ["PHONE"]
    rows, report = _read(_source(path), countries=("BY", "RU"))
    assert ([phone for phone, *_ in rows], report.problems) == (["79161234567"], [])


def test_empty_audience_is_an_error(tmp_path: Path) -> None:
    """A header without rows is an error, and never means all recipients."""
    path = tmp_path / "list.csv"
    path.write_text("phone\n")
    assert [problem.code for problem in _read(_source(path))[1].problems] == ["EMPTY_AUDIENCE"]
