"""The last look at sms.by before a mailing's first request: whatever is listed is recorded and never sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from smsby_deploy.apply import remote_check
from smsby_deploy.apply.apply_result import ApplyResult, MailingOutcome
from smsby_deploy.apply.hand_over import hand_over
from smsby_deploy.apply.mailing_run import MailingRun
from smsby_deploy.apply.reconcile import Reconciler
from smsby_deploy.apply.remote_check import RemoteCheck
from smsby_deploy.apply.run import apply_plan
from smsby_deploy.apply.shutdown import StopSending
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import ChunkState, EntryState, Lock
from smsby_deploy.plan.remote_list_check import ListCheck, check_list
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_dispatch import VirtualClock, World
from tests.apply.fake_smsby import EMPTY_LIST, LOST, OFFLINE, PHONES, Reply, Shop, error, ok
from tests.apply.single_mailing import Inbox
from tests.apply.waiting_mailings import HOUR, approve, outcomes, to, write_sale
from tests.apply.waiting_mailings import listed as listed_sent

BROKEN = Answer(200, None, is_empty=True)


@pytest.fixture
def bulk(shop: Shop) -> Shop:
    """A mailing of two chunks, and an sms.by that accepts it."""
    shop.write(
        "smsby.yaml",
        "version: 1\nproject: shop\napi: {reconcile_seconds: 2, recipients_per_request: 2}\n",
    )
    shop.mailing(f"recipients: [{', '.join(PHONES[:4])}], text: Closed")
    shop.sms_by.script("sendBulkSms", ok({"uuid": "u", "success": "OK"}))
    return shop


def fingerprints(shop: Shop) -> list[str]:
    """Return the fingerprints of the mailing's chunks; the sends made to learn them are forgotten."""
    shop.apply()
    marks = [chunk.fingerprint for chunk in shop.lock().mailings["sale/staff"].chunks]
    for path in shop.root.glob("lock.json*"):
        path.unlink()
    shop.sms_by.calls.clear()
    return marks


def listed(*marks: str, address: str = "sale/staff") -> Answer:
    """Return a list with the chunks that have these fingerprints."""
    rows = [
        {"id": 60 + index, "name": f"{address} [{index + 1}/2] shop#{mark}", "status": "NEW"}
        for index, mark in enumerate(marks)
    ]
    return ok({"status": "success", "data": rows})


def then(shop: Shop, answer: Answer) -> None:
    """Give an empty list to the plan, and `answer` to every later request."""
    shop.sms_by.script("getSMSMessages", EMPTY_LIST, answer)


def test_remote_check_records_what_is_listed_meanwhile(bulk: Shop) -> None:
    """If another checkout sent the mailing after the plan, it is recorded, and nothing is sent."""
    then(bulk, listed(*fingerprints(bulk)))
    result, mailing = bulk.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.DONE, MailingOutcome.ADOPTED)
    assert bulk.sms_by.changes() == []
    assert [bulk.chunk(index).message_id for index in (0, 1)] == [60, 61]


def test_remote_check_takes_no_part_for_the_whole(bulk: Shop) -> None:
    """If only one chunk is listed, the other is unknown, as absence proves nothing."""
    then(bulk, listed(fingerprints(bulk)[0]))
    result, mailing = bulk.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.OUTCOME_UNKNOWN, MailingOutcome.UNKNOWN)
    assert bulk.sms_by.changes() == []
    assert [bulk.chunk(index).state for index in (0, 1)] == [ChunkState.ACCEPTED, ChunkState.UNKNOWN]
    assert "this run did not send" in (mailing.error or "")


def test_remote_check_finds_a_collision(bulk: Shop) -> None:
    """A mailing that is listed with other content is refused, and not recorded."""
    then(bulk, listed("0123456789"))
    result, mailing = bulk.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.REFUSED, MailingOutcome.SKIPPED)
    assert (mailing.error or "").startswith("collision: ")
    assert bulk.sms_by.changes() == []
    assert "sale/staff" not in bulk.lock().mailings


@pytest.mark.parametrize("answer", [BROKEN, error("limit exceeded"), error("token is invalid", 403)])
def test_remote_check_sends_nothing_without_the_list(bulk: Shop, answer: Answer) -> None:
    """An answer that is not a list stops the run before the first request."""
    then(bulk, answer)
    result, _ = bulk.apply()
    assert result.exit_code == ExitCode.UNREACHABLE
    assert bulk.sms_by.changes() == []


def test_remote_check_disbelieves_a_list_that_lost_everything(bulk: Shop) -> None:
    """If the list before the send lacks everything that the plan's list had, the mailing is blocked."""
    bulk.apply()
    marks = [bulk.chunk(index).fingerprint for index in (0, 1)]
    bulk.clock.sleep(60)
    other = f"version: 1\ncampaign: next\nmailings: [{{name: a, recipients: [{PHONES[5]}], text: New}}]\n"
    bulk.write("next.yaml", other)
    bulk.sms_by.script("getSMSMessages", listed(*marks), EMPTY_LIST)
    bulk.sms_by.calls.clear()
    result, _ = bulk.apply()
    errors = {mailing.address: mailing.error for mailing in result.mailings}
    assert result.exit_code == ExitCode.REFUSED
    assert (errors["next/a"] or "").startswith("unknown: ")
    assert bulk.sms_by.changes() == []


def test_remote_check_settles_nothing_by_a_doubted_list(bulk: Shop) -> None:
    """If a doubted list blocks a rejected mailing, the apply is refused (4), since no outcome was unknown before."""
    bulk.apply()
    other = f"version: 1\ncampaign: next\nmailings: [{{name: a, recipients: [{PHONES[5]}], text: New}}]\n"
    bulk.write("next.yaml", other)
    bulk.sms_by.script("sendBulkSms", error("bad text", 400))
    bulk.apply()
    bulk.clock.sleep(60)
    bulk.sms_by.script("getSMSMessages", EMPTY_LIST)
    result, _ = bulk.apply()
    errors = {mailing.address: mailing.error for mailing in result.mailings}
    assert result.exit_code == ExitCode.REFUSED
    assert (errors["next/a"] or "").startswith("unknown: ")


def test_remote_check_records_what_the_rest_costs(bulk: Shop) -> None:
    """If the price rises before the rest is sent, the budget counts each part at its own price."""
    settings = (bulk.root / "smsby.yaml").read_text("utf-8")

    def limit(price: str, budget: str) -> None:
        rails = f"price: {{currency: BYN, per_part: {price}}}\nguardrails: {{budget: {budget}}}\n"
        bulk.write("smsby.yaml", settings + rails)

    limit("1", "4")
    bulk.sms_by.script("sendBulkSms", ok({"uuid": "u", "success": "OK"}), error("no money"))
    assert bulk.apply()[0].exit_code == ExitCode.OUTCOME_UNKNOWN
    limit("3", "7.99")
    assert "6.00 planned and 2.00 spent this month" in (bulk.apply()[1].error or "")
    limit("3", "8")
    bulk.sms_by.script("sendBulkSms", OFFLINE, ok({"uuid": "u", "success": "OK"}))
    for _ in range(2):
        bulk.apply()
    assert (bulk.lock().mailings["sale/staff"].cost, bulk.chunk(1).state) == ("8.00", ChunkState.ACCEPTED)
    assert len(bulk.sms_by.named("sendBulkSms")) == 4


@pytest.fixture
def removed(bulk: Shop) -> list[str]:
    """The fingerprints of a mailing whose first request was lost, and which was then removed from the files."""
    bulk.sms_by.script("sendBulkSms", LOST)
    assert bulk.apply()[0].exit_code == ExitCode.OUTCOME_UNKNOWN
    marks = [bulk.chunk(index).fingerprint for index in (0, 1)]
    (bulk.root / "sale.yaml").unlink()
    bulk.write("more.yaml", "version: 1\ncampaign: more\nmailings:\n" + _entry(4) + _entry(5))
    bulk.sms_by.script("sendBulkSms", ok({"uuid": "u", "success": "OK"}))
    return marks


def _outcomes(result: ApplyResult) -> dict[str, MailingOutcome]:
    return {one.address: one.outcome for one in result.mailings}


def test_remote_check_looks_for_a_removed_unknown_mailing(bulk: Shop, removed: list[str]) -> None:
    """A removed mailing is called unknown until sms.by lists it; then it is recorded, and unsent chunks stay unsent."""
    result, _ = bulk.apply()
    assert (result.exit_code, bulk.chunk().state) == (ExitCode.OUTCOME_UNKNOWN, ChunkState.UNKNOWN)
    sent = dict.fromkeys(["more/m4", "more/m5"], MailingOutcome.SENT)
    assert _outcomes(result) == sent | {"sale/staff": MailingOutcome.UNKNOWN}
    assert result.first_unknown == "sale/staff"
    assert "lock resolve sale/staff" in bulk.plan().orphans.actions[0].reason
    bulk.sms_by.script("getSMSMessages", listed(removed[0]))
    result, _ = bulk.apply()
    assert result.exit_code == ExitCode.OUTCOME_UNKNOWN
    assert (_outcomes(result)["sale/staff"], result.orphans) == (MailingOutcome.PARTIAL, {})
    assert [bulk.chunk(index).state for index in (0, 1)] == [ChunkState.ACCEPTED, ChunkState.PENDING]
    error = next(one.error for one in result.mailings if one.address == "sale/staff")
    assert (
        error
        == "sent to 2 of 4 recipients; the rest: its unknown outcome is resolved; it is no longer in the files"
    )
    result, _ = bulk.apply()
    assert (result.exit_code, result.orphans) == (ExitCode.DONE, {"sale/staff": 4})


def test_remote_check_adopts_a_removed_unknown_mailing(bulk: Shop, removed: list[str]) -> None:
    """A removed mailing whose chunks are all listed is adopted."""
    bulk.sms_by.script("getSMSMessages", listed(*removed))
    result, _ = bulk.apply()
    assert (result.exit_code, _outcomes(result)["sale/staff"]) == (ExitCode.DONE, MailingOutcome.ADOPTED)
    assert [bulk.chunk(index).message_id for index in (0, 1)] == [60, 61]
    assert len(bulk.sms_by.named("sendBulkSms")) == 2  # the lost request, and that of the other mailings


def test_remote_check_of_removed_makes_no_plan_stale(bulk: Shop, removed: list[str]) -> None:
    """A saved plan whose run recorded such a mailing, and was stopped, can be continued."""
    plan = bulk.plan()
    bulk.sms_by.script("getSMSMessages", listed(*removed))
    bulk.sms_by.script("sendBulkSms", OFFLINE)
    assert apply_plan(bulk.request(plan)).exit_code == ExitCode.UNREACHABLE
    assert bulk.chunk().state is ChunkState.ACCEPTED
    bulk.sms_by.script("sendBulkSms", ok({"uuid": "u", "success": "OK"}))
    result = apply_plan(bulk.request(plan))
    assert result.exit_code == ExitCode.DONE
    assert _outcomes(result) == dict.fromkeys(["more/m4", "more/m5"], MailingOutcome.SENT)


def test_remote_check_looks_once_for_each_mailing(bulk: Shop) -> None:
    """The list is read once before a mailing's first request, however many it has, besides the plan and the end."""
    bulk.apply()
    calls = [name for name, _ in bulk.sms_by.calls if name in ("getSMSMessages", "sendBulkSms")]
    assert calls == ["getSMSMessages", "getSMSMessages", "sendBulkSms", "sendBulkSms", "getSMSMessages"]


def test_remote_check_compares_a_list_once(bulk: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole lock is compared with a list once, however many mailings are looked up in it."""
    compared = []

    def compare(lock: Lock, remote: RemoteView, **times: Any) -> ListCheck:
        compared.append(remote)
        return check_list(lock, remote, **times)

    monkeypatch.setattr(remote_check, "check_list", compare)
    bulk.write("more.yaml", "version: 1\ncampaign: more\nmailings:\n" + "".join(map(_entry, range(5))))
    result, _ = bulk.apply()
    assert (result.exit_code, result.count(MailingOutcome.SENT)) == (ExitCode.DONE, 6)
    assert len(compared) == 1


def _entry(number: int) -> str:
    return f"  - {{name: m{number}, recipients: [{PHONES[number]}], text: News {number}}}\n"


class _SlowService:
    """An sms.by that takes 20 seconds per request, and lists what a test wants from the `when`-th answer on."""

    def __init__(self, bulk: Shop, when: int = 99, answer: Answer = EMPTY_LIST) -> None:
        bulk.clock = bulk.sms_by.clock = self.clock = VirtualClock()
        bulk.mailing(f"recipients: [{', '.join(PHONES[:6])}], text: Closed")
        bulk.sms_by.script("sendBulkSms", self._take)
        bulk.sms_by.script("getSMSMessages", *[EMPTY_LIST] * when, answer)
        self.calls = bulk.sms_by.calls

    def _take(self, params: object) -> Answer:
        self.clock.time += 20
        return ok({"uuid": "u", "success": "OK"})

    def names(self) -> str:
        """Return the reads of the list and the sends as letters: `l` and `s`."""
        letters = {"getSMSMessages": "l", "sendBulkSms": "s"}
        return "".join(letters.get(name, "") for name, _ in self.calls)


def test_remote_check_looks_again_within_a_long_mailing(bulk: Shop) -> None:
    """Within a long mailing the list is read again when the last one is old."""
    service = _SlowService(bulk)
    result, mailing = bulk.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.DONE, MailingOutcome.SENT)
    assert service.names() == "llslslsl"  # the plan, before each request, at the end


def test_remote_check_stops_a_mailing_that_is_sent_elsewhere(bulk: Shop) -> None:
    """If another checkout sends the second chunk during the first, the mailing stops, and no recipient gets it twice."""
    _SlowService(bulk)
    marks = fingerprints(bulk)
    service = _SlowService(bulk, 2, listed(*marks[:2]))
    result, mailing = bulk.apply()
    assert service.names() == "llsll"
    assert (result.exit_code, mailing.outcome) == (ExitCode.OUTCOME_UNKNOWN, MailingOutcome.UNKNOWN)
    states = [bulk.chunk(index).state for index in range(3)]
    assert states == [ChunkState.ACCEPTED, ChunkState.ACCEPTED, ChunkState.UNKNOWN]
    assert bulk.chunk(1).message_id == 61
    assert "this run did not send" in (mailing.error or "")


def test_remote_check_keeps_what_was_found_of_late_opt_outs(bulk: Shop) -> None:
    """A recipient who got the mailing from another checkout does not become unsent by a late opt-out."""
    bulk.write("smsby.yaml", (bulk.root / "smsby.yaml").read_text() + "suppress: [out.txt]\n")
    bulk.write("out.txt", f"{PHONES[6]}\n")
    _SlowService(bulk)
    marks = fingerprints(bulk)

    def opt_out(params: object) -> Answer:
        bulk.write("out.txt", "".join(f"{phone}\n" for phone in PHONES[2:4]))
        return listed(*marks[:2])

    _SlowService(bulk, 2)
    bulk.sms_by.script("getSMSMessages", EMPTY_LIST, EMPTY_LIST, opt_out)
    bulk.apply()
    assert (bulk.chunk(1).state, bulk.chunk(1).message_id) == (ChunkState.ACCEPTED, 61)
    assert bulk.chunk(1).recipients == 2
    assert len(bulk.sms_by.named("sendBulkSms")) == 1


def test_remote_check_stops_within_a_mailing_without_the_list(bulk: Shop) -> None:
    """If the list cannot be read within a mailing, what was sent is recorded, and the next apply sends the rest."""
    service = _SlowService(bulk, 2, error("limit exceeded"))
    result, _ = bulk.apply()
    assert service.names().startswith("llsl")
    assert service.names().count("s") == 1
    assert result.exit_code == ExitCode.OUTCOME_UNKNOWN  # partly sent
    assert [bulk.chunk(index).state for index in (0, 1)] == [ChunkState.ACCEPTED, ChunkState.PENDING]


def test_remote_check_looks_for_an_unknown_chunk(bulk: Shop) -> None:
    """A chunk that the plan calls unknown is found in the list, recorded, and not sent again."""
    marks = fingerprints(bulk)
    bulk.sms_by.script("sendBulkSms", Answer(502))
    assert bulk.apply()[0].exit_code == ExitCode.OUTCOME_UNKNOWN
    bulk.sms_by.script("getSMSMessages", EMPTY_LIST, listed(*marks))
    bulk.sms_by.calls.clear()
    _, mailing = bulk.apply()
    assert mailing.outcome is MailingOutcome.ADOPTED
    assert bulk.sms_by.changes() == []
    assert bulk.chunk(0).state is ChunkState.ACCEPTED


def _checked(bulk: Shop) -> tuple[RemoteCheck, World, Any]:
    """Return a check on the virtual clock, for the mailing of `bulk`."""
    world = World()
    project = bulk.load().project
    (mailing,) = project.mailings
    (run,) = world.context.runs.values()
    runs = {mailing.address: MailingRun(replace(run.action, address=mailing.address), 1)}
    world.context = replace(world.context, project=project, client=bulk.client, runs=runs)
    singles: Any = None  # not reached by bulk mailings
    return RemoteCheck(world.context, Reconciler(world.context), singles), world, mailing


def test_remote_check_begins_a_mailing_once(bulk: Shop) -> None:
    """A mailing that has begun is not looked up again, and a stopped one is not sent."""
    check, world, mailing = _checked(bulk)
    assert check.begin(mailing)
    reads = len(bulk.sms_by.calls)
    assert check.begin(mailing)
    world.context.runs[mailing.address].stop("for a test")
    assert not check.begin(mailing)
    assert len(bulk.sms_by.calls) == reads


def test_remote_check_begins_nothing_after_a_signal(bulk: Shop) -> None:
    """After a signal sms.by is not asked, and no mailing begins."""
    check, world, mailing = _checked(bulk)
    world.shutdown.count = 1
    with pytest.raises(StopSending):
        check.begin(mailing)
    assert bulk.sms_by.calls == []


def test_remote_check_asks_only_if_there_is_something_to_find(bulk: Shop) -> None:
    """The list is not read if the plan adopts nothing and has no unknown outcome."""
    check, _, _ = _checked(bulk)
    check.record_found()
    assert bulk.sms_by.calls == []


def test_remote_check_reads_the_list_once_for_many_mailings(shop: Shop) -> None:
    """The number of reads depends on the time of the run, not on the number of mailings."""
    shop.write("smsby.yaml", "version: 1\nproject: shop\n")
    mailings = "".join(
        f'  - {{name: m{number}, recipients: ["{PHONES[0]}"], text: Closed on day {number}}}\n'
        for number in range(100)
    )
    shop.write("sale.yaml", f"version: 1\ncampaign: sale\nmailings:\n{mailings}")
    shop.sms_by.script("sendBulkSms", ok({"uuid": "u", "success": "OK"}))
    result, _ = shop.apply()
    assert result.exit_code == ExitCode.DONE
    assert {mailing.outcome for mailing in result.mailings} == {MailingOutcome.SENT}
    assert len(shop.sms_by.named("getSMSMessages")) == 3


def test_remote_check_disbelieves_a_later_list(bulk: Shop) -> None:
    """A list that no longer has what was sent before is not believed, even within a long mailing."""
    bulk.apply()
    seen = listed_sent(bulk)
    bulk.clock.sleep(60)
    service = _SlowService(bulk)
    service.clock.time = 60
    bulk.write("sale.yaml", (bulk.root / "sale.yaml").read_text().replace("name: staff", "name: other"))
    bulk.sms_by.script("getSMSMessages", seen, seen, EMPTY_LIST)
    bulk.sms_by.calls.clear()
    result, mailing = bulk.apply()
    assert service.names() == "llsll"
    assert result.exit_code == ExitCode.OUTCOME_UNKNOWN  # partly sent
    assert "shows 0 of them" in (mailing.error or "")


@pytest.mark.parametrize("is_planned", [False, True])
def test_remote_check_adopts_a_raised_revision(bulk: Shop, is_planned: bool) -> None:
    """A raised revision that another checkout sent, before or after the plan, is not sent again."""
    inner = f"recipients: [{', '.join(PHONES[:4])}], text: Closed"
    bulk.apply()
    older, first = bulk.store.path.read_bytes(), listed_sent(bulk)
    bulk.mailing(f"{inner}, revision: 2")
    bulk.apply()
    bulk.store.path.write_bytes(older)
    both = listed_sent(bulk)
    bulk.sms_by.script("getSMSMessages", both if is_planned else first, both)
    before = bulk.sms_by.changes()
    result, mailing = bulk.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.DONE, MailingOutcome.ADOPTED)
    assert bulk.sms_by.changes() == before
    entry = bulk.lock().mailings["sale/staff"]
    assert (entry.revision, entry.is_complete) == (2, True)


def test_remote_check_looks_for_an_earlier_revision(bulk: Shop) -> None:
    """An unknown outcome of an earlier revision is settled first, and the next revision is not sent meanwhile."""
    bulk.sms_by.script("sendBulkSms", Answer(502))
    bulk.apply()
    bulk.mailing(f"recipients: [{', '.join(PHONES[:4])}], text: Closed, revision: 2")
    bulk.sms_by.script("getSMSMessages", EMPTY_LIST, listed_sent(bulk))
    before = bulk.sms_by.changes()
    result, mailing = bulk.apply()
    entry = bulk.lock().mailings["sale/staff"]
    assert (result.exit_code, mailing.outcome) == (ExitCode.OUTCOME_UNKNOWN, MailingOutcome.PARTIAL)
    states = [chunk.state for chunk in entry.chunks]
    assert (entry.revision, states) == (1, [ChunkState.ACCEPTED, ChunkState.PENDING])
    assert bulk.sms_by.changes() == before


@pytest.mark.parametrize("is_planned", [False, True])
def test_remote_check_looks_for_what_is_blocked(bulk: Shop, is_planned: bool) -> None:
    """An unknown outcome is looked for even if the mailing is blocked for another reason."""
    bulk.sms_by.script("sendBulkSms", Answer(502))
    bulk.apply()
    bulk.write("smsby.yaml", (bulk.root / "smsby.yaml").read_text() + "freeze: wrong price\n")
    bulk.sms_by.script("getSMSMessages", *[EMPTY_LIST] * (not is_planned), listed_sent(bulk))
    assert bulk.apply()[0].exit_code is (ExitCode.REFUSED if is_planned else ExitCode.OUTCOME_UNKNOWN)
    assert bulk.chunk(0).state is ChunkState.ACCEPTED


def test_remote_check_replaces_what_was_not_sent(bulk: Shop) -> None:
    """If another checkout sent the corrected text of a rejected mailing, that is recorded in its place."""
    bulk.sms_by.script("sendBulkSms", error("bad text", 400))
    bulk.apply()
    older = bulk.store.path.read_bytes()
    bulk.mailing(f"recipients: [{', '.join(PHONES[:4])}], text: Corrected")
    bulk.sms_by.calls.clear()
    bulk.sms_by.script("sendBulkSms", ok({"uuid": "u", "success": "OK"}))
    bulk.apply()
    bulk.store.path.write_bytes(older)
    bulk.sms_by.script("getSMSMessages", listed_sent(bulk))
    before = bulk.sms_by.changes()
    result, mailing = bulk.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.DONE, MailingOutcome.ADOPTED)
    assert [bulk.chunk(index).state for index in (0, 1)] == [ChunkState.ACCEPTED] * 2
    assert bulk.sms_by.changes() == before


@pytest.mark.parametrize("answer", [OFFLINE, error("access denied")], ids=["offline", "refused"])
def test_remote_check_sends_nothing_without_deliveries(single: Shop, inbox: Inbox, answer: Reply) -> None:
    """If deliveries cannot be read nothing is sent, since an outdated lock may call sent phones unsent."""
    single.sms_by.script("sendSMS", inbox.take, error("limit exceeded"), inbox.take)
    single.apply()
    single.sms_by.script("getSmsDeliveryList", answer)
    before = single.sms_by.changes()
    result, mailing = single.apply()
    assert result.exit_code is ExitCode.OUTCOME_UNKNOWN  # partly sent
    assert "could not be asked before sending" in (mailing.error or "")
    assert single.sms_by.changes() == before


@pytest.mark.parametrize("revision", [1, 2])
def test_remote_check_replaces_nothing_that_was_handed_over(waiting: Shop, revision: int) -> None:
    """If a waiting mailing is found to be sent only after the plan, another text is approved only as a new revision."""
    approve(waiting, a=to(PHONES[0]))
    older = waiting.store.path.read_bytes()
    waiting.clock.sleep(HOUR)
    hand_over(waiting.request())
    waiting.store.path.write_bytes(older)
    assert isinstance(waiting.clock, VirtualClock)
    waiting.clock.time = 0
    write_sale(waiting, a=to(PHONES[0], text="Better", more=f", revision: {revision}"))
    waiting.sms_by.script("getSMSMessages", EMPTY_LIST, listed_sent(waiting))
    result = apply_plan(waiting.request())
    entry = waiting.lock().mailings["sale/a"]
    if revision == 1:
        assert (outcomes(result), result.exit_code) == ({"a": "skipped"}, ExitCode.OUTCOME_UNKNOWN)
        assert entry.state is EntryState.COMPLETE
    else:
        assert (outcomes(result), result.exit_code) == ({"a": "held"}, ExitCode.DONE)
        assert (entry.state, entry.earlier[0].state) == (EntryState.WAITING, EntryState.COMPLETE)
