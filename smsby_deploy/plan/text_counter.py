"""Counts of a mailing's texts: recipients, parts, encodings, cost.

They are counted chunk by chunk while the texts stream by. The content policy, required and forbidden words, is checked
on the same texts.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import compress
from operator import itemgetter
from typing import TYPE_CHECKING

from smsby_deploy.config.declarations import Guardrails, Mailing, Price
from smsby_deploy.config.project_files import PROJECT_FILE
from smsby_deploy.config.sources import InlineRecipients
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.plan.chunks import Chunk
from smsby_deploy.plan.desired import AudienceCounts, ChunkPlan, Desired
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.audience import AudienceReport
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.rows import find_inline
from smsby_deploy.recipients.suppression import opt_out_positions
from smsby_deploy.texts.cost import CostReport
from smsby_deploy.texts.parts import BatchSize, Encoding, TextSize, TextTooLong, measure_batch, measure_text
from smsby_deploy.texts.pattern_search import PatternTooSlow, is_found
from smsby_deploy.texts.template import KeptProblems, Template, is_personal, rows_file
from smsby_deploy.wording import money_or_none, sentence

if TYPE_CHECKING:
    from smsby_deploy.lock.counts import PrefixCount


@dataclass(slots=True)
class ContentPolicy:
    """Counts the texts that violate a rule, one per recipient, by guardrail and pattern."""

    guardrails: Guardrails
    violations: Counter[tuple[str, str]] = field(default_factory=Counter)
    locations: Mapping[str, Location] = field(default_factory=dict)

    @property
    def has_rules(self) -> bool:
        return bool(self.guardrails.required_words or self.guardrails.forbidden_words)

    def check(self, text: str, recipients: int = 1) -> None:
        """Check a text that `recipients` get; raises FilesInvalid if a pattern takes too long."""
        for pattern in self.guardrails.required_words:
            if not self._is_found("required_words", pattern, text):
                self.violations["required_words", pattern] += recipients
        for pattern in self.guardrails.forbidden_words:
            if self._is_found("forbidden_words", pattern, text):
                self.violations["forbidden_words", pattern] += recipients

    def _is_found(self, guardrail: str, pattern: str, text: str) -> bool:
        try:
            return is_found(pattern, text, re.IGNORECASE)
        except PatternTooSlow as error:
            message = sentence("{key}: {pattern} {why}", key=guardrail, pattern=pattern, why=error.message)
            place = self.locations.get(f"guardrails.{guardrail}") or Location(PROJECT_FILE)
            raise FilesInvalid([Problem(Severity.ERROR, "GUARDRAIL", message, location=place)]) from None


@dataclass(slots=True)
class TextTotals:
    """The counts so far, opt-outs subtracted; `longest` is the parts of the longest text."""

    suppressed: int = 0
    recipients: int = 0
    parts: int = 0
    gsm7: int = 0
    ucs2: int = 0
    longest: int = 0


_MOST_PREFIXES = 200  # counted separately; further ones are counted together
_MOST_SEARCHED = 8  # prefixes; with more, searching for each is slower than slicing each phone
_PREFIX_LENGTH = 5
_prefix_of = itemgetter(slice(_PREFIX_LENGTH))  # 375 and two digits of the operator


class PrefixCounter:
    """Counts recipients, parts and cost by the first five digits of the phones."""

    def __init__(self, price: Price | None) -> None:
        self._price = price
        self._recipients: Counter[str] = Counter()
        self._parts: Counter[str] = Counter()
        self._costs: defaultdict[str, Decimal] = defaultdict(Decimal)  # only if they depend on the phone

    @property
    def counts(self) -> dict[str, PrefixCount]:
        """The counts by prefix, the most frequent prefix first."""
        ranked = [prefix for prefix, _ in self._recipients.most_common()]
        kept, rest = ranked[:_MOST_PREFIXES], ranked[_MOST_PREFIXES:]
        found = {prefix: self._sum([prefix]) for prefix in kept}
        return {**found, "other": self._sum(rest)} if rest else found

    def add(self, phones: Sequence[str], parts: int) -> None:
        """Count `phones`, which all get a text of this many parts."""
        for prefix, count in Counter(map(_prefix_of, phones)).items():
            self._recipients[prefix] += count
            self._parts[prefix] += count * parts
        if self._price is not None and self._price.per_prefix:
            for phone in phones:
                self._costs[_prefix_of(phone)] += parts * self._price.for_phone(phone)

    def add_each(self, phones: Sequence[str], size: BatchSize) -> None:
        """Count `phones`; `size` measures their texts, one per phone."""
        usual = 1 + size.by_parts.index(max(size.by_parts))
        found = self._count(phones)
        self._recipients.update(found)
        for prefix, count in found.items():
            self._parts[prefix] += count * usual
        for parts, texts in enumerate(size.by_parts, start=1):
            if texts and parts != usual:
                others = list(compress(phones, size.mark_texts_of(parts)))
                for prefix, count in self._count(others).items():
                    self._parts[prefix] += count * (parts - usual)

    def _count(self, phones: Sequence[str]) -> Mapping[str, int]:
        """Count `phones` by prefix; searching for known ones is three times as fast as slicing."""
        if len(self._recipients) <= _MOST_SEARCHED:
            joined = "\n" + "\n".join(phones)
            known = [prefix for prefix in self._recipients if len(prefix) == _PREFIX_LENGTH]
            found = {prefix: count for prefix in known if (count := joined.count(f"\n{prefix}"))}
            if sum(found.values()) == len(phones):
                return found
        return Counter(map(_prefix_of, phones))

    def _sum(self, prefixes: Sequence[str]) -> PrefixCount:
        from smsby_deploy.lock.counts import PrefixCount  # `validate` loads it only if files are not valid

        parts = sum(self._parts[prefix] for prefix in prefixes)
        cost = None if self._price is None else parts * self._price.per_part
        if self._price is not None and self._price.per_prefix:
            cost = sum((self._costs[prefix] for prefix in prefixes), Decimal(0))
        recipients = sum(self._recipients[prefix] for prefix in prefixes)
        return PrefixCount(recipients, parts, money_or_none(cost))


class TextCounter:
    """Counts texts.

    `policy` checks each of them. Texts that cannot be sent are added to `problems` and have no parts.
    """

    def __init__(
        self,
        mailing: Mailing,
        template: Template,
        price: Price | None,
        problems: KeptProblems,
        policy: ContentPolicy | None = None,
        *,
        by_prefix: bool = False,
    ) -> None:
        self.totals = TextTotals()
        self.costs = CostReport(price)
        self.has_invisible = False  # texts may contain invisible characters, which take up room
        self._mailing = mailing
        self._template = template
        self._is_personal = is_personal(mailing, template)
        self._file = rows_file(mailing)
        self._problems = problems
        self._policy = policy if policy is not None and policy.has_rules else None
        self._prefixes = PrefixCounter(price) if by_prefix else None

    @property
    def prefixes(self) -> dict[str, PrefixCount] | None:
        """The counts by the first digits of the phones; None unless they are counted `by_prefix`."""
        return None if self._prefixes is None else self._prefixes.counts

    def count_audience(self, report: AudienceReport) -> AudienceCounts:
        """Return the counts from rows to recipients, which add up to the rows of `report`."""
        return AudienceCounts(
            rows=report.rows,
            invalid=report.invalid,
            duplicate=report.duplicate,
            suppressed=self.totals.suppressed + report.control_opted_out - (report.held_out or 0),
            final=self.totals.recipients,
            held_out=report.held_out,
            control=report.control,
        )

    def describe(
        self, report: AudienceReport, content: str, audience: str, chunks: Sequence[ChunkPlan]
    ) -> Desired:
        """Return the mailing as far as it was counted; `content` and `audience` are digests."""
        mailing, totals = self._mailing, self.totals
        return Desired(
            address=mailing.address,
            revision=mailing.revision,
            via=mailing.via,
            content_digest=content,
            audience_digest=audience,
            chunks=tuple(chunks),
            audience=self.count_audience(report),
            parts=totals.parts,
            gsm7=totals.gsm7,
            ucs2=totals.ucs2,
            longest=totals.longest,
            schedule_time=mailing.schedule_time,
            cost=self.costs.cost,
            snapshot=report.facts.snapshot,
            newest=report.facts.newest,
            recipients_digest=report.recipients_digest,
            phones=report.phones,
            prefixes=self.prefixes,
        )

    def count_chunk(self, chunk: Chunk) -> ChunkPlan:
        """Count the texts of one chunk and return its share of the totals."""
        before, cost_before = replace(self.totals), self.costs.cost
        if self._is_personal:
            self._count_texts(chunk.texts or [chunk.text or ""] * len(chunk.phones), chunk)
        else:
            self.count_same(chunk.text or "", chunk.phones, chunk.not_suppressed)
        after, cost = self.totals, self.costs.cost
        return ChunkPlan(
            chunk.fingerprint,
            after.recipients - before.recipients,
            chunk.digest,
            after.parts - before.parts,
            None if cost is None else cost - (cost_before or 0),
            after.gsm7 - before.gsm7,
            after.ucs2 - before.ucs2,
            opted_out=opt_out_positions(chunk.not_suppressed),
            variant=chunk.group.variant,
            wave=chunk.group.wave,
        )

    def count_batch(self, batch: Batch, texts: Sequence[str]) -> None:
        """Count the texts of a batch; `texts` is empty if all recipients get the template's."""
        if self._is_personal:
            self._count_texts(texts, batch)
        else:
            self.count_same(self._template.render_once(), batch.phones, batch.not_suppressed)

    def count_same(self, text: str, phones: Sequence[str], not_suppressed: bytearray) -> None:
        """Count one text that all of `phones` get, except those whose `not_suppressed` is 0."""
        self.totals.suppressed += not_suppressed.count(0)
        self._count_text(text, list(compress(phones, not_suppressed)), None)

    def measure(self, text: str, row: int | None = None) -> TextSize | None:
        """Return the size of a text; `row` is the line of a single recipient.

        None if it is empty, which was reported when it was rendered, or if it is too long, which is reported here.
        """
        if not text:
            return None
        try:
            return measure_text(text)
        except TextTooLong as error:
            message, place = error.message, None
            if row is not None and self._is_own_text(row):
                place = Location(self._file, row)
            elif row is not None:
                message = sentence("{message} ({place})", message=message, place=Location(self._file, row))
            problem = Problem(Severity.ERROR, "TOO_LONG", message, self._mailing.address, place)
            # A text for all is measured once per chunk.
            if row is not None or problem not in self._problems.kept:
                self._problems.keep([problem])
            return None

    def _is_own_text(self, line: int) -> bool:
        """Whether the recipient on a line has their own text instead of the mailing's."""
        audience = self._mailing.audience
        if not self._template.texts or not isinstance(audience, InlineRecipients):
            return not self._template.texts
        index = find_inline(audience, line)
        return index is not None and "text" in audience.rows[index]

    def find_problems(self) -> Iterator[Problem]:
        """Yield what a reviewer should know about the cost of the texts."""
        self.costs.replaced |= self._template.replaced
        return self.costs.problems(self._mailing, self._template, self._file)

    def _count_texts(self, texts: Sequence[str], some: Chunk | Batch) -> None:
        suppressed, totals = some.not_suppressed.count(0), self.totals
        totals.suppressed += suppressed
        sent = list(compress(texts, some.not_suppressed)) if suppressed else texts
        size = measure_batch(sent) if self.costs.is_by_parts and not self.has_invisible else None
        if size is None:
            rows = zip(texts, some.phones, some.lines, strict=True)
            for text, phone, line in compress(rows, some.not_suppressed):
                self._count_text(text, (phone,), line)
            return
        self.costs.count_parts(size.parts)
        if self._prefixes is not None:
            phones = list(compress(some.phones, some.not_suppressed)) if suppressed else some.phones
            self._prefixes.add_each(phones, size)
        totals.recipients += len(sent)
        totals.parts += size.parts
        totals.longest = max(totals.longest, size.longest)
        totals.gsm7 += size.gsm7
        totals.ucs2 += len(sent) - size.gsm7
        if self._policy is not None:
            for text in sent:
                self._policy.check(text)

    def _count_text(self, text: str, phones: Sequence[str], row: int | None) -> None:
        recipients, totals = len(phones), self.totals
        size = self.measure(text, row)
        totals.recipients += recipients
        if size is None or not recipients:
            return
        self.costs.count(text, size, phones, row)
        if self._prefixes is not None:
            self._prefixes.add(phones, size.parts)
        totals.parts += size.parts * recipients
        totals.longest = max(totals.longest, size.parts)
        if size.encoding is Encoding.GSM7:
            totals.gsm7 += recipients
        else:
            totals.ucs2 += recipients
        if self._policy is not None:
            self._policy.check(text, recipients)
