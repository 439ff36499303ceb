"""The status report as Markdown."""

from __future__ import annotations

from smsby_deploy.output.status_markdown import status_markdown
from smsby_deploy.output.translation import translator
from smsby_deploy.status.mailing_details import Details
from smsby_deploy.status.status_report import State, StatusReport
from tests.output import examples
from tests.output.golden import check_golden


def test_status_markdown_escapes_status_words() -> None:
    """A status word that is markup stays text, in the table and the differences."""
    check_golden("status.md", status_markdown(examples.status()))


def test_status_markdown_is_in_russian_if_the_project_is() -> None:
    """In a Russian project the status words of sms.by stay unchanged."""
    check_golden("status.ru.md", status_markdown(examples.status(), "BYN", translator("ru")))


def test_status_markdown_says_that_it_is_empty() -> None:
    """Without mailings the report is a sentence."""
    assert status_markdown(StatusReport(())) == "The lock records no mailings.\n"


def test_status_markdown_warns_only_of_what_is_wrong() -> None:
    """A user's decision is no warning, and recipients without a final status are one."""
    details = Details(decision="withdrawn by anna", overdue=2)
    withdrawn = examples.mailing("c/x", State.WITHDRAWN, (0, 2, 0, 0), details=details)
    text = status_markdown(StatusReport((withdrawn,)))
    assert "- 💬 **c/x** withdrawn by anna\n- ⚠️ **c/x** 2 recipients without a final status" in text
