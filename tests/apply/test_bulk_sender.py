"""Messages of sendBulkSms: what each contains, how many fit into a request, and what is not sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from errno import ENOSPC
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from smsby_deploy.apply.apply_result import MailingOutcome
from smsby_deploy.apply.bulk_sender import ChunkMessage, PlannedMessages, pack_requests
from smsby_deploy.apply.hand_over import hand_over
from smsby_deploy.apply.mailing_run import FilesChanged
from smsby_deploy.apply.opt_out_watch import OptOutWatch
from smsby_deploy.apply.run import apply_plan
from smsby_deploy.clock import SystemClock
from smsby_deploy.config.declarations import ApiSettings
from smsby_deploy.config.project_loader import LoadedProject, load_project
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import ChunkState, Lock
from smsby_deploy.plan.chunk_cache import ChunkCache
from smsby_deploy.plan.chunks import Chunk
from smsby_deploy.plan.model import Plan
from smsby_deploy.plan.planner import make_plan, measure_files
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_smsby import EMPTY_LIST, PHONES, Reply, Shop, busy, error, ok
from tests.apply.waiting_mailings import HOUR, approve, to, write_sale
from tests.databases import Database

_NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def _load(folder: Path, mailing: str, out: str = "") -> LoadedProject:
    (folder / "smsby.yaml").write_text(
        "version: 1\nproject: shop\nsuppress: [out.txt]\napi: {recipients_per_request: 2}\n"
    )
    (folder / "out.txt").write_text(out)
    (folder / "sale.yaml").write_text(
        f"version: 1\ncampaign: sale\nalphaname: '7'\nmailings:\n  - {{name: staff, {mailing}}}\n",
        encoding="utf-8",
    )
    return load_project(folder, {})


def _plan(loaded: LoadedProject) -> Plan:
    return make_plan(
        loaded, select=(), client=None, account=None, lock=Lock("shop"), clock=SystemClock(), new_id="p"
    )


def _watch(loaded: LoadedProject) -> OptOutWatch:
    return OptOutWatch(loaded.project, SystemClock())


def _messages(loaded: LoadedProject, plan: Plan) -> list[ChunkMessage]:
    (mailing,) = loaded.project.mailings
    return list(PlannedMessages(loaded.project, mailing, plan.actions[0], _NOW, _watch(loaded)).stream())


def _bodies(loaded: LoadedProject) -> list[dict[str, Any]]:
    return [json.loads(message.body) for message in _messages(loaded, _plan(loaded))]


def test_planned_messages_of_one_text(tmp_path: Path) -> None:
    """With one text for all, a message has `text`, a name with the fingerprint, and the time on the account's clock."""
    mailing = "text: Привет, recipients: ['375290000001', '375290000002', '375290000003']"
    loaded = _load(tmp_path, f"{mailing}, schedule_time: 2026-12-01T10:00:00+00:00")
    first, second = _bodies(loaded)
    mark = _plan(loaded).actions[0].chunks[0].fingerprint
    assert first == {
        "alphaname_id": "7",
        "schedule_time": "2026-12-01T13:00:00",
        "name": f"sale/staff [1/2] shop#{mark}",
        "message_type": "bulk",
        "text": "Привет",
        "delivery_list": ["375290000001", "375290000002"],
    }
    assert second["delivery_list"] == ["375290000003"]


def test_planned_messages_of_personal_texts(tmp_path: Path) -> None:
    """With personal texts each recipient has a text, and the message has none."""
    loaded = _load(tmp_path, "text: '{{ n }}!', recipients: [{phone: '375290000001', n: Анна}]")
    (message,) = _messages(loaded, _plan(loaded))
    body = json.loads(message.body)
    assert (body["message_type"], "text" in body, "schedule_time" in body) == ("personal", False, False)
    assert body["delivery_list"] == [{"phone": "375290000001", "text": "Анна!"}]
    assert message.is_personal  # its form has twice as many variables


def test_planned_messages_without_recipients_left(tmp_path: Path) -> None:
    """A chunk whose recipients all opted out has no recipients, and is yielded only to be recorded as complete."""
    loaded = _load(
        tmp_path,
        "text: Hi, recipients: ['375290000001', '375290000002', '375290000003']",
        out="375290000001\n375290000002\n",
    )
    messages = _messages(loaded, _plan(loaded))
    assert [message.recipients for message in messages] == [0, 1]
    assert json.loads(messages[0].body)["delivery_list"] == []


def test_planned_messages_of_changed_files(tmp_path: Path) -> None:
    """A chunk that differs from the plan yields nothing, and a missing chunk is an error."""
    loaded = _load(tmp_path, "text: Hi, recipients: ['375290000001', '375290000002', '375290000003']")
    plan = _plan(loaded)
    changed = _load(tmp_path, "text: Hi, recipients: ['375290000001', '375290000004']")
    with pytest.raises(FilesChanged, match="its files changed while it was being sent, at chunk 1"):
        _messages(changed, plan)
    shorter = _load(tmp_path, "text: Hi, recipients: ['375290000001', '375290000002']")
    with pytest.raises(FilesChanged, match="it has no recipients left for chunk 2 of 2"):
        _messages(shorter, plan)
    with pytest.raises(FilesChanged, match="its files changed while it was being sent, at chunk 2"):
        _messages(loaded, _plan(shorter))


def test_planned_messages_of_waves(tmp_path: Path) -> None:
    """The first wave is sent at the mailing's time, a later one when its verdict allows it."""
    mailing = "text: Hi, recipients: ['375290000001', '375290000002', '375290000003']"
    waves = "waves: [{people: 1, after: 1h, delivered: 90}, rest]"
    loaded = _load(tmp_path, f"{mailing}, schedule_time: 2026-12-01T10:00:00+00:00, {waves}")
    waves_of_chunks = [chunk.wave for chunk in _plan(loaded).actions[0].chunks]
    times = [body.get("schedule_time") for body in _bodies(loaded)]
    assert dict(zip(waves_of_chunks, times, strict=True)) == {1: "2026-12-01T13:00:00", 2: None}


def _cached(loaded: LoadedProject, damage: bytes = b"") -> tuple[Plan, ChunkCache]:
    """Return a plan and its chunks as an apply caches them; the disk returns some of them with `damage`."""
    project = loaded.project
    cache = ChunkCache(project.root)

    def keep(address: str, chunk: Chunk) -> None:
        cache.keep(address, replace(chunk, rows=chunk.rows.replace(damage, b"0") if damage else chunk.rows))

    files = measure_files(loaded, select=(), lock=Lock("shop"), keep=keep)
    return files.plan(client=None, account=None, now=_NOW, new_id="p"), cache


def _from_cache(loaded: LoadedProject, plan: Plan, cache: ChunkCache, **changes: Any) -> list[dict[str, Any]]:
    (mailing,) = loaded.project.mailings
    action = replace(plan.actions[0], **changes)
    with closing(cache):
        return [
            json.loads(message.body)
            for message in PlannedMessages(loaded.project, mailing, action, _NOW, _watch(loaded)).stream(
                cache
            )
        ]


def test_planned_messages_without_capped_recipients(tmp_path: Path) -> None:
    """Capped recipients are left out even of chunks that were cached before the caps were known."""
    loaded = _load(tmp_path, "text: Hi, recipients: ['375290000001', '375290000002']")
    capped = PhoneSet()
    capped.add_all(number_phones(["375290000001"]))
    (body,) = _from_cache(loaded, *_cached(loaded), capped=capped)
    assert body["delivery_list"] == ["375290000002"]


def test_planned_messages_of_variants(tmp_path: Path) -> None:
    """Each chunk has the text of its variant, whether it was cached or is read again."""
    phones = ", ".join(f"'37529000000{n}'" for n in range(10))
    loaded = _load(
        tmp_path,
        "variants: [{name: a, share: 50, text: Hello}, {name: b, share: 50, text: Bye}], "
        f"recipients: [{phones}]",
    )
    plan, cache = _cached(loaded)
    texts = {"a": "Hello", "b": "Bye"}
    planned = [texts[chunk.variant or ""] for chunk in plan.actions[0].chunks]
    assert {*planned} == {*texts.values()}
    kept = _from_cache(loaded, plan, cache)
    assert [body["text"] for body in kept] == planned
    assert kept == [json.loads(message.body) for message in _messages(loaded, plan)]


def test_planned_messages_of_damaged_chunks(tmp_path: Path) -> None:
    """A chunk that the disk returns damaged is not sent."""
    loaded = _load(tmp_path, "text: Hi, recipients: ['375290000001', '375290000002', '375290000003']")
    with pytest.raises(FilesChanged, match="the planned chunk 2 was damaged on disk"):
        _from_cache(loaded, *_cached(loaded, damage=b"0003"))


def _message(recipients: int) -> ChunkMessage:
    return ChunkMessage("sale/staff", 0, b"{", b"", bytearray(b"\1") * recipients, is_personal=False)


@pytest.mark.parametrize(
    ("body", "counts", "packed"),
    [
        ("json", [600, 400, 1], [[600, 400], [1]]),
        ("json", [1000, 1000], [[1000], [1000]]),
        ("json", [], []),
        ("form", [490, 490], [[490, 490]]),
        ("form", [500, 490], [[500], [490]]),
    ],
)
def test_pack_requests_fills_each_request(body: Any, counts: list[int], packed: list[list[int]]) -> None:
    """A request is filled in order, up to its limit of recipients and, in a form, PHP's limit of variables."""
    api = ApiSettings(body=body, recipients_per_request=1000)
    requests = pack_requests(api, map(_message, counts))
    assert [[message.recipients for message in request] for request in requests] == packed


ACCEPTED = ok({"uuid": "u-1", "success": "OK"})


@pytest.fixture
def bulk(shop: Shop) -> Shop:
    """A mailing of two chunks, and an sms.by that accepts it."""
    shop.write(
        "smsby.yaml",
        "version: 1\nproject: shop\nsuppress: [{file: out.txt}]\n"
        "api: {reconcile_seconds: 2, recipients_per_request: 2}\n",
    )
    shop.write("out.txt", f"{PHONES[6]}\n")
    shop.mailing(f"recipients: [{', '.join(PHONES[:4])}], text: Closed")
    shop.sms_by.script("sendBulkSms", ACCEPTED)
    return shop


def _lists(shop: Shop) -> list[list[str]]:
    """Return the recipients of each message that was sent, in order."""
    return [
        message["delivery_list"]
        for params in shop.sms_by.named("sendBulkSms")
        for message in json.loads(params["messages"])
    ]


def test_bulk_sender_sends_each_chunk_once(bulk: Shop) -> None:
    """Each chunk is sent once, and the lock has its uuid; a second apply sends nothing."""
    for _ in range(2):
        assert bulk.apply()[0].exit_code == ExitCode.DONE
    assert _lists(bulk) == [PHONES[:2], PHONES[2:4]]
    assert [bulk.chunk(index).uuid for index in (0, 1)] == ["u-1", "u-1"]


def test_bulk_sender_shares_a_request_within_a_campaign(bulk: Shop) -> None:
    """Chunks of several mailings share a request within one campaign, but not across campaigns."""
    inner = "mailings: [{name: a, recipients: ['%s'], text: A}, {name: b, recipients: ['%s'], text: B}]\n"
    (bulk.root / "sale.yaml").unlink()
    bulk.write("x.yaml", "version: 1\ncampaign: x\n" + inner % (PHONES[0], PHONES[1]))
    bulk.write("y.yaml", "version: 1\ncampaign: y\n" + inner % (PHONES[2], PHONES[3]))
    assert bulk.apply()[0].exit_code == ExitCode.DONE
    assert len(bulk.sms_by.named("sendBulkSms")) == 2
    assert _lists(bulk) == [[phone] for phone in PHONES[:4]]


def test_bulk_sender_resumes_with_what_was_not_sent(bulk: Shop) -> None:
    """A resumed mailing skips the chunks that were accepted."""
    bulk.sms_by.script("sendBulkSms", ACCEPTED, error("limit exceeded"))
    assert bulk.apply()[0].exit_code == ExitCode.OUTCOME_UNKNOWN
    bulk.sms_by.script("sendBulkSms", ACCEPTED)
    assert bulk.apply()[0].exit_code == ExitCode.DONE
    assert _lists(bulk) == [PHONES[:2], PHONES[2:4], PHONES[2:4]]


def test_bulk_sender_records_late_opt_outs(bulk: Shop) -> None:
    """A chunk is recorded at its size without late opt-outs; without any recipient it is complete without a request."""

    def opt_out(params: Mapping[str, Any]) -> Answer:
        bulk.write("out.txt", "\n".join(PHONES[:3]))
        return EMPTY_LIST

    bulk.sms_by.script("getSMSMessages", EMPTY_LIST, opt_out)
    result, mailing = bulk.apply()
    assert (result.exit_code, mailing.recipients) == (ExitCode.DONE, 1)
    assert _lists(bulk) == [[PHONES[3]]]
    first, second = bulk.chunk(0), bulk.chunk(1)
    assert (first.state, first.recipients) == (ChunkState.SUPPRESSED, 0)
    assert (second.state, second.recipients, second.opted_out) == (ChunkState.ACCEPTED, 1, "0")


def test_bulk_sender_records_opt_outs_after_an_approval(waiting: Shop) -> None:
    """A recipient who opts out before the hand-over gets nothing, and the lock records who it was."""
    waiting.configure(suppress="[out.txt]", release="{before: 1h, at_latest: 30m}")
    waiting.write("out.txt", "")
    approve(waiting, a=to(*PHONES[:3]))
    waiting.clock.sleep(HOUR)

    def opt_out(params: Mapping[str, Any]) -> Answer:
        waiting.write("out.txt", f"{PHONES[1]}\n")
        return EMPTY_LIST

    waiting.sms_by.script("getSMSMessages", EMPTY_LIST, opt_out)
    hand_over(waiting.request())
    (chunk,) = waiting.lock().mailings["sale/a"].chunks
    assert (chunk.recipients, chunk.opted_out) == (2, "1")
    assert _lists(waiting) == [[PHONES[0], PHONES[2]]]


def test_bulk_sender_leaves_out_who_opts_out_at_the_question(bulk: Shop) -> None:
    """An opt-out added while the user is asked counts for all mailings of the run."""

    def say_yes(plan: Plan) -> bool:
        bulk.write("out.txt", f"{PHONES[0]}\n{PHONES[6]}\n")
        return True

    bulk.write("staff.yaml", (bulk.root / "sale.yaml").read_text("utf-8").replace("sale", "staff"))
    _one_at_a_time(
        bulk, _opting_out(bulk, [], ACCEPTED), ACCEPTED, ACCEPTED, ACCEPTED
    )  # the file is truncated
    assert apply_plan(replace(bulk.request(), approve=say_yes)).exit_code == ExitCode.DONE
    assert _lists(bulk) == [[PHONES[1]], PHONES[2:4]] * 2


def test_bulk_sender_asks_a_database_before_each_mailing(bulk: Shop) -> None:
    """Opt-outs in a database are read again before each mailing, however recently they were read."""
    database = Database("sqlite", f"sqlite:///{bulk.root / 'crm.db'}")
    database.run("create table gone (phone text)", "insert into gone values ('375290000007')")
    bulk.configure(suppress="[{sql: select phone from gone, url_env: CRM_URL}]")
    bulk.write("staff.yaml", (bulk.root / "sale.yaml").read_text("utf-8").replace("sale", "staff"))

    def say_yes(plan: Plan) -> bool:
        database.run("insert into gone values ('375290000001')")
        return True

    def answer(params: Mapping[str, Any]) -> Answer:
        database.run("insert into gone values ('375290000002')")
        return ACCEPTED

    bulk.sms_by.script("sendBulkSms", answer)
    environ = {"CRM_URL": database.url}
    request = replace(bulk.request(), load=lambda: load_project(bulk.root, environ), approve=say_yes)
    assert apply_plan(request).exit_code == ExitCode.DONE
    assert _lists(bulk) == [PHONES[1:4], PHONES[2:4]]


def test_bulk_sender_sends_nothing_of_a_changed_result(bulk: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a query gives other rows than in the plan, nothing is sent, not even chunks that are as planned."""
    full = OSError(ENOSPC, "full")
    monkeypatch.setattr("smsby_deploy.files.UnnamedFile.append", Mock(side_effect=full))  # no chunk is kept
    database = Database("sqlite", f"sqlite:///{bulk.root / 'crm.db'}")
    database.run("create table clients (id integer, phone text)")
    database.run("insert into clients values (1, '375290000001'), (2, '375290000002'), (3, '375290000003')")
    query = "{sql: 'select id, phone from clients', order_by: id, url_env: CRM_URL}"
    bulk.mailing(f"recipients: {query}, text: Closed")

    def say_yes(plan: Plan) -> bool:
        database.run("update clients set phone = '375290000006' where id = 3")
        return True

    environ = {"CRM_URL": database.url}
    request = replace(bulk.request(), load=lambda: load_project(bulk.root, environ), approve=say_yes)
    (mailing,) = apply_plan(request).mailings
    assert "the result of the query has changed since the plan" in (mailing.error or "")
    assert _lists(bulk) == []


_WAVES = ", waves: [{people: 4, after: 1h, delivered: 90}, rest]"


@pytest.mark.parametrize(
    ("release", "more", "is_distinguished"), [("1h", "", True), ("5h", _WAVES, True), ("5h", "", False)]
)
def test_bulk_sender_records_capped_recipients(
    waiting: Shop, release: str, more: str, is_distinguished: bool
) -> None:
    """Capped recipients are not recorded as opted out at a hand-over or between waves, where a later run caps anew."""
    release = f"{{before: {release}, at_latest: 30m}}"
    waiting.configure(guardrails="{pressure: {messages: 1, within: 7d, on_excess: drop}}", release=release)
    write_sale(waiting, a=to(*PHONES[:5]), b=to(*PHONES, more=more))
    apply_plan(waiting.request())
    waiting.clock.sleep(HOUR)
    hand_over(waiting.request())
    sent = [chunk for chunk in waiting.lock().mailings["sale/b"].chunks if chunk.was_sent]
    everyone = 4 if more else 7
    assert sum(chunk.recipients or 0 for chunk in sent) < everyone
    assert all(chunk.opted_out is None for chunk in sent) is is_distinguished


def _one_at_a_time(shop: Shop, *replies: Reply) -> None:
    """Prepare each request only after the last one has its reply."""
    settings = (shop.root / "smsby.yaml").read_text("utf-8")
    shop.write("smsby.yaml", settings.replace("{reconcile", "{concurrency: 1, reconcile"))
    shop.sms_by.script("sendBulkSms", *replies)


def _opting_out(shop: Shop, phones: Sequence[str], reply: Answer) -> Reply:
    """Return a reply that adds these opt-outs before it answers."""

    def answer(params: Mapping[str, Any]) -> Answer:
        shop.write("out.txt", "".join(f"{phone}\n" for phone in [PHONES[6], *phones]))
        return reply

    return answer


def test_bulk_sender_honors_opt_outs_between_requests(bulk: Shop) -> None:
    """A recipient who opts out before a request of the mailing is not in it, and the lock records who it was."""
    bulk.mailing(f"recipients: [{', '.join(PHONES[:6])}], text: Closed")
    late = [PHONES[0], PHONES[2], PHONES[4], PHONES[5]]
    _one_at_a_time(bulk, _opting_out(bulk, late, ACCEPTED), ACCEPTED)
    result, mailing = bulk.apply()
    assert (result.exit_code, mailing.outcome, mailing.recipients) == (ExitCode.DONE, MailingOutcome.SENT, 3)
    assert _lists(bulk) == [PHONES[:2], [PHONES[3]]]
    chunks = [bulk.chunk(index) for index in range(3)]
    assert [chunk.state for chunk in chunks] == [ChunkState.ACCEPTED] * 2 + [ChunkState.SUPPRESSED]
    assert [chunk.recipients for chunk in chunks] == [2, 1, 0]
    assert [chunk.opted_out for chunk in chunks[:2]] == [None, "0"]
    assert bulk.apply()[1].outcome is MailingOutcome.SKIPPED
    assert len(_lists(bulk)) == 2


def test_bulk_sender_honors_opt_outs_before_a_repetition(bulk: Shop) -> None:
    """An unsent request is rebuilt without new opt-outs before it is repeated, and not repeated if it is empty."""
    _one_at_a_time(bulk, _opting_out(bulk, [PHONES[0]], busy()), ACCEPTED)
    assert bulk.apply()[0].exit_code == ExitCode.DONE
    assert _lists(bulk) == [PHONES[:2], [PHONES[1]], PHONES[2:4]]
    bulk.mailing(f"recipients: [{', '.join(PHONES[3:5])}], text: Closed, revision: 2")
    _one_at_a_time(bulk, _opting_out(bulk, PHONES[3:5], busy()), ACCEPTED)
    result, mailing = bulk.apply()
    assert (result.exit_code, mailing.recipients) == (ExitCode.DONE, 0)
    assert (bulk.chunk().state, bulk.chunk().error) == (ChunkState.SUPPRESSED, None)
    assert _lists(bulk)[3:] == [PHONES[3:5]]


def test_bulk_sender_stops_a_mailing_whose_opt_outs_vanish(bulk: Shop) -> None:
    """If the opt-outs become unreadable, no more of the mailing is sent; the next apply sends the rest."""

    def vanish(params: Mapping[str, Any]) -> Answer:
        (bulk.root / "out.txt").unlink()
        return ACCEPTED

    _one_at_a_time(bulk, vanish, ACCEPTED)
    result, mailing = bulk.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.PLAN_REFUSED, MailingOutcome.PARTIAL)
    assert "cannot read the opt-outs" in (mailing.error or "")
    assert (_lists(bulk), bulk.chunk(1).state) == ([PHONES[:2]], ChunkState.PENDING)
    bulk.write("out.txt", f"{PHONES[2]}\n")
    assert bulk.apply()[0].exit_code == ExitCode.DONE
    assert _lists(bulk) == [PHONES[:2], [PHONES[3]]]


def test_bulk_sender_stops_a_mailing_without_its_opt_outs(bulk: Shop) -> None:
    """If the opt-outs can no longer be read, none of the mailing is sent: exit code 5."""

    def remove(params: Mapping[str, Any]) -> Answer:
        (bulk.root / "out.txt").unlink(missing_ok=True)
        return EMPTY_LIST

    bulk.sms_by.script("getSMSMessages", EMPTY_LIST, remove)
    assert bulk.apply()[0].exit_code == ExitCode.PLAN_REFUSED
    assert _lists(bulk) == []


def test_bulk_sender_stops_after_a_rejection(bulk: Shop) -> None:
    """After a rejection the mailing's other chunks are not tried; other mailings are sent."""
    bulk.write(
        "z.yaml",
        f"version: 1\ncampaign: z\nmailings: [{{name: a, recipients: ['{PHONES[5]}'], text: A}}]\n",
    )
    bulk.sms_by.script("sendBulkSms", error("billing error"), ACCEPTED)
    result, _ = bulk.apply()
    outcomes = {mailing.address: mailing.outcome for mailing in result.mailings}
    assert outcomes == {"sale/staff": MailingOutcome.REJECTED, "z/a": MailingOutcome.SENT}
    assert _lists(bulk) == [PHONES[:2], [PHONES[5]]]
