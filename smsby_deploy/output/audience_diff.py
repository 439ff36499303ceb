"""Who came and who went between two audiences of a mailing, counted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress

from smsby_deploy.config.declarations import ContactList, Mailing
from smsby_deploy.recipients.audience import AudienceReport, read_audience
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones


def count_moved(
    before: Mailing, opted_out_before: PhoneSet, after: Mailing, opted_out_after: PhoneSet
) -> tuple[int, int] | None:
    """How many get it now and did not before, and the other way round; None where sms.by keeps one of the lists.

    Both audiences are read once, as streams.
    """
    if isinstance(before.audience, ContactList) or isinstance(after.audience, ContactList):
        return None
    old, new = PhoneSet(), PhoneSet()
    for numbers in _people(before, opted_out_before):
        old.add_all(numbers)
    stayed = sum(len(new.add_all(numbers, old)[1]) for numbers in _people(after, opted_out_after))
    return len(new) - stayed, len(old) - stayed


def _people(mailing: Mailing, opted_out: PhoneSet) -> Iterator[list[int]]:
    assert not isinstance(mailing.audience, ContactList)
    for batch in read_audience(mailing, opted_out, AudienceReport()):
        yield number_phones(compress(batch.phones, batch.not_suppressed))
