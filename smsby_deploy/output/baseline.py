"""Where a comparison gets its other side from: a saved plan, or a checkout of the base branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from smsby_deploy.clock import Clock
from smsby_deploy.config.declarations import Project
from smsby_deploy.config.project_loader import load_project
from smsby_deploy.errors import FilesInvalid, PlanRefused, UsageError
from smsby_deploy.lock.records import Lock
from smsby_deploy.output.audience_diff import count_moved
from smsby_deploy.output.comparison import Base, base_of_plan
from smsby_deploy.plan.model import Plan
from smsby_deploy.plan.plan_file import read_plan
from smsby_deploy.plan.planner import make_plan
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.suppression import load_suppression


def read_base(
    path: Path, clock: Clock, environ: Mapping[str, str], project: Project, suppressed: PhoneSet, plan: Plan
) -> Base:
    """The plan saved at `path`, or the project in the folder `path`, planned offline, to compare `plan` of `project` with.

    Only a folder knows its texts, and who came and who went. `suppressed` are the opt-outs of `project`.

    Raises:
        UsageError: it is neither, or its files are not valid.
    """
    if not path.is_dir():
        try:
            return base_of_plan(_selected(read_plan(path), plan.select), path.name)
        except PlanRefused as error:
            hint = "name a file that `plan --out` wrote, or a folder that holds the base's smsby.yaml"
            raise UsageError(f"--compare: {error.message}", hint=hint) from error
    try:
        loaded = load_project(path, environ)
    except FilesInvalid as error:
        raise UsageError(
            f"--compare: the files in {path} are not valid", hint=f"smsby-deploy -C {path} validate"
        ) from error
    lock = Lock(loaded.project.name)
    before = make_plan(loaded, select=(), client=None, account=None, lock=lock, clock=clock, new_id="base")
    mailings = {mailing.address: mailing for mailing in loaded.project.mailings}
    texts = {address: mailing.text.text if mailing.text else None for address, mailing in mailings.items()}
    opted_out, _ = load_suppression(loaded.project.suppress)
    now = {mailing.address: mailing for mailing in project.mailings}
    digests = {action.address: action.audience_digest for action in before.actions}
    moved: dict[str, tuple[int, int]] = {}
    for action in (*plan.to_do, *plan.blocked):
        address = action.address
        if address not in now or digests.get(address) in (None, action.audience_digest):
            continue
        counts = count_moved(mailings[address], opted_out, now[address], suppressed)
        if counts is not None:
            moved[address] = counts
    return base_of_plan(_selected(before, plan.select), "the base", texts, moved)


def _selected(plan: Plan, select: Sequence[str]) -> Plan:
    """Without what the other plan leaves out on purpose: it is not gone."""
    kept = [one for one in plan.actions if not select or any(fnmatchcase(one.address, s) for s in select)]
    return replace(plan, actions=tuple(kept))
