"""Problems as terminal text, and the help on every code in every language."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsby_deploy.output.problems_text import (
    as_html,
    count_line,
    problem_help,
    problem_line,
    problem_lines,
    write_problems,
)
from smsby_deploy.problems import Location, Problem, Severity

PROBLEM = Problem(Severity.ERROR, "PHONE", "bad\n100%", "c/x", Location("lists/a,b.csv", 3, 1))


def test_problem_line_is_one_line() -> None:
    """The place comes first, and a line break in a message cannot fake a second problem."""
    assert problem_line(PROBLEM) == "lists/a,b.csv:3:1: error PHONE c/x: bad 100%"


_WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@settings(max_examples=3 * settings().max_examples)
@given(
    st.lists(
        st.builds(
            Problem, st.sampled_from(Severity), st.just("CODE"), _WORDS, location=st.builds(Location, _WORDS)
        ),
        max_size=3,
    ),
    st.booleans(),
)
def test_write_problems_is_the_same_without_rich(problems: list[Problem], color: bool) -> None:
    """Without colors rich is not loaded, and the output is the same."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
            patch.delenv(name, raising=False)
        ours, rich = StringIO(), StringIO()
        write_problems(problems, ours, color=color)
        patch.setattr("smsby_deploy.output.problems_text.is_plain", lambda stream, *, color: False)
        write_problems(problems, rich, color=color)
    assert ours.getvalue() == rich.getvalue()


def test_write_problems_uses_color_if_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CI service that forces colors gets them in its logs."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = StringIO()
    write_problems([PROBLEM], stream, color=True)
    assert "\x1b[" in stream.getvalue()


def test_problem_lines_stop_at_twenty_alike() -> None:
    """Twenty problems of a kind are shown and the rest counted, so that a list of bad phones hides no other problem."""
    many = [Problem(Severity.ERROR, "PHONE", f"bad {n}", "c/x", Location("l.csv", n)) for n in range(1, 1026)]
    lines = [line for _, line in problem_lines([*many, PROBLEM])]
    assert len(lines) == 22
    assert lines[20] == "lists/a,b.csv:3:1: error PHONE c/x: bad 100%"
    assert lines[21] == ("l.csv: error PHONE c/x: 1,005 more like these; use --format json to list them all")


def test_count_line_agrees_in_number() -> None:
    """Severities without problems are left out."""
    assert count_line([PROBLEM]) == "1 error"
    assert count_line([PROBLEM, PROBLEM]) == "2 errors"
    assert count_line([]) == "no problems found"


@pytest.mark.parametrize("language", ["ru"])
def test_every_code_has_help_in_every_language(language: str) -> None:
    """Every code of docs/problems.md is in its translations, in the same order."""
    assert list(problem_help(language)) == list(problem_help("en"))
    assert len(problem_help("en")) > 70


@pytest.mark.parametrize("language", ["en", "ru"])
def test_help_has_no_severity_and_ends_open(language: str) -> None:
    """The help does not repeat the severity, and the caller adds the period."""
    for code, known in problem_help(language).items():
        assert not known.meaning.startswith(("warning", "note", "предупреждение", "замечание")), code
        assert known.meaning and known.way_out, code
        assert not known.way_out.endswith("."), code


def test_as_html_keeps_code_and_drops_links() -> None:
    """A table cell becomes HTML with code marked and links removed."""
    assert as_html("see [files.md](files.md), write `{{ <x> }}`") == (
        "see files.md, write <code>{{ &lt;x&gt; }}</code>"
    )
