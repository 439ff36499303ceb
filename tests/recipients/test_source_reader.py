"""One interface for rows of any kind, and places that a reader can open."""

from __future__ import annotations

from pathlib import Path

from smsby_deploy.config.sources import HiddenText, RecipientsFile, RecipientsQuery, RowSource, TextSource
from smsby_deploy.output.translation import translator
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.rows import SourceFacts
from smsby_deploy.recipients.source_reader import place_rows, read_source, warn_of_guess
from smsby_deploy.wording import sentence

_AT = Location("sale.yaml", 5, 5)


def _file(folder: Path, content: bytes, encoding: str | None = None) -> RecipientsFile:
    path = folder / "buyers.csv"
    path.write_bytes(content)
    return RecipientsFile(path, "buyers.csv", "phone", _AT, encoding)


def _query(folder: Path) -> RecipientsQuery:
    database = folder / "buyers.db"
    database.touch()
    url = HiddenText(f"sqlite:///{database}")
    sql = TextSource("select 'Anna' as name, 375291234567 as phone", _AT)
    return RecipientsQuery(sql, "sql:sale/vip", "DB_URL", url, None, "phone", _AT)


def test_read_source_gives_the_same_rows_from_any_source(tmp_path: Path) -> None:
    """A file and a query with the same content give the same columns and cells."""
    file = _file(tmp_path, b"name,phone\nAnna,375291234567\n")
    blocks = [next(read_source(source, SourceFacts())) for source in (file, _query(tmp_path))]
    assert [(block.columns, block.cells) for block in blocks] == [
        (("name", "phone"), [["Anna", "375291234567"]])
    ] * 2


def _warnings(source: RowSource) -> list[Problem]:
    facts = SourceFacts()
    assert len(list(read_source(source, facts))) == 1
    return warn_of_guess("list.csv", facts, "sale/vip")


def test_warn_of_guess_only_if_the_encoding_is_a_guess(tmp_path: Path) -> None:
    """A guessed encoding is a warning; UTF-8, a named encoding and a query are not guesses."""
    cyrillic = "phone,name\n375291234567,Анна\n"
    (problem,) = _warnings(_file(tmp_path, cyrillic.encode("cp1251")))
    assert (problem.code, problem.severity, problem.address) == (
        "ENCODING_GUESSED",
        Severity.WARNING,
        "sale/vip",
    )
    assert "cp1251" in problem.message
    assert _warnings(_file(tmp_path, cyrillic.encode("cp1251"), "cp1251")) == []
    assert _warnings(_file(tmp_path, cyrillic.encode())) == []
    assert _warnings(_query(tmp_path)) == []


def test_place_rows_of_a_query_is_where_it_is_written(tmp_path: Path) -> None:
    """A row of a query is placed at the query, with its number in the message."""
    see = sentence("not a phone; see {place}", place=Location("sql:sale/vip", 2))
    problem = Problem(Severity.ERROR, "PHONE", see, location=Location("sql:sale/vip", 7))
    (placed,) = place_rows(_query(tmp_path), [problem])
    assert placed.location == _AT
    assert placed.message == "row 7 of the query: not a phone; see row 2 of the query"


def test_place_rows_keeps_what_can_be_translated(tmp_path: Path) -> None:
    """Rows that a sentence names are translated to the language of the project."""
    query = _query(tmp_path)
    said = sentence(
        "the text of this recipient contains a placeholder ({place}): fill it in or remove it",
        place=Location(query.name, 2),
    )
    problem = Problem(Severity.ERROR, "PLACEHOLDER", said, None, Location(query.name, 2))
    (placed,) = place_rows(query, [problem])
    assert placed.message == (
        "row 2 of the query: the text of this recipient contains a placeholder (row 2 of the query): fill it in or "
        "remove it"
    )
    assert translator("ru").sentence(placed.message) == (
        "строка 2 запроса: в тексте этого получателя осталась подстановка (строка 2 запроса): заполните её или уберите"
    )


def test_place_rows_leaves_a_text_file_alone(tmp_path: Path) -> None:
    """A row of a text file stays at its own line, which can be opened."""
    problem = Problem(Severity.ERROR, "PHONE", "not a phone", location=Location("buyers.csv", 7))
    assert place_rows(_file(tmp_path, b"phone\n"), [problem]) == [problem]
