"""The account under any sequence of calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.clock import SystemClock
from smsby_deploy.sandbox.account import MovableClock
from smsby_deploy.sandbox.routes import read_inbox
from smsby_deploy.sandbox.sandbox_settings import SandboxSettings
from smsby_deploy.sandbox.server import make_service
from tests.sandbox.conftest import Stopped

_PHONES = st.sampled_from(["375291111111", "375292222222", "79061234567", "12", ""])


_TEXTS = st.sampled_from(["x", "я" * 71, "[" * 100, "a" * 2000, " "])


_IDS = st.integers(1173019, 1173026)


_ROWS = st.lists(_PHONES, max_size=4)


_CALLS = st.one_of(
    st.tuples(
        st.just("sendBulkSms"),
        st.fixed_dictionaries(
            {
                "messages": st.lists(
                    st.fixed_dictionaries({"text": _TEXTS, "delivery_list": _ROWS}), min_size=1, max_size=3
                )
            }
        ),
    ),
    st.tuples(st.just("sendQuickSMS"), st.fixed_dictionaries({"phone": _PHONES, "message": _TEXTS})),
    st.tuples(st.just("createSmsMessage"), st.fixed_dictionaries({"message": _TEXTS})),
    st.tuples(st.just("sendSMS"), st.fixed_dictionaries({"message_id": _IDS, "phone": _PHONES})),
    st.tuples(st.just("sendSmsList"), st.fixed_dictionaries({"list_id": st.just(3435), "message": _TEXTS})),
    st.tuples(
        st.just("confirmSendMessageByList"),
        st.fixed_dictionaries({"message_id": _IDS, "confirm": st.sampled_from([0, 1])}),
    ),
)


@given(st.lists(_CALLS, max_size=12), st.sampled_from(["0.05", "0.3", "1000"]))
def test_account_balance_and_counts_always_agree(
    calls: list[tuple[str, dict[str, Any]]], opening: str
) -> None:
    """In any order of calls, the balance plus the cost of sent mailings is the opening balance."""
    service = make_service(
        SandboxSettings(strict=False, balance=Decimal(opening), prices={"7": Decimal("0.2")}), clock=Stopped()
    )
    for method, params in calls:
        sent = {"query": {"token": "t", **params}, "form": {}, "json": {}}
        service.call(method, "POST", f"/api/v1/{method}", sent)
    store = service.account.store
    out = [mailing for mailing in store.mailings() if mailing.status != "DRAFT"]
    assert store.balance + sum((mailing.cost for mailing in out), Decimal(0)) == Decimal(opening)
    assert store.balance >= 0
    got = [message for messages in read_inbox(service.account).values() for message in messages]
    assert len(got) == sum(mailing.phones for mailing in out)
    assert sum(message["parts"] for message in got) == sum(mailing.parts for mailing in out)


class _Ticking(SystemClock):
    def __init__(self) -> None:
        self.moment = datetime(2026, 12, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


def test_clock_keeps_running_after_a_move() -> None:
    """A clock that was moved keeps its distance to the base clock."""
    base = _Ticking()
    clock = MovableClock(base)
    clock.advance(3600)
    base.moment += timedelta(seconds=5)
    assert clock.now() == datetime(2026, 12, 1, 1, 0, 5, tzinfo=UTC)
    assert clock.offset == 3600


def test_clock_can_be_stopped_moved_and_started() -> None:
    """A stopped clock can be moved, and continues from there."""
    base = _Ticking()
    clock = MovableClock(base)
    clock.stop()
    base.moment += timedelta(seconds=5)
    clock.advance(60)
    assert clock.now() == datetime(2026, 12, 1, 0, 1, tzinfo=UTC)
    clock.run()
    base.moment += timedelta(seconds=1)
    assert clock.now() == datetime(2026, 12, 1, 0, 1, 1, tzinfo=UTC)
    assert not clock.is_stopped
    clock.reset()
    assert clock.now() == base.moment
