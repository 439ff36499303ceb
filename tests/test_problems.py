"""Problems: their places, and that nothing unprintable or private gets into them."""

from __future__ import annotations

from smsby_deploy.problems import Location, Problem, ProblemLog, Severity, has_errors, problem_document

_AT = Location("sale.yaml", 3, 5)


def _problem(
    severity: Severity = Severity.ERROR, message: str = "wrong", at: Location | None = _AT
) -> Problem:
    return Problem(severity, "CODE", message, location=at)


def test_location_has_only_the_parts_it_knows() -> None:
    """As an editor opens it."""
    places = [Location("a.csv"), Location("a.csv", 2), Location("a.csv", 2, 7)]
    assert [str(place) for place in places] == ["a.csv", "a.csv:2", "a.csv:2:7"]


def test_problem_of_a_whole_line_has_column_1() -> None:
    """A problem of a whole file has neither line nor column."""
    assert _problem(at=Location("a.csv", 2)).location == Location("a.csv", 2, 1)
    assert _problem(at=Location("a.csv")).location == Location("a.csv")


def test_problem_replaces_what_utf8_cannot_express() -> None:
    """File names may be any bytes; every output is UTF-8."""
    problem = _problem(message="no \udcff here", at=Location("\udcff.yaml", 1, 1))
    assert problem.message == "no ? here"
    assert problem.location == Location("\\xff.yaml", 1, 1)


def test_problem_has_no_control_characters() -> None:
    """Its message and file are written to plan files, which are refused with them, and it is no longer than they allow."""
    problem = _problem(message="\x1b[2J\x9b\u202ehere", at=Location("\x00.yaml", 1, 1))
    assert problem.message == " [2J  here"
    assert problem.location == Location("\\x00.yaml", 1, 1)
    assert len(problem_document(_problem(message="x" * 200_000))["message"]) == 100_000


def test_problem_document_masks_phones() -> None:
    """It goes into plan files and JSON output."""
    document = problem_document(_problem(message="375291234567 is listed twice"))
    assert "375291234567" not in document["message"]
    assert (document["file"], document["line"], document["column"]) == ("sale.yaml", 3, 5)


def test_has_errors_ignores_warnings_and_notes() -> None:
    """Only errors make the files invalid."""
    harmless = [_problem(Severity.WARNING), _problem(Severity.NOTE)]
    assert not has_errors(harmless)
    assert has_errors([*harmless, _problem()])


def test_problem_log_reports_each_problem_once() -> None:
    """Mailings that share a setting report it several times."""
    log = ProblemLog()
    log.error("A", "first", _AT)
    before = len(log)
    log.warning("B", "second", _AT)
    log.extend([_problem(), _problem()])
    assert [problem.code for problem in log.since(before)] == ["B", "CODE", "CODE"]
    assert [problem.code for problem in log.distinct()] == ["A", "B", "CODE"]
