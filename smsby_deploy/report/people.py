"""Who came and who went between two audiences of a mailing, counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from smsby_deploy.audience.phone_set import PhoneSet, number_phones
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
        old.add_all(number_phones(phones))
    people = stayed = 0
    for phones in _people(after, opted_out_after):
        people += len(phones)
        stayed += sum(phone in old for phone in phones)
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
        yield [phone for phone in batch.phones if phone not in opted_out]
