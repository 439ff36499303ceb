"""Mailings to contact lists with the real command: the reviewed list gets them, even if another has its name by now."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.test_odd_answers import Service, configure, odd, service

__all__ = ["odd", "service"]  # fixtures


def _draft_lists(service: Service) -> list[str]:
    return [str(params["list_id"]) for name, params in service.calls if name == "sendSmsList"]


def test_list_replaced_after_the_review_gets_nothing(odd: tuple[Service, Shop]) -> None:
    """If the reviewed list was renamed and another has its name, apply exits with 5 and names both ids."""
    service, shop = odd
    plan = shop.run("plan", "--out", "plan.json", "--format", "json")
    assert plan.json["actions"][0]["list"] == {"name": "News", "id": 7}
    assert "sale/letter: contact list News (id 7)" in shop.run("plan").out
    service.answers["getSubscriberLists"] = lambda params: (200, {"7": "Old news", "8": "News"})
    stale = shop.run("apply", "plan.json", "--auto-approve")
    assert (stale.code, "News (id 7)" in stale.err, "News (id 8)" in stale.err) == (5, True, True), stale.err
    assert not service.count("sendSmsList")
    assert shop.run("apply", "--auto-approve").code == 0
    assert (_draft_lists(service), shop.lock()["mailings"]["sale/letter"]["list"]["id"]) == (["8"], 8)


def test_list_is_resolved_once_for_an_apply(odd: tuple[Service, Shop]) -> None:
    """An apply sends to the list that its plan showed, even if the list's name moves to another before the send."""
    service, shop = odd
    answers = iter([{"7": "News"}])
    service.answers["getSubscriberLists"] = lambda params: (200, next(answers, {"8": "News"}))
    assert shop.run("apply", "--auto-approve").code == 0
    assert _draft_lists(service) == ["7"]


@pytest.mark.parametrize(
    ("lists", "code"),
    [
        ([{"list_id": 7, "name": "News"}, {"list_id": 8, "name": "News"}], "AMBIGUOUS_LIST"),
        ([{"list_id": 9, "name": "Other"}], "UNKNOWN_LIST"),
    ],
)
def test_list_that_became_unclear_is_an_error(
    odd: tuple[Service, Shop], lists: list[dict[str, Any]], code: str
) -> None:
    """A list name that has become ambiguous is an error in the files, even for a reviewed plan."""
    service, shop = odd
    assert shop.run("plan", "--out", "plan.json").code == 0
    service.answers["getSubscriberLists"] = lambda params: (200, {"status": "OK", "result": lists})
    for arguments in (("plan",), ("apply", "plan.json"), ("apply", "--auto-approve")):
        refused = shop.run(*arguments)
        assert (refused.code, code in refused.out + refused.err) == (3, True), refused.err
    assert not service.count("sendSmsList")


def test_draft_for_another_list_is_not_confirmed(odd: tuple[Service, Shop]) -> None:
    """A draft is not confirmed if the name of its list belongs to another list by now."""
    service, shop = odd
    configure(shop, "guardrails: {max_recipients: 2}\n")
    assert shop.run("apply", "--auto-approve").code == 4
    configure(shop)
    service.answers["getSubscriberLists"] = lambda params: (200, {"7": "Old news", "8": "News"})
    blocked = shop.run("plan", "--format", "json")
    (action,) = blocked.json["actions"]
    assert (blocked.code, action["reason_code"]) == (4, "changed")
    assert "News (id 7)" in action["reason"] and "News (id 8)" in action["reason"]
    assert shop.run("apply", "--auto-approve").code == 4
    assert not service.count("confirmSendMessageByList", confirm="1")
    service.answers["getSubscriberLists"] = lambda params: (200, {"7": "News"})
    assert shop.run("apply", "--auto-approve").code == 0
    assert service.count("confirmSendMessageByList", confirm="1") == 1


def test_finished_list_mailing_needs_no_list(odd: tuple[Service, Shop]) -> None:
    """A finished list mailing stays valid if its list is gone or has a namesake, and shows the list it was sent to."""
    service, shop = odd
    assert shop.run("apply", "--auto-approve").code == 0
    service.listed.append({"id": 15, "name": service.calls[-1][1].get("name", "x"), "status": "NEW"})
    for lists in ({"9": "Other"}, {"7": "News", "8": "News"}):
        service.answers["getSubscriberLists"] = lambda params, lists=lists: (200, lists)
        plan = shop.run("plan", "--format", "json")
        (action,) = plan.json["actions"]
        assert (plan.code, action["action"], action["list"]) == (0, "noop", {"name": "News", "id": 7}), (
            plan.out
        )
    assert shop.run("apply", "--auto-approve").code == 0


def test_list_of_a_found_draft_is_unknown(odd: tuple[Service, Shop]) -> None:
    """If the lock is lost, the plan says that the list of a draft is not known."""
    service, shop = odd
    configure(shop, "guardrails: {max_recipients: 2}\n")
    assert shop.run("apply", "--auto-approve").code == 4
    configure(shop)
    (shop.root / "smsby.lock.json").unlink()
    (draft,) = [params for name, params in service.calls if name == "sendSmsList"]
    service.listed.append({"id": 15, "name": draft["name"], "status": "DRAFT"})
    plan = shop.run("plan", "--format", "json")
    (action,) = plan.json["actions"]
    assert (action["action"], action["list"]) == ("confirm", {"name": "News", "id": None})
    assert "the contact list it was made for is not recorded" in action["reason"]
