"""What an apply says at its end, and the line of each request."""

from __future__ import annotations

import io
from dataclasses import replace

from smsby_deploy.apply.events import request_event
from smsby_deploy.apply.result import ApplyResult, MailingResult
from smsby_deploy.output.apply_text import apply_document, next_steps, write_apply
from smsby_deploy.output.json_documents import json_text
from smsby_deploy.plan.model import ActionKind
from tests.output import examples
from tests.output.golden import check_golden


def result(*mailings: MailingResult) -> ApplyResult:
    actions = tuple(
        examples.action(mailing.address, ActionKind.CREATE, cost=None)
        if mailing.recipients is None
        else examples.action(mailing.address, ActionKind.CREATE, recipients=mailing.recipients)
        for mailing in mailings
    )
    return ApplyResult(replace(examples.plan(*actions)), mailings, (), 0)


def text_of(outcome: ApplyResult, *, color: bool = False) -> str:
    stream = io.StringIO()
    write_apply(outcome, stream, color=color, lock="smsby.lock.json")
    return stream.getvalue()


def _every_outcome() -> ApplyResult:
    uuid = "cc9c8043-8caf-11ef-b035-9e8f47954dec"
    return result(
        MailingResult("sale/vip", "sent", 1_000_000, [uuid], [1173020]),
        MailingResult("news/letter", "confirmed", None, [], [1173021]),
        MailingResult("sale/found", "adopted", 12),
        MailingResult("a" * 40 + "/" + "b" * 40, "sent", 7),
        MailingResult("sale/old", "skipped", 3),
        MailingResult("sale/stuck", "skipped", 3, error="changed: its text\x1b[2J differs"),
        MailingResult("sale/bad", "rejected", 4, error="No such alphaname"),
        MailingResult("sale/lost", "unknown", 5, error="unknown: timed out"),
    )


def test_every_outcome() -> None:
    """Numbers under each other whatever the addresses, errors below them, the sum, the next commands."""
    text = text_of(_every_outcome())
    check_golden("apply.txt", text)
    assert len({line.index(" people  ") for line in text.splitlines() if " people  " in line}) == 1
    assert "\x1b" not in text


def test_the_outcomes_as_json() -> None:
    """What pipelines read: outcomes counted by mailing, and how sms.by knows each."""
    document = apply_document(_every_outcome())
    check_golden("apply.json", json_text(document))
    assert sum(document["summary"].values()) == len(document["mailings"])


def test_a_good_end_names_the_lock_and_what_comes_next() -> None:
    """Commands to copy, in their order."""
    assert next_steps(result(MailingResult("sale/vip", "sent", 2)), "shop/smsby.lock.json") == [
        'next: git add shop/smsby.lock.json && git commit -m "Record what was sent"',
        "      smsby-deploy status --watch",
    ]


def test_nothing_done_asks_for_nothing() -> None:
    """Only what was sent already: no next command, one line of summary."""
    assert text_of(result(MailingResult("sale/old", "skipped", 3))).splitlines()[1:] == ["1 skipped"]


def test_what_was_resumed_tells_for_how_many_its_cost_is() -> None:
    """The people are those of the whole mailing, the cost is that of the rest."""
    whole = result(MailingResult("sale/vip", "sent", 4), MailingResult("news/letter", "confirmed", None))
    resumed = examples.action("sale/vip", ActionKind.RESUME, recipients=3)
    rest = replace(whole, plan=examples.plan(resumed, whole.plan.actions[1]))
    assert "; 4 people, " in text_of(whole)
    assert "; 4 people, 3 of them now, " in text_of(rest)


def test_what_went_out_in_part_is_to_be_committed() -> None:
    """It is called skipped, yet the lock alone knows who got it."""
    steps = next_steps(result(MailingResult("sale/vip", "skipped", 4, ["u"], error="sent to 1 of 4")), "lock")
    assert steps[0].startswith("next: git add lock")


def test_the_line_of_a_request_names_the_chunks_of_a_mailing_in_parts() -> None:
    """Which of how many, as in the name at sms.by; a whole mailing needs none; many are not all named."""
    parts = [("sale/vip", 1, 4), ("sale/vip", 2, 4), ("sale/b", 0, 1)]
    assert request_event("accepted", parts, 2500).line == (
        "accepted      2,500 people  sale/vip [2-3/4], sale/b"
    )
    many = [(f"sale/m{number}", 0, 1) for number in range(9)]
    event = request_event("unknown", many, 9)
    assert event.line.endswith("sale/m0, sale/m1, sale/m2 and 6 more")
    assert len(event.addresses) == 9
    assert event.is_warning
