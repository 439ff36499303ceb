"""campaign_loader: settings inherited from campaign and project, and combinations of keys."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from smsby_deploy.config.declarations import Expected, Release, Wave
from smsby_deploy.config.project_loader import load_project
from smsby_deploy.config.sources import InlineRecipients
from tests.config.one_campaign import CAMPAIGN, load_one


def test_mailing_inherits_max_late(tmp_path: Path) -> None:
    """max_late comes from the mailing, else the campaign, else defaults; expect_recipients is not inherited."""
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
    """Countries come from the mailing, else the campaign, else smsby.yaml, else Belarus; in capitals, and NO is Norway."""
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
    """A single mailing's time must have no seconds, which the API method cannot express."""
    changed = f"text: Hello\n    via: {way}\n    schedule_time: 2030-01-01T10:00:30"
    problems = load_one(tmp_path, campaign=CAMPAIGN.replace("text: Hello", changed)).problems
    assert [problem.code for problem in problems] == ([code] if code else [])


@pytest.mark.parametrize(
    "name", ["CRM", "CI_CRM_URL", "GITHUB_HEAD_REF_URL", "GITLAB_USER_URL", "CHANGE_URL", "HOME", "X_URL_"]
)
def test_url_env_is_not_set_by_a_pipeline(name: str, tmp_path: Path) -> None:
    """url_env may not be a variable that a pipeline fills from strangers' input, such as the name of a branch."""
    recipients = f"{{sql: select 1 as id, url_env: {name}, order_by: id}}"
    loaded = load_one(tmp_path, campaign=CAMPAIGN.replace('["375291234567"]', recipients))
    (problem,) = loaded.problems
    assert problem.code == "SCHEMA"
    assert "_URL or _DSN" in problem.message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Hello #1", "6:17"), ("Hello\t# note", "6:17"), ("Hello\n      world  #1", "7:14"), ("&a Hello #1", "6:20"),
        ("Hello#1", ""), ("'Hello #1'", ""), ("'Hello' #1", ""), ("|  # note\n      Hello #1", ""),
    ],
)  # fmt: skip
def test_comment_cuts_off_a_text(text: str, place: str, tmp_path: Path) -> None:
    """A text without quotes is cut at ` #`, which is a problem; a quoted or block text is not."""
    problems = load_one(tmp_path, campaign=CAMPAIGN.replace("text: Hello", f"text: {text}")).problems
    assert [(one.code, one.address, str(one.location)) for one in problems] == (
        [("COMMENT_IN_TEXT", "sale/vip", f"sale.yaml:{place}")] if place else []
    )


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ("{phone: '375291234567', room: Room #2\n      }", "5:53"),
        ("'375291234567'  # Anna\n      ", ""), ("{phone: 375291234567}  # Anna\n      ", ""),
        ("{phone: '375291234567', debt: 10 # of three\n      }", ""),
    ],
)  # fmt: skip
def test_comment_cuts_off_a_value(row: str, place: str, tmp_path: Path) -> None:
    """A recipient's value is cut as well, but comments after phones, numbers and whole rows are accepted."""
    problems = load_one(tmp_path, campaign=CAMPAIGN.replace('"375291234567"', row)).problems
    assert [(one.code, str(one.location)) for one in problems] == (
        [("COMMENT_IN_TEXT", f"sale.yaml:{place}")] if place else []
    )


def test_comment_cuts_off_a_value_far_down_a_long_list(tmp_path: Path) -> None:
    """A cut value is found far down a long list, whose rows keep no places."""
    rows = [f"{{phone: '{375291000000 + i}', room: Room {i}}}" for i in range(130)]
    rows[120] = "{phone: '375291234567',\n      room: Room #2\n      }"
    rows[129] = "{phone: '375291234568',\n      room: Room #3\n      }"
    written = "\n".join(f"      - {row}" for row in rows)
    campaign = CAMPAIGN.replace('["375291234567"]', f"\n{written}")
    problems = load_one(tmp_path, campaign=campaign).problems
    assert [str(one.location) for one in problems] == ["sale.yaml:127:18", "sale.yaml:138:18"]


@pytest.mark.parametrize("null", ["null", "~", ""])
def test_null_of_a_recipient_is_empty(null: str, tmp_path: Path) -> None:
    """A null of a recipient is false and prints nothing, as in JSONL, and is an error for a phone."""
    campaign = CAMPAIGN.replace('"375291234567"', f"{{phone: '375291234567', debt: {null}}}")
    loaded = load_one(tmp_path, campaign=campaign)
    assert not loaded.problems
    audience = loaded.project.mailings[0].audience
    assert isinstance(audience, InlineRecipients)
    assert audience.rows[0]["debt"] == ""
    [problem] = load_one(tmp_path, campaign=CAMPAIGN.replace('"375291234567"', "{phone: null}")).problems
    assert problem.code == "SCHEMA"


_TIME = "    schedule_time: 2030-01-01T10:00:00\n"
_RELEASE = "release: {before: 12h, at_latest: 20m}\n"
_SPREAD = "spread: {over: 3h}\n"


def test_mailing_inherits_release(tmp_path: Path) -> None:
    """release comes from the mailing, else the campaign, else smsby.yaml, which applies only to mailings with a time."""
    (mailing,) = load_one(tmp_path, _RELEASE, CAMPAIGN + _TIME).project.mailings
    assert mailing.release == Release(timedelta(hours=12), timedelta(minutes=20))
    assert mailing.window is not None
    assert [f"{time:%d %H:%M}" for time in mailing.window] == ["31 22:00", "01 09:40"]
    (mailing,) = load_one(tmp_path, _RELEASE).project.mailings
    assert (mailing.release, mailing.window) == (None, None)
    campaign = (CAMPAIGN + _TIME).replace("mailings:", "release: {before: 1d, at_latest: 90s}\nmailings:")
    (mailing,) = load_one(tmp_path, _RELEASE, campaign).project.mailings
    assert mailing.release == Release(timedelta(days=1), timedelta(seconds=90))
    (mailing,) = load_one(tmp_path, _RELEASE, campaign + f"    {_RELEASE}").project.mailings
    assert mailing.release == Release(timedelta(hours=12), timedelta(minutes=20))


def test_environment_inherits_release(tmp_path: Path) -> None:
    """An environment may have its own window."""
    own = "environments: {staging: {release: {before: 2h, at_latest: 1m}}, other: {}}\n"
    load_one(tmp_path, _RELEASE + own, CAMPAIGN + _TIME)
    releases = [load_project(tmp_path, {}, name).project.mailings[0].release for name in ("staging", "other")]
    assert releases == [
        Release(timedelta(hours=2), timedelta(minutes=1)),
        Release(timedelta(hours=12), timedelta(minutes=20)),
    ]


@pytest.mark.parametrize(
    ("lines", "place", "message"),
    [
        (f"    {_RELEASE}", "sale.yaml:7:14", "requires a schedule_time"),
        (f"{_TIME}    release: {{before: 20m, at_latest: 20m}}\n", "sale.yaml:8:14", "before must be longer"),
        (f"{_TIME}    release: {{before: 2w, at_latest: 20m}}\n", "sale.yaml:8:23", "expected a duration"),
        (f"{_TIME}    release: {{before: 2h}}\n", "sale.yaml:8:14", "missing key at_latest"),
        (f"{_TIME}    audience: fresh\n    expect_recipients: {{max: 9}}\n", "sale.yaml:8:15", "requires release"),
        (f"{_TIME}    {_RELEASE}    audience: fresh\n", "sale.yaml:9:15", "requires expect_recipients"),
        (f"    {_SPREAD}", "sale.yaml:7:13", "requires a schedule_time"),
        (f"{_TIME}    via: single\n    {_SPREAD}", "sale.yaml:9:13", "cannot be combined"),
        (f"{_TIME}    upload: true\n    {_SPREAD}", "sale.yaml:9:13", "cannot be combined"),
        (f"{_TIME}    spread: {{over: 8d}}\n", "sale.yaml:8:13", "at most 7d"),
        (f"{_TIME}    spread: {{over: 0m}}\n", "sale.yaml:8:13", "more than 0"),
        (f"{_TIME}    spread: {{over: 2w}}\n", "sale.yaml:8:20", "expected a duration"),
        (f"    schedule_time: 9999-12-31T23:00:00\n    {_SPREAD}", "sale.yaml:8:13", "last day of the calendar"),
    ],
)  # fmt: skip
def test_release_or_spread_that_cannot_be_kept(lines: str, place: str, message: str, tmp_path: Path) -> None:
    """A release or spread that cannot be kept is an error at its place."""
    problems = load_one(tmp_path, campaign=CAMPAIGN + lines).problems
    assert [(str(one.location), message in one.message) for one in problems] == [(place, True)]


def test_mailing_inherits_spread(tmp_path: Path) -> None:
    """spread comes from the mailing, else the campaign, else smsby.yaml, which applies only where a spread is possible."""
    (mailing,) = load_one(tmp_path, _SPREAD, CAMPAIGN + _TIME).project.mailings
    assert (mailing.spread, mailing.own.spread) == (timedelta(hours=3), None)
    for more in ("", f"{_TIME}    via: single\n"):
        loaded = load_one(tmp_path, _SPREAD, CAMPAIGN + more)
        assert (loaded.project.mailings[0].spread, loaded.problems) == (None, ())
    campaign = (CAMPAIGN + _TIME).replace("mailings:", "spread: {over: 1d}\nmailings:")
    (mailing,) = load_one(tmp_path, _SPREAD, campaign).project.mailings
    assert mailing.spread == timedelta(days=1)
    (mailing,) = load_one(tmp_path, _SPREAD, campaign + "    spread: {over: 45m}\n").project.mailings
    assert mailing.spread == mailing.own.spread == timedelta(minutes=45)


def test_spread_over_a_change_of_the_clocks(tmp_path: Path) -> None:
    """A spread over a change of the clocks is an error: sms.by would read some times as the other hour of that name."""
    project = "api: {account_timezone: Europe/Warsaw}\n"
    lines = f"    schedule_time: 2026-10-24T23:00:00+00:00\n    {_SPREAD}"
    assert [one.code for one in load_one(tmp_path, project, CAMPAIGN + lines).problems] == ["DST"]
    assert not load_one(tmp_path, "", CAMPAIGN + lines).problems


@pytest.mark.parametrize("expected", ["    expect_recipients: {max: 5}\n", ""])
def test_fresh_audience_needs_a_limit(expected: str, tmp_path: Path) -> None:
    """The limit of a fresh audience may be its own or the guardrails', and a campaign may set `audience` for all mailings."""
    rails = "" if expected else "guardrails: {expect_recipients: {min: 1}}\n"
    campaign = (CAMPAIGN + _TIME + expected).replace("mailings:", "audience: fresh\nmailings:")
    loaded = load_one(tmp_path, _RELEASE + rails, campaign)
    assert not loaded.problems
    assert loaded.project.mailings[0].is_fresh
    (mailing,) = load_one(tmp_path, _RELEASE + rails, campaign + "    audience: approved\n").project.mailings
    assert not mailing.is_fresh


_WAVE = "{people: 200, after: 45m, delivered: 90}"
_WAVES = f"waves: [{_WAVE}, {{share: 20, after: 2h, give_up: 3h, undelivered: 5}}, rest]\n"


def test_mailing_inherits_waves(tmp_path: Path) -> None:
    """waves come from the mailing, else the campaign, else smsby.yaml, which applies only where waves are possible."""
    (mailing,) = load_one(tmp_path, _WAVES, CAMPAIGN).project.mailings
    minutes, hours = timedelta(minutes=1), timedelta(hours=1)
    assert mailing.waves is not None
    assert mailing.waves.steps == (
        Wave(200, None, 45 * minutes, 45 * minutes + 24 * hours, 90, None),
        Wave(None, 20, 2 * hours, 3 * hours, None, 5),
        Wave(),
    )
    assert not mailing.own.has_waves
    loaded = load_one(tmp_path, _WAVES, f"{CAMPAIGN}    via: single\n")
    assert (loaded.project.mailings[0].waves, loaded.problems) == (None, ())
    (mailing,) = load_one(tmp_path, _WAVES, f"{CAMPAIGN}    waves: [{_WAVE}, rest]\n").project.mailings
    assert mailing.waves is not None
    assert (len(mailing.waves.steps), mailing.own.has_waves) == (2, True)


def test_spread_takes_no_waves_without_a_time(tmp_path: Path) -> None:
    """A spread without a time has no effect, so the mailing keeps its waves."""
    both = f"spread: {{over: 3h}}\n{_WAVES}"
    for project, lines in ((both, ""), ("spread: {over: 3h}\n", f"    {_WAVES}")):
        loaded = load_one(tmp_path, project, CAMPAIGN + lines)
        (mailing,) = loaded.project.mailings
        assert (mailing.spread, mailing.waves is not None, loaded.problems) == (None, True, ())


def test_time_that_the_account_cannot_show_is_an_error(tmp_path: Path) -> None:
    """A time at the end of the calendar is an error if it is over in the account's zone."""
    time = "    timezone: Europe/Berlin\n    schedule_time: 9999-12-31T23:59:59\n"
    (problem,) = load_one(tmp_path, campaign=CAMPAIGN + time).problems
    assert (problem.code, problem.message) == ("TIME", "no such time: 9999-12-31T23:59:59+01:00")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (f"    waves: [{_WAVE}, {_WAVE}]\n", "must end with `rest`"),
        (f"    waves: [rest, {_WAVE}, rest]\n", "must end with `rest`"),
        ("    waves: [{after: 1h, delivered: 90}, rest]\n", "either `people` or `share`"),
        ("    waves: [{people: 1, share: 1, after: 1h, delivered: 90}, rest]\n", "either `people` or `share`"),
        ("    waves: [{people: 1, after: 1h}, rest]\n", "needs `delivered`, `undelivered`"),
        ("    waves: [{people: 1, after: 1h, give_up: 60m, delivered: 90}, rest]\n", "longer than `after`"),
        ("    waves: [{people: 1, after: 1w, delivered: 90}, rest]\n", "expected a duration"),
        ("    waves: [{people: 1, after: 1h, delivered: 101}, rest]\n", "from 0 to 100"),
        ("    waves: [{people: 0, after: 1h, delivered: 90}, rest]\n", "an integer from 1 to 100,000"),
        ("    waves: [some, rest]\n", "expected a wave such as"),
        (f"    waves: [{_WAVE}]\n", "expected a list of 2 to 10 waves, the last of them rest"),
        (f"    waves: [{', '.join([_WAVE] * 10)}, rest]\n", "expected a list of 2 to 10 waves"),
        (f"    via: single\n    {_WAVES}", "cannot be combined with list, upload"),
        (f"    upload: true\n    {_WAVES}", "cannot be combined with list, upload"),
        (f"{_TIME}    spread: {{over: 3h}}\n    {_WAVES}", "cannot be combined with spread"),
        (
            f"{_TIME}    release: {{before: 2h, at_latest: 1h}}\n    audience: fresh\n"
            f"    expect_recipients: {{max: 9}}\n    {_WAVES}",
            "cannot be combined with audience: fresh",
        ),
    ],
)  # fmt: skip
def test_waves_that_are_not_valid(lines: str, message: str, tmp_path: Path) -> None:
    """Each mistake in waves is one error that says what is missing."""
    (problem,) = load_one(tmp_path, campaign=CAMPAIGN + lines).problems
    assert message in problem.message


def test_shares_of_waves_leave_a_rest(tmp_path: Path) -> None:
    """Shares that reach 100 percent before `rest` are an error."""
    wave = "{share: 50, after: 1h, delivered: 90}"
    (problem,) = load_one(tmp_path, campaign=f"{CAMPAIGN}    waves: [{wave}, {wave}, rest]\n").problems
    assert (problem.code, "nothing is left for `rest`" in problem.message) == ("WAVES", True)


@pytest.mark.parametrize(
    ("label", "codes"),
    [
        ("owner: anna", []),
        ("owner: '291234567'", ["LABEL"]),
        ("for-375291234567: anna", ["LABEL"]),
        ("shop-33: '1002030'", []),  # only together
    ],
)
def test_label_is_no_phone_number(label: str, codes: list[str], tmp_path: Path) -> None:
    """Neither the name nor the value of a label may be a phone number, since the lock has both."""
    campaign = CAMPAIGN.replace("mailings:", f"labels: {{{label}}}\nmailings:")
    assert [problem.code for problem in load_one(tmp_path, campaign=campaign).problems] == codes
