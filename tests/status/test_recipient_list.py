"""Who certainly got a mailing, by the lock and the files that it was sent from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.errors import FilesInvalid, SmsbyDeployError, UsageError
from smsby_deploy.lock.decisions import Ending, EndingKind
from smsby_deploy.lock.phone_states import PhoneStates
from smsby_deploy.lock.records import ELSEWHERE, AppliedBy, ChunkRecord, ChunkState, Entry, Lock, UploadRecord
from smsby_deploy.plan.measure import measure_mailing
from smsby_deploy.recipients.suppression import load_suppression
from smsby_deploy.status.recipient_list import NOT_SENT, RecipientOutcome, find_recipients

PHONES = [f"37529123456{digit}" for digit in range(6)]
P, A, R, U, S, D = (
    ChunkState.PENDING,
    ChunkState.ACCEPTED,
    ChunkState.REJECTED,
    ChunkState.UNKNOWN,
    ChunkState.SUPPRESSED,
    ChunkState.DRAFT,
)
BULK = "text: Hello"


class Book:
    """A project with one mailing to six recipients, two per chunk, and the lock of its apply."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("stop.csv", "phone\n")
        self.lock = Lock("shop")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def opt_out(self, *phones: str) -> None:
        self.write("stop.csv", "\n".join(["phone", *phones]) + "\n")

    def declare(self, keys: str = BULK, phones: list[str] = PHONES, text: str = "") -> None:
        self.write("list.csv", "\n".join(["phone,name", *(f"{phone},A{text}" for phone in phones)]) + "\n")
        self.write(
            "smsby.yaml",
            "version: 1\nproject: shop\napi: {recipients_per_request: 2}\nsuppress: [stop.csv]\n",
        )
        self.write(
            "sale.yaml",
            f"version: 1\ncampaign: sale\nmailings:\n  - {{name: vip, recipients: {{file: list.csv}}, {keys}}}\n",
        )

    def record(self, *states: ChunkState, **changes: object) -> str:
        """Record an apply as of now, with each chunk in one of `states`; return the digest of an upload."""
        loaded = load_project(self.folder)
        (mailing,) = loaded.project.mailings
        suppressed, _ = load_suppression(loaded.project.suppress)
        desired = measure_mailing(loaded.project, mailing, suppressed).desired
        assert desired is not None
        chunks = tuple(
            ChunkRecord(now.fingerprint, now.recipients, now.digest, state, opted_out=now.opted_out)
            for now, state in zip(desired.chunks, states, strict=True)
        )
        applied = AppliedBy("2026-11-24T07:00:00Z", "p", "0123456789abcdef", "x")
        entry = Entry(1, desired.content_digest, "a", desired.via, "0", 0, None, 6, 6, None, chunks, applied)
        self.lock = Lock("shop", mailings={"sale/vip": replace(entry, **changes)})  # type: ignore[arg-type]
        return desired.contacts or ""

    def change_chunk(self, **changes: object) -> None:
        entry = self.lock.mailings["sale/vip"]
        chunk = replace(entry.chunks[0], **changes)  # type: ignore[arg-type]
        self.lock = self.lock.with_entry("sale/vip", entry.put_chunk(0, chunk))

    def outcomes(self) -> list[str]:
        """Return the outcome of each recipient in the list's order."""
        found = {
            row.phone: row.outcome.value
            for row in find_recipients(load_project(self.folder), self.lock, "sale/vip")
        }
        return [found[phone] for phone in PHONES if phone in found]


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


def test_recipient_list_follows_the_chunks(book: Book) -> None:
    """A recipient has the outcome of its chunk, and one who had opted out got nothing."""
    book.opt_out(PHONES[3])
    book.declare()
    book.record(A, A, P)
    assert book.outcomes() == ["accepted", "accepted", "accepted", "opted out", "not sent", "not sent"]
    book.record(R, U, S)
    assert book.outcomes() == ["rejected", "rejected", "unknown", "unknown", "not sent", "not sent"]
    book.opt_out(*PHONES[3:5])
    assert book.outcomes()[4:] == ["opted out", "not sent"]
    book.change_chunk(declared=True)
    assert book.outcomes()[4:] == ["unknown", "unknown"]


@pytest.mark.parametrize(
    ("then", "now", "first"),
    [
        ([], PHONES[:1], ["accepted", "accepted"]),  # all were sent to, so a later opt-out got it
        (PHONES[:1], PHONES[:1], ["opted out", "accepted"]),
        (PHONES[:1], PHONES[:2], ["opted out", "accepted"]),
        (PHONES[:1], [], ["not sent", "accepted"]),  # the opt-out was taken back
        (PHONES[:1], PHONES[1:2], ["not sent", "accepted"]),  # and another recipient opted out
    ],
)
def test_recipient_list_is_certain_of_opt_outs(
    then: list[str], now: list[str], first: list[str], book: Book
) -> None:
    """Opt-outs at the time of the send are known by position from the lock, whatever opt-outs there are now."""
    book.opt_out(*then)
    book.declare()
    book.record(A, A, A)
    book.opt_out(*now)
    assert book.outcomes() == [*first, *["accepted"] * 4]


@pytest.mark.parametrize(
    "changes", [{"recipients": 1}, {"recipients": 1, "opted_out": "0 1"}, {"recipients": None}]
)
def test_recipient_list_is_unknown_where_the_record_is(changes: dict[str, object], book: Book) -> None:
    """If another run sent a chunk its recipients are unknown: sms.by lists their number, but not the opt-outs."""
    book.opt_out(PHONES[0])
    book.declare()
    book.record(A, A, A)
    book.change_chunk(**{"opted_out": None, **changes})
    assert book.outcomes() == [*["unknown"] * 2, *["accepted"] * 4]


@pytest.mark.parametrize("keys", ["text: '{{ name }}'", "upload: true, text: Hello"])
def test_recipient_list_is_unknown_of_a_chunk_from_elsewhere(keys: str, book: Book) -> None:
    """A chunk of another run is unknown even if no recipient had opted out at the plan: that run may have left out some."""
    book.declare(keys)
    digest = book.record(*[A] * (1 if "upload" in keys else 3))
    if digest:
        book.change_chunk(recipients=6, upload=UploadRecord(digest, 7, 6))
    assert book.outcomes() == ["accepted"] * 6
    book.change_chunk(step=ELSEWHERE)
    assert book.outcomes()[:2] == ["unknown"] * 2


def test_recipient_list_of_single_phones(book: Book) -> None:
    """Each phone has its own state, and one that was left out is called opted out only if it is an opt-out."""
    book.declare("via: single, text: Hello")
    book.record(ChunkState.PARTIAL)
    book.change_chunk(phones=PhoneStates.parse("a:2 u:1 r:1 s:1 n:1"))
    assert book.outcomes() == ["accepted", "accepted", "unknown", "rejected", "not sent", "not sent"]
    book.opt_out(*PHONES[4:])
    assert book.outcomes()[4:] == ["opted out", "not sent"]


@pytest.mark.parametrize(
    ("state", "invalid", "now", "first"),
    [
        (A, 0, PHONES[1:2], ["accepted", "opted out"]),
        (A, 0, PHONES[:1], ["unknown", "unknown"]),  # others had opted out when the list was made
        (A, 1, PHONES[1:2], ["unknown", "unknown"]),
        (D, 0, PHONES[1:2], ["not sent", "opted out"]),
    ],
)
def test_recipient_list_of_an_upload(
    state: ChunkState, invalid: int, now: list[str], first: list[str], book: Book
) -> None:
    """An upload is one chunk, and which contacts sms.by called invalid is not recorded."""
    book.opt_out(PHONES[1])
    book.declare("upload: true, text: Hello")
    digest = book.record(state)
    book.change_chunk(recipients=5 - invalid, upload=UploadRecord(digest, 7, 5, invalid))
    book.opt_out(*now)
    assert book.outcomes()[:2] == first


def test_recipient_list_of_a_withdrawn_mailing(book: Book) -> None:
    """No recipient got a mailing that was withdrawn, since it was deleted before its time."""
    book.declare()
    ending = Ending(EndingKind.WITHDRAWN, "2026-11-24T07:00:00Z", "anna", "")
    book.record(A, A, P, ending=ending)
    assert book.outcomes() == ["withdrawn"] * 4 + ["not sent"] * 2


@pytest.mark.parametrize(
    ("change", "which"),
    [
        (lambda book: book.declare(phones=[*PHONES[:2], "375299999999", *PHONES[3:]]), "2 of 3 chunks"),
        (lambda book: book.declare(phones=PHONES[:4]), "3 of 3 chunks"),
        (lambda book: book.declare(phones=[PHONES[5], *PHONES[:5]]), "1-3 of 3 chunks"),
        (lambda book: book.declare("text: Good bye"), "1-3 of 3 chunks"),
    ],
    ids=["another-recipient", "fewer", "another-order", "another-text"],
)
def test_recipient_list_refuses_other_chunks(change: Callable[[Book], None], which: str, book: Book) -> None:
    """Chunks that differ from the record are not listed; the error names them and the commit to go back to."""
    book.declare()
    book.record(A, A, A)
    change(book)
    with pytest.raises(SmsbyDeployError, match=rf"^{which} of sale/vip cannot be listed") as refused:
        book.outcomes()
    assert "(commit 0123456789ab)" in refused.value.hint


def test_recipient_list_refuses_a_changed_upload(book: Book) -> None:
    """None of a changed upload is listed, since it is one chunk."""
    book.declare("upload: true, text: Hello")
    book.record(A)
    book.declare("upload: true, text: Hello", phones=PHONES[:5])
    listing = find_recipients(load_project(book.folder), book.lock, "sale/vip")
    with pytest.raises(
        SmsbyDeployError, match=r"^1 of 1 chunk of sale/vip cannot be listed.* the recorded ones$"
    ):
        next(iter(listing))


def test_recipient_list_ignores_rows_that_were_added(book: Book) -> None:
    """Rows added after the recorded chunks were never sent, and are not listed."""
    book.declare()
    book.record(A, A, A)
    book.declare(phones=[*PHONES, "375299999999"])
    assert book.outcomes() == ["accepted"] * 6


def test_recipient_list_counts_what_it_lists(book: Book) -> None:
    """The counts include all recipients, whichever are shown."""
    book.declare()
    book.record(A, U, P)
    listing = find_recipients(load_project(book.folder), book.lock, "sale/vip")
    assert [row.line for row in listing] == [2, 3, 4, 5, 6, 7]
    assert listing.counts == {
        RecipientOutcome.ACCEPTED: 2,
        RecipientOutcome.UNKNOWN: 2,
        RecipientOutcome.NOT_SENT: 2,
    }


def test_recipient_list_tells_held_out_from_opted_out(book: Book) -> None:
    """Under `only_to`, recipients who are not test phones are called held out, not opted out."""
    book.declare()
    book.opt_out(PHONES[1])
    settings = book.folder / "smsby.yaml"
    only = (
        f"test_phones: ['{PHONES[0]}', '{PHONES[1]}']\nenvironments: {{staging: {{only_to: test_phones}}}}\n"
    )
    settings.write_text(settings.read_text("utf-8") + only, "utf-8")
    book.record(A, S, S)
    book.change_chunk(recipients=1)
    loaded = load_project(book.folder, environment="staging")
    found = [row.outcome.value for row in find_recipients(loaded, book.lock, "sale/vip")]
    assert found == ["accepted", "opted out", "held out", "held out", "held out", "held out"]
    assert RecipientOutcome.HELD_OUT in NOT_SENT


def test_recipient_list_needs_record_and_files(book: Book) -> None:
    """A mailing without a record or outside the files is wrong usage, and unreadable opt-outs are an error."""
    book.declare()
    book.record(A, A, A)
    loaded = load_project(book.folder)
    with pytest.raises(UsageError, match="no mailing sale/x in the lock"):
        find_recipients(loaded, book.lock, "sale/x")
    with pytest.raises(UsageError, match="sale/old is not in the files"):
        find_recipients(loaded, book.lock.with_entry("sale/old", book.lock.mailings["sale/vip"]), "sale/old")
    query = "recipients: {sql: select 1, url_env: CRM_URL, order_by: id}"
    sale = (book.folder / "sale.yaml").read_text("utf-8")
    book.write("sale.yaml", sale.replace("recipients: {file: list.csv}", query))
    with pytest.raises(FilesInvalid) as caught:
        book.outcomes()
    assert [problem.location for problem in caught.value.problems] == [("sale.yaml", 4, 35)]
    book.opt_out("not a phone")
    with pytest.raises(FilesInvalid):
        book.outcomes()


def test_recipient_list_of_a_list_at_sms_by_is_not_known(book: Book) -> None:
    """The recipients of a list at sms.by are not known, which is said before sms.by is asked about the mailing."""
    book.declare()
    book.record(A, A, A)
    book.write(
        "sale.yaml", "version: 1\ncampaign: sale\nmailings:\n  - {name: vip, list: News, text: Hello}\n"
    )
    with pytest.raises(SmsbyDeployError, match=r"only sms\.by knows"):
        find_recipients(load_project(book.folder), book.lock, "sale/vip")
