"""What a reviewer sees of a mailing beside its plan: the template, and masked samples.

The samples are collected while the plan reads the audiences, so that no audience is read twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.privacy import mask_values
from smsby_deploy.recipients.audience import Batch
from smsby_deploy.texts.mailing_texts import rows_file
from smsby_deploy.texts.rewrite import Rewriter
from smsby_deploy.texts.sample_selector import SampleSelector
from smsby_deploy.texts.samples import Sample, find_defaults, make_sample, mask_sample, sample_shared_text


@dataclass(frozen=True, slots=True)
class MailingReview:
    """The template of a mailing, and samples in which phones and the recipients' values are masked.

    `by_parts` counts the recipients whose text has 1, 2, and 3 or more parts; None where all have the same text.
    """

    timezone: str
    text: str | None
    by_parts: tuple[int, int, int] | None = None
    samples: tuple[Sample, ...] = ()


@dataclass(slots=True)
class ReviewCollector:
    """Collects the samples of a project's mailings while a plan reads their audiences."""

    project: Project
    _selectors: dict[str, SampleSelector] = field(default_factory=dict)

    def observe(self, mailing: Mailing) -> Callable[[Batch, Sequence[str]], None]:
        """Return the function that gets the batches of `mailing` with their texts.

        Batches have no texts if all recipients get the same one.
        """
        selector = SampleSelector(self.project.price, pending_defaults=find_defaults(mailing))

        def on_batch(batch: Batch, texts: Sequence[str]) -> None:
            if texts:
                self._selectors[mailing.address] = selector
                selector.add(batch, texts)

        return on_batch

    def review(self, mailing: Mailing, *, with_samples: bool = True) -> MailingReview:
        """Return the review of a mailing whose audience was read.

        Texts that cannot be rendered are left out: the plan reports them.
        """
        review = MailingReview(mailing.timezone, mailing.text.text if mailing.text else None)
        if not with_samples:
            return review
        selector = self._selectors.get(mailing.address)
        if selector is None:
            try:
                shared = sample_shared_text(mailing, self.project.price)
            except FilesInvalid:
                return review
            return replace(review, samples=tuple(map(mask_sample, shared.samples)))
        file, rewriter = rows_file(mailing), Rewriter(mailing.rewrite)
        samples = (make_sample(candidate, file, why=why) for candidate, why in selector.selected())
        return replace(
            review,
            by_parts=selector.by_parts,
            samples=tuple(_mask_recipient(sample, rewriter) for sample in samples),
        )


def _mask_recipient(sample: Sample, rewriter: Rewriter) -> Sample:
    """`sample` without the recipient's phone and values, also as `rewriter` spells them.

    The parts stay those of the real text: masking may change a text's encoding, but not its length.
    """
    values = sample.values.values()
    text = mask_values(sample.text, (*values, *map(rewriter.apply, values)))
    return mask_sample(replace(sample, text=text))
