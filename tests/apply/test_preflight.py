"""Preflight: what refuses an apply, and which of several reasons is reported."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest

from smsby_deploy.apply.hand_over import hand_over
from smsby_deploy.apply.run import apply_plan
from smsby_deploy.errors import (
    FilesInvalid,
    LockHeld,
    PlanRefused,
    Refused,
    SmsbyDeployError,
    TokenRefused,
    UsageError,
)
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.binding import Binding
from smsby_deploy.lock.records import EntryState, NamedId
from smsby_deploy.lock.store import LockStore
from smsby_deploy.plan.model import ActionKind, Plan, ReasonCode
from smsby_deploy.smsby.response import Answer
from smsby_deploy.smsby.send_client import SendClient
from tests.apply.fake_smsby import LOST, OFFLINE, PHONES, PROJECT, Reply, Shop, error, ok
from tests.apply.waiting_mailings import ACCEPTED, outcomes, state, to, write_sale

GOOD = f"recipients: ['{PHONES[0]}', '{PHONES[1]}'], text: Hello"
BAD = f"recipients: ['{PHONES[0]}'], text: 'Dear {{{{ missing }}}}'"


def _refuse(error: SmsbyDeployError) -> Callable[[], SendClient]:
    def connect() -> SendClient:
        raise error

    return connect


def _unreadable() -> Plan:
    raise PlanRefused("the plan cannot be read")


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ({"files", "lock", "plan", "token"}, FilesInvalid),
        ({"files", "plan"}, FilesInvalid),
        ({"files", "token"}, FilesInvalid),
        ({"files", "lock"}, FilesInvalid),
        ({"lock", "plan", "token"}, LockHeld),
        ({"lock", "token"}, LockHeld),
        ({"plan", "token"}, PlanRefused),
        ({"token"}, TokenRefused),
        ({"select", "files", "lock", "token"}, UsageError),
    ],
    ids=lambda value: "+".join(sorted(value)) if isinstance(value, set) else value.__name__,
)
def test_preflight_reports_the_first_of_several_reasons(
    shop: Shop, reasons: set[str], expected: type[SmsbyDeployError]
) -> None:
    """The reported reason is the first in the documented order of exit codes: 64, 3, 8, 5, 7."""
    shop.mailing(BAD if "files" in reasons else GOOD)
    request = shop.request()
    if "plan" in reasons:
        request = replace(request, reviewed=_unreadable)
    if "token" in reasons:
        request = replace(request, connect=_refuse(TokenRefused("no token")))
    if "select" in reasons:
        request = replace(request, select=("other/*",))
    with ExitStack() as stack:
        if "lock" in reasons:
            stack.enter_context(shop.store.held())
        with pytest.raises(SmsbyDeployError) as caught:
            apply_plan(request)
    assert type(caught.value) is expected
    assert shop.sms_by.changes() == []


def test_preflight_puts_an_unknown_outcome_first(shop: Shop) -> None:
    """An unknown outcome of a selected mailing (6) comes before an unreachable sms.by (7) or a low balance (4)."""
    shop.mailing(GOOD)
    shop.sms_by.script("sendBulkSms", LOST)
    assert shop.apply()[0].exit_code is ExitCode.OUTCOME_UNKNOWN
    shop.configure(price="{currency: BYN, per_part: 0.026}")
    shop.write("other.yaml", "version: 1\ncampaign: other\nmailings:\n  - {name: one, " + GOOD + " too}\n")
    shop.sms_by.script("getBalance", ok({"balance": "0", "currency": "BYN"}))
    for select, is_offline, code in (
        ((), False, ExitCode.OUTCOME_UNKNOWN),
        ((), True, ExitCode.OUTCOME_UNKNOWN),
        (("other/*",), False, ExitCode.REFUSED),
        (("other/*",), True, ExitCode.UNREACHABLE),
    ):
        request = replace(shop.request(), select=select)
        if is_offline:
            request = replace(request, connect=_refuse(TokenRefused("no token")))
        with pytest.raises(TokenRefused if is_offline else Refused) as caught:
            apply_plan(request)
        assert caught.value.exit_code is code
    mark = shop.store.read().mailings["sale/staff"].chunks[0].fingerprint
    row = {"id": 7, "name": f"sale/staff shop#{mark}", "status": "NEW", "count_phones": 2}
    shop.sms_by.script("getSMSMessages", ok([row]))
    with pytest.raises(Refused) as found:  # sms.by lists it, so its outcome is no longer unknown
        apply_plan(shop.request())
    assert found.value.exit_code is ExitCode.REFUSED
    assert shop.sms_by.changes() == ["sendBulkSms"]


def test_preflight_does_not_connect_for_an_outdated_plan(shop: Shop) -> None:
    """A plan that is stale by its files is refused without a connection to sms.by."""
    shop.mailing(GOOD)
    reviewed = shop.plan()
    shop.mailing(f"{GOOD} you")
    request = replace(shop.request(reviewed), connect=_refuse(TokenRefused("no token")))
    with pytest.raises(PlanRefused, match=r"this plan is stale: sale\.yaml has changed since"):
        apply_plan(request)


def test_preflight_does_not_know_the_account_without_a_token(shop: Shop) -> None:
    """Without a token the error is the missing token, not a plan of another account."""
    shop.mailing(GOOD)
    request = replace(shop.request(shop.plan()), account=None, connect=_refuse(TokenRefused("no token")))
    with pytest.raises(TokenRefused):
        apply_plan(request)


def test_preflight_refuses_a_plan_that_sms_by_made_stale(shop: Shop) -> None:
    """If another checkout sent the mailing since the review, the plan is refused, although only sms.by shows it."""
    shop.mailing(GOOD)
    reviewed = shop.plan()
    mark = reviewed.actions[0].chunks[0].fingerprint
    name = f"sale/staff shop#{mark}"
    shop.sms_by.script("getSMSMessages", ok([{"id": 7, "name": name, "status": "NEW", "count_phones": 2}]))
    with pytest.raises(PlanRefused, match="it was create, now it is adopt"):
        apply_plan(shop.request(reviewed))
    assert shop.sms_by.changes() == []


def test_plan_without_a_list_id_sends_to_no_list(shop: Shop) -> None:
    """A plan of an older version has only the list's name, which may now mean another list, so nothing is sent."""
    shop.mailing("list: Newsletter, text: News")
    reviewed = shop.plan()
    (action,) = reviewed.actions
    assert action.contact_list == NamedId("Newsletter", 34)
    result = apply_plan(shop.request(reviewed.with_actions((replace(action, contact_list=None),))))
    (mailing,) = result.mailings
    assert "does not say which contact list" in (mailing.error or "")
    assert (result.exit_code, shop.sms_by.changes()) == (ExitCode.REFUSED, [])
    shop.sms_by.script("sendSmsList", OFFLINE)
    assert apply_plan(shop.request(reviewed)).exit_code is ExitCode.UNREACHABLE
    assert set(shop.sms_by.changes()) == {"sendSmsList"}


def test_plan_without_mailings_sends_none(shop: Shop) -> None:
    """A reviewed plan without mailings sends none, even if the files have some."""
    shop.mailing(GOOD)
    result = apply_plan(shop.request(shop.plan().with_actions(())))
    assert (result.mailings, shop.sms_by.changes(), shop.lock().mailings) == ((), [], {})


def test_sender_that_is_gone_is_an_error_of_the_files(shop: Shop) -> None:
    """A sender that is gone is an error in the files (3), even with a reviewed plan (5)."""
    shop.mailing(GOOD)
    reviewed = shop.plan()
    shop.sms_by.script("getAlphanames", ok({"8": "Other"}))
    with pytest.raises(FilesInvalid):
        apply_plan(shop.request(reviewed))


def test_preflight_offers_an_invalid_plan_for_output(shop: Shop) -> None:
    """An invalid plan is passed to `planned`, so that its problems can be printed before it is refused."""
    shop.mailing(BAD)
    plans: list[Plan] = []
    with pytest.raises(FilesInvalid):
        apply_plan(replace(shop.request(), planned=plans.append))
    assert [plan.has_errors for plan in plans] == [True]


def test_apply_does_not_look_for_an_overlap(shop: Shop) -> None:
    """An apply does not look for overlaps, so that it can cache chunks and read a long list with a second process."""
    shop.mailing(
        "recipients: ['375291111111'], text: Hi}\n  - {name: all, recipients: ['375291111111', '375292222222'], text: Ho"
    )
    plans: list[Plan] = []
    with pytest.raises(Refused):
        apply_plan(replace(shop.request(), planned=plans.append, approve=lambda plan: False))
    reviewed, (applied,) = shop.plan(), plans
    assert [one.code for one in reviewed.problems] == ["OVERLAP", "OVERLAP"]
    assert applied.problems == ()


@pytest.mark.parametrize(
    ("guardrails", "balance", "message", "hint"),
    [
        ("{max_cost: 0.01}", "1000", "max_cost", "guardrails.max_cost in smsby.yaml"),
        ("{}", "0.01", "0.01", "top up the account"),
    ],
)
def test_preflight_refuses_what_costs_too_much(
    shop: Shop, guardrails: str, balance: str, message: str, hint: str
) -> None:
    """A plan over max_cost or over the balance is refused as a whole before anything is sent."""
    shop.configure(price="{currency: BYN, per_part: 0.026}", guardrails=guardrails)
    shop.sms_by.script("getBalance", ok({"balance": balance, "currency": "BYN"}))
    shop.mailing(GOOD)
    with pytest.raises(Refused, match=message) as caught:
        apply_plan(shop.request())
    assert hint in caught.value.hint
    assert shop.sms_by.changes() == []


@pytest.mark.parametrize(
    ("mailings", "is_refused"),
    [
        ((GOOD,), True),
        ((GOOD, "list: Newsletter, text: News"), True),
        (("list: Newsletter, text: N",), False),
    ],
    ids=["recipients", "both", "list"],
)
def test_preflight_needs_a_balance_without_a_price(
    mailings: tuple[str, ...], is_refused: bool, shop: Shop
) -> None:
    """Without a price an empty balance refuses the apply, but not if it only drafts lists."""
    rows = "".join(f"  - {{name: m{number}, {text}}}\n" for number, text in enumerate(mailings))
    shop.write("sale.yaml", f"version: 1\ncampaign: sale\nalphaname: MyShop\nmailings:\n{rows}")
    shop.sms_by.script("getBalance", ok({"balance": "0", "currency": "BYN"}))
    shop.sms_by.script("sendSmsList", OFFLINE)
    if is_refused:
        with pytest.raises(Refused, match="cannot pay for anything"):
            apply_plan(shop.request())
        return
    assert apply_plan(shop.request()).exit_code is ExitCode.UNREACHABLE
    assert shop.sms_by.named("getBalance") == []


def test_preflight_refuses_what_is_not_approved(shop: Shop) -> None:
    """Without approval nothing is sent or recorded."""
    shop.mailing(GOOD)
    with pytest.raises(Refused, match="not approved; nothing was sent"):
        apply_plan(replace(shop.request(), approve=lambda plan: False))
    assert shop.lock().serial == 0


def test_preflight_refuses_what_was_never_shown(shop: Shop) -> None:
    """In the Python API, a plan that is neither reviewed nor approved is not sent."""
    shop.mailing(GOOD)
    with pytest.raises(Refused, match="no reviewed plan; nothing was sent"):
        apply_plan(replace(shop.request(), approve=None))
    assert shop.lock().serial == 0
    shop.sms_by.script("sendBulkSms", ok({"uuid": "cc9c8043"}))
    assert apply_plan(replace(shop.request(shop.plan()), approve=None)).exit_code == 0


@pytest.mark.parametrize(
    "changes",
    [{"commit": "be0d220\n"}, {"commit": b"be0d220"}, {"by": "Anna\x1b"}, {"by": 7}, {"by": "x" * 10_001}],
)
def test_preflight_refuses_what_the_lock_cannot_record(changes: dict[str, Any], shop: Shop) -> None:
    """In the Python API, a value with a line break is refused, since the lock could not be read after the send."""
    shop.mailing(GOOD)
    with pytest.raises(UsageError, match="expected one line of text"):
        apply_plan(replace(shop.request(), **changes))
    plan = replace(shop.plan(), id=uuid4())  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="plan id: expected one line of text"):
        apply_plan(shop.request(plan))
    assert (shop.lock().serial, shop.sms_by.changes()) == (0, [])


@pytest.mark.parametrize("zone", [None, timezone(timedelta(seconds=30))])
def test_preflight_refuses_a_clock_without_a_zone(
    zone: timezone | None, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock without an offset in full minutes is refused: its times could not be read from the record."""
    shop.mailing(GOOD)
    request, now = shop.request(), shop.clock.now().replace(tzinfo=zone)
    monkeypatch.setattr(shop.clock, "now", lambda: now)
    with pytest.raises(UsageError, match="clock: expected times in UTC"):
        apply_plan(request)
    assert (shop.lock().serial, shop.sms_by.changes()) == (0, [])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"here": Binding("sandbox", "http://127.0.0.1", "account")}, "here: its environment"),
        ({"here": Binding("production", None, "account")}, "service: expected one line"),  # type: ignore[arg-type]
        ({"here": Binding("production", "http://127.0.0.1", 7)}, "account: expected one line"),  # type: ignore[arg-type]
    ],
)
def test_preflight_refuses_another_place(changes: dict[str, Any], message: str, shop: Shop) -> None:
    """In the Python API, the lock of another project or environment is refused."""
    shop.mailing(GOOD)
    with pytest.raises(UsageError, match=message):
        apply_plan(replace(shop.request(), **changes))
    for store in (LockStore(shop.store.path, "other"), LockStore(shop.store.path, "shop", "staging")):
        with pytest.raises(UsageError, match="the lock is opened for another project or environment"):
            apply_plan(replace(shop.request(), store=store))
    assert (shop.lock().serial, shop.sms_by.changes()) == (0, [])


def test_preflight_asks_no_other_service(shop: Shop) -> None:
    """A lock of another service is refused before a connection, so the token is not sent anywhere."""
    shop.mailing(GOOD)
    shop.sms_by.script("sendBulkSms", ok({"uuid": "cc9c8043"}))
    here = Binding("production", "https://app.sms.by", "account")
    assert apply_plan(replace(shop.request(), here=here)).exit_code is ExitCode.DONE
    elsewhere = replace(here, service="https://sms.example")
    connect = _refuse(TokenRefused("it was connected"))
    with pytest.raises(Refused, match=r"but this run uses https://sms\.example"):
        apply_plan(replace(shop.request(), here=elsewhere, connect=connect))


def test_preflight_reports_late_opt_outs(shop: Shop) -> None:
    """A recipient who opts out after the review is left out, and the plan stays valid."""
    shop.configure(suppress="[out.txt]")
    shop.write("out.txt", "")
    shop.mailing(GOOD)
    shop.sms_by.script("sendBulkSms", ok({"uuid": "cc9c8043"}))
    reviewed = shop.plan()
    shop.write("out.txt", f"{PHONES[0]}\n")
    result = apply_plan(shop.request(reviewed))
    assert result.mailings[0].recipients == 1
    assert "1 recipient opted out since this plan was made: nothing is sent to them" in shop.lines


def test_reviewed_mailing_is_not_tested_again(shop: Shop) -> None:
    """The tests of a reviewed mailing are not repeated, so a late opt-out cannot fail them; without a review it does."""
    shop.configure(suppress="[out.txt]")
    shop.write("out.txt", "")
    shop.mailing(f"{GOOD}, tests: [{{audience: {{min: 2}}}}]")
    reviewed = shop.plan()
    shop.write("out.txt", f"{PHONES[0]}\n")
    with pytest.raises(FilesInvalid):
        apply_plan(shop.request())
    shop.sms_by.script("sendBulkSms", ok({"uuid": "cc9c8043"}))
    assert apply_plan(shop.request(reviewed)).exit_code is ExitCode.DONE


def test_preflight_holds_back_what_the_plan_shows_as_blocked(shop: Shop) -> None:
    """A mailing that was blocked in the reviewed plan is not sent, even if nothing blocks it now."""
    shop.mailing(GOOD)
    plan = shop.plan()
    blocked = plan.with_actions((plan.actions[0].block(ReasonCode.GUARDRAIL, "quiet hours"),))
    result = apply_plan(shop.request(blocked))
    assert result.mailings[0].error is not None
    assert "blocked in the reviewed plan; now create: make a new plan" in result.mailings[0].error
    assert shop.sms_by.changes() == []


def test_preflight_approves_nothing_shown_as_blocked(shop: Shop) -> None:
    """A mailing that was blocked in the reviewed plan is not approved for a later hand-over."""
    shop.mailing(f"{GOOD}, schedule_time: '2099-01-01T12:00:00', release: {{before: 1h, at_latest: 20m}}")
    plan = shop.plan()
    assert plan.actions[0].action is ActionKind.HOLD
    blocked = plan.with_actions((plan.actions[0].block(ReasonCode.UNKNOWN, "a lost answer"),))
    result = apply_plan(shop.request(blocked))
    assert "blocked in the reviewed plan; now hold: make a new plan" in str(result.mailings[0].error)
    assert shop.lock().mailings == {}


def test_preflight_uses_a_plan_once(shop: Shop) -> None:
    """The second apply of the same plan is refused."""
    shop.mailing(GOOD)
    shop.sms_by.script("sendBulkSms", ok({"uuid": "cc9c8043"}))
    reviewed = shop.plan()
    apply_plan(shop.request(reviewed))
    with pytest.raises(PlanRefused, match="this plan was already applied: everything in it is settled"):
        apply_plan(shop.request(reviewed))


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (OFFLINE, ExitCode.UNREACHABLE),
        (error("not enough money"), ExitCode.FAILED),
        (Answer(401, {"error": "bad token"}, readable=True), ExitCode.UNREACHABLE),
    ],
    ids=["offline", "rejected", "token refused"],
)
def test_preflight_lets_a_plan_that_sent_nothing_be_used(shop: Shop, reply: Reply, code: ExitCode) -> None:
    """After exit 7 or 1 the same plan is applied once the cause is gone, and is then used up."""
    shop.mailing(GOOD)
    shop.sms_by.script("sendBulkSms", reply)
    reviewed = shop.plan()
    assert apply_plan(shop.request(reviewed)).exit_code is code
    shop.sms_by.script("sendBulkSms", ok({"uuid": "cc9c8043"}))
    assert apply_plan(shop.request(reviewed)).exit_code is ExitCode.DONE
    with pytest.raises(PlanRefused, match="already applied"):
        apply_plan(shop.request(reviewed))


def test_preflight_lets_a_resumed_plan_be_resumed(shop: Shop) -> None:
    """A plan is not stale by its own changes to a mailing that another plan began, but by those of another run."""
    shop.write("smsby.yaml", PROJECT.replace("seconds: 2", "seconds: 600, recipients_per_request: 1"))
    shop.mailing(f"recipients: {PHONES[:4]}, text: Hello")
    accepted = [ok({"uuid": f"cc9c804{n}"}) for n in range(4)]
    shop.sms_by.script("sendBulkSms", accepted[0], OFFLINE)
    shop.apply()
    reviewed, other = shop.plan(), replace(shop.plan(), id="other")
    assert reviewed.actions[0].action is ActionKind.RESUME
    shop.sms_by.script("sendBulkSms", accepted[1], OFFLINE)
    apply_plan(shop.request(reviewed))
    with pytest.raises(PlanRefused, match="the lock has a newer state of sale/staff"):
        apply_plan(shop.request(other))
    shop.sms_by.script("sendBulkSms", accepted[2], OFFLINE)
    assert apply_plan(shop.request(reviewed)).mailings[0].recipients == 4
    shop.sms_by.script("sendBulkSms", accepted[3])
    shop.apply()
    with pytest.raises(PlanRefused, match="the lock has a newer state of sale/staff"):
        apply_plan(shop.request(reviewed))
    assert [shop.chunk(n).uuid for n in range(4)] == [f"cc9c804{n}" for n in range(4)]


def test_preflight_does_not_approve_again_what_lapsed(waiting: Shop) -> None:
    """A plan file sends what it could not send before, but does not approve a lapsed mailing again."""
    held, sent = to(PHONES[0]), to(PHONES[1], more=", release: {before: 5h, at_latest: 30m}")
    write_sale(waiting, a=held, b=sent)
    reviewed = waiting.plan()
    waiting.sms_by.script("sendBulkSms", OFFLINE)
    assert outcomes(apply_plan(waiting.request(reviewed))) == {"a": "held", "b": "skipped"}
    write_sale(waiting, a=to(PHONES[0], text="Changed"), b=sent)
    assert outcomes(hand_over(replace(waiting.request(), select=("sale/a",)))) == {"a": "skipped"}
    write_sale(waiting, a=held, b=sent)
    waiting.sms_by.script("sendBulkSms", ACCEPTED)
    result = apply_plan(waiting.request(reviewed))
    assert (outcomes(result), result.exit_code) == ({"a": "skipped", "b": "sent"}, ExitCode.REFUSED)
    assert "this plan has already settled it" in (result.mailings[0].error or "")
    assert state(waiting, "a") is EntryState.WITHDRAWN
