"""The list of sms.by shows nothing that the lock recorded: another account, or an incomplete answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smsby_deploy.privacy import mask_phones
from tests.e2e.conftest import Shop, running_sandbox

CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - {name: vip, recipients: ["375291111111", "375292222222"], text: Hello}
"""
MORE = """\
  - {name: staff, recipients: ["375293333333"], text: Closed}
"""


def _plan(shop: Shop) -> dict[str, Any]:
    document: dict[str, Any] = shop.run("plan", "--format", "json").json
    return document


def _is_missing(shop: Shop) -> bool:
    return "REMOTE_MISSING" in [problem["code"] for problem in _plan(shop)["problems"]]


def _send_and_forget(shop: Shop) -> None:
    """Apply; after that the list is empty, as in another account."""
    shop.write("sale.yaml", CAMPAIGN)
    assert shop.run("apply", "--auto-approve").code == 0
    shop.reset()
    shop.wait_until(lambda: _is_missing(shop))


def test_list_without_recorded_mailings_blocks_sends(shop: Shop) -> None:
    """A list without any recorded mailing blocks sends until `lock bind`; with nothing to send it is a warning."""
    _send_and_forget(shop)
    assert shop.run("plan").code == 0
    assert "sms.by does not list it, although it was accepted" in " ".join(shop.run("status").out.split())
    shop.write("sale.yaml", CAMPAIGN + MORE)
    planned = shop.run("plan", "--format", "json")
    assert planned.code == 4
    (staff,) = [action for action in planned.json["actions"] if action["address"] == "sale/staff"]
    assert (staff["action"], staff["reason_code"]) == ("blocked", "unknown")
    assert "1 chunk " in staff["reason"] and "0 mailings shows 0" in staff["reason"]
    before = shop.lock()
    assert shop.run("apply", "--auto-approve").code == 4
    assert shop.lock() == before and not shop.inbox()
    bound = shop.run("lock", "bind", "--reason", "asked sms.by")
    assert bound.code == 0 and "git add smsby.lock.json" in bound.err
    assert shop.lock()["resolutions"][-1]["reason"] == "asked sms.by"
    assert not shop.inbox()
    assert shop.run("apply", "--auto-approve").code == 0
    assert set(shop.inbox()) == {"375293333333"}


def test_rehearsed_lock_is_refused_elsewhere(shop: Shop, tmp_path: Path) -> None:
    """A lock that was used in one service (a rehearsal) is refused in another, instead of reporting noop."""
    shop.write("sale.yaml", CAMPAIGN)
    assert shop.run("apply", "--auto-approve").code == 0
    assert shop.lock()["service"] == shop.url
    folder = tmp_path / "real"
    folder.mkdir()
    with running_sandbox(folder) as url:
        env = {"SMSBY_API_URL": url}
        for command in (("plan",), ("apply", "--auto-approve"), ("status",)):
            refused = shop.run(*command, env=env)
            assert (refused.code, shop.url in refused.err, url in refused.err) == (4, True, True), refused.err
        assert shop.run("lock", "bind", env=env).code == 0
        assert shop.lock()["service"] == url
        assert shop.run("plan", env=env).code == 0
    assert shop.run("plan").code == 4


def test_other_token_is_refused_unless_it_lists_ours(shop: Shop) -> None:
    """A new token is recorded if the list proves the same account, even if nothing is sent; another account is refused."""
    shop.write("sale.yaml", CAMPAIGN)
    assert shop.run("apply", "--auto-approve").code == 0
    account = shop.lock()["account"]
    env = {"SMSBY_TOKEN": "replaced"}
    replaced = shop.run("apply", "--auto-approve", env=env)
    assert (replaced.code, "the lock now records it" in replaced.err) == (0, True), replaced.err
    assert shop.lock()["account"] not in (account, None)
    before = shop.lock()
    assert shop.run("apply", "--auto-approve", env=env).code == 0
    assert shop.lock() == before
    shop.write("sale.yaml", CAMPAIGN + MORE)
    assert shop.run("apply", "--auto-approve", env=env).code == 0
    assert shop.lock()["account"] not in (account, None)
    shop.reset()
    refused = shop.run("plan")
    assert refused.code == 4
    for one in (account, shop.lock()["account"]):
        assert mask_phones(one) in refused.err  # nine digits in a row could be a phone number
    assert shop.run("status").code == 4
    assert shop.run("lock", "bind").code == 0
    assert shop.lock()["account"] == account
