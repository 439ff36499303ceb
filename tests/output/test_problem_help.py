"""What problem codes mean and what to do, in every language."""

from __future__ import annotations

import pytest

from smsby_deploy.output.problem_help import as_html, problem_help


@pytest.mark.parametrize("language", ["ru"])
def test_every_code_has_help_in_every_language(language: str) -> None:
    """A code that is new in docs/problems.md is new in its translations, too, in the same order."""
    assert list(problem_help(language)) == list(problem_help("en"))
    assert len(problem_help("en")) > 70


@pytest.mark.parametrize("language", ["en", "ru"])
def test_help_has_no_severity_and_ends_open(language: str) -> None:
    """The severity is shown anyway, and the caller writes the period."""
    for code, known in problem_help(language).items():
        assert not known.meaning.startswith(("warning", "note", "предупреждение", "замечание")), code
        assert known.meaning and known.way_out, code
        assert not known.way_out.endswith("."), code


def test_as_html_keeps_code_and_drops_links() -> None:
    """The cell of a table in Markdown, where nothing but code is marked."""
    assert as_html("see [files.md](files.md), write `{{ <x> }}`") == (
        "see files.md, write <code>{{ &lt;x&gt; }}</code>"
    )
