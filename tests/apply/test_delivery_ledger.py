"""An existing message of createSmsMessage: when a mailing may use it, and what its deliveries prove."""

from __future__ import annotations

from collections import Counter

import pytest

from smsby_deploy.apply.apply_result import MailingOutcome
from smsby_deploy.apply.delivery_ledger import baseline_of
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.phone_states import NO_PROOF
from smsby_deploy.lock.records import ChunkState
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_smsby import LOST, OFFLINE, PHONES, Reply, Shop, busy, error, ok
from tests.apply.single_mailing import Inbox, called, states, to

EXISTS = error("The same message exists with ID=50", 400, message_id=50)
LATER = 1_793_610_000  # 2026-11-02 09:00 UTC, the time of the tests


@pytest.fixture
def reused(single: Shop) -> Shop:
    """A mailing whose text already has message 50."""
    single.sms_by.script("createSmsMessage", EXISTS)
    return single


def list_message(shop: Shop, name: str = "made elsewhere", **more: object) -> None:
    row = {"id": 50, "name": name, "status": "SENT", **more}
    shop.sms_by.script("getSMSMessages", ok({"status": "success", "data": [row]}))


def test_existing_message_is_used(reused: Shop, inbox: Inbox) -> None:
    """An existing message without deliveries is sent like a new one."""
    assert reused.apply()[0].exit_code == ExitCode.DONE
    assert (inbox, reused.chunk().message_id) == (Counter(PHONES[:3]), 50)
    assert reused.chunk().error is None


@pytest.mark.parametrize("answer", [OFFLINE, error("access denied")], ids=["offline", "refused"])
def test_existing_message_is_not_used_unread(reused: Shop, answer: Reply) -> None:
    """If the deliveries of an existing message cannot be read, the run stops: they could be of this mailing."""
    reused.sms_by.script("getSmsDeliveryList", answer)
    result, mailing = reused.apply()
    assert (result.exit_code, called(reused)) == (ExitCode.UNREACHABLE, [])
    assert "message 50 could not be read" in (mailing.error or "")
    assert (reused.chunk().state, reused.chunk().message_id) == (ChunkState.PENDING, None)


@pytest.mark.parametrize("name", ["made elsewhere", "sale/staff other#0123456789"])
def test_foreign_deliveries_are_the_baseline(reused: Shop, inbox: Inbox, name: str) -> None:
    """Earlier deliveries of another program are the baseline: a lost sendSMS is proved only by one more than that."""
    inbox[PHONES[0]] = 1
    list_message(reused, name)
    reused.sms_by.script("sendSMS", LOST)
    assert reused.apply()[0].exit_code == ExitCode.OUTCOME_UNKNOWN
    chunk = reused.chunk()
    assert (chunk.baseline, chunk.foreign, states(reused)) == ((1, 0, 0), 1, "u:1 p:2")


@pytest.mark.parametrize("name", [None, "sale/old shop#0123456789"])
def test_unexplained_deliveries_are_in_doubt(reused: Shop, inbox: Inbox, name: str | None) -> None:
    """If a message is unlisted, or has a name of this project, its deliveries may be of this mailing: nothing is sent."""
    inbox[PHONES[0]] = 1
    if name is not None:
        list_message(reused, name)
    result, mailing = reused.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.OUTCOME_UNKNOWN, MailingOutcome.UNKNOWN)
    assert (called(reused), states(reused)) == ([], "u:3")
    for error_text in (mailing.error, reused.chunk().error):
        assert "1 of its recipients already got this text (message 50)" in (error_text or "")


def test_baseline_is_kept(reused: Shop, inbox: Inbox) -> None:
    """A chunk keeps its baseline whatever is recorded later, so an earlier delivery never proves a lost send."""
    inbox[PHONES[0]] = 1
    list_message(reused)
    reused.sms_by.script("sendSMS", error("limit exceeded"))
    reused.apply()
    reused.configure(suppress="[out.csv]")
    reused.write("out.csv", f"phone\n{PHONES[2]}\n")
    reused.sms_by.script("sendSMS", LOST)
    assert reused.apply()[0].exit_code == ExitCode.OUTCOME_UNKNOWN
    assert (states(reused), reused.chunk().baseline) == ("u:1 p:1 s:1", (1, 0, 0))


def test_too_many_deliveries_prove_nothing(reused: Shop, inbox: Inbox) -> None:
    """With more deliveries than a baseline can count, one more is not recognized: the lost send is unknown."""
    inbox[PHONES[0]] = NO_PROOF
    list_message(reused)
    reused.sms_by.script("sendSMS", inbox.take_and_lose)
    assert reused.apply()[0].exit_code == ExitCode.OUTCOME_UNKNOWN
    assert states(reused) == "u:1 p:2"


def test_refused_message_is_never_sent(single: Shop) -> None:
    """A message with too many parts stays refused, although only its first answer reported the parts."""
    single.sms_by.script("createSmsMessage", ok({"message_id": 50, "parts": 9}), EXISTS)
    result, mailing = single.apply()
    assert (result.exit_code, single.chunk().message_id) == (ExitCode.REFUSED, None)
    result, mailing = single.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.FAILED, MailingOutcome.REJECTED)
    assert (single.chunk().refused_id, called(single)) == (50, [])


@pytest.mark.parametrize("sender", ["Kvetka", "System name (SMS.by)"])
def test_message_of_another_sender_is_refused(reused: Shop, sender: str) -> None:
    """A message of another sender is refused: it cannot change, so the text has to."""
    reused.sms_by.script("checkSMSMessageStatus", ok({"status": "moderated", "alphaname": sender}))
    result, mailing = reused.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.FAILED, MailingOutcome.REJECTED)
    assert mailing.error is not None
    assert f"sender is {sender}" in mailing.error
    assert (called(reused), states(reused)) == ([], "r:3")
    assert (reused.chunk().message_id, reused.chunk().error) == (None, mailing.error)


@pytest.mark.parametrize(
    ("own", "sender", "is_used"),
    [
        ("'7'", "MyShop", True),
        ("'7'", "Kvetka", False),
        ("0", "SYSTEM", True),
        ("0", "SMS.by", True),
        ("0", "System name (SMS.by)", True),
        ("0", "Kvetka", False),
    ],
)
def test_message_of_the_same_sender_is_used(reused: Shop, own: str, sender: str, is_used: bool) -> None:
    """A message of the same sender is used, even if given by its id or, for the system sender, by another of its names."""
    reused.write("sale.yaml", (reused.root / "sale.yaml").read_text().replace("MyShop", own))
    reused.sms_by.script("checkSMSMessageStatus", ok({"status": "moderated", "alphaname": sender}))
    assert (reused.apply()[0].exit_code == ExitCode.DONE) is is_used
    assert bool(called(reused)) is is_used


@pytest.mark.parametrize(
    ("schedule", "listed", "is_used"),
    [
        ("", None, True),
        ("", LATER + 7200, False),
        ("", LATER - 7200, True),
        ("", LATER + 30, True),
        ("2026-11-02T11:00:00+00:00", LATER + 7200, True),
        ("2026-11-02T11:00:00+00:00", LATER + 7260, False),
        ("2026-11-02T11:00:00+00:00", None, False),
    ],
)
def test_message_with_another_time_is_refused(
    reused: Shop, schedule: str, listed: int | None, is_used: bool
) -> None:
    """A message with another send time, to the minute, is refused."""
    to(reused, *PHONES[:3], more=f", schedule_time: '{schedule}'" if schedule else "")
    list_message(reused, d_schedule=listed)
    result, _ = reused.apply()
    assert result.exit_code == (ExitCode.DONE if is_used else ExitCode.FAILED)
    assert bool(called(reused)) is is_used


def _share(reused: Shop) -> None:
    """Give two mailings one text, and so one message."""
    both = (reused.root / "sale.yaml").read_text()
    reused.write("sale.yaml", both + both.partition("mailings:\n")[2].replace("staff", "team"))
    reused.sms_by.script("createSmsMessage", ok({"message_id": 50}), EXISTS)


def test_message_of_two_mailings_is_sent_by_both(reused: Shop, inbox: Inbox) -> None:
    """Two mailings share a message: the lock explains the deliveries by the first one, so both are sent."""
    _share(reused)
    assert reused.apply()[0].exit_code == ExitCode.DONE
    assert inbox == Counter(PHONES[:3] * 2)
    (chunk,) = reused.lock().mailings["sale/team"].chunks
    assert (chunk.baseline, chunk.foreign) == ((1, 1, 1), 0)


def test_delivery_of_a_shared_message_proves_nothing(reused: Shop, inbox: Inbox) -> None:
    """A delivery that could be of another mailing, or of an outdated lock, proves nothing: the phones are unknown."""
    _share(reused)
    reused.sms_by.script("sendSMS", *[inbox.take] * 3, error("limit exceeded"))
    assert reused.apply()[0].exit_code == ExitCode.FAILED
    inbox[PHONES[0]] += 1
    assert reused.apply()[0].exit_code == ExitCode.OUTCOME_UNKNOWN
    (chunk,) = reused.lock().mailings["sale/team"].chunks
    assert str(chunk.phones) == "u:3"
    assert len(called(reused)) == 4


def test_message_of_an_unknown_mailing_waits(reused: Shop, inbox: Inbox) -> None:
    """While one of two mailings that share a message is unknown, the other is not sent."""
    _share(reused)
    reused.sms_by.script("sendSMS", LOST)
    result, _ = reused.apply()
    assert result.exit_code == ExitCode.OUTCOME_UNKNOWN
    assert len(called(reused)) == 1
    assert "sale/staff" in (result.mailings[1].error or "")
    (chunk,) = reused.lock().mailings["sale/team"].chunks
    assert (chunk.state, chunk.message_id) == (ChunkState.PENDING, None)


def test_baseline_counts_up_to_no_proof() -> None:
    """A baseline counts each phone's earlier deliveries up to NO_PROOF, from which on nothing can be proved."""
    counts = Counter({"1": 2, "2": NO_PROOF + 5})
    assert baseline_of(["1", "2", "3"], counts, is_complete=True) == (2, NO_PROOF, 0)
    assert baseline_of(["1", "2"], counts, is_complete=False) == (NO_PROOF, NO_PROOF)


def test_single_mailing_waits_for_moderation(single: Shop) -> None:
    """While sms.by reports the message as `new` nothing is sent; the next apply uses the same message."""
    single.sms_by.script("checkSMSMessageStatus", ok({"status": "new"}))
    result, mailing = single.apply()
    assert (result.exit_code, called(single), states(single)) == (ExitCode.FAILED, [], "p:3")
    assert mailing.error is not None
    assert "message 50" in mailing.error
    assert single.clock.monotonic() >= 2
    single.sms_by.script("checkSMSMessageStatus", ok({"status": "moderated"}))
    assert single.apply()[0].exit_code == ExitCode.DONE
    assert len(single.sms_by.named("createSmsMessage")) == 1


@pytest.mark.parametrize(
    ("answer", "code"), [(OFFLINE, ExitCode.UNREACHABLE), (error("message not found"), ExitCode.DONE)]
)
def test_single_mailing_without_its_moderation(single: Shop, answer: Reply, code: ExitCode) -> None:
    """An outage during moderation stops the run before the first send; an undocumented status does not delay it."""
    single.sms_by.script("checkSMSMessageStatus", answer)
    assert single.apply()[0].exit_code is code
    assert len(called(single)) == (3 if code is ExitCode.DONE else 0)


@pytest.mark.parametrize(
    ("answer", "calls", "code"),
    [
        (busy(3600), 1, ExitCode.UNREACHABLE),
        (busy(), 5, ExitCode.UNREACHABLE),
        (LOST, 5, ExitCode.UNREACHABLE),
        (error("token is invalid", 403), 1, ExitCode.UNREACHABLE),
        (error("incorrect arguments", 400), 1, ExitCode.FAILED),
        (error("undefined error", 500), 1, ExitCode.FAILED),
    ],
)
def test_message_is_made_again_until_it_answers(
    single: Shop, answer: Reply, calls: int, code: ExitCode
) -> None:
    """createSmsMessage is retried until it answers, but not after a Retry-After of over a minute."""
    single.sms_by.script("createSmsMessage", answer)
    result, mailing = single.apply()
    assert result.exit_code == code
    assert len(single.sms_by.named("createSmsMessage")) == calls
    assert called(single) == []
    if code is ExitCode.FAILED and isinstance(answer, Answer):
        assert answer.data["error"] in (mailing.error or "")


def test_retry_of_a_message_waits_as_asked(single: Shop) -> None:
    """createSmsMessage waits for a Retry-After of up to a minute, and then the mailing is sent."""
    single.sms_by.script("createSmsMessage", busy(40), ok({"message_id": 50}))
    assert single.apply()[0].exit_code == ExitCode.DONE
    assert single.clock.monotonic() >= 40
