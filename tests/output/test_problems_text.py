from __future__ import annotations

import json
import tracemalloc
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsby_deploy.output.console import when
from smsby_deploy.output.findings import list_findings
from smsby_deploy.output.json_documents import validate_document, write_json
from smsby_deploy.output.problems_text import github_annotations, problem_line, write_problems
from smsby_deploy.problems import Location, Problem, Severity, problem_document

PROBLEM = Problem(Severity.ERROR, "PHONE", "bad\n100%", "c/x", Location("lists/a,b.csv", 3, 1))


def test_a_problem_is_one_line() -> None:
    """The place comes first, and a line break in a message can't fake a second problem."""
    assert problem_line(PROBLEM) == "lists/a,b.csv:3:1: error PHONE c/x: bad 100%"


def test_annotations_are_escaped() -> None:
    """Nothing in a file's name or a message ends the workflow command early."""
    expected = "::error file=lists/a%2Cb.csv,line=3,col=1,title=PHONE::c/x: bad 100%25\n"
    assert github_annotations(list_findings([PROBLEM])) == expected


def test_summary_counts_by_severity() -> None:
    """The summary counts each severity, also those without a problem."""
    assert validate_document([PROBLEM])["summary"] == {"errors": 1, "warnings": 0, "notes": 0}


def test_a_hundred_thousand_problems_fill_no_memory() -> None:
    """JSON holds all of them, and they are put into words one at a time."""

    class Lengths(StringIO):
        """Counts what is written, and keeps none of it."""

        length = 0

        def write(self, text: str) -> int:
            self.length += len(text)
            return len(text)

    stream = Lengths()
    tracemalloc.start()
    try:
        write_json(validate_document([PROBLEM] * 100_000), stream)
        assert tracemalloc.get_traced_memory()[1] < 5 * 2**20
    finally:
        tracemalloc.stop()
    assert stream.length > 10 * 2**20
    whole = StringIO()
    write_json(validate_document([PROBLEM]), whole)
    assert json.loads(whole.getvalue())["problems"] == [problem_document(PROBLEM)]


def test_a_time_reads_like_one() -> None:
    """Day, clock and offset, no seconds that are zero."""
    assert when("2027-03-01T10:00:00+03:00") == "2027-03-01 10:00 +03:00"
    assert when(None) == "on apply"


_WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.builds(
            Problem, st.sampled_from(Severity), st.just("CODE"), _WORDS, location=st.builds(Location, _WORDS)
        ),
        max_size=3,
    ),
    st.booleans(),
)
def test_without_rich_it_reads_the_same(problems: list[Problem], color: bool) -> None:
    """Where nobody sees colours rich is not loaded, and what it would have written is written."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
            patch.delenv(name, raising=False)
        ours, rich = StringIO(), StringIO()
        write_problems(problems, ours, color=color)
        patch.setattr("smsby_deploy.output.problems_text.is_plain", lambda stream, *, color: False)
        write_problems(problems, rich, color=color)
    assert ours.getvalue() == rich.getvalue()


def test_colours_that_are_asked_for_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """As logs of CI show them."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = StringIO()
    write_problems([PROBLEM], stream, color=True)
    assert "\x1b[" in stream.getvalue()
