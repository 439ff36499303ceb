"""campaign_loader: settings inherited from campaign and project, and combinations of keys."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from smsby_deploy.config.declarations import Expected
from tests.config.one_campaign import CAMPAIGN, load_one


def test_mailing_inherits_max_late(tmp_path: Path) -> None:
    """max_late: mailing, else campaign, else defaults; expect_recipients is not inherited."""
    campaign = CAMPAIGN.replace(
        "text: Hello", "text: Hello\n    max_late: 2h\n    expect_recipients: {max: 5}"
    )
    campaign += "  - {name: staff, recipients: ['375291234567'], text: Hello}\n"
    first, second = load_one(tmp_path, "defaults: {max_late: 1d}\n", campaign).project.mailings
    assert (first.max_late, first.expect_recipients) == (timedelta(hours=2), Expected(None, 5))
    assert (second.max_late, second.expect_recipients) == (timedelta(days=1), None)
    campaign = campaign.replace("mailings:", "max_late: 30m\nmailings:")
    assert load_one(tmp_path, campaign=campaign).project.mailings[1].max_late == timedelta(minutes=30)


def test_mailing_inherits_countries(tmp_path: Path) -> None:
    """Mailing, else campaign, else smsby.yaml, else Belarus; in capitals; NO is Norway."""
    assert load_one(tmp_path).project.mailings[0].countries == ("BY",)
    assert load_one(tmp_path, "countries: [BY, pl, NO, BY]\n").project.mailings[0].countries == (
        "BY",
        "PL",
        "NO",
    )
    campaign = CAMPAIGN.replace("mailings:", "countries: [RU]\nmailings:")
    assert load_one(tmp_path, "countries: [BY, PL]\n", campaign).project.mailings[0].countries == ("RU",)
    (problem,) = load_one(tmp_path, "countries: [UK]\n").problems
    assert (problem.code, problem.location.line) == ("COUNTRY", 3)
    assert "GB" in problem.message


@pytest.mark.parametrize(("way", "code"), [("single", "WHOLE_MINUTES"), ("bulk", "")])
def test_single_mailing_has_no_seconds(way: str, code: str, tmp_path: Path) -> None:
    """The API method takes hours and minutes only: seconds would be lost silently."""
    changed = f"text: Hello\n    via: {way}\n    schedule_time: 2030-01-01T10:00:30"
    problems = load_one(tmp_path, campaign=CAMPAIGN.replace("text: Hello", changed)).problems
    assert [problem.code for problem in problems] == ([code] if code else [])


@pytest.mark.parametrize(
    "name", ["CRM", "CI_CRM_URL", "GITHUB_HEAD_REF_URL", "GITLAB_USER_URL", "CHANGE_URL", "HOME", "X_URL_"]
)
def test_url_env_is_not_set_by_a_pipeline(name: str, tmp_path: Path) -> None:
    """Strangers fill variables of a pipeline, such as the name of a branch."""
    recipients = f"{{sql: select 1 as id, url_env: {name}, order_by: id}}"
    loaded = load_one(tmp_path, campaign=CAMPAIGN.replace('["375291234567"]', recipients))
    (problem,) = loaded.problems
    assert problem.code == "SCHEMA"
    assert "_URL or _DSN" in problem.message
