"""An audience: rows at their lines, bad phones, duplicates, opt-outs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.config.declarations import InlineRecipient, InlineRecipients, RecipientsFile
from smsby_deploy.problems import Location
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
    batches = read_audience(make_mailing(source, **changes), None, report, batch_rows=2)
    rows = [row for batch in batches for row in zip(batch.phones, batch.variables, batch.lines, strict=True)]
    return rows, report


def test_problems_stand_at_their_physical_line(tmp_path: Path) -> None:
    """A quoted line break before it does not move a bad phone's line; duplicates are counted, the first wins."""
    path = tmp_path / "list.csv"
    path.write_text('phone,note\n375291234567,"two\nlines"\n123,x\n80291234567,again\n375292222222\n')
    rows, report = _read(_source(path))
    assert [line for *_, line in rows] == [2]
    assert [(problem.code, problem.location.line) for problem in report.problems] == [
        ("PHONE", 4),
        ("ROW", 6),
    ]
    assert (report.rows, report.invalid, report.duplicate) == (4, 2, 1)


def test_jsonl_is_read_line_by_line(tmp_path: Path) -> None:
    """Objects of plain values; a bad line is a problem at its place."""
    path = tmp_path / "list.jsonl"
    path.write_text('{"phone": 375291234567, "n": 1.5}\n\n[1]\n{broken\n')
    rows, report = _read(_source(path))
    assert [(phone, variables["n"]) for phone, variables, _ in rows] == [("375291234567", "1.5")]
    assert [problem.location.line for problem in report.problems] == [3, 4]


def test_numbers_in_jsonl_stay_as_they_were_written(tmp_path: Path) -> None:
    """1.50 is not 1.5, true is a word, null is empty; half a character and deep nesting are rows with an error."""
    path = tmp_path / "list.jsonl"
    good = '{"phone": "375291234567", "price": 1.50, "big": 12345678901234567890, "vip": true, "city": null}'
    bad = ['{"phone": "375291234568", "name": "\\ud800"}', "[" * 100_000, '{"phone": NaN}', "{}"]
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


def test_columns_are_found_in_any_case(tmp_path: Path) -> None:
    """PHONE is the phone column, and a template may call Name both Name and name."""
    path = tmp_path / "list.csv"
    path.write_text("PHONE,Name,City,city\n375291234567, Анна ,A,b\n")
    ((phone, variables, _),), report = _read(_source(path))
    assert not report.problems
    assert phone == variables["phone"] == "375291234567"
    assert (variables["Name"], variables["name"]) == ("Анна", "Анна")
    assert (variables["City"], variables["city"]) == ("A", "b")


def test_a_missing_column_is_told_with_those_there_are(tmp_path: Path) -> None:
    """At the header's line."""
    path = tmp_path / "list.csv"
    path.write_text("\ntel,name\n375291234567,x\n")
    _, report = _read(_source(path))
    (problem,) = report.problems
    assert (problem.code, problem.location.line) == ("RECIPIENTS", 2)
    assert "tel, name" in problem.message


def test_a_file_without_a_header_shows_nobody(tmp_path: Path) -> None:
    """Its first line is a person: neither the number nor the name is told."""
    path = tmp_path / "list.csv"
    for line in ("375291234567,Anna", "Anna,+375 (29) 123-45-67", "375291234567,375291234567"):
        path.write_text(f"{line}\n{line}\n")
        (problem,) = [*_read(_source(path))[1].problems]
        assert problem.code == "RECIPIENTS"
        assert "Anna" not in problem.message
        assert "29" not in problem.message
        assert "29" not in load_suppression([_source(path)])[1][0].message


def test_dropped_rows_are_counted_and_not_told(tmp_path: Path) -> None:
    """With on_invalid: drop the bad ones are in the waterfall only; a file of bad ones only is empty."""
    path = tmp_path / "list.csv"
    path.write_text("phone\n123\n375291234567\n")
    rows, report = _read(_source(path), on_invalid="drop")
    assert [line for *_, line in rows] == [3]
    assert (report.rows, report.invalid, report.problems) == (2, 1, [])
    path.write_text("phone\n123\n")
    assert [p.code for p in _read(_source(path), on_invalid="drop")[1].problems] == ["EMPTY_AUDIENCE"]


def test_a_repeated_phone_with_other_values_is_found(tmp_path: Path) -> None:
    """The first row wins; of the dropped ones those that say something else are named, the spelling aside."""
    path = tmp_path / "list.csv"
    path.write_text(
        "phone,name\n375291234567,Анна\n80291234567, Анна \n375291234567,Ольга\n375331234567,Вера\n291234567,Ия\n"
    )
    rows, report = _read(_source(path))
    assert [variables["name"] for _, variables, _ in rows] == ["Анна", "Вера"]
    assert report.duplicate == 3
    assert find_differing(make_mailing(_source(path)), report) == [4, 6]


def test_inline_recipients_repeat_too() -> None:
    """Another variable or a text of their own makes an inline recipient differ."""
    people = [
        InlineRecipient("+375 29 123-45-67", {"name": "Анна"}, None, _AT._replace(line=5)),
        InlineRecipient("375291234567", {"name": "Анна"}, None, _AT._replace(line=6)),
        InlineRecipient("375291234567", {"name": "Анна"}, "own", _AT._replace(line=7)),
        InlineRecipient("375291234567", {}, None, _AT._replace(line=8)),
    ]
    mailing = make_mailing(InlineRecipients(tuple(people), _AT))
    report = AudienceReport()
    batches = read_audience(mailing, None, report)
    assert [batch.phones for batch in batches] == [["375291234567"]]
    assert report.duplicate == 3
    assert find_differing(mailing, report) == [7, 8]


def test_a_bad_phone_in_a_campaign_stands_at_its_column() -> None:
    """Several may stand on one line there."""
    at = Location("sale.yaml", 5, 17)
    rows = tuple(
        InlineRecipient(phone, {}, None, Location("sale.yaml", 5, column))
        for phone, column in (("375291111111", 18), ("1", 34), ("375171111111", 39))
    )
    report = AudienceReport()
    assert not list(read_audience(make_mailing(InlineRecipients(rows, at)), None, report))[1:]
    assert [(p.location.line, p.location.column) for p in report.problems] == [(5, 34), (5, 39)]
    assert report.problems[0].message == "only 1 digit; a phone number has at least 7"


def test_other_countries_only_where_they_are_allowed(tmp_path: Path) -> None:
    """The same file: an error by default, people with `countries`."""
    path = tmp_path / "list.csv"
    path.write_text("phone\n+7 916 123-45-67\n")
    assert [problem.code for problem in _read(_source(path))[1].problems] == ["PHONE"]
    rows, report = _read(_source(path), countries=("BY", "RU"))
    assert ([phone for phone, *_ in rows], report.problems) == (["79161234567"], [])


def test_an_empty_audience_is_an_error(tmp_path: Path) -> None:
    """A header without rows never means everyone."""
    path = tmp_path / "list.csv"
    path.write_text("phone\n")
    assert [problem.code for problem in _read(_source(path))[1].problems] == ["EMPTY_AUDIENCE"]


def test_suppression_files_are_read_as_recipients_files_are(tmp_path: Path) -> None:
    """CSV as Excel writes it, with settings of its own, JSONL and .txt; from any country; in every spelling."""
    (tmp_path / "a.csv").write_bytes("Phone;Имя\r\n+375 29 111-11-11;Анна\r\n\r\n".encode("cp1251"))
    (tmp_path / "b.txt").write_text(
        "\ufeff375292222222\r\n\r\nno number\r\n+7 916 123-45-67\r\n", encoding="utf-16"
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
    assert [(problem.location.file, problem.location.line) for problem in problems] == [("b.txt", 3)]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [("a.csv", b"tel\n375291234567\n", 1), ("a.csv", b"phone,x\n375291234567\n", 2), ("a.txt", b"12\n\x98\n", 2),
     ("a.csv", b"", 1), ("a.csv", b"PK\x03\x04", 1)],
)  # fmt: skip
def test_a_suppression_file_that_cant_be_read_is_an_error(
    name: str, content: bytes, line: int, tmp_path: Path
) -> None:
    """Somebody who opted out could stand in it: it is never skipped."""
    (tmp_path / name).write_bytes(content)
    _, problems = load_suppression([_source(tmp_path / name)])
    assert [(p.severity, p.code, p.location.line) for p in problems][-1] == ("error", "SUPPRESS_FILE", line)
