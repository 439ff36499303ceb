"""The one SMS of `doctor --to`: sent once, watched, and never repeated."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from smsby_deploy.apply.self_test import SelfTest
from smsby_deploy.clock import SystemClock
from smsby_deploy.config.project_loader import load_project
from smsby_deploy.smsby.facts import AccountFacts, Fact, FactName, FactState, Gap
from smsby_deploy.smsby.response import Answer
from smsby_deploy.smsby.send_client import SendClient
from smsby_deploy.status.callbacks import callbacks_path
from tests.apply.fake_smsby import LOST, OFFLINE, busy, error, ok
from tests.doctor.examples import PROJECT, UsualTransport, examine

_PHONE = "375291111111"
_UUID = "cc9c8043-8caf-11ef-b035-9e8f47954dec"
_OF_SMS = (
    FactName.LISTING_LAG,
    FactName.NAME_LENGTH,
    FactName.SCHEDULE_CLOCK,
    FactName.PRICE,
    FactName.FIRST_STATUS,
    FactName.LAST_STATUS,
    FactName.CALLBACK,
)


class _Account(UsualTransport):
    """An account that lists the SMS after some looks, its name cut to `longest` characters, on the clock of `zone`.

    `sizes` are those of its list before and after the SMS; None is an error.
    """

    def __init__(
        self,
        *,
        looks: int = 1,
        longest: int = 200,
        zone: str = "Europe/Minsk",
        words: str = "",
        sizes: tuple[int | None, int] = (0, 1),
    ) -> None:
        super().__init__()
        self._sizes = sizes
        self._looks, self._longest, self._zone = looks, longest, ZoneInfo(zone)
        self._words = words.split()
        self.script("sendBulkSms", ok({"uuid": _UUID, "success": "OK"}))
        self.script("getSMSMessages", self._list)
        self.script("statusBulkSms", self._status)

    def _list(self, params: Mapping[str, Any]) -> Answer:
        sent = self.named("sendBulkSms")
        before, after = self._sizes
        if not sent and before is None:
            return error("odd", 400)
        if not sent and before:
            return ok({"status": "success", "data": _others(before)})
        if not sent or self._looks > 0:
            self._looks -= bool(sent)
            return Answer(406, is_empty=True)
        (message,) = json.loads(sent[0]["messages"])
        time = datetime.fromisoformat(message["schedule_time"]).replace(tzinfo=self._zone)
        row = {"id": 9, "name": message["name"][: self._longest], "d_schedule": int(time.timestamp())}
        ours = row | {"parts": "2", "cost": "0.05200"}
        return ok({"status": "success", "data": [ours, *_others(after - 1)]})

    def _status(self, params: Mapping[str, Any]) -> Answer:
        if not self._words or params["uuid"] != _UUID:
            return ok([])
        word = self._words.pop(0) if len(self._words) > 1 else self._words[0]
        return ok([{"message_id": 9, "success": [{"phone": _PHONE, "status": word}]}])


def _others(count: int) -> list[dict[str, object]]:
    return [{"id": number, "name": str(number)} for number in range(100, 100 + count)]


def _facts(folder: Path, account: UsualTransport, more: str = "") -> tuple[int, AccountFacts]:
    (folder / "smsby.yaml").write_text(PROJECT + more, encoding="utf-8")
    saved: list[AccountFacts] = []
    report = examine(folder, account, to=_PHONE, save=saved.append)
    return report.exit_code, saved[-1]


def test_self_test_learns_all_from_one_sms(tmp_path: Path) -> None:
    """Everything is learned from one request with one recipient, and nothing else is sent."""
    account = _Account(looks=4, words="NEW NEW SENT DELIVERED")
    code, facts = _facts(
        tmp_path, account, "price: {currency: BYN, per_part: 0.026, per_prefix: {'37529': 0.026}}\n"
    )
    assert code == 0
    assert [name for name, _ in account.calls].count("sendBulkSms") == 1
    assert {name for name in account.changes() if name.startswith("send")} == {"sendBulkSms"}
    (message,) = json.loads(account.named("sendBulkSms")[0]["messages"])
    assert message["delivery_list"] == [_PHONE]
    assert message["schedule_time"] == "2026-11-02T12:02:00"
    lag = facts.listing_lag
    assert lag is not None
    assert 1 < lag < 10
    assert facts.value(FactName.NAME_LENGTH) == {"listed": 160, "sent": 160}
    assert facts.value(FactName.SCHEDULE_CLOCK)["offset"] == 180
    assert facts.value(FactName.PRICE) == {"per_part": "0.026", "prefix": "37529"}
    assert (facts.value(FactName.FIRST_STATUS), facts.value(FactName.LAST_STATUS)) == ("NEW", "DELIVERED")
    assert facts.get(FactName.CALLBACK).gap is Gap.NOT_SET_UP


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("method", ["sendBulkSms", "statusBulkSms"])
def test_self_test_says_what_was_sent_when_interrupted(
    method: str, number: signal.Signals, tmp_path: Path
) -> None:
    """An interruption reports what was sent, and only what was seen until then is learned."""
    account = _Account(looks=0)

    def interrupted(params: Mapping[str, Any]) -> Answer:
        if account.named("sendBulkSms"):
            signal.raise_signal(number)
        return ok({"uuid": _UUID, "success": "OK"} if method == "sendBulkSms" else [])

    account.script(method, interrupted)
    (tmp_path / "smsby.yaml").write_text(PROJECT, encoding="utf-8")
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        report = examine(tmp_path, account, to=_PHONE)
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert (report.exit_code, len(account.named("sendBulkSms"))) == (1, 1)
    assert report.failure is not None
    assert report.failure.message == "interrupted: the SMS was sent, but not followed to its last status"
    states = {one.fact.name: one.fact.state for one in report.findings if one.fact.name in _OF_SMS}
    is_seen = method == "statusBulkSms"
    assert states[FactName.NAME_LENGTH] is (FactState.KNOWN if is_seen else FactState.NOT_ASKED)
    assert states[FactName.LAST_STATUS] is FactState.NOT_ASKED


@pytest.mark.parametrize(
    ("before", "known", "after", "found"),
    [
        (5, None, 5, True),  # it shows the SMS, so an older mailing is missing
        (5, False, 5, True),
        (5, False, 6, None),
        (10, True, 11, False),  # it only looked capped
        (0, True, 1, False),
        (None, True, 6, None),  # what it was before is not known
    ],
)
def test_self_test_shows_whether_a_list_is_capped(
    before: int | None, known: bool | None, after: int, found: bool | None, tmp_path: Path
) -> None:
    """A list that shows the SMS and has not grown is capped; one that has grown is not."""
    size = Fact(FactName.LIST_SIZE, FactState.KNOWN, {"count": 10, "capped": known})
    account, clock = _Account(looks=0, words="DELIVERED", sizes=(before, after)), SystemClock()
    (tmp_path / "smsby.yaml").write_text(PROJECT)
    client = SendClient(account, AccountFacts("a", {size.name: size} if known is not None else {}))
    learned: dict[FactName, Any] = {}
    test = SelfTest(
        load_project(tmp_path).project,
        client,
        clock,
        "0a1b2c3d4e",
        know=lambda name, value, method: learned.update({name: value}),
        miss=lambda name, gap, method: None,
    )
    test.run(_PHONE)
    expected = None if found is None else {"count": after, "capped": found}
    assert learned.get(FactName.LIST_SIZE) == expected


def test_self_test_contradicts_settings(tmp_path: Path) -> None:
    """A shortened name, another clock or another price contradicts the settings: exit code 4."""
    account = _Account(longest=40, zone="UTC", words="UNDELIVERED")
    code, facts = _facts(tmp_path, account, "price: {currency: BYN, per_part: 0.02}\n")
    assert code == 4
    assert facts.value(FactName.NAME_LENGTH) == {"listed": 40, "sent": 160}
    assert facts.value(FactName.SCHEDULE_CLOCK)["offset"] == 0
    assert facts.value(FactName.LAST_STATUS) == "UNDELIVERED"


def test_self_test_waits_and_ends(tmp_path: Path) -> None:
    """What did not happen within some minutes is reported as not learned, and the SMS is not sent again."""
    account = _Account(looks=10**6, words="NEW")
    code, facts = _facts(tmp_path, account, "api: {callback_url: https://shop.by/x}\n")
    assert code == 0
    gaps = {name: facts.get(name).gap for name in _OF_SMS}
    assert gaps == {
        **dict.fromkeys(_OF_SMS[:4], Gap.NOT_LISTED),
        FactName.FIRST_STATUS: None,
        FactName.LAST_STATUS: Gap.NOT_YET,
        FactName.CALLBACK: Gap.NOT_YET,
    }
    assert len(account.named("sendBulkSms")) == 1


def test_self_test_with_an_unknown_last_status(tmp_path: Path) -> None:
    """A last status that no report counts as final is a contradiction; a sentence is not a status."""
    code, facts = _facts(tmp_path, _Account(words="NEW EXPIRED"))
    assert (code, facts.value(FactName.LAST_STATUS)) == (4, "EXPIRED")
    (tmp_path / "other").mkdir()
    code, facts = _facts(tmp_path / "other", _Account(words=f"to:{_PHONE}"))
    assert (code, facts.value(FactName.LAST_STATUS)) == (0, None)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (LOST, 6),
        (ok({}), 6),
        (error("Server is not available", 500), 6),
        (ok({"uuid": _UUID, "success": "ERROR"}), 6),
        (OFFLINE, 7),
        (busy(), 7),
        (error("token is invalid", 403), 7),
        (error("limit exceeded", 400), 1),
    ],
)
def test_self_test_is_never_repeated(answer: Any, code: int, tmp_path: Path) -> None:
    """A lost answer is 6: the SMS is not repeated, nothing is learned from it, and all else is saved."""
    account = _Account()
    account.script("sendBulkSms", answer)
    found, facts = _facts(tmp_path, account)
    assert found == code
    assert len(account.named("sendBulkSms")) == 1
    assert not [name for name in _OF_SMS if facts.get(name).state is not FactState.NOT_ASKED]
    assert facts.value(FactName.CURRENCY) == "BYN"


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (
            {
                "uuid": _UUID,
                "data": [{"message_id": 9, "success": [{"phone": _PHONE, "status": "DELIVERED"}]}],
            },
            "report",
        ),
        ({"request": _UUID, "state": "done"}, "other"),
    ],
)
def test_self_test_reads_its_callback(body: dict[str, Any], form: str, tmp_path: Path) -> None:
    """A callback is read as a report, or in any other form that names the request."""
    lock = tmp_path / "smsby.lock.json"
    path, account = callbacks_path(lock), _Account(words="DELIVERED")
    path.write_text("x" * 100 + "\n", encoding="utf-8")

    def send(params: object) -> Answer:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"body": json.dumps(body)}) + "\n")
        return ok({"uuid": _UUID, "success": "OK"})

    account.script("sendBulkSms", send)
    _, facts = _facts(tmp_path, account, "api: {callback_url: https://shop.by/x}\n")
    assert facts.value(FactName.CALLBACK) == form
