"""The texts of one mailing's recipients: from its template, or each recipient's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from smsby_deploy.config.declarations import ContactList, InlineRecipients, Mailing
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.audience import Batch
from smsby_deploy.texts.rewrite import Rewriter
from smsby_deploy.texts.template import RenderedBatch, Template, placeholder_problems
from smsby_deploy.wording import counted

_MOST_PROBLEMS = 1000  # kept per mailing


def is_personal(mailing: Mailing, template: Template | None) -> bool:
    """Whether recipients of `mailing` may get different texts."""
    if template is None or template.is_personal:
        return True
    return isinstance(mailing.audience, InlineRecipients) and any(
        recipient.text is not None for recipient in mailing.audience.rows
    )


def rows_file(mailing: Mailing) -> str:
    """The name of the file with the mailing's recipients, as messages show it."""
    if isinstance(mailing.audience, InlineRecipients | ContactList):
        return mailing.file
    return mailing.audience.name


def render_texts(mailing: Mailing, template: Template | None, batch: Batch) -> RenderedBatch:
    """Return the text of each recipient of `batch`, "" where there is none, and the problems."""
    file = rows_file(mailing)
    if template is not None:
        return template.render_batch(batch, rows_file=file, address=mailing.address)
    rewriter = Rewriter(mailing.rewrite)
    texts = [rewriter.apply((text or "").strip()) for text in batch.texts]
    message = "this recipient has no text: fill it in, or set `text` in the mailing"
    problems = [
        Problem(Severity.ERROR, "TEMPLATE", message, mailing.address, Location(file, line))
        for text, line in zip(texts, batch.lines, strict=True)
        if not text
    ]
    problems.extend(placeholder_problems(texts, batch, rows_file=file, address=mailing.address))
    return RenderedBatch(texts, problems, rewriter.replaced)


@dataclass(slots=True)
class KeptProblems:
    """Problems of texts: the first thousand, and the number of the others, so that memory stays flat."""

    kept: list[Problem] = field(default_factory=list)
    dropped: int = 0

    def keep(self, found: Sequence[Problem]) -> None:
        """Add problems; beyond the first thousand they are only counted."""
        room = max(0, _MOST_PROBLEMS - len(self.kept))
        self.kept.extend(found[:room])
        self.dropped += len(found[room:])

    def all_of(self, mailing: Mailing) -> list[Problem]:
        """Return the kept problems, led by the number of the others: of a long list only the beginning is shown."""
        if not self.dropped:
            return self.kept
        message = (
            f"{counted(self.dropped, 'more text')} of this mailing cannot be sent; only the first are listed"
        )
        return [problem_at_text(mailing, "TEMPLATE", message), *self.kept]


def problem_at_text(mailing: Mailing, code: str, message: str) -> Problem:
    """Return an error at the text of `mailing`."""
    location = mailing.text.location if mailing.text else mailing.location
    return Problem(Severity.ERROR, code, message, mailing.address, location)
