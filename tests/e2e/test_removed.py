"""What is removed from the files after it was approved, or between two of its waves, and with an older lock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.conftest import Result, Shop
from tests.e2e.forked import CLOCK_AHEAD
from tests.e2e.trial import PHONES

_NOW = datetime.now(UTC)  # noqa: TID251  # the runs have the real clock, or are ahead of it
_TIME = (_NOW + timedelta(days=2)).replace(microsecond=0, second=0)
_OPEN = 40 * 3600.0
_HEAD = f"version: 1\ncampaign: sale\nalphaname: MyShop\nschedule_time: {_TIME:%Y-%m-%dT%H:%M:%S}Z\n"
_TO = "recipients: ['{}', '{}', '{}'], text: Hello".format(*PHONES)
_WAYS = {"bulk": _TO, "single": f"via: single, {_TO}", "upload": f"upload: true, {_TO}"}
_CAMPAIGN = _HEAD + "release: {{before: 12h, at_latest: 20m}}\nmailings:\n  - {{name: vip, {}}}\n"


def _later(shop: Shop, *arguments: str, code: int | None = 0) -> Result:
    done = shop.run(*arguments, env={CLOCK_AHEAD: str(_OPEN)})
    assert code is None or done.code == code, (done.code, done.out, done.err)
    return done


def _sends(shop: Shop) -> list[str]:
    return [call["method"] for call in shop.calls() if not call["method"].startswith(("get", "check"))]


def _state(shop: Shop) -> str:
    state: str = shop.lock()["mailings"]["sale/vip"]["state"]
    return state


@pytest.mark.parametrize("change", ["removed", "cancelled", "changed"])
@pytest.mark.parametrize("way", _WAYS)
def test_older_lock_withdraws_nothing_that_was_sent(shop: Shop, way: str, change: str) -> None:
    """By it the mailing waits, but sms.by lists it: it is recorded, or unknown if the list does not prove all of it."""
    shop.write("sale.yaml", _CAMPAIGN.format(_WAYS[way]))
    assert shop.run("apply", "--auto-approve").code == 0
    older = (shop.root / "smsby.lock.json").read_text()
    _later(shop, "apply", "--due")
    shop.write("smsby.lock.json", older)
    sent = _sends(shop)
    if change == "removed":
        (shop.root / "sale.yaml").unlink()
    elif change == "cancelled":
        shop.write("sale.yaml", _CAMPAIGN.format(_WAYS[way] + ", cancelled: wrong"))
    else:
        shop.write("sale.yaml", _CAMPAIGN.format(_WAYS[way].replace("Hello", "Other")))
    assert _later(shop, "status").out.startswith("waiting")
    done = _later(shop, "apply", "--due", "--format", "json", code=None)
    (mailing,) = done.json["mailings"]
    if way == "single" and change == "changed":  # sms.by lists it under another fingerprint
        assert (done.code, mailing["error"][:10], _state(shop)) == (4, "collision:", "waiting")
    elif way == "single":  # a listed message does not say which phones it was sent to
        assert (done.code, mailing["outcome"], _state(shop)) == (6, "unknown", "unknown")
        assert shop.run("lock", "resolve", "sale/vip", "--sent").code == 0
        assert _state(shop) == "complete"
    else:
        code = 4 if change == "changed" else 0
        assert (done.code, mailing["outcome"], _state(shop)) == (code, "adopted", "complete")
        assert "delete `sale/vip" in mailing["error"] and "lock withdraw sale/vip" in mailing["error"]
        assert _later(shop, "status").out.startswith("scheduled sale/vip")
    _later(shop, "apply", "--due", code=None)
    assert _sends(shop) == sent
