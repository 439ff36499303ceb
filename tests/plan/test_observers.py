"""What else receives recipients and texts: by default nothing does."""

from __future__ import annotations

from pathlib import Path

from smsby_deploy.plan.observers import NO_OBSERVERS, NO_PROGRESS, ReadProgress
from tests.config.one_campaign import CAMPAIGN, load_one


def test_read_progress_reports_each_mailing_as_it_begins(tmp_path: Path) -> None:
    """With its number and the number of all, before it is yielded."""
    second = "\n".join(CAMPAIGN.splitlines()[3:]).replace("vip", "gold")
    mailings = load_one(tmp_path, campaign=f"{CAMPAIGN}{second}\n").project.mailings
    begun: list[tuple[str, int, int]] = []
    progress = ReadProgress(begin=lambda *mailing: begun.append(mailing))
    assert [(mailing, len(begun)) for mailing in progress.over(mailings)] == [
        (mailings[0], 1),
        (mailings[1], 2),
    ]
    assert begun == [("sale/vip", 1, 2), ("sale/gold", 2, 2)]


def test_no_observers_keep_nothing() -> None:
    """A mailing can be measured for its own sake."""
    assert NO_OBSERVERS.keep is None
    assert NO_OBSERVERS.progress is NO_PROGRESS
