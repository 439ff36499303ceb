"""What reviewers see beside a plan: samples, and changes against a base.

Both are collected while the plan reads the audiences.
The base of a comparison is a saved plan or a checkout of the base branch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from smsby_deploy.clock import Clock
from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.config.project_loader import LoadedProject, load_project
from smsby_deploy.errors import FilesInvalid, PlanRefused, UsageError
from smsby_deploy.lock.environment import PRODUCTION
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.chunks import OnBatch
from smsby_deploy.plan.comparison import AudienceSets, Base, base_of_plan
from smsby_deploy.plan.model import Plan
from smsby_deploy.plan.plan_file import read_plan
from smsby_deploy.plan.planner import make_plan
from smsby_deploy.plan.selection import is_selected
from smsby_deploy.recipients.audience import Batch
from smsby_deploy.texts.samples import MailingReview, ReviewCollector


@dataclass(frozen=True, slots=True)
class Baseline:
    """A base, and the recipients of its mailings where they can be read.

    `audiences` is empty for a saved plan.
    """

    base: Base
    audiences: AudienceSets = field(default_factory=AudienceSets)


def read_baseline(
    path: Path, clock: Clock, environ: Mapping[str, str], select: Sequence[str], environment: str = PRODUCTION
) -> Baseline:
    """Read the plan saved at `path`, or plan the project in that folder offline.

    It is planned for `environment`, or for production if it has no such environment. Only what `select` matches is kept.

    Raises:
        UsageError: it is neither, or its files are not valid.
    """
    if not path.is_dir():
        try:
            plan = read_plan(path)
        except PlanRefused as error:
            hint = "name a file written by `plan --out`, or a folder with the smsby.yaml of the base"
            raise UsageError(f"--compare: {error.message}", hint=hint) from error
        return Baseline(base_of_plan(_select(plan, select), path.name))
    loaded = _load(path, environ, environment)
    audiences = AudienceSets()
    plan = make_plan(
        loaded,
        select=(),
        client=None,
        account=None,
        lock=Lock(loaded.project.name),
        clock=clock,
        new_id="base",
        observe=audiences.collect,
    )
    texts = {
        mailing.address: mailing.text.text if mailing.text else None for mailing in loaded.project.mailings
    }
    return Baseline(base_of_plan(_select(plan, select), "the base", texts), audiences)


def _load(path: Path, environ: Mapping[str, str], environment: str) -> LoadedProject:
    try:
        with suppress(UsageError):  # the environment may be new
            return load_project(path, environ, environment)
        return load_project(path, environ)
    except FilesInvalid as error:
        raise UsageError(
            f"--compare: the files in {path} are not valid", hint=f"smsby-deploy -C {path} validate"
        ) from error


def _select(plan: Plan, select: Sequence[str]) -> Plan:
    """Leave out what the other plan leaves out on purpose: it was not removed."""
    actions = tuple(action for action in plan.actions if is_selected(action.address, select))
    return replace(plan, actions=actions)


class PlanReviewer:
    """Collects samples of every mailing, and compares recipients with `baseline`."""

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
        """Return the review of each planned mailing, by address.

        Only mailings that change something have samples.
        """
        sampled = {action.address for action in (*plan.to_do, *plan.blocked)}
        return {
            action.address: self._samples.review(
                self._mailings[action.address], with_samples=action.address in sampled
            )
            for action in plan.actions
            if action.address in self._mailings
        }

    def base(self, plan: Plan) -> Base:
        """Return the base, with the recipients who joined and left.

        They are known where the audience of a mailing changed.
        """
        base = self._baseline.base
        digests = {action.address: action.audience_digest for action in (*plan.to_do, *plan.blocked)}
        mailings = {
            address: replace(mailing, moved=self._baseline.audiences.moved(address))
            if digests.get(address, mailing.audience_digest) != mailing.audience_digest
            else mailing
            for address, mailing in base.mailings.items()
        }
        return replace(base, mailings=mailings)
