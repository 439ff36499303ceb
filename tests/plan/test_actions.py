"""From a decision to the action that a plan shows."""

from __future__ import annotations

from decimal import Decimal

from smsby_deploy.config.declarations import ContactList, InlineRecipients, Mailing
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry
from smsby_deploy.plan.account_names import AccountNames
from smsby_deploy.plan.actions import make_action, make_orphan
from smsby_deploy.plan.desired_state import AudienceCounts, ChunkPlan, Desired
from smsby_deploy.plan.diff import Decision, block
from smsby_deploy.plan.model import ActionKind, ReasonCode
from smsby_deploy.problems import Location

_AT = Location("sale.yaml", 4, 5)
_CHUNKS = (
    ChunkPlan("a" * 10, 10, "d", 20, Decimal("2"), 4, 6),
    ChunkPlan("b" * 10, 10, "d", 10, Decimal("1"), 10, 0),
    ChunkPlan("c" * 10, 5, "d", 5, Decimal("0.5"), 5, 0),
)
_DESIRED = Desired(
    "sale/vip", 1, "bulk", "c", "a", _CHUNKS, AudienceCounts(25, 0, 0, 0, 25), 35, 19, 6, 2, None, Decimal("3.5")
)  # fmt: skip
_NAMES = AccountNames({"MyShop": 7}, None)


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


def test_make_action_counts_the_rest_of_a_resumed_mailing() -> None:
    """Sent chunks are left out; a chunk with some unsent phones counts by their share."""
    decision = Decision(ActionKind.RESUME, "the rest", unsent=(0, None, 2))
    action = make_action(_MAILING, _DESIRED, decision, _NAMES)
    assert (action.recipients, action.parts, action.cost) == (12, 12, Decimal("1.2"))
    assert (action.gsm7, action.ucs2) == (12, 0)


def test_make_action_keeps_the_code_of_a_blocked_mailing() -> None:
    """The code is in the action, the sentence starts with it."""
    action = make_action(_MAILING, _DESIRED, block(ReasonCode.EXPIRED, "too late"), _NAMES)
    assert (action.action, action.reason_code, action.reason) == (
        ActionKind.BLOCKED,
        ReasonCode.EXPIRED,
        "expired: too late",
    )


def test_make_action_does_not_count_a_list_at_sms_by() -> None:
    """Only sms.by knows the contacts of a list that it keeps."""
    desired = _DESIRED._replace(via="list", parts=None, cost=None)
    mailing = _mailing(ContactList("Newsletter", _AT))
    action = make_action(mailing, desired, Decision(ActionKind.CREATE, "new"), _NAMES)
    assert (action.recipients, action.parts, action.cost) == (None, None, None)


def test_make_orphan_shows_what_is_recorded() -> None:
    """An orphan sends nothing and keeps the recorded figures."""
    chunks = (ChunkRecord("a" * 10, 3, "d", ChunkState.ACCEPTED),)
    applied = AppliedBy("t", "p", None, "x")
    entry = Entry(1, "c", "a", "bulk", "MyShop", 7, None, 3, 4, "0.4", chunks, applied)
    orphan = make_orphan("sale/old", entry)
    assert (orphan.action, orphan.sends, orphan.cost) == (ActionKind.ORPHAN, False, Decimal("0.4"))
    assert orphan.reason == "recorded (complete), no longer in the files; nothing happens"
    assert [chunk.fingerprint for chunk in orphan.chunks] == ["a" * 10]
