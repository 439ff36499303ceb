"""What a mailing's recipients and texts come to, counted while they stream by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress

from smsby_deploy.plan.content_policy import ContentPolicy
from smsby_deploy.plan.fingerprint import AudienceDigest
from smsby_deploy.plan.progress_callback import NO_PROGRESS, ReadProgress
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.recipients.audience import AudienceReport
from smsby_deploy.texts.cost_report import CostReport
from smsby_deploy.texts.parts import Encoding, TextSize, TextTooLong, measure_batch, measure_text

_MOST_PROBLEMS = 1000  # of the texts of one mailing


@dataclass(slots=True)
class AudienceTally:
    """What the stream counted on its way; complete when the stream is at its end."""

    report: AudienceReport = field(default_factory=AudienceReport)
    problems: list[Problem] = field(default_factory=list)
    suppressed: int = 0
    final: int = 0
    parts: int = 0
    gsm7: int = 0
    ucs2: int = 0
    longest: int = 0
    audience: AudienceDigest = field(default_factory=AudienceDigest)
    content: str = ""  # the digest of what the mailing says and when
    figures: CostReport = field(default_factory=CostReport)
    rows_file: str = ""  # where the recipients stand
    policy: ContentPolicy | None = None
    progress: ReadProgress = NO_PROGRESS
    untold: int = 0  # problems of texts beyond the most that are kept
    is_ahead: bool = False  # a long list is read by a process of its own
    is_counting: bool = True  # else only what is wrong is kept, for who counted already

    def keep(self, found: Sequence[Problem]) -> None:
        """Add problems of single texts; beyond a thousand they are only counted, so that memory stays flat."""
        room = max(0, _MOST_PROBLEMS - len(self.problems))
        self.problems.extend(found[:room])
        self.untold += len(found[room:])

    def count_alike(self, text: str, phones: Sequence[str], reached: bytearray) -> None:
        """Count one text that all of `phones` get but those whose `reached` is 0: they opted out."""
        self.suppressed += reached.count(0)
        self._count_text(text, list(compress(phones, reached)), None)

    def count(
        self, texts: Sequence[str], phones: Sequence[str], rows: Sequence[int], reached: bytearray
    ) -> None:
        """Count the texts of `phones`, which stand at the lines `rows`; those whose `reached` is 0 opted out."""
        out = reached.count(0)
        self.suppressed += out
        sent = list(compress(texts, reached)) if out else texts
        size = measure_batch(sent) if self.figures.is_by_parts else None
        if size is None:
            for text, phone, row in compress(zip(texts, phones, rows, strict=True), reached):
                self._count_text(text, (phone,), row)
            return
        self.figures.count_parts(size.parts)
        self.final += len(sent)
        self.parts += size.parts
        self.longest = max(self.longest, size.longest)
        self.gsm7 += size.gsm7
        self.ucs2 += len(sent) - size.gsm7
        if self.policy is not None:
            for text in sent:
                self.policy.check(text)

    def measure(self, text: str, row: int | None = None) -> TextSize | None:
        """The size of a text, which the recipient at the line `row` gets, or everybody; None if it is empty, which was
        told where it was rendered, or too long, which is told here."""
        if not text:
            return None
        try:
            return measure_text(text)
        except TextTooLong as error:
            where = f" ({self.rows_file}:{row})" if row is not None else ""
            problem = Problem(Severity.ERROR, "TOO_LONG", error.message + where)
            if row is not None or problem not in self.problems:  # a bulk text is measured once a chunk
                self.keep([problem])
            return None

    def _count_text(self, text: str, phones: Sequence[str], row: int | None) -> None:
        """Count a text that all of `phones` get; `row` is the line of a single one. One that can't be sent has no parts."""
        people = len(phones)
        size = self.measure(text, row)
        self.final += people
        if size is None or not people:
            return
        self.figures.count(text, size, phones, row)
        self.parts += size.parts * people
        self.longest = max(self.longest, size.parts)
        if size.encoding is Encoding.GSM7:
            self.gsm7 += people
        else:
            self.ucs2 += people
        if self.policy is not None:
            self.policy.check(text, people)
