"""The recipients of the mailings of a plan as sets, and how many are in several of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from smsby_deploy.config.declarations import Guardrails, Mailing
from smsby_deploy.config.sources import ContactList
from smsby_deploy.lock.records import Entry
from smsby_deploy.plan.desired import Desired, MeasuredMailing
from smsby_deploy.plan.gone import is_all_sent
from smsby_deploy.plan.model import GOING_OUT, Action
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.recipients.phone_set import PhoneSet, numbers_in_two
from smsby_deploy.wording import sentence

if TYPE_CHECKING:
    from smsby_deploy.plan.similar import Similar

_KEPT_NUMBERS = 600_000  # about 60 MB
_MAPPED_NUMBERS = 60_000  # a set with a map takes as much memory as this many single numbers


class KeptPhones:
    """Decides which mailings' recipients are kept as sets, to count those in two mailings.

    Kept are mailings that share their text with another one and, if the plan `finds_overlap`, unfinished ones, up to a limit.
    Under contact pressure, all are kept.
    """

    def __init__(self, mailings: Sequence[Mailing], guardrails: Guardrails, *, finds_overlap: bool) -> None:
        self._texts = Counter(_texts_of(mailing) for mailing in mailings if mailing.text)
        self._finds_overlap = finds_overlap and len(mailings) > 1
        self._keeps_all = guardrails.pressure is not None
        self._left = _KEPT_NUMBERS
        self._seen: set[int] = set()

    def keeps(self, mailing: Mailing, entry: Entry | None) -> bool:
        """Whether the recipients of `mailing` are kept; `entry` is its record, if any."""
        if self._keeps_all:
            return True
        if self._left <= 0 or not _has_rows(mailing):
            return False
        return (self._finds_overlap and not is_all_sent(entry, mailing)) or (
            mailing.text is not None and self._texts[_texts_of(mailing)] > 1
        )

    def take(self, desired: Desired | None) -> None:
        """Count the recipients that were kept; mailings to one list share a set."""
        if desired is not None and desired.phones is not None and id(desired.phones) not in self._seen:
            self._seen.add(id(desired.phones))
            self._left -= min(len(desired.phones), _MAPPED_NUMBERS)


def find_overlap(
    measured: Sequence[MeasuredMailing],
    actions: Sequence[Action],
    suppressed: PhoneSet,
    similar: Sequence[Similar] = (),
) -> Iterator[Problem]:
    """Yield a note for each mailing whose recipients get other mailings of the plan, too.

    There are no notes if the recipients of a mailing are unknown or only test phones are sent to, and none about recipients
    that a warning in `similar` already counts.
    """
    sending = {action.address: action.capped for action in actions if action.action in GOING_OUT}
    sent = [
        (one.mailing, one.desired)
        for one in measured
        if one.desired is not None and one.mailing.address in sending and _has_rows(one.mailing)
    ]
    kept = [
        _without(desired.phones, sending[mailing.address])
        for mailing, desired in sent
        if desired.phones is not None
    ]
    if len(sent) < 2 or len(kept) < len(sent) or suppressed.only is not None:
        return
    said = {
        (address, one.common)
        for one in similar
        if one.other in sending
        for address in (one.warning.address, one.other)
    }
    shares = Counter(map(id, kept))
    common = numbers_in_two([*{id(phones): phones for phones in kept}.values()])
    for (mailing, desired), phones in zip(sent, kept, strict=True):
        count = desired.audience.final
        if shares[id(phones)] == 1:
            count = phones.count_common(common, suppressed) if len(common) else 0
        if count and (mailing.address, count) not in said:
            message = sentence(
                "{count:recipient gets|recipients get} another mailing of this plan", count=count
            )
            yield Problem(Severity.NOTE, "OVERLAP", message, mailing.address, mailing.location)


def _without(phones: PhoneSet, capped: PhoneSet | None) -> PhoneSet:
    """Return the phones that the mailing is sent to; contact pressure leaves out `capped`."""
    if not capped:
        return phones
    rest = PhoneSet()
    rest.add_all([number for number in phones.numbers() if not capped.has_number(number)])
    return rest


def _has_rows(mailing: Mailing) -> bool:
    return not isinstance(mailing.audience, ContactList)


def _texts_of(mailing: Mailing) -> tuple[str, ...]:
    return tuple(source.text.strip() for source in mailing.text_sources)
