"""Where a comparison gets its other side from: a saved plan, or a checkout of the base branch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from smsby_deploy.clock import Clock
from smsby_deploy.errors import FilesInvalid, PlanRefused, UsageError
from smsby_deploy.lock.model import Lock
from smsby_deploy.plan.make import make_plan
from smsby_deploy.plan.planfile import read_plan
from smsby_deploy.project.load import load_project
from smsby_deploy.report.compare import Base, base_of_plan


def read_base(path: Path, clock: Clock, environ: Mapping[str, str]) -> Base:
    """The plan saved at `path`, or the project in the folder `path`, planned offline; only a folder knows its texts.

    Raises:
        UsageError: it is neither, or its files are not valid.
    """
    if not path.is_dir():
        try:
            return base_of_plan(read_plan(path), path.name)
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
    plan = make_plan(loaded, select=(), client=None, account=None, lock=lock, clock=clock, new_id="base")
    texts = {
        mailing.address: mailing.text.text if mailing.text else None for mailing in loaded.project.mailings
    }
    return base_of_plan(plan, path.name or "the base", texts)
