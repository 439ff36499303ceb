"""Contact pressure: which recipients get too many messages, and what happens to their mailing."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.declarations import Mailing, Pressure
from smsby_deploy.config.project_loader import load_project
from smsby_deploy.config.sources import ContactList
from smsby_deploy.plan.contact_ledger import PhoneHasher, SentMailing
from smsby_deploy.plan.desired import Desired
from smsby_deploy.plan.measure import Observers, measure_mailing
from smsby_deploy.plan.model import Action, ActionKind
from smsby_deploy.plan.pressure import PlannedMailing, PressureCheck
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from tests.plan.examples import CAMPAIGN, NOON, make_example_plan

_HASHER = PhoneHasher(b"s" * 32)
_DAY = timedelta(days=1)
ANNA, TEST = "375291234567", "375297654321"  # the recipients of sale/vip; sale/staff has only Anna


class _Desk:
    """Two mailings of one plan, and what was sent before."""

    def __init__(self, folder: Path) -> None:
        actions = make_example_plan(folder, "{}", CAMPAIGN).actions
        self.project = load_project(folder).project
        self.planned = [
            PlannedMailing(mailing, self.measure(mailing, PhoneSet()), action)
            for mailing, action in zip(self.project.mailings, actions, strict=True)
        ]

    def measure(self, mailing: Mailing, suppressed: PhoneSet) -> Desired:
        desired = measure_mailing(self.project, mailing, suppressed, Observers(keeps_phones=True)).desired
        assert desired is not None
        return desired

    def change(self, index: int, **changes: object) -> None:
        one = self.planned[index]
        self.planned[index] = one._replace(mailing=one.mailing._replace(**changes))

    def judge(
        self,
        limit: Pressure,
        sent: Iterable[SentMailing] = (),
        suppressed: PhoneSet | None = None,
        due: tuple[str, ...] = (),
    ) -> list[Action]:
        out = suppressed or PhoneSet()
        self.check = PressureCheck(self.project, limit, list(sent), _HASHER, out, NOON, due)
        judged = self.check.judge(self.planned)
        return [judged.get(one.action.address, one.action) for one in self.planned]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop")


@pytest.fixture
def desk(folder: Path) -> _Desk:
    return _Desk(folder)


def _phones(*phones: str) -> PhoneSet:
    found = PhoneSet()
    found.add_all(number_phones(phones))
    return found


def _sent(*phones: str, days: float = -1.0, unknown: int = 0, name: str = "old/one") -> SentMailing:
    hashes = array("Q", sorted(map(_HASHER, phones)))
    return SentMailing(name, 1, NOON + timedelta(days=days), hashes, unknown=unknown)


def _limit(messages: int, *, drops: bool = True, never_cap: tuple[str, ...] = ()) -> Pressure:
    return Pressure(messages, 7 * _DAY, drops, never_cap)


def test_pressure_within_a_plan(desk: _Desk) -> None:
    """Of two mailings at the same time, the first by address keeps Anna and the other leaves her out."""
    vip, staff = desk.judge(_limit(1))
    assert (staff.action, staff.recipients, staff.capped) == ("create", 1, None)
    assert (vip.action, vip.recipients, vip.audience.capped) == ("create", 1, 1)
    assert vip.audience.rows == vip.audience.final + vip.audience.capped
    assert [problem.code for problem in desk.check.problems] == ["PRESSURE"]


def test_pressure_of_a_higher_priority(desk: _Desk) -> None:
    desk.change(0, priority=1)
    vip, staff = desk.judge(_limit(1))
    assert (vip.recipients, staff.recipients) == (2, 0)


def test_pressure_of_an_earlier_time(desk: _Desk) -> None:
    desk.change(1, schedule_time=NOON + _DAY)
    vip, staff = desk.judge(_limit(1))
    assert (vip.recipients, staff.recipients) == (2, 0)


@pytest.mark.parametrize(("days", "is_capped"), [(-6.9, True), (-7.0, False), (6.9, True), (7.0, False)])
def test_pressure_ends_with_the_span(desk: _Desk, days: float, is_capped: bool) -> None:
    vip, _ = desk.judge(_limit(1), [_sent(TEST, days=days)])
    assert (vip.audience.capped == 2) is is_capped  # Anna is in sale/staff, too


@pytest.mark.parametrize(("days", "is_capped"), [(6.9, True), (7.0, False)])
def test_pressure_of_two_mailings_ends_with_the_span(desk: _Desk, days: float, is_capped: bool) -> None:
    desk.change(1, schedule_time=NOON + days * _DAY)
    vip, staff = desk.judge(_limit(1))
    assert (vip.recipients, staff.recipients) == (2, 0 if is_capped else 1)


def test_pressure_blocks_unless_it_drops(desk: _Desk) -> None:
    vip, staff = desk.judge(_limit(1, drops=False))
    assert (vip.action, vip.reason_code, staff.action) == ("blocked", "guardrail", "create")
    assert vip.reason == "guardrail: pressure: 1 recipient would get more than 1 message within 7d"


def test_pressure_of_unknown_recipients_blocks(desk: _Desk) -> None:
    """If recipients of a sent mailing are unknown, the next is blocked even with `drop`, as no one can be left out."""
    actions = desk.judge(_limit(1), [_sent(unknown=5)])
    assert {action.reason_code for action in actions} == {"guardrail"}
    assert "does not report yet who got or gets old/one" in actions[0].reason


def test_pressure_of_unknown_recipients_beside_known_ones(desk: _Desk) -> None:
    """An unknown mailing may have reached a recipient in addition to known or planned ones, and so blocks."""
    vip, staff = desk.judge(_limit(2), [_sent(TEST), _sent(unknown=1, name="old/two")])
    assert (vip.reason_code, staff.action) == ("guardrail", "create")
    vip, staff = desk.judge(_limit(2), [_sent(unknown=1)])  # and Anna gets sale/staff
    assert (vip.reason_code, staff.action) == ("guardrail", "create")


def test_pressure_of_unknown_recipients_that_do_not_matter(desk: _Desk) -> None:
    assert [one.action for one in desk.judge(_limit(3), [_sent(unknown=5)])] == ["create", "create"]


def test_pressure_without_an_answer_blocks(desk: _Desk) -> None:
    """Without an answer about a mailing in the span the next is blocked, whatever the limit."""
    silent = [_sent()._replace(is_unread=True), _sent(name="old/two")._replace(is_unread=True)]
    actions = desk.judge(_limit(9), silent)
    assert {action.reason_code for action in actions} == {"guardrail"}
    assert "no usable answer about who got old/one, old/two" in actions[0].reason
    past = [_sent(days=-8)._replace(is_unread=True)]
    assert [one.action for one in desk.judge(_limit(9), past)] == ["create", "create"]


def test_pressure_does_not_count_its_own_messages(desk: _Desk) -> None:
    own = _sent(ANNA, TEST, name="sale/vip")
    desk.planned = desk.planned[:1]
    assert desk.judge(_limit(1), [own])[0].recipients == 2
    assert desk.judge(_limit(1), [own._replace(revision=2)])[0].recipients == 0


def test_pressure_by_the_files(desk: _Desk) -> None:
    desk.planned = desk.planned[:1]
    assert desk.judge(_limit(1), [_sent()._replace(phones=_phones(TEST))])[0].audience.capped == 1


def test_pressure_ignores_opt_outs(desk: _Desk) -> None:
    """A recipient who opted out gets nothing and is not an excess."""
    vip, staff = desk.judge(_limit(1), [_sent(ANNA)], _phones(ANNA))
    assert (vip.capped, staff.capped) == (None, None)
    for phone in (ANNA, TEST):
        vip, _ = desk.judge(_limit(1), [_sent(ANNA, TEST)], _phones(phone))
        assert [one in (vip.capped or ()) for one in (ANNA, TEST)] == [phone != ANNA, phone != TEST]


def test_pressure_of_a_contact_list(desk: _Desk) -> None:
    location = desk.planned[0].mailing.location
    desk.change(0, audience=ContactList("Newsletter", location))
    vip = desk.judge(_limit(5))[0]
    assert (vip.reason_code, "list kept at sms.by" in vip.reason) == ("guardrail", True)


@pytest.mark.parametrize(("limit", "reason"), [(1, "guardrail"), (2, "guardrail"), (3, None)])
def test_pressure_beside_a_list_whose_members_are_unknown(
    desk: _Desk, limit: int, reason: str | None
) -> None:
    """An exempt mailing to a list counts like a sent one whose recipients sms.by does not report yet."""
    staff = desk.planned[1]
    desk.planned[1] = staff._replace(desired=staff.desired._replace(phones=None))
    desk.change(1, labels={"kind": "service"}, audience=ContactList("Letters", staff.mailing.location))
    rule = _limit(limit, never_cap=("service",))
    for begun in ([], [_sent(unknown=1, name="sale/staff")]):  # which counts once
        vip, staff_action = desk.judge(rule, [_sent(ANNA), *begun])
        assert (vip.reason_code, staff_action.action) == (reason, "create")
        if reason:
            assert "does not report yet who got or gets sale/staff; " in vip.reason
    desk.change(1, schedule_time=NOON + 8 * _DAY)
    vip, _ = desk.judge(rule)
    assert vip.recipients == 2


def test_due_mailing_is_judged_as_by_its_hand_over(desk: _Desk) -> None:
    """A due mailing is judged without other new mailings, as by its hand-over, and not before it is due."""
    staff = desk.planned[1]
    desk.planned[1] = staff._replace(action=replace(staff.action, action=ActionKind.WAITING))
    desk.change(0, priority=1)
    for due in ((), ("sale/staff",)):
        for sent, count in (((), 0), ([_sent(ANNA)], len(due))):
            _, waits = desk.judge(_limit(1), sent, due=due)
            assert len(waits.capped or ()) == count


def test_pressure_counts_opt_outs_apart(desk: _Desk) -> None:
    """A recipient who opted out is not counted as capped as well."""
    one, out = desk.planned[0], _phones(TEST)
    desk.planned[0] = one._replace(desired=desk.measure(one.mailing, out))
    vip, _ = desk.judge(_limit(1), [_sent(ANNA)], out)
    assert (vip.audience.suppressed, vip.audience.capped, vip.audience.final) == (1, 1, 0)


def test_pressure_of_recipients_that_could_not_be_read(desk: _Desk) -> None:
    """If its recipients could not be read because of an error in their file, a mailing is blocked, and the reason says so."""
    one = desk.planned[0]
    desk.planned[0] = one._replace(desired=one.desired._replace(phones=None))
    vip = desk.judge(_limit(5))[0]
    assert vip.reason_code == "guardrail"
    assert vip.reason == (
        "guardrail: pressure: its recipients could not be read, so it is unknown what they already got"
    )


def test_pressure_never_caps_a_label(desk: _Desk) -> None:
    """A mailing with an exempt label is not limited, but counts for others."""
    desk.change(1, labels={"kind": "service"})
    vip, staff = desk.judge(_limit(1, never_cap=("service",)), [_sent(ANNA)])
    assert (staff.recipients, vip.audience.capped) == (1, 1)


def test_pressure_counts_exempt_mailings_first(desk: _Desk) -> None:
    """Exempt mailings count first, even for mailings before them by priority and time."""
    desk.change(0, priority=1)
    desk.change(1, labels={"kind": "service"}, schedule_time=NOON + _DAY)
    vip, staff = desk.judge(_limit(1, never_cap=("service",)))
    assert (staff.recipients, vip.audience.capped) == (1, 1)

    waits = desk.planned[1]
    desk.planned[1] = waits._replace(action=replace(waits.action, action=ActionKind.HOLD))
    vip, staff = desk.judge(_limit(1, never_cap=("service",)))  # a hand-over of sale/vip would not count it
    assert (staff.recipients, vip.recipients) == (1, 2)


def test_pressure_exempts_by_the_label_kind_alone(desk: _Desk) -> None:
    """Only the label `kind` exempts a mailing."""
    desk.change(1, labels={"owner": "service"})
    vip, staff = desk.judge(_limit(1, never_cap=("service",)), [_sent(ANNA)])
    assert (staff.recipients, vip.audience.capped) == (0, 1)


def test_resumed_mailing_counts_once_for_others(desk: _Desk) -> None:
    """A resumed mailing counts once, so sale/vip is only Anna's second message."""
    staff = desk.planned[1]
    desk.planned[1] = staff._replace(action=replace(staff.action, action=ActionKind.RESUME))
    sent = _sent(ANNA, name="sale/staff")
    vip, _ = desk.judge(_limit(2), [sent])
    assert (vip.recipients, vip.capped) == (2, None)
    vip, _ = desk.judge(_limit(1), [sent])
    assert (vip.recipients, vip.audience.capped) == (1, 1)


def test_resumed_mailing_counts_for_whom_it_leaves_out(desk: _Desk) -> None:
    """A recipient who is left out of the rest of a mailing still counts as having got it."""
    staff = desk.planned[1]
    desk.planned[1] = staff._replace(action=replace(staff.action, action=ActionKind.RESUME))
    desk.change(0, schedule_time=NOON + 6.5 * _DAY)  # when the older message is a week ago, sale/staff is not
    vip, staff_action = desk.judge(_limit(1), [_sent(ANNA, name="sale/staff", days=-0.1), _sent(ANNA)])
    assert len(staff_action.capped or ()) == 1
    assert (vip.recipients, vip.audience.capped) == (1, 1)
    begun = _sent(name="sale/staff", days=-0.1)
    for phone, count in ((ANNA, 1), (TEST, 2)):  # as its files say where sms.by does not
        vip, _ = desk.judge(_limit(1), [begun._replace(phones=_phones(phone)), _sent(ANNA)])
        assert vip.recipients == count
    vip, _ = desk.judge(_limit(1), [begun, _sent(ANNA)])
    assert vip.recipients == 2  # she got none of it


def test_pressure_of_an_uploaded_list_blocks(desk: _Desk) -> None:
    desk.change(0, upload=object())
    assert desk.judge(_limit(1))[0].reason_code == "guardrail"


def test_resumed_mailing_keeps_its_counts(desk: _Desk) -> None:
    """A resumed mailing keeps the chunks of its first run, and still leaves out capped recipients."""
    one = desk.planned[0]
    desk.planned[0] = one._replace(action=replace(one.action, action=ActionKind.RESUME))
    vip, _ = desk.judge(_limit(1))
    assert (vip.recipients, len(vip.capped or ())) == (one.action.recipients, 1)


@given(
    sent=st.lists(st.sets(st.sampled_from([ANNA, TEST])), max_size=4),
    messages=st.integers(1, 4),
)
def test_no_recipient_gets_more_than_the_limit(folder: Path, sent: list[set[str]], messages: int) -> None:
    """Whatever was sent before, a plan never exceeds the limit, and caps no recipient below it."""
    desk = _Desk(folder)
    actions = desk.judge(_limit(messages), [_sent(*one) for one in sent])
    got = {phone: sum(phone in one for one in sent) for phone in (ANNA, TEST)}
    members = {"sale/vip": (ANNA, TEST), "sale/staff": (ANNA,)}
    assert {action.address for action in actions} == members.keys()
    for action in sorted(actions, key=lambda action: action.address):
        for phone in members[action.address]:
            is_capped = action.capped is not None and phone in action.capped
            assert is_capped is (got[phone] >= messages)
            got[phone] += not is_capped
