"""The desired state of one mailing: its audience and chunks according to the files.

What was sent before is irrelevant here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from smsby_deploy.plan.fingerprint import fingerprint
from smsby_deploy.plan.gone import OwnContent
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.rows import DataAge
from smsby_deploy.recipients.suppression import opted_out_places, write_positions
from smsby_deploy.wording import sentence

if TYPE_CHECKING:
    # `validate` loads them only if files are not valid
    from smsby_deploy.config.declarations import Mailing
    from smsby_deploy.lock.counts import PrefixCount
    from smsby_deploy.lock.records import ChunkRecord, Entry
    from smsby_deploy.plan.mailing_test_results import MailingTestResult
    from smsby_deploy.problems import Problem


class AudienceCounts(NamedTuple):
    """rows = invalid + duplicate + suppressed + capped + final + held_out + control.

    `held_out` counts the recipients who are not test phones, None unless only test phones are sent to; `capped` those who
    would get too many messages, None if that was not counted; `control` those in a control group.
    """

    rows: int = 0
    invalid: int = 0
    duplicate: int = 0
    suppressed: int = 0
    final: int = 0
    held_out: int | None = None
    capped: int | None = None
    control: int = 0


class ChunkPlan(NamedTuple):
    """One chunk as planned.

    Digest and fingerprint are computed before suppression, all counts after it. `recipients` is None for a list kept at
    sms.by, `cost` without a price. `schedule_time` is the chunk's own time in ISO format, if its mailing is spread; `wave`
    counts from 1. `opted_out` holds the positions of recipients who opted out, in the format of `opt_out_positions`; None if
    there are none. `left_out` adds the recipients who would get too many messages, if there are any. A plan file does not
    contain parts, cost and encodings.
    """

    fingerprint: str
    recipients: int | None
    digest: str
    parts: int = 0
    cost: Decimal | None = None
    gsm7: int = 0
    ucs2: int = 0
    schedule_time: str | None = None
    variant: str | None = None
    wave: int | None = None
    opted_out: str | None = None
    left_out: str | None = None

    @property
    def gets_nothing(self) -> str:
        """The positions of recipients who get nothing, in the same format."""
        return self.left_out or self.opted_out or ""

    def share(self, recipients: int) -> ChunkPlan:
        """Return the chunk reduced to some of its recipients, all with one text, at average cost."""
        whole = self.recipients or 0
        if recipients >= whole:
            return self
        return self._replace(
            recipients=recipients,
            parts=self.parts * recipients // whole,
            cost=None if self.cost is None else self.cost * (Decimal(recipients) / whole),
            gsm7=self.gsm7 * recipients // whole,
            ucs2=self.ucs2 * recipients // whole,
        )


class Desired(NamedTuple):
    """One mailing as the files ask for it.

    `parts`, `gsm7` and `ucs2` are totals, `longest` is the number of parts of its longest text. `cost` is None without a
    price and for lists; `parts` is None for lists kept at sms.by. `snapshot` is the digest of a query's result, `newest` the
    result of its `freshness` query, `contacts` the digest of the contacts that would be uploaded. `former_content` is the
    content digest that earlier versions recorded, if it differs. Mailings are compared by `text_digest`, which covers the
    text, and `recipients_digest`, which covers the recipients in any order. `phones` are the recipients, if they are kept.
    `opt_out_ages` are the ages of the subtracted opt-outs, if `freshness` limits them. `own` is the mailing's own content,
    without what it shares with others. `languages` counts the recipients of each text, if there is one per language,
    `prefixes` the recipients by the first digits of their phones. `violations` counts the texts that violate
    `required_words` or `forbidden_words`, by this key and the pattern.
    """

    address: str
    revision: int
    via: str
    content_digest: str
    audience_digest: str
    chunks: tuple[ChunkPlan, ...]
    audience: AudienceCounts
    parts: int | None
    gsm7: int
    ucs2: int
    longest: int
    schedule_time: datetime | None
    cost: Decimal | None = None
    snapshot: str | None = None
    newest: datetime | None = None
    body: str = "json"
    contacts: str | None = None
    former_content: str | None = None
    text_digest: str | None = None
    recipients_digest: str | None = None
    phones: PhoneSet | None = None
    opt_out_ages: tuple[DataAge, ...] = ()
    own: OwnContent | None = None
    languages: Mapping[str, int] = MappingProxyType({})
    prefixes: Mapping[str, PrefixCount] | None = None
    violations: Mapping[tuple[str, str], int] = MappingProxyType({})

    @property
    def recipients(self) -> int | None:
        """How many recipients get it, opt-outs subtracted; None for a list kept at sms.by."""
        return None if self.parts is None else self.audience.final

    @property
    def opted_out(self) -> str | None:
        """The positions of those who opted out among all recipients; None for a list at sms.by."""
        if self.parts is None:
            return None
        places: list[int] = []
        before = 0
        for chunk in self.chunks:
            own = [*opted_out_places(chunk.opted_out)]
            places += [before + place for place in own]
            before += (chunk.recipients or 0) + len(own)
        return write_positions(places)

    @property
    def fingerprints(self) -> list[str]:
        return [chunk.fingerprint for chunk in self.chunks]

    @property
    def send_times(self) -> tuple[datetime | None, ...]:
        """When each chunk is sent; None for on apply."""
        if not any(chunk.schedule_time for chunk in self.chunks):
            return (self.schedule_time,) * len(self.chunks)
        times = (chunk.schedule_time for chunk in self.chunks)
        return tuple(datetime.fromisoformat(time) if time else self.schedule_time for time in times)

    def fingerprints_as(self, scope: str, address: str, revision: int) -> set[str]:
        """Return the fingerprints that its chunks have in another project or under another address."""
        return {
            fingerprint(scope, address, revision, index, chunk.digest)
            for index, chunk in enumerate(self.chunks)
        }

    def has_content(self, digest: str) -> bool:
        """Whether `digest` is its content digest, as this version or an earlier one computes it."""
        return digest in (self.content_digest, self.former_content)


class MeasuredMailing(NamedTuple):
    """A mailing as its files describe it.

    `desired` is None if the files cannot be read or the template cannot be compiled, which is allowed if the mailing
    `is_excused`. `problems` are those of its recipients and texts, `tests` the results of its own tests.
    """

    mailing: Mailing
    desired: Desired | None
    problems: tuple[Problem, ...]
    tests: tuple[MailingTestResult, ...] = ()
    is_excused: bool = False


def keep_fingerprints(desired: Desired, entry: Entry | None) -> Desired:
    """Return `desired` with the fingerprints that the lock has recorded for its chunks.

    After a rotation of the digest key, or under another address, sms.by knows the chunks by these.
    """
    if entry is None or entry.revision != desired.revision:
        return desired
    recorded = entry.chunks[: len(desired.chunks)]
    kept = [
        now._replace(fingerprint=then.fingerprint) if then.digest == now.digest else now
        for then, now in zip(recorded, desired.chunks, strict=False)
    ]
    return desired._replace(chunks=(*kept, *desired.chunks[len(kept) :]))


def spread_chunks(chunks: Sequence[ChunkPlan], start: datetime, over: timedelta) -> tuple[ChunkPlan, ...]:
    """Return `chunks` with times in whole seconds, evenly spaced over the span from `start`."""
    instant = start.astimezone(UTC)  # a zone's own clock may skip or repeat an hour
    seconds, count = int(over.total_seconds()), len(chunks)
    times = (instant + timedelta(seconds=seconds * index // count) for index in range(count))
    return tuple(
        chunk._replace(schedule_time=time.astimezone(start.tzinfo).isoformat())
        for chunk, time in zip(chunks, times, strict=True)
    )


class SendTimes(NamedTuple):
    """When the chunks of a spread mailing are sent, and to how many recipients."""

    first: datetime
    last: datetime
    chunks: int
    recipients: int

    @property
    def until(self) -> str:
        """The last time, with its date if that is not the first day: `12:52`."""
        if self.last.date() == self.first.date():
            return f"{self.last:%H:%M}"
        return sentence("{time}", time=self.last)

    @property
    def span(self) -> str:
        """`2026-12-01 10:00 +03 to 12:52`."""
        return sentence("{first} to {last}", first=self.first, last=self.until)

    @property
    def pace(self) -> str:
        """`24 chunks, one every 7 min 30 s, about 8,000 recipients per hour`."""
        if self.chunks == 1:
            return sentence(
                "1 chunk, so all are sent at once; lower api.recipients_per_request for more chunks"
            )
        step = (self.last - self.first) / (self.chunks - 1)
        if not step:
            return sentence("{chunks:chunk|chunks}, all at once", chunks=self.chunks)
        per_hour = round(self.recipients / (step * self.chunks / timedelta(hours=1)))
        minutes, seconds = divmod(round(step.total_seconds()), 60)
        every = sentence("{minutes} min {seconds} s", minutes=minutes, seconds=seconds)
        if not seconds:
            every = sentence("{count} min", count=minutes)
        if not per_hour:
            return sentence(
                "{chunks:chunk|chunks}, one every {every}, about {count:recipient|recipients} per day",
                chunks=self.chunks,
                every=every,
                count=round(self.recipients / (step * self.chunks / timedelta(days=1))),
            )
        return sentence(
            "{chunks:chunk|chunks}, one every {every}, about {count:recipient|recipients} per hour",
            chunks=self.chunks,
            every=every,
            count=per_hour,
        )


def times_of(chunks: Sequence[ChunkRecord | ChunkPlan]) -> SendTimes | None:
    """Return when the chunks of a mailing are sent; None if it is not spread."""
    times = [datetime.fromisoformat(chunk.schedule_time) for chunk in chunks if chunk.schedule_time]
    if not times:
        return None
    return SendTimes(min(times), max(times), len(times), sum(chunk.recipients or 0 for chunk in chunks))


_Key = TypeVar("_Key", str, int)


class GroupTotals(NamedTuple, Generic[_Key]):
    """The totals of a variant or wave, without opt-outs; `cost` is None without a price."""

    key: _Key
    recipients: int
    parts: int
    cost: Decimal | None


def totals_by(
    chunks: Sequence[ChunkPlan], key_of: Callable[[ChunkPlan], _Key | None]
) -> tuple[GroupTotals[_Key], ...]:
    """Return the totals of each variant or wave, sorted; () if the mailing has none."""
    groups: dict[_Key, list[ChunkPlan]] = {}
    for chunk in chunks:
        if (key := key_of(chunk)) is not None:
            groups.setdefault(key, []).append(chunk)
    return tuple(_add_up(key, groups[key]) for key in sorted(groups))


def _add_up(key: _Key, chunks: Sequence[ChunkPlan]) -> GroupTotals[_Key]:
    costs = [chunk.cost for chunk in chunks if chunk.cost is not None]
    return GroupTotals(
        key,
        recipients=sum(chunk.recipients or 0 for chunk in chunks),
        parts=sum(chunk.parts for chunk in chunks),
        cost=sum(costs, Decimal(0)) if len(costs) == len(chunks) else None,
    )
