"""Phones, sets of them, and recipients files as people have them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.audience.phone_set import PhoneSet
from smsby_deploy.audience.phones import BadPhone, mask_phone, normalize_phone
from smsby_deploy.audience.source import AudienceReport, stream_audience
from smsby_deploy.audience.suppression import load_suppression
from smsby_deploy.errors import Location
from smsby_deploy.project.declarations import RecipientsFile

_AT = Location("sale.yaml", 5, 17)


@pytest.mark.parametrize(
    "written",
    [
        "375291234567", "+375291234567", "+375 (29) 123-45-67", "8 029 123-45-67", "80291234567", "291234567",
        " 375 29 123 45 67 ",
    ],
)  # fmt: skip
def test_every_spelling_is_one_number(written: str) -> None:
    """However people write it, it is 375XXXXXXXXX."""
    assert normalize_phone(written) == "375291234567"


@pytest.mark.parametrize(
    "written", ["", "abc", "375", "375171234567", "79061234567", "3752912345678", "375٢٩1234567"]
)
def test_what_is_no_belarusian_mobile_number_is_refused(written: str) -> None:
    """Landlines, other countries and words are refused, and the reason never holds the number."""
    with pytest.raises(BadPhone) as caught:
        normalize_phone(written)
    assert len(written) < 4 or written not in str(caught.value)


@given(st.text(max_size=20))
def test_normalizing_twice_is_normalizing_once(text: str) -> None:
    """What comes out goes in unchanged; a masked number never holds the whole."""
    try:
        phone = normalize_phone(text)
    except BadPhone:
        return
    assert normalize_phone(phone) == phone
    assert phone not in mask_phone(phone)


@given(
    st.lists(
        st.integers(0, 99).map(lambda n: f"3752900000{n:02d}")
        | st.from_regex(r"[1-9]\d{5,14}", fullmatch=True)
    )
)
def test_a_phone_set_is_a_set(phones: list[str]) -> None:
    """The same answers as a set of strings, for Belarusian and other numbers."""
    ours, plain = PhoneSet(), set[str]()
    for phone in phones:
        assert (phone in ours) == (phone in plain)
        assert ours.add(phone) == (phone not in plain)
        plain.add(phone)
    assert len(ours) == len(plain)


def _read(path: Path, **changes: str) -> tuple[list[tuple[str, dict[str, str], int]], AudienceReport]:
    report = AudienceReport()
    source = RecipientsFile(path, path.name, changes.get("phone", "phone"), _AT, changes.get("encoding"))
    batches = stream_audience(
        source,
        address="a/b",
        campaign_file="sale.yaml",
        has_text=True,
        on_invalid="fail",
        report=report,
        batch_rows=2,
    )
    rows = [row for batch in batches for row in zip(batch.phones, batch.variables, batch.lines, strict=True)]
    return rows, report


@pytest.mark.parametrize(
    "content",
    [
        "phone,name\n375291234567,Анна\n".encode(),
        "\ufeffPhone;name\r\n375291234567;Анна\r\n;\r\n\r\n".encode(),
        "phone;name\n375291234567;Анна\n".encode("cp1251"),
        "phone\tname\n375291234567\tАнна".encode(),
        '"phone","name"\n"375291234567","Анна"\n'.encode(),
    ],
)
def test_csv_is_read_as_people_have_it(content: bytes, tmp_path: Path) -> None:
    """BOM, cp1251, semicolons, tabs, CRLF, quotes, blank rows, a header in another case: the same row."""
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    rows, report = _read(path)
    assert not report.problems
    assert [(phone, variables["name"]) for phone, variables, _ in rows] == [("375291234567", "Анна")]


def test_problems_stand_at_their_physical_line(tmp_path: Path) -> None:
    """A quoted line break before it does not move a bad phone's line; duplicates are counted, the first wins."""
    path = tmp_path / "list.csv"
    path.write_text('phone,note\n375291234567,"two\nlines"\n123,x\n80291234567,again\n375292222222\n')
    rows, report = _read(path)
    assert [line for *_, line in rows] == [2]
    assert [(problem.code, problem.line) for problem in report.problems] == [("PHONE", 4), ("ROW", 6)]
    assert (report.rows, report.invalid, report.duplicate) == (4, 2, 1)


def test_jsonl_is_read_line_by_line(tmp_path: Path) -> None:
    """Objects of plain values; a bad line is a problem at its place."""
    path = tmp_path / "list.jsonl"
    path.write_text('{"phone": 375291234567, "n": 1.5}\n\n[1]\n{broken\n')
    rows, report = _read(path)
    assert [(phone, variables["n"]) for phone, variables, _ in rows] == [("375291234567", "1.5")]
    assert [problem.line for problem in report.problems] == [3, 4]


def test_an_empty_audience_is_an_error(tmp_path: Path) -> None:
    """A header without rows never means everyone."""
    path = tmp_path / "list.csv"
    path.write_text("phone\n")
    assert [problem.code for problem in _read(path)[1].problems] == ["EMPTY_AUDIENCE"]


def test_suppression_is_read_from_csv_and_txt(tmp_path: Path) -> None:
    """Opt-outs in both shapes; a line that is no number is a warning at its line."""
    (tmp_path / "a.csv").write_text("Phone\n+375 29 111-11-11\n")
    (tmp_path / "b.txt").write_text("375292222222\nno number\n")
    files = [RecipientsFile(tmp_path / name, name, "phone", _AT) for name in ("a.csv", "b.txt")]
    suppressed, problems = load_suppression(files)
    assert "375291111111" in suppressed
    assert "375292222222" in suppressed
    assert [(problem.file, problem.line) for problem in problems] == [("b.txt", 2)]
