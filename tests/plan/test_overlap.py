"""overlap: how many recipients of a mailing also get others of the same plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.plan.model import Plan
from tests.plan.examples import make_example_plan

A, B, C, D = (f"37529111111{n}" for n in range(4))


def _campaign(**mailings: str) -> str:
    rows = (f"  - {{name: {name}, text: Hello {name}, {rest}}}\n" for name, rest in mailings.items())
    return "version: 1\ncampaign: sale\nmailings:\n" + "".join(rows)


def _to(*phones: str, more: str = "") -> str:
    return f"recipients: [{', '.join(map(repr, phones))}]{more}"


def _notes(plan: Plan) -> dict[str, str]:
    return {str(one.address): one.message for one in plan.problems if one.code == "OVERLAP"}


def test_recipients_of_two_mailings_are_noted(tmp_path: Path) -> None:
    """Each mailing that shares recipients with another has a note, and others have none."""
    plan = make_example_plan(tmp_path, "{}", _campaign(a=_to(A, B, C), b=_to(C, B), c=_to(C), d=_to(D)))
    assert "SAME_PEOPLE" not in {one.code for one in plan.problems}
    another = "another mailing of this plan"
    assert _notes(plan) == {
        "sale/a": f"2 recipients get {another}",
        "sale/b": f"2 recipients get {another}",
        "sale/c": f"1 recipient gets {another}",
    }


def test_opt_outs_and_other_mailings_do_not_count(tmp_path: Path) -> None:
    """Opt-outs, and mailings that are cancelled, blocked or unknown, do not count."""
    (tmp_path / "stop.csv").write_text(f"phone\n{A}\n", "utf-8")
    campaign = _campaign(
        a=_to(A, B),
        b=_to(A, C),
        c=_to(B, more=", cancelled: no"),
        d=_to(B, more=", schedule_time: 2026-01-01T10:00:00"),
    )
    plan = make_example_plan(tmp_path, "{}\nsuppress: [stop.csv]", campaign)
    assert [action.action for action in plan.actions] == ["create", "create", "blocked"]
    assert _notes(plan) == {}


def test_mailings_to_one_list_share_its_recipients(tmp_path: Path) -> None:
    """If two mailings use one list, it is read once, and all its recipients except opt-outs get both."""
    (tmp_path / "list.csv").write_text("\n".join(["phone", A, B, C]), "utf-8")
    (tmp_path / "stop.csv").write_text(f"phone\n{A}\n", "utf-8")
    to_list = "recipients: {file: list.csv}"
    plan = make_example_plan(
        tmp_path, "{}\nsuppress: [stop.csv]", _campaign(a=to_list, b=to_list, c=_to(C, D), d=_to(B))
    )
    assert _notes(plan) == {
        "sale/c": "1 recipient gets another mailing of this plan",
        "sale/d": "1 recipient gets another mailing of this plan",
    }
    said = [one.message.split(": ")[1] for one in plan.problems if one.code == "SAME_PEOPLE"]
    assert said == ["2 recipients are in both; check that both are intended"] * 2


@pytest.mark.parametrize(
    ("more", "noted"),
    [
        ({}, set()),  # SAME_PEOPLE covers both
        ({"c": _to(A)}, {"sale/c"}),  # it says everything about a and b
        ({"c": _to(A, B, C)}, set()),
        ({"c": _to(A, B, D)}, {"sale/c"}),
    ],
)
def test_what_a_warning_says_is_not_noted_again(
    more: dict[str, str], noted: set[str], tmp_path: Path
) -> None:
    """For two mailings to the same recipients only the warning is shown, which names both."""
    plan = make_example_plan(tmp_path, "{}", _campaign(a=_to(A, B, C), b=_to(C, B, A), **more))
    assert _notes(plan).keys() == noted


def test_more_than_a_warning_says_is_noted(tmp_path: Path) -> None:
    """A note is added to a warning about a copied text if it counts more recipients."""
    (tmp_path / "stop.csv").write_text(f"phone\n{D}\n", "utf-8")
    campaign = _campaign(a=_to(A, B), b=_to(A, C), c=_to(B)).replace("Hello b", "Hello a")
    plan = make_example_plan(tmp_path, "{}", campaign)
    assert [(one.code, one.address) for one in plan.problems if one.code == "SAME_TEXT"] == [
        ("SAME_TEXT", "sale/a"),
        ("SAME_TEXT", "sale/b"),
    ]
    assert _notes(plan).keys() == {"sale/a", "sale/c"}


def test_too_many_recipients_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With too many recipients to remember there is no note, as its count would be too low."""
    monkeypatch.setattr("smsby_deploy.plan.overlap._KEPT_NUMBERS", 2)
    plan = make_example_plan(tmp_path, "{}", _campaign(a=_to(A, B), b=_to(A, B), c=_to(A, B)))
    assert _notes(plan) == {}
