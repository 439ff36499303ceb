"""Uploaded mailings if the lock, or the lists or drafts at sms.by, are not what this checkout expects."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from smsby_deploy.cli.main import run
from smsby_deploy.clock import SystemClock
from tests.e2e.conftest import Shop, running_sandbox
from tests.e2e.test_upload import (
    PHONES,
    ROWS,
    _action,
    _apply,
    _call,
    _calls,
    _campaign,
    _configure,
    _die_before_the_confirmation,
    _got,
    _lists,
)

LATER = {"retry_after": "3600", "mode": "429", "times": 9, "when": "before"}


@pytest.fixture
def sale(shop: Shop) -> Shop:
    """Five recipients to upload, two per request; no opt-outs yet."""
    _configure(shop)
    _campaign(shop)
    shop.write("recipients.csv", ROWS)
    _opt_out(shop)
    return shop


def _opt_out(shop: Shop, *places: int) -> None:
    shop.write("stop.csv", "\n".join(["phone", *(PHONES[place] for place in places)]) + "\n")


def _drafts(shop: Shop) -> list[int]:
    data = requests.get(f"{shop.url}/api/v1/getSMSMessages", params={"token": "t"}, timeout=5).json()["data"]
    return [one["id"] for one in data if one["status"] == "DRAFT"]


def test_manually_confirmed_draft_warns_of_a_second_send(sale: Shop) -> None:
    """If the lock's draft was confirmed manually, a raised revision warns who gets the mailing a second time."""
    _die_before_the_confirmation(sale)
    (draft,) = _drafts(sale)
    requests.post(
        f"{sale.url}/api/v1/confirmSendMessageByList",
        data={"token": "t", "message_id": draft, "confirm": 1},
        timeout=5,
    ).raise_for_status()
    _campaign(sale, ", revision: 2")
    (note,) = [p for p in sale.run("plan", "--format", "json").json["problems"] if p["code"] == "SENT_AGAIN"]
    assert "to up to 5 recipients who already got revision 1" in note["message"]


def test_list_id_of_another_account_is_not_used(sale: Shop, tmp_path: Path) -> None:
    """A recorded list id that belongs to another list in the present account is not used."""
    sale.fault(method="importContacts", nth=2, **LATER)
    assert _apply(sale)[0].code == 7
    recorded = sale.lock()["mailings"]["sale/staff"]["chunks"][0]["upload"]["list_id"]
    with running_sandbox(tmp_path) as url:
        other = Shop(sale.root, url)
        theirs = _call(other, "createSubscriberList", name="theirs")["result"]["list_id"]
        assert theirs == recorded
        _call(other, "importContacts", list_id=theirs, field_names=["phone"], data=[["375299999999"]])
        assert other.run("apply", "--auto-approve").code == 4  # the lock is bound to the first account
        assert other.run("lock", "bind", "--reason", "the account moved").code == 0
        result, mailing = _apply(other)
        assert (result.code, mailing["outcome"]) == (0, "sent"), result.err
        assert _lists(other)["theirs"] == ["375299999999"]
        assert _got(other) == dict.fromkeys(PHONES, 1)


def test_deleted_list_is_made_again(sale: Shop) -> None:
    """If the recorded list no longer exists, another one is made and filled from the start."""
    sale.fault(method="importContacts", nth=2, **LATER)
    assert _apply(sale)[0].code == 7
    sale.reset()
    result, mailing = _apply(sale)
    assert (result.code, mailing["outcome"]) == (0, "sent"), result.err
    assert _got(sale) == dict.fromkeys(PHONES, 1)


def test_draft_newer_than_the_lock_is_not_confirmed(sale: Shop) -> None:
    """With an outdated lock, a draft for other recipients is not confirmed, even if its list has the same size."""
    _opt_out(sale, 0)
    sale.fault(method="sendSmsList", **LATER)
    assert _apply(sale)[0].code == 7
    sale.clear_faults()
    older = (sale.root / "smsby.lock.json").read_text()
    _opt_out(sale, 1)
    _die_before_the_confirmation(sale)
    sale.write("smsby.lock.json", older)
    _opt_out(sale, 0)
    for _ in range(2):
        result, mailing = _apply(sale)
        assert (result.code, mailing["outcome"]) == (4, "skipped"), result.err
        assert "which recipients its draft is for" in mailing["error"]
    assert _got(sale) == {}
    _campaign(sale, ", revision: 2")
    assert _apply(sale)[0].code == 0
    assert _got(sale) == dict.fromkeys([PHONES[place] for place in (1, 2, 3, 4)], 1)


def test_draft_wrongly_declared_unsent_is_not_confirmed(sale: Shop) -> None:
    """After two lost drafts, the one that is found is not confirmed if it may be the earlier one, for other recipients."""
    _opt_out(sale, 1)
    sale.fault(method="sendSmsList", mode="reset", when="after")
    sale.fault(method="sendSmsList", mode="lag", when="after", seconds=3600)
    assert _apply(sale)[0].code == 6
    assert sale.run("lock", "resolve", "sale/staff", "--not-sent", "--reason", "looked").code == 0
    _opt_out(sale, 0)
    sale.clear_faults()
    sale.fault(method="sendSmsList", mode="reset", when="before")
    started = sale.start("apply", "--auto-approve")
    sale.wait_until(lambda: _calls(sale, "sendSmsList") == 2)
    requests.post(f"{sale.url}/_sandbox/clock", json={"advance": 7200}, timeout=5).raise_for_status()
    assert started.finish().code in (4, 6)
    result, mailing = _apply(sale)
    assert (result.code, mailing["outcome"]) == (4, "skipped"), result.err
    assert _got(sale) == {}


def test_draft_of_another_checkout_stays_the_only_one(sale: Shop) -> None:
    """If another checkout drafts the mailing while the list is filled, this one makes no second draft."""
    _configure(sale, timeout_seconds=60)
    sale.fault(method="importContacts", nth=2, mode="slow", when="after", seconds=60)
    started = sale.start("apply", "--auto-approve", "--format", "json")
    sale.wait_until(lambda: _calls(sale, "importContacts") == 2)
    other = Shop(sale.root.parent / "other", sale.url)
    for name in ("smsby.yaml", "sale.yaml", "recipients.csv", "stop.csv"):
        other.write(name, (sale.root / name).read_text())
    assert other.run("apply", "--auto-approve").code == 0
    sale.clear_faults()
    done = started.finish()
    assert done.code == 4, done.err
    assert "sms.by now lists it" in done.json["mailings"][0]["error"]
    assert _calls(sale, "sendSmsList") == 1
    assert _got(sale) == dict.fromkeys(PHONES, 1)
    assert _action(sale)["action"] == "adopt"


def test_new_batch_size_counts_invalid_contacts_once(sale: Shop) -> None:
    """If the batch size changes after three of five contacts, one of them invalid, the upload continues with the fourth."""
    _configure(sale, "countries: [BY, FR]\n", recipients_per_request=3)
    sale.write("recipients.csv", ROWS.replace(PHONES[2], "33612345678"))
    _campaign(sale, ", on_invalid: drop")
    sale.settings(refuses=["336"])
    sale.fault(method="importContacts", nth=2, **LATER)
    assert _apply(sale)[0].code == 7
    sale.clear_faults()
    _configure(sale, "countries: [BY, FR]\n", recipients_per_request=4)
    result, mailing = _apply(sale)
    assert (result.code, mailing["outcome"], mailing["recipients"]) == (0, "sent", 4), result.err
    assert len(_got(sale)) == 4


def test_lock_has_no_phone_from_an_upload_error(sale: Shop) -> None:
    """A phone in an error text of sms.by is masked before it is recorded."""
    error: dict[str, Any] = {"mode": "error", "status": 400, "text": f"contact {PHONES[0]} is not wanted"}
    sale.fault(method="importContacts", when="before", **error)
    result, mailing = _apply(sale)
    assert (result.code, mailing["outcome"]) == (1, "rejected"), result.err
    assert PHONES[0] not in result.err + result.out
    assert PHONES[0] not in (sale.root / "smsby.lock.json").read_text()


def test_upload_past_its_time_is_blocked(
    sale: Shop, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """If the schedule time passes while the list is filled, nothing is drafted."""
    _campaign(sale, ", schedule_time: 2030-01-01T10:00:00")

    def now(self: SystemClock) -> datetime:
        return datetime(2030 if sale.has_been_called("importContacts") else 2029, 6, 1, tzinfo=UTC)

    monkeypatch.setattr(SystemClock, "now", now)
    monkeypatch.chdir(sale.root)
    monkeypatch.setenv("SMSBY_API_URL", sale.url)
    monkeypatch.setenv("SMSBY_TOKEN", "secret-token")
    assert run(["apply", "--auto-approve"]) == 4
    assert "expired: its schedule_time 2030-01-01 10:00 +03 has passed" in capfd.readouterr().out
    assert _calls(sale, "sendSmsList") == 0


def test_opt_out_during_a_confirmation_retry_is_honored(sale: Shop) -> None:
    """A recipient who opts out during the pause before confirm=1 is repeated gets nothing."""
    sale.fault(
        method="confirmSendMessageByList", params={"confirm": "1"}, mode="429", when="before", retry_after="2"
    )
    started = sale.start("apply", "--auto-approve", "--format", "json")
    sale.wait_until(lambda: _calls(sale, "confirmSendMessageByList", confirm="1") == 1)
    _opt_out(sale, 0)
    done = started.finish()
    assert done.code == 4, done.err
    assert "opt-outs changed" in done.json["mailings"][0]["error"]
    assert _got(sale) == {}
    assert sale.lock()["mailings"]["sale/staff"]["state"] == "draft"
