"""List mailings: draft, record its id, confirm=0, guardrails, confirm=1, and never two drafts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.apply.apply_result import MailingOutcome
from smsby_deploy.apply.list_sender import next_minute
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.journal import read_journal
from smsby_deploy.lock.records import ChunkState
from smsby_deploy.output.translation import translator
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_smsby import EMPTY_LIST, LOST, Reply, Shop, busy, error, ok

DRAFTED = ok({"status": "OK", "result": {"message_id": 90}})
CONFIRMED = ok({"status": "OK"})
TOKEN_REFUSED = Answer(401, {"error": "bad token"}, readable=True)
NOW = 1_793_610_000  # 2026-11-02 09:00 UTC, the time of the tests


def info(status: str | None = "DRAFT", **figures: object) -> Answer:
    """Return the answer of confirm=0."""
    return ok(
        {"result": {"message_id": 90, "count": 40, "parts": 40, "cost": "1.04", **figures, "status": status}}
    )


def confirmations(*, before: list[Reply], start: list[Reply]) -> Reply:
    """Answer confirm=0 from `before` and confirm=1 from `start`, in turn, and with the last one from then on."""

    def reply(params: Mapping[str, Any]) -> Answer:
        script = start if params["confirm"] == 1 else before
        chosen = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(chosen, Exception):
            raise chosen
        assert isinstance(chosen, Answer)
        return chosen

    return reply


@pytest.fixture
def letter(shop: Shop) -> Shop:
    """A mailing to the list Newsletter, and an sms.by that accepts it."""
    shop.mailing("list: Newsletter, text: News")
    shop.sms_by.script("sendSmsList", DRAFTED)
    answers(shop)
    return shop


def answers(shop: Shop, *, before: list[Reply] | None = None, start: list[Reply] | None = None) -> None:
    script = confirmations(before=before or [info()], start=start or [CONFIRMED])
    shop.sms_by.script("confirmSendMessageByList", script)


def test_list_is_drafted_looked_at_and_confirmed(letter: Shop) -> None:
    """A list mailing is drafted, checked and confirmed in the documented order, and the lock has the figures of sms.by."""
    result, mailing = letter.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.DONE, MailingOutcome.SENT)
    assert letter.sms_by.changes() == ["sendSmsList", "confirm=0", "confirm=1"]
    entry = letter.lock().mailings["sale/staff"]
    assert (entry.recipients, entry.parts, entry.cost) == (40, 40, "1.04")
    (chunk,) = entry.chunks
    assert (chunk.state, chunk.message_id) == (ChunkState.ACCEPTED, 90)


def test_draft_id_is_recorded_before_confirm_0(letter: Shop) -> None:
    """The draft's message_id is in the journal on disk before confirm=0."""
    recorded: list[object] = []

    def look(params: Mapping[str, Any]) -> Answer:
        events = read_journal(letter.store.journal_path)
        recorded.append([e["changes"].get("message_id") for e in events if e["event"] == "result"])
        return info("DRAFT") if params["confirm"] == 0 else CONFIRMED

    letter.sms_by.script("confirmSendMessageByList", look)
    letter.apply()
    assert recorded[0] == [90]


def test_draft_has_list_sender_name_and_account_time(letter: Shop) -> None:
    """A draft has its list, sender, a remote name with the fingerprint, and its time on the account's clock."""
    letter.mailing("list: Newsletter, text: News, schedule_time: 2026-12-01T10:00:00, timezone: UTC")
    letter.apply()
    (draft,) = letter.sms_by.named("sendSmsList")
    assert draft == {
        "name": f"sale/staff shop#{letter.chunk().fingerprint}",
        "message": "News",
        "d_schedule": "2026-12-01 13:00",
        "list_id": 34,
        "alphaname_id": 7,
    }


def test_draft_of_another_run_is_not_confirmed(letter: Shop) -> None:
    """A draft that appeared after the plan may be for another list: it is recorded, and not confirmed without a new plan."""
    letter.configure(guardrails="{max_recipients: 1}")
    letter.apply()
    draft = letter.sms_by.named("sendSmsList")[0]
    letter.store.path.unlink()
    letter.configure()
    listed = ok({"data": [{"id": 90, "name": draft["name"], "status": "DRAFT"}]})
    letter.sms_by.script("getSMSMessages", EMPTY_LIST, listed)
    result, mailing = letter.apply()
    assert (result.exit_code, letter.chunk().state) == (ExitCode.REFUSED, ChunkState.DRAFT)
    assert "that this run did not make" in (mailing.error or "")
    assert letter.sms_by.changes() == ["sendSmsList", "confirm=0"]
    assert letter.lock().mailings["sale/staff"].contact_list is None


def test_list_that_was_sent_elsewhere_is_recorded(letter: Shop) -> None:
    """If another checkout drafted and confirmed the mailing after the plan, it is recorded, and nothing is sent."""
    letter.configure(guardrails="{max_recipients: 1}")
    letter.apply()
    draft = letter.sms_by.named("sendSmsList")[0]
    letter.store.path.unlink()
    sent = ok({"data": [{"id": 90, "name": draft["name"], "status": "SENT"}]})
    letter.sms_by.script("getSMSMessages", EMPTY_LIST, sent)
    result, mailing = letter.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.DONE, MailingOutcome.ADOPTED)
    assert letter.sms_by.changes() == ["sendSmsList", "confirm=0"]


@pytest.mark.parametrize(
    ("guardrails", "figures", "key"),
    [
        ("{max_recipients: 39}", {}, "max_recipients"),
        ("{max_recipients: 50}", {"count": None}, "max_recipients"),
        ("{max_cost: 1}", {}, "max_cost"),
        ("{max_cost: 5}", {"count": None, "parts": None, "cost": None}, "max_cost"),
        ("{}", {"count": 0}, "an empty audience"),
    ],
)
def test_list_guardrails_stop_the_confirmation(
    letter: Shop, guardrails: str, figures: dict[str, object], key: str
) -> None:
    """A guardrail that is broken, or cannot be checked, leaves the draft unconfirmed: exit code 4."""
    letter.configure(guardrails=guardrails, price="{currency: BYN, per_part: 0.026}")
    answers(letter, before=[info(**figures)])
    result, mailing = letter.apply()
    assert result.exit_code == ExitCode.REFUSED
    assert mailing.error is not None
    assert mailing.error.startswith(f"guardrail: {key}")
    assert letter.sms_by.changes() == ["sendSmsList", "confirm=0"]
    assert letter.chunk().state is ChunkState.DRAFT


def test_unconfirmed_draft_is_confirmed_by_the_next_apply(letter: Shop) -> None:
    """After "Insufficient funds" the next apply confirms the same draft."""
    answers(letter, start=[error("Insufficient funds", 403), CONFIRMED])
    result, mailing = letter.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.FAILED, MailingOutcome.REJECTED)
    assert letter.chunk().state is ChunkState.DRAFT
    result, mailing = letter.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.DONE, MailingOutcome.CONFIRMED)
    assert letter.sms_by.changes().count("sendSmsList") == 1


def test_lost_confirmation_is_repeated_while_it_is_a_draft(letter: Shop) -> None:
    """A lost confirmation is repeated if the draft is still DRAFT after reconcile_seconds."""
    answers(letter, start=[LOST, CONFIRMED])
    result, _ = letter.apply()
    assert result.exit_code == ExitCode.DONE
    assert letter.sms_by.changes().count("confirm=1") == 2


def test_lost_confirmations_end_after_three_tries(letter: Shop) -> None:
    """One run confirms a draft at most three times."""
    answers(letter, start=[LOST])
    result, _ = letter.apply()
    assert result.exit_code == ExitCode.FAILED
    assert letter.sms_by.changes().count("confirm=1") == 3
    assert letter.chunk().state is ChunkState.DRAFT


def test_lost_confirmation_with_another_status_is_accepted(letter: Shop) -> None:
    """After a lost confirmation any status except DRAFT means that it arrived."""
    answers(letter, before=[info(), info("SENDING")], start=[LOST])
    result, _ = letter.apply()
    assert result.exit_code == ExitCode.DONE
    assert letter.sms_by.changes().count("confirm=1") == 1
    assert letter.chunk().state is ChunkState.ACCEPTED


def test_lost_confirmation_without_a_status_is_unknown(letter: Shop) -> None:
    """Without a status the outcome of a lost confirmation is unknown, and it is not repeated."""
    answers(letter, before=[info(), info(None)], start=[LOST])
    result, mailing = letter.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.OUTCOME_UNKNOWN, MailingOutcome.UNKNOWN)
    assert letter.sms_by.changes().count("confirm=1") == 1


@pytest.mark.parametrize(
    ("status", "count", "code"),
    [("DRAFT", 2, ExitCode.DONE), ("SENDING", 1, ExitCode.DONE), (None, 1, ExitCode.OUTCOME_UNKNOWN)],
)
def test_lost_confirmation_is_settled_by_the_next_apply(
    letter: Shop, status: str | None, count: int, code: ExitCode
) -> None:
    """The next apply confirms a draft again, or accepts one of another status; without a status it stays unknown."""
    answers(letter, before=[info(), info(None)], start=[LOST])
    letter.apply()
    answers(letter, before=[info(status)])
    (draft,) = letter.sms_by.named("sendSmsList")
    letter.sms_by.script("getSMSMessages", listed(name=draft["name"]) if status else EMPTY_LIST)
    result, _ = letter.apply()
    assert (result.exit_code, letter.sms_by.changes().count("confirm=1")) == (code, count)


def test_lost_confirmation_listed_without_a_status_is_unknown(letter: Shop) -> None:
    """That the list has the draft, without a status, does not prove that it was confirmed."""

    def listing(params: Mapping[str, Any]) -> Answer:
        drafts = letter.sms_by.named("sendSmsList")
        return listed(name=drafts[0]["name"], status=None) if drafts else EMPTY_LIST

    letter.sms_by.script("getSMSMessages", listing)
    answers(letter, before=[info(), info(None)], start=[LOST])
    for _ in range(2):
        result, mailing = letter.apply()
        assert (result.exit_code, mailing.outcome) == (ExitCode.OUTCOME_UNKNOWN, MailingOutcome.UNKNOWN)
    assert letter.sms_by.changes().count("confirm=1") == 1


def test_lost_confirmation_stays_unknown(letter: Shop) -> None:
    """If a draft no longer has a status, its lost confirmation stays unknown, even if the plan's list said DRAFT."""
    answers(letter, before=[info(), info(None)], start=[LOST])
    letter.apply()
    (draft,) = letter.sms_by.named("sendSmsList")
    letter.sms_by.script("getSMSMessages", listed(name=draft["name"]), EMPTY_LIST)
    result, mailing = letter.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.OUTCOME_UNKNOWN, MailingOutcome.UNKNOWN)
    assert mailing.error == "unknown: the confirmation may or may not have arrived"
    assert letter.sms_by.changes().count("confirm=1") == 1


def test_text_that_changes_before_the_draft_is_not_sent(letter: Shop) -> None:
    """If an included text changes before the draft, no draft is made: exit code 5."""
    (letter.root / "templates").mkdir()
    letter.write("templates/sign.j2", "Shop")
    letter.mailing("list: Newsletter, text: 'News {% include \"sign.j2\" %}'")

    def change(params: Mapping[str, Any]) -> Answer:
        letter.write("templates/sign.j2", "Another shop")
        return EMPTY_LIST

    letter.sms_by.script("getSMSMessages", EMPTY_LIST, change)
    assert letter.apply()[0].exit_code == ExitCode.PLAN_REFUSED
    assert letter.sms_by.changes() == []


@pytest.mark.parametrize("status", ["NEW", None])
def test_new_draft_of_any_status_is_confirmed(letter: Shop, status: str | None) -> None:
    """A draft that this run made is confirmed whatever its status."""
    answers(letter, before=[info(status)])
    assert letter.apply()[0].exit_code == ExitCode.DONE
    assert letter.sms_by.changes() == ["sendSmsList", "confirm=0", "confirm=1"]


def test_draft_without_a_status_is_confirmed(letter: Shop) -> None:
    """A draft without a status is confirmed, even by a later run: no status does not mean confirmed."""
    answers(letter, start=[error("Insufficient funds", 403)])
    letter.apply()
    answers(letter, before=[info(None)])
    assert letter.apply()[0].exit_code == ExitCode.DONE
    assert letter.sms_by.changes().count("confirm=1") == 2


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (error("unknown message", 400), ExitCode.FAILED),
        (LOST, ExitCode.UNREACHABLE),
        (Answer(500, None, readable=False), ExitCode.UNREACHABLE),
        (busy(0), ExitCode.UNREACHABLE),
        (TOKEN_REFUSED, ExitCode.UNREACHABLE),
    ],
    ids=["rejected", "lost", "unusable", "too many requests", "token refused"],
)
def test_draft_that_cannot_be_read_is_not_confirmed(letter: Shop, reply: Reply, code: ExitCode) -> None:
    """A draft whose figures cannot be read is not confirmed; the next apply continues with it."""
    answers(letter, before=[reply])
    result, mailing = letter.apply()
    assert (result.exit_code, letter.chunk().state) == (code, ChunkState.DRAFT)
    assert "its draft 90 is not confirmed: " in (mailing.error or "") or reply is TOKEN_REFUSED
    assert "confirm=1" not in letter.sms_by.changes()
    answers(letter)
    assert letter.apply()[0].exit_code == ExitCode.DONE
    assert letter.sms_by.changes().count("sendSmsList") == 1


def test_lists_share_the_limit_of_an_apply(letter: Shop) -> None:
    """The cost of the first list counts toward max_cost when the second one is checked."""
    letter.configure(guardrails="{max_cost: 2}", price="{currency: BYN, per_part: 0.026}")
    inner = "".join(f"  - {{name: {name}, list: Newsletter, text: {name}}}\n" for name in ("one", "two"))
    letter.write("sale.yaml", f"version: 1\ncampaign: sale\nalphaname: MyShop\nmailings:\n{inner}")
    letter.sms_by.script("sendSmsList", DRAFTED, ok({"status": "OK", "result": {"message_id": 91}}))
    result, _ = letter.apply()
    outcomes = [mailing.outcome for mailing in result.mailings]
    assert outcomes == [MailingOutcome.SENT, MailingOutcome.SKIPPED]
    assert "max_cost: with this list the apply costs 2.08" in (result.mailings[1].error or "")


def test_draft_confirmed_elsewhere_is_recorded(letter: Shop) -> None:
    """A draft that was confirmed in the account is accepted without another confirmation."""
    answers(letter, start=[error("Insufficient funds", 403)])
    letter.apply()
    answers(letter, before=[info("SENDING")])
    result, _ = letter.apply()
    assert result.exit_code == ExitCode.DONE
    assert letter.chunk().state is ChunkState.ACCEPTED
    assert letter.sms_by.changes().count("confirm=1") == 1


def test_lost_draft_is_never_repeated(letter: Shop) -> None:
    """After a lost sendSmsList the mailing is unknown, and a second draft is never made."""
    letter.sms_by.script("sendSmsList", LOST)
    for _ in range(2):
        result, mailing = letter.apply()
        assert (result.exit_code, mailing.outcome) == (ExitCode.OUTCOME_UNKNOWN, MailingOutcome.UNKNOWN)
    assert letter.sms_by.changes() == ["sendSmsList"]


def test_draft_is_retried_after_429(letter: Shop) -> None:
    """After a 429, which proves that no draft was made, sendSmsList is repeated after Retry-After."""
    letter.sms_by.script("sendSmsList", busy(3), DRAFTED)
    result, _ = letter.apply()
    assert result.exit_code == ExitCode.DONE
    assert letter.clock.monotonic() >= 3


@pytest.mark.parametrize("missing", [["parts", "cost"], ["count", "parts", "cost"]])
def test_missing_figures_are_reported(letter: Shop, missing: list[str]) -> None:
    """Figures that sms.by does not report are named, and the mailing is sent."""
    answers(letter, before=[info(**dict.fromkeys(missing))])
    result, _ = letter.apply()
    assert result.exit_code == ExitCode.DONE
    named = ", ".join(missing).replace("count", "recipients")
    assert f"sale/staff: sms.by does not report these figures of its list: {named}" in letter.lines


def listed(**values: object) -> Answer:
    """Return a list of mailings with the draft."""
    row = {"id": 90, "name": "sale/staff", "status": "DRAFT", "alphaname": "MyShop", **values}
    return ok({"status": "success", "data": [row]})


@pytest.mark.parametrize(
    ("figures", "row", "text"),
    [
        ({}, {}, ""),
        ({"parts": 41}, {}, "parts: intended 40, sms.by reports 41"),
        ({"parts": 39}, {}, ""),
        ({"alphaname": "Kvetka"}, {}, "alphaname: intended MyShop"),
        ({"d_schedule": NOW + 3 * 3600}, {}, "d_schedule: intended none"),
        ({}, {"alphaname": "Kvetka"}, "alphaname: intended MyShop"),
        ({}, {"d_schedule": NOW + 3 * 3600}, "d_schedule: intended none"),
        ({}, {"d_schedule": NOW + 60, "count_phones": 0, "parts": "0"}, ""),
    ],
)
def test_draft_is_compared_before_it_is_confirmed(
    letter: Shop, figures: dict[str, object], row: dict[str, object], text: str
) -> None:
    """Count and parts of a draft are compared with confirm=0, sender and time wherever they are reported."""
    answers(letter, before=[info(**figures)])
    letter.sms_by.script("getSMSMessages", EMPTY_LIST, EMPTY_LIST, listed(**row))
    result, mailing = letter.apply()
    assert result.exit_code == (ExitCode.REFUSED if text else ExitCode.DONE)
    assert text in (mailing.error or "")
    assert letter.sms_by.changes().count("confirm=1") == (0 if text else 1)


def test_draft_is_compared_again_by_each_apply(letter: Shop) -> None:
    """An unconfirmed draft of an earlier run is compared again before it is confirmed."""
    answers(letter, start=[error("Insufficient funds", 403), CONFIRMED])
    letter.apply()
    letter.sms_by.script("getSMSMessages", listed(alphaname="Kvetka"))
    result, mailing = letter.apply()
    assert result.exit_code == ExitCode.REFUSED
    assert translator("ru").sentence(mailing.error or "").startswith("черновик 90: не то, что проверено")
    assert letter.sms_by.changes().count("confirm=1") == 1


def test_draft_that_is_listed_late_is_waited_for(letter: Shop) -> None:
    """A draft that the list lacks is waited for until reconcile_seconds, then confirmed."""
    letter.sms_by.script("getSMSMessages", *[EMPTY_LIST] * 4, listed(alphaname="Kvetka"))
    assert letter.apply()[0].exit_code == ExitCode.REFUSED


def test_draft_that_is_not_listed_is_confirmed(letter: Shop) -> None:
    """A value of a draft that no answer reports is not compared, and the result says so."""
    assert letter.apply()[0].exit_code == ExitCode.DONE
    assert any("does not list its draft 90" in line for line in letter.lines)
    assert letter.clock.monotonic() >= 2


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)))
def test_next_minute_has_not_passed(moment: datetime) -> None:
    """The time of a draft is the first full minute that has not passed."""
    minute = next_minute(moment)
    assert (minute.second, minute.microsecond) == (0, 0)
    assert timedelta(0) <= minute - moment < timedelta(minutes=1)
