"""`status` with odd answers of statusBulkSms, and during an apply."""

from __future__ import annotations

from typing import Any

from tests.e2e.conftest import PROJECT, Shop

A, B = "375291111111", "375292222222"
_NOT_LISTED = "sms.by does not list it, although it was accepted; check the account"
CAMPAIGN = f"""\
version: 1
campaign: sale
mailings:
  - {{name: a, recipients: ["{A}", "{B}"], text: Closed}}
"""


def _apply(shop: Shop, **settings: object) -> None:
    shop.write("smsby.yaml", PROJECT)
    shop.write("sale.yaml", CAMPAIGN)
    shop.settings(delay=0, **settings)
    assert shop.run("apply", "--auto-approve").code == 0


def _other_notes(shown: dict[str, Any]) -> list[str]:
    """Return the notes except that the list lacks the mailing, which appears after reconcile_seconds."""
    return [note for note in shown["notes"] if note != _NOT_LISTED]


def test_status_reads_lists_beside_success(shop: Shop) -> None:
    """An `error` list of one entry, besides success, neither fails the command nor keeps the mailing open."""
    _apply(shop, failures={B: "error: blocked"}, fates={A: "DELIVERED"}, doubled=True)
    result = shop.run("status", "--watch", "--format", "json")
    (shown,) = result.json["mailings"]
    assert (result.code, shown["state"], shown["delivered"], shown["other"]) == (
        0,
        "final",
        1,
        {"blocked": 1},
    )
    assert shown["recipients"] == 2


def test_status_watch_ends_with_settle_after(shop: Shop) -> None:
    """An unknown delivery status is not final until settle_after, and then counts as undelivered in every format."""
    _apply(shop, fates={A: "DELIVERED", B: "Odd"})
    (shown,) = shop.run("status", "--format", "json").json["mailings"]
    assert (shown["state"], shown["other"], shown["overdue"]) == ("sending", {"Odd": 1}, 0)
    shop.write("smsby.yaml", PROJECT + "status: {settle_after: 0s}\n")
    result = shop.run("status", "--watch", "--format", "json")
    (shown,) = result.json["mailings"]
    assert (shown["state"], shown["undelivered"], shown["overdue"], shown["other"]) == ("final", 1, 1, {})
    for form in ("text", "markdown", "html", "junit"):
        assert "1 recipient without a final status" in shop.run("status", "--format", form).out, form
    assert "undelivered (overdue: Odd)" in shop.run("status", "--format", "csv").out


def test_status_says_which_answer_was_an_error(shop: Shop) -> None:
    """An error of statusBulkSms leaves the mailing open, with a note, and exit code 0."""
    _apply(shop, list_lag=100000)
    shop.fault(method="statusBulkSms", mode="error", text="no access", times=9)
    result = shop.run("status", "--format", "json")
    (shown,) = result.json["mailings"]
    assert (result.code, shown["state"], shown["pending"]) == (0, "sending", 2)
    assert _other_notes(shown) == ["not reported: statusBulkSms: no access"]


def test_status_despite_a_server_error_about_one(shop: Shop) -> None:
    """A server error about one request is a note; if all requests fail, the exit code is 7."""
    shop.write("also.yaml", CAMPAIGN.replace("campaign: sale", "campaign: also"))
    _apply(shop, fates={A: "DELIVERED", B: "DELIVERED"}, list_lag=100000)
    shop.fault(method="statusBulkSms", mode="500", times=99)
    assert shop.run("status", "--format", "json").code == 7
    shop.clear_faults()
    shop.fault(method="statusBulkSms", mode="500", text="down", times=4)  # all tries of a query
    for _ in range(2):  # in the second round the second mailing is known to be final
        result = shop.run("status", "--format", "json")
        first, second = result.json["mailings"]
        assert (result.code, first["pending"], second["state"], second["delivered"]) == (0, 2, "final", 2)
        assert _other_notes(first) == ["not reported: statusBulkSms: down (HTTP 500)"]
        shop.fault(method="statusBulkSms", mode="500", text="down", times=4)


def test_status_of_a_running_apply_is_in_progress(shop: Shop) -> None:
    """During an apply its mailing is `sending`; after the process was killed it is unknown."""
    shop.write("smsby.yaml", PROJECT)
    shop.write("sale.yaml", CAMPAIGN)
    shop.fault(method="sendBulkSms", mode="timeout", seconds=60)
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: shop.has_been_called("sendBulkSms"))
    shown = shop.run("status", "--format", "json")
    assert (shown.code, shown.json["mailings"][0]["state"]) == (0, "sending")
    assert shown.json["summary"]["running"].startswith("apply, process ")
    text = shop.run("status")
    assert "in progress: another run holds the lock" in text.out
    assert "lock resolve" not in text.out
    for command in (("plan",), ("lock", "list")):
        assert "in progress: another run holds the lock: apply, process " in shop.run(*command).err
    run.signal(9)
    shop.clear_faults()
    run.finish()
    assert "in progress" not in shop.run("lock", "list").err
    shown = shop.run("status", "--format", "json")
    assert (shown.code, shown.json["mailings"][0]["state"]) == (6, "unknown")
    assert shown.json["summary"]["running"] is None


def test_status_asks_about_final_mailings_once(shop: Shop) -> None:
    """A final mailing is not asked about again, unless the file that records it is missing or damaged."""
    _apply(shop, fates={A: "DELIVERED", B: "UNDELIVERED"})
    first = shop.run("status", "--format", "json")
    shop.fault(method="statusBulkSms", mode="error", text="no access", times=99)
    assert shop.run("status", "--format", "json").json["mailings"] == first.json["mailings"]
    assert "no access" not in shop.run("status", "--format", "junit").out
    record = shop.root / ".smsby/smsby.lock.json.status"
    record.write_text(record.read_text().replace("UNDELIVERED", "DELIVERED"))
    (shown,) = shop.run("status", "--format", "json").json["mailings"]
    assert _other_notes(shown) == ["not reported: statusBulkSms: no access"]
