"""Filling a list: found by its name, uploaded in batches, repeated until sms.by answers."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from smsby_deploy.apply.apply_result import MailingOutcome
from smsby_deploy.apply.recorder import Recorder
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import UploadRecord
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_smsby import LOST, OFFLINE, Reply, Shop, busy, error
from tests.apply.uploaded_mailing import RECIPIENTS, ListOf, invalid, taken

PROJECT_OF_THREE = """\
version: 1
project: shop
api: {reconcile_seconds: 2, recipients_per_request: 2, concurrency: 3}
"""


def test_upload_uses_the_list_of_its_name(uploaded: Shop, known: ListOf) -> None:
    """If the answer of createSubscriberList is lost, the list is found by its name, and no second one is made."""

    def make_and_lose(params: Mapping[str, Any]) -> Answer:
        known.create(params)
        raise LOST

    uploaded.sms_by.script("createSubscriberList", make_and_lose)
    result, _ = uploaded.apply()
    assert result.exit_code == ExitCode.DONE
    assert len(known) == 1
    upload = uploaded.chunk().upload
    assert upload is not None
    assert upload.found


def test_lost_batch_is_uploaded_again(uploaded: Shop) -> None:
    """A lost importContacts is repeated, since it sends nothing to any recipient."""
    uploaded.sms_by.script("importContacts", taken, LOST, OFFLINE, taken)
    result, _ = uploaded.apply()
    assert result.exit_code == ExitCode.DONE
    assert [len(batch["data"]) for batch in uploaded.sms_by.named("importContacts")] == [2, 2, 2, 2, 1]


@pytest.mark.parametrize(("answer", "calls"), [(LOST, 5), (busy(3600), 1), (busy(60), 5)])
def test_upload_gives_up_after_its_retries(uploaded: Shop, answer: Reply, calls: int) -> None:
    """After five tries, or a Retry-After of over a minute, the upload stops: exit code 7, and nothing is drafted."""
    uploaded.sms_by.script("importContacts", answer)
    result, mailing = uploaded.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.UNREACHABLE, MailingOutcome.SKIPPED)
    assert len(uploaded.sms_by.named("importContacts")) == calls
    assert "sendSmsList" not in uploaded.sms_by.changes()


def test_upload_continues_where_it_stopped(uploaded: Shop) -> None:
    """The next apply uploads only the contacts that are not in the list yet."""
    uploaded.sms_by.script("importContacts", taken, LOST)
    uploaded.apply()
    uploaded.sms_by.script("importContacts", taken)
    before = len(uploaded.sms_by.named("importContacts"))
    result, _ = uploaded.apply()
    assert result.exit_code == ExitCode.DONE
    rest = uploaded.sms_by.named("importContacts")[before:]
    assert [row[0] for batch in rest for row in batch["data"]] == RECIPIENTS[2:]
    assert uploaded.sms_by.changes().count("createSubscriberList") == 1


@pytest.mark.parametrize("lists", [{}, {70: "Newsletter"}, {71: "Newsletter"}, {71: ""}])
def test_recorded_list_must_still_be_ours(uploaded: Shop, known: ListOf, lists: dict[int, str]) -> None:
    """If the recorded list was deleted, or its id is another list's, all contacts go to a list of the right name."""
    uploaded.sms_by.script("importContacts", taken, OFFLINE)
    uploaded.apply()
    name = known.pop(70)
    known.update({number: other or name for number, other in lists.items()})
    uploaded.sms_by.script("importContacts", taken)
    begun = len(uploaded.sms_by.named("importContacts"))
    assert uploaded.apply()[0].exit_code == ExitCode.DONE
    batches = uploaded.sms_by.named("importContacts")[begun:]
    assert [row[0] for batch in batches for row in batch["data"]] == RECIPIENTS
    (draft,) = uploaded.sms_by.named("sendSmsList")
    assert known[draft["list_id"]].startswith("sale/staff ")


@pytest.mark.parametrize("answer", [OFFLINE, error("access denied")], ids=["offline", "refused"])
def test_no_list_is_made_unless_the_others_are_known(uploaded: Shop, answer: Reply) -> None:
    """If the lists cannot be read no list is made, as it could exist already: exit code 7."""
    uploaded.sms_by.script("getSubscriberLists", answer)
    result, mailing = uploaded.apply()
    assert (result.exit_code, uploaded.sms_by.changes()) == (ExitCode.UNREACHABLE, [])
    assert "the lists at sms.by could not be read" in (mailing.error or "")


@pytest.mark.parametrize(
    ("answer", "calls", "code"),
    [
        (error("incorrect arguments", 400), 1, ExitCode.FAILED),
        (error("token is invalid", 403), 1, ExitCode.UNREACHABLE),
        (busy(3600), 1, ExitCode.UNREACHABLE),
        (OFFLINE, 5, ExitCode.UNREACHABLE),
    ],
    ids=["rejected", "token", "later", "offline"],
)
def test_list_that_cannot_be_made(uploaded: Shop, answer: Reply, calls: int, code: ExitCode) -> None:
    """A lost or postponed createSubscriberList is repeated; without a list nothing is uploaded until the next apply."""
    make = uploaded.sms_by
    make.script("createSubscriberList", answer)
    assert uploaded.apply()[0].exit_code is code
    assert make.changes() == ["createSubscriberList"] * calls
    upload = uploaded.chunk().upload
    assert upload is not None
    assert upload.list_id is None
    assert uploaded.chunk().error


def test_invalid_contacts_without_a_line_are_counted(uploaded: Shop) -> None:
    """If sms.by does not say which contacts are invalid, the lines of the batch are given."""
    uploaded.sms_by.script("importContacts", taken, invalid(count=2), taken)
    uploaded.apply()
    assert any("lines 4 to 5" in line and "2" in line for line in uploaded.lines)


def test_calls_at_once_are_recorded_in_order(
    uploaded: Shop, known: ListOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simultaneous calls are recorded in order: while the first is unanswered, a crash repeats all three."""
    uploaded.write("smsby.yaml", PROJECT_OF_THREE)
    others = threading.Semaphore(0)
    recorded: list[int] = []
    note = Recorder.note_upload

    def keep(recorder: Recorder, ref: Any, upload: UploadRecord, **changes: Any) -> None:
        note(recorder, ref, upload, **changes)
        recorded.append(upload.uploaded)

    def answer(params: Mapping[str, Any]) -> Answer:
        if params["data"][0][0] == RECIPIENTS[0]:
            for _ in range(2):
                assert others.acquire(timeout=10)
            while recorded[-2:] != [0, 0]:  # both are recorded
                uploaded.clock.sleep(0.001)
        else:
            others.release()
        return taken(params)

    monkeypatch.setattr(Recorder, "note_upload", keep)
    uploaded.sms_by.script("importContacts", answer)
    result, _ = uploaded.apply()
    assert result.exit_code == ExitCode.DONE
    assert recorded[-4:] == [0, 0, 0, 5]
    progress = [line for line in uploaded.lines if "uploaded" in line]
    assert [line.split(": ")[1].split(" ")[0] for line in progress] == ["2", "4", "5"]


def test_rejected_call_stops_the_others(uploaded: Shop) -> None:
    """After a rejected call the calls in flight are recorded, and nothing is drafted."""
    uploaded.write("smsby.yaml", PROJECT_OF_THREE)
    uploaded.sms_by.script("importContacts", taken, error("no such list", 400), taken)
    _, mailing = uploaded.apply()
    assert mailing.outcome is MailingOutcome.REJECTED
    assert "sendSmsList" not in uploaded.sms_by.changes()
