"""The status report as Markdown."""

from __future__ import annotations

from smsby_deploy.output.status_markdown import status_markdown
from smsby_deploy.status.report import StatusReport
from tests.output import examples
from tests.output.golden import check_golden


def test_status_markdown_escapes_status_words() -> None:
    """A table and the differences; a status word that is markup stays text."""
    check_golden("status.md", status_markdown(examples.status()))


def test_status_markdown_says_that_it_is_empty() -> None:
    """Without mailings it is a sentence."""
    assert status_markdown(StatusReport(())) == "The lock records no mailings.\n"
