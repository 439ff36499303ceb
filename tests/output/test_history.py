"""Past applies as text, Markdown and JSON."""

from __future__ import annotations

import io

from smsby_deploy.lock.records import Apply, Lock
from smsby_deploy.output.history import history_markdown, write_history
from smsby_deploy.output.json_documents import history_document, json_text
from tests.output.golden import check_golden

LOCK = Lock(
    "shop",
    applies=(
        Apply("7f3c9a", "2026-11-28T21:05:00+00:00", "5133cd2aa0b1c2d3", "smsby-deploy 0.1.0", 2, 1200),
        Apply("8a4d0b", "2026-12-01T08:00:00+00:00", None, "smsby-deploy 0.1.0", 1, 7, "anna"),
    ),
)


def test_history_is_latest_first() -> None:
    """When, by whom, by which plan and commit, how many."""
    stream = io.StringIO()
    write_history(LOCK, stream, color=False)
    check_golden("history.txt", stream.getvalue())
    check_golden("history.md", history_markdown(LOCK))
    check_golden("history.json", json_text(history_document(LOCK)))
    assert [run["plan"] for run in history_document(LOCK)["applies"]] == ["8a4d0b", "7f3c9a"]


def test_history_of_a_new_project_is_a_sentence() -> None:
    """No empty table."""
    stream = io.StringIO()
    write_history(Lock("shop"), stream, color=False)
    assert stream.getvalue() == "nothing has been applied yet\n"
    assert history_markdown(Lock("shop")) == "Nothing has been applied yet.\n"
