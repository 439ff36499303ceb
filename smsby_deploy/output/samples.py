"""What a reviewer sees of a mailing beyond the plan: texts as a few people would read them, the personal starred out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.output.render_text import mask_sample
from smsby_deploy.privacy import mask_values
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.texts.rewrite import Rewriter
from smsby_deploy.texts.samples import Sample, sample_mailing


@dataclass(frozen=True, slots=True)
class MailingDetails:
    """`text` is the template; `split`: people whose text has 1, 2, and 3 or more parts, None where all have the same."""

    zone: str
    text: str | None
    split: tuple[int, int, int] | None = None
    samples: tuple[Sample, ...] = ()


def detail_mailing(
    project: Project, mailing: Mailing, suppressed: PhoneSet, *, with_samples: bool = True
) -> MailingDetails:
    """The masked samples of a mailing: the first, the most expensive, the longest, one for each default applied.

    For them the audience is read once more, as a stream. What can't be rendered is left to the plan's problems.
    """
    text = mailing.text.text if mailing.text else None
    if not with_samples:
        return MailingDetails(mailing.timezone, text)
    try:
        preview = sample_mailing(project, mailing, suppressed, limit=None)
    except FilesInvalid:
        return MailingDetails(mailing.timezone, text)
    rewriter = Rewriter(mailing.rewrite)
    samples = tuple(mask_person(sample, rewriter) for sample in preview.samples)
    return MailingDetails(mailing.timezone, text, preview.split, samples)


def mask_person(sample: Sample, rewriter: Rewriter) -> Sample:
    """The same without its reader's phone and values, also as `rewriter` spells these. Its parts are those of the real
    text: starring a name out may change an encoding, not a length."""
    values = sample.values.values()
    text = mask_values(sample.text, (*values, *map(rewriter.apply, values)))
    return mask_sample(replace(sample, text=text, values={}))
