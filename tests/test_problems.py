"""Problems: their places, and that nothing unprintable or private gets into them."""

from __future__ import annotations

from smsby_deploy.problems import Location, Problem, ProblemLog, Severity, has_errors, problem_document

_AT = Location("sale.yaml", 3, 5)


def _problem(
    severity: Severity = Severity.ERROR, message: str = "wrong", at: Location | None = _AT
) -> Problem:
    return Problem(severity, "CODE", message, location=at)


def test_location_has_only_the_parts_it_knows() -> None:
    """A location has only its known parts, in the form that editors open."""
    places = [Location("a.csv"), Location("a.csv", 2), Location("a.csv", 2, 7)]
    assert [str(place) for place in places] == ["a.csv", "a.csv:2", "a.csv:2:7"]


def test_problem_of_a_whole_line_has_column_1() -> None:
    """A problem of a whole line has column 1, and one of a whole file neither line nor column."""
    assert _problem(at=Location("a.csv", 2)).location == Location("a.csv", 2, 1)
    assert _problem(at=Location("a.csv")).location == Location("a.csv")


def test_problem_replaces_what_utf8_cannot_express() -> None:
    """Bytes of a file name that are not UTF-8 are replaced, since every output is UTF-8."""
    problem = _problem(message="no \udcff here", at=Location("\udcff.yaml", 1, 1))
    assert problem.message == "no ? here"
    assert problem.location == Location("\\xff.yaml", 1, 1)


def test_problem_has_no_control_characters() -> None:
    """Message and file have no control characters and a limited length, as plan files with them would be refused."""
    problem = _problem(message="\x1b[2J\x9b\u202ehere", at=Location("\x00.yaml", 1, 1))
    assert problem.message == " [2J  here"
    assert problem.location == Location("\\x00.yaml", 1, 1)
    assert len(problem_document(_problem(message="x" * 200_000))["message"]) == 100_000


def test_problem_document_masks_phones() -> None:
    """Phones are masked in plan files and JSON output."""
    document = problem_document(_problem(message="375291234567 is listed twice"))
    assert "375291234567" not in document["message"]
    assert (document["file"], document["line"], document["column"]) == ("sale.yaml", 3, 5)


def test_has_errors_ignores_warnings_and_notes() -> None:
    """Only errors make the files invalid."""
    harmless = [_problem(Severity.WARNING), _problem(Severity.NOTE)]
    assert not has_errors(harmless)
    assert has_errors([*harmless, _problem()])


def test_problem_log_reports_each_problem_once() -> None:
    """A problem that several mailings report, as of a shared setting, is listed once."""
    log = ProblemLog()
    log.error("A", "first", _AT)
    before = len(log)
    log.warning("B", "second", _AT)
    log.extend([_problem(), _problem()])
    assert [problem.code for problem in log.since(before)] == ["B", "CODE", "CODE"]
    assert [problem.code for problem in log.distinct()] == ["A", "B", "CODE"]
