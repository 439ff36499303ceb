"""Who came and who went between two audiences of a mailing, counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from smsby_deploy.audience.phone_set import PhoneSet
from smsby_deploy.audience.source import AudienceReport, stream_audience
from smsby_deploy.project.declarations import ContactList, Mailing


def count_moved(
    before: Mailing, opted_out_before: PhoneSet, after: Mailing, opted_out_after: PhoneSet
) -> tuple[int, int] | None:
    """How many get it now and did not before, and the other way round; None where sms.by keeps one of the lists.

    Both audiences are read once, as streams.
    """
    if isinstance(before.audience, ContactList) or isinstance(after.audience, ContactList):
        return None
    old = PhoneSet()
    for phones in _people(before, opted_out_before):
        old.add_all(phones)
    people = stayed = 0
    for phones in _people(after, opted_out_after):
        people += len(phones)
        stayed += len(old.find_all(phones))
    return people - stayed, len(old) - stayed


def _people(mailing: Mailing, opted_out: PhoneSet) -> Iterator[Sequence[str]]:
    assert not isinstance(mailing.audience, ContactList)
    for batch in stream_audience(
        mailing.audience,
        address=mailing.address,
        campaign_file=mailing.file,
        has_text=mailing.text is not None,
        on_invalid=mailing.on_invalid,
        report=AudienceReport(),
        countries=mailing.countries,
        with_variables=False,
    ):
        gone = set(opted_out.find_all(batch.phones))
        left = [phone for index, phone in enumerate(batch.phones) if index not in gone]
        if left:
            yield left
