"""What an action shows of its mailing: counts, cost, names, and what the lock records."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from smsby_deploy.clock import Window
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.sources import ContactList, InlineRecipients
from smsby_deploy.lock.counts import PrefixCount
from smsby_deploy.lock.decisions import Approval, Ending, EndingKind
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Entry, NamedId
from smsby_deploy.plan.account_names import AccountNames, Known
from smsby_deploy.plan.desired import AudienceCounts, ChunkPlan, Desired
from smsby_deploy.plan.diff import (
    Decision,
    block,
    make_action,
    make_orphan,
    make_recorded,
)
from smsby_deploy.plan.gone import OwnContent
from smsby_deploy.plan.model import ActionKind, ReasonCode
from smsby_deploy.problems import Location
from smsby_deploy.smsby.parsers import AccountName
from tests.plan.situations import NOW, A, D, P, R, U, make_entry

_AT = Location("sale.yaml", 4, 5)
_OPEN = Window(NOW - timedelta(hours=1), NOW + timedelta(hours=1))
_LATER = NOW + timedelta(days=1)
_LIST, _OTHER_LIST = NamedId("Newsletter", 34), NamedId("Newsletter", 35)
_CHUNKS = (
    ChunkPlan("a" * 10, 10, "d", 20, Decimal("2"), 4, 6),
    ChunkPlan("b" * 10, 10, "d", 10, Decimal("1"), 10, 0),
    ChunkPlan("c" * 10, 5, "d", 5, Decimal("0.5"), 5, 0),
)
_DESIRED = Desired(
    "sale/vip", 1, "bulk", "c", "a", _CHUNKS, AudienceCounts(25, 0, 0, 0, 25), 35, 19, 6, 2, None, Decimal("3.5")
)  # fmt: skip
_NAMES = AccountNames(
    Known.of([AccountName(7, "MyShop")]),
    Known.of([AccountName(34, "Newsletter"), AccountName(35, "VIP")]),
)


def _mailing(audience: InlineRecipients | ContactList) -> Mailing:
    return Mailing(
        "sale", "vip", "sale.yaml", _AT, "bulk", audience, None, "MyShop", _AT, None, None, "Europe/Minsk", 1, "fail"
    )  # fmt: skip


_MAILING = _mailing(InlineRecipients((), _AT))


def test_make_action_counts_everything_that_is_created() -> None:
    """A new mailing shows its whole audience, its cost, and its sender by name and id."""
    action = make_action(_MAILING, _DESIRED, Decision(ActionKind.CREATE, "new"), _NAMES)
    assert (action.recipients, action.parts, action.cost) == (25, 35, Decimal("3.5"))
    assert (action.alphaname, action.alphaname_id, action.reason_code) == ("MyShop", 7, None)


def test_make_action_has_what_the_lock_records() -> None:
    """An action has what the lock records: the digests to compare, window and wave, and the figures of reports."""
    desired = _DESIRED._replace(
        text_digest="text",
        recipients_digest="recipients",
        own=OwnContent("own", "0", False, False, False),
        languages={"ru": 25},
        prefixes={"37529": PrefixCount(25, 35, "3.50")},
    )
    approval = Approval("t", "p", "anna", *(time.isoformat() for time in _OPEN))
    decision = Decision(
        ActionKind.CREATE, "", window=_OPEN, approval=approval, signed_by=("boris",), wave=1, is_overdue=True
    )
    mailing = _MAILING._replace(labels={"owner": "anna"})
    action = make_action(mailing, desired, decision, _NAMES)
    assert (action.text_digest, action.recipients_digest, action.own_digest) == ("text", "recipients", "own")
    assert (action.window, action.approval, action.signed_by, action.wave) == (_OPEN, approval, ("boris",), 1)
    assert (action.labels, action.languages) == ({"owner": "anna"}, {"ru": 25})
    assert (action.prefixes, action.is_overdue, action.is_finished) == (desired.prefixes, True, False)
    assert make_action(mailing, desired, Decision(ActionKind.NOOP, ""), _NAMES).is_finished


def test_make_action_counts_the_rest_of_a_resumed_mailing() -> None:
    """A resumed mailing counts only its unsent chunks; a partly sent single chunk counts by its share of phones."""
    decision = Decision(ActionKind.RESUME, "the rest", unsent=(0, None, 2))
    action = make_action(_MAILING, _DESIRED, decision, _NAMES)
    assert (action.recipients, action.parts, action.cost) == (12, 12, Decimal("1.2"))
    assert (action.gsm7, action.ucs2) == (12, 0)


def test_make_action_keeps_the_code_of_a_blocked_mailing() -> None:
    """A blocked mailing keeps its reason code, with which its sentence starts."""
    action = make_action(_MAILING, _DESIRED, block(ReasonCode.EXPIRED, "too late"), _NAMES)
    assert (action.action, action.reason_code, action.reason) == (
        ActionKind.BLOCKED,
        ReasonCode.EXPIRED,
        "expired: too late",
    )


def test_make_action_does_not_count_a_list_at_sms_by() -> None:
    """Contacts of a list at sms.by are not counted."""
    desired = _DESIRED._replace(via="list", parts=None, cost=None)
    mailing = _mailing(ContactList("Newsletter", _AT))
    action = make_action(mailing, desired, Decision(ActionKind.CREATE, "new"), _NAMES)
    assert (action.recipients, action.parts, action.cost) == (None, None, None)
    assert action.contact_list == NamedId("Newsletter", 34)


@pytest.mark.parametrize(
    ("action", "entry", "expected"),
    [
        (ActionKind.CREATE, make_entry(R, R, contact_list=_OTHER_LIST), _LIST),
        (ActionKind.BLOCKED, make_entry(D, D, contact_list=_OTHER_LIST), _LIST),
        (ActionKind.CONFIRM, make_entry(D, D, contact_list=_OTHER_LIST), _OTHER_LIST),
        (ActionKind.CONFIRM, make_entry(D, D), NamedId("Newsletter", None)),
        (
            ActionKind.CONFIRM,
            make_entry(D, D, revision=2, contact_list=_OTHER_LIST),
            NamedId("Newsletter", None),
        ),
        (ActionKind.ADOPT, None, NamedId("Newsletter", None)),
    ],
)
def test_make_action_names_the_list_of_a_draft(
    action: ActionKind, entry: Entry | None, expected: NamedId
) -> None:
    """A new draft has the list that the files name; only the lock knows that of an existing draft."""
    mailing = _mailing(ContactList("Newsletter", _AT))
    assert make_action(mailing, _DESIRED, Decision(action, ""), _NAMES, entry).contact_list == expected


def test_make_orphan_shows_what_is_recorded() -> None:
    """An orphan sends nothing and keeps its record; a decision about it changes only the action."""
    chunks = (ChunkRecord("a" * 10, 3, "d", A, schedule_time=_LATER.isoformat(), variant="a", wave=2),)
    entry = make_entry(
        A,
        A,
        contact_list=_LIST,
        cost="0.4",
        text_digest="t",
        recipients_digest="r",
        own_digest="o",
        revision=2,
    )
    orphan = make_orphan("sale/old", replace(entry, chunks=chunks))
    assert (orphan.action, orphan.sends, orphan.cost) == (ActionKind.ORPHAN, False, Decimal("0.4"))
    assert orphan.reason == "recorded (complete), no longer in the files; apply leaves it as it is"
    assert orphan.chunks == (
        ChunkPlan("a" * 10, 3, "d", schedule_time=_LATER.isoformat(), variant="a", wave=2),
    )
    assert (orphan.contact_list, orphan.revision) == (_LIST, 2)
    assert (orphan.text_digest, orphan.recipients_digest, orphan.own_digest) == ("t", "r", "o")
    blocked = make_recorded("sale/old", replace(entry, chunks=chunks), block(ReasonCode.EXPIRED, "late"))
    decided = (blocked.action, blocked.reason_code, blocked.reason)
    assert decided == (ActionKind.BLOCKED, ReasonCode.EXPIRED, "expired: late")
    kept = replace(blocked, action=orphan.action, reason=orphan.reason, reason_code=None)
    assert kept == orphan


@pytest.mark.parametrize(("transport", "can_look"), [("bulk", True), ("list", True), ("single", False)])
def test_orphan_says_whether_apply_can_look_for_it(transport: str, can_look: bool) -> None:
    """apply cannot look for an unknown orphan with `via: single`: the lock does not have its phones."""
    reason = make_orphan("sale/old", replace(make_entry(A, U), transport=transport)).reason
    assert ("`apply` looks for it at sms.by" in reason) is can_look
    assert (
        "so `apply` cannot look for its delivery without them; restore its files" in reason
    ) is not can_look
    assert "`smsby-deploy lock resolve sale/old --sent` or `--not-sent`" in reason


@pytest.mark.parametrize(
    ("state", "kind", "is_finished"),
    [
        (A, None, True),
        (P, None, False),
        (P, EndingKind.ABANDONED, True),
        (P, EndingKind.WITHDRAWN, True),
        (P, EndingKind.LAPSED, True),
        (U, None, False),
    ],
)
def test_make_orphan_is_finished_by_a_decision(
    state: ChunkState, kind: EndingKind | None, is_finished: bool
) -> None:
    """An orphan is finished by a decision; one that still needs a look keeps its row in the plan."""
    ending = None if kind is None else Ending(kind, "2026-11-30T10:00:00Z", "anna", "")
    assert make_orphan("sale/old", make_entry(A, state, ending=ending)).is_finished is is_finished
