"""What reviewers see beside a plan, collected while the plan reads the audiences: samples, and what changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.plan.baseline import Baseline
from smsby_deploy.plan.chunks import OnBatch
from smsby_deploy.plan.comparison import Base
from smsby_deploy.plan.model import Plan
from smsby_deploy.recipients.audience import Batch
from smsby_deploy.texts.samples import MailingReview, ReviewCollector


class PlanReviewer:
    """Collects samples of every mailing of a plan, and compares its recipients with those of `baseline`."""

    def __init__(self, project: Project, baseline: Baseline) -> None:
        self._mailings = {mailing.address: mailing for mailing in project.mailings}
        self._samples = ReviewCollector(project)
        self._baseline = baseline

    def observe(self, mailing: Mailing) -> OnBatch:
        """Return the function that gets the batches of `mailing` with their texts."""
        add_samples = self._samples.observe(mailing)
        compare = self._baseline.audiences.compare(mailing)

        def on_batch(batch: Batch, texts: Sequence[str]) -> None:
            add_samples(batch, texts)
            if compare is not None:
                compare(batch, texts)

        return on_batch

    def reviews(self, plan: Plan) -> dict[str, MailingReview]:
        """Return the review of each planned mailing, by address; only those that change something have samples."""
        sampled = {action.address for action in (*plan.to_do, *plan.blocked)}
        return {
            action.address: self._samples.review(
                self._mailings[action.address], with_samples=action.address in sampled
            )
            for action in plan.actions
            if action.address in self._mailings
        }

    def base(self, plan: Plan) -> Base:
        """Return the base, with the recipients who joined and left where the audience of a mailing changed."""
        base = self._baseline.base
        digests = {action.address: action.audience_digest for action in (*plan.to_do, *plan.blocked)}
        mailings = {
            address: replace(mailing, moved=self._baseline.audiences.moved(address))
            if digests.get(address, mailing.audience_digest) != mailing.audience_digest
            else mailing
            for address, mailing in base.mailings.items()
        }
        return replace(base, mailings=mailings)
