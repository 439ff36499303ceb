"""What reviewers see besides a plan: samples, and changes against a base.

Both are collected while the plan reads the audiences. The base of a comparison is a saved plan or a checkout of the base
branch. Parts of the base that cannot be read are reported but are no errors, because the pull request may be what makes it
valid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from smsby_deploy.clock import Clock
from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.config.project_files import PROJECT_FILE
from smsby_deploy.config.project_loader import PROJECT_SUBFOLDER, LoadedProject, ProjectFlawed, load_project
from smsby_deploy.config.yaml_nodes import YamlMap, read_yaml
from smsby_deploy.digest_key import read_digest_key
from smsby_deploy.errors import FilesInvalid, PlanRefused, SmsbyDeployError, UsageError
from smsby_deploy.files import may_be_file
from smsby_deploy.lock.archive import with_archived
from smsby_deploy.lock.opening import open_lock_at
from smsby_deploy.lock.places import PRODUCTION, LockPlace
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.base_changes import (
    BaseChanges,
    LockSide,
    SettingChange,
    compare_entries,
    compare_facts,
    compare_locks,
    compare_settings,
    compare_signers,
)
from smsby_deploy.plan.base_comparison import AudienceSets, Base, base_of_lock, base_of_plan
from smsby_deploy.plan.chunks import OnBatch
from smsby_deploy.plan.model import Plan
from smsby_deploy.plan.plan_file import read_plan
from smsby_deploy.plan.planner import MeasuredFiles, measure_files
from smsby_deploy.plan.selection import selector
from smsby_deploy.plan.staleness import describe_keys, stamp_entries
from smsby_deploy.problems import Problem, has_errors
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.suppression import load_suppression
from smsby_deploy.smsby.facts import AccountFacts, read_accounts
from smsby_deploy.texts.reviewed_text import reviewed_text
from smsby_deploy.texts.samples import MailingReview, ReviewCollector
from smsby_deploy.wording import sentence


@dataclass(frozen=True, slots=True)
class SavedBase:
    """A saved plan, with the digests of smsby.yaml and the lock's entries, not their content."""

    plan: Plan
    label: str


@dataclass(frozen=True, slots=True)
class CheckoutBase:
    """The project in another folder, as far as it can be read.

    `settings` are the keys of its smsby.yaml, `lock` is its lock in the same environment; None if unknown. `gaps` say why.
    """

    settings: YamlMap | None
    loaded: LoadedProject | None
    lock: Lock | None
    gaps: tuple[str, ...]
    label: str = sentence("the base")


def read_base(
    path: Path, environ: Mapping[str, str], environment: str = PRODUCTION
) -> SavedBase | CheckoutBase:
    """Read the plan saved at `path`, or the project in that folder.

    A project is read for `environment`, or for production if it has no such environment.

    Raises:
        UsageError: it is neither a folder nor a saved plan, or a plan with another digest key.
    """
    if path.is_dir():
        return _read_checkout(path, environ, environment)
    try:
        plan = read_plan(path)
    except PlanRefused as error:
        hint = "name a file written by `plan --out`, or a folder with the smsby.yaml of the base"
        raise UsageError(f"--compare: {error.message}", hint=hint) from error
    if plan.digest_key != (known := read_digest_key(environ).id):
        why = describe_keys(plan.digest_key, known)
        raise UsageError(f"--compare: {path.name} cannot be compared: {why}", hint="compare with a checkout")
    return SavedBase(plan, path.name)


def _read_checkout(folder: Path, environ: Mapping[str, str], environment: str) -> CheckoutBase:
    places = (folder, folder / PROJECT_SUBFOLDER)
    path = next((one for one in places if may_be_file(one / PROJECT_FILE)), None)
    if path is None:
        gap = sentence(
            "the base has no {file}, so every setting and every entry of the lock is new", file=PROJECT_FILE
        )
        return CheckoutBase(YamlMap((1, 1)), None, Lock(""), (gap,))
    try:
        settings = read_yaml(path / PROJECT_FILE, PROJECT_FILE)
    except FilesInvalid:
        gap = sentence(
            "the {file} of the base cannot be read, so neither settings nor lock were compared with it",
            file=PROJECT_FILE,
        )
        return CheckoutBase(None, None, None, (gap,))
    try:
        loaded = _load(path, environ, environment)
    except ProjectFlawed as error:
        loaded = error.loaded
    except FilesInvalid:
        gap = sentence(
            "the {file} of the base is not valid, so the lock was not compared with it", file=PROJECT_FILE
        )
        return CheckoutBase(settings, None, None, (gap,))
    gaps: list[str] = []
    if has_errors(loaded.problems):
        gaps.append(
            sentence("the files of the base are not valid, so it was compared as far as they can be read")
        )
    lock: Lock | None = Lock(loaded.project.name)
    if environment == loaded.project.environment.name:
        try:
            lock = open_lock_at(loaded.project.lock_place, loaded.project.name, path).read()
        except SmsbyDeployError as error:
            lock = None
            gaps.append(sentence("the lock of the base was not compared: {why}", why=error.message))
    return CheckoutBase(settings, loaded, lock, tuple(gaps))


def _load(path: Path, environ: Mapping[str, str], environment: str) -> LoadedProject:
    with suppress(UsageError):  # the environment may be new
        return load_project(path, environ, environment)
    return load_project(path, environ)


def compare_plan(
    plan: Plan,
    base: SavedBase | CheckoutBase,
    files: MeasuredFiles,
    environ: Mapping[str, str],
    reviewer: PlanReviewer | None = None,
) -> Plan:
    """Return `plan`, made from `files`, with what differs from `base` besides the mailings.

    A `reviewer` has already read the opt-outs of the base. The token is never shown. Records that a rehearsal leaves in the
    lock of a sandbox do not count.
    """
    project, lock = files.loaded.project, files.lock
    side = LockSide(project.lock.relative_to(project.root).as_posix(), base.label)
    if isinstance(base, SavedBase):
        is_same = base.plan.inputs.get(PROJECT_FILE) == plan.inputs.get(PROJECT_FILE)
        gap = sentence(
            "{file} differs from that of {base}; compare with a checkout to see what differs",
            file=PROJECT_FILE,
            base=base.label,
        )
        changes = BaseChanges(base.label, gaps=() if is_same else (gap,))
        selected = {one.address for one in base.plan.actions} if base.plan.select else None
        found = [*compare_with_stamps(base.plan.lock.entries, lock, side, selected)]
    else:
        after = read_yaml(project.root / PROJECT_FILE, PROJECT_FILE)
        token_env = project.environment.token_env
        token = environ.get(token_env, "") if token_env else ""
        settings = () if base.settings is None else compare_settings(base.settings, after, token)
        opt_outs = _compare_opt_outs(base, files.suppressed, None if reviewer is None else reviewer.opted_out)
        settings = (*_compare_signers(base, project), *opt_outs, *settings, *_compare_facts(base, project))
        changes = BaseChanges(base.label, settings, gaps=base.gaps)
        found = [] if base.lock is None else [*compare_locks(base.lock, lock, side)]
        found += _compare_rehearsals(base, project)
    problems = () if project.environment.is_sandbox else tuple(found)
    changes = replace(changes, lock_changes=len(problems))
    return replace(plan, problems=(*problems, *plan.problems), changes=changes)


def compare_with_stamps(
    stamps: Mapping[str, str], lock: Lock, side: LockSide, selected: Set[str] | None = None
) -> Iterator[Problem]:
    """Report every entry that differs from its stamp in a plan of `selected`; None for all."""
    lock = with_archived(lock, stamps.keys()).lock
    now = stamp_entries(lock, lock.mailings.keys() if selected is None else lock.mailings.keys() & selected)
    yield from compare_entries(stamps, now, lock.mailings, side)


def _compare_opt_outs(
    base: CheckoutBase, after: PhoneSet, before: PhoneSet | None
) -> Iterator[SettingChange]:
    """Report opt-outs of the base that are no longer subtracted, for whatever reason."""
    if before is None:
        before = load_suppression(base.loaded.project.suppress)[0] if base.loaded is not None else PhoneSet()
    gone = len(before) - before.count_common(after, PhoneSet())
    if gone:
        yield SettingChange(
            "suppress",
            sentence("{count:opt-out|opt-outs}", count=len(before)),
            sentence("{count:,} of them no longer subtracted", count=gone),
        )


def _compare_signers(base: CheckoutBase, project: Project) -> tuple[SettingChange, ...]:
    """Report signers added or removed since the base."""
    before = base.loaded.project.approvals if base.loaded is not None else None
    return compare_signers(*(_read_text(one.path) if one else "" for one in (before, project.approvals)))


def _compare_facts(base: CheckoutBase, project: Project) -> Iterator[SettingChange]:
    """Report facts that differ from the base's; a damaged file is an error elsewhere."""
    before = base.loaded.project.api.facts_file if base.loaded is not None else None
    paths = (before, project.api.facts_file)
    if any(path is not None and path.exists() for path in paths):
        yield from compare_facts(*(_read_accounts(path) for path in paths))


def _read_accounts(path: Path | None) -> Mapping[str, AccountFacts]:
    try:
        return {} if path is None else read_accounts(path)
    except SmsbyDeployError:
        return {}


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _compare_rehearsals(base: CheckoutBase, project: Project) -> Iterator[Problem]:
    """Report how the record of rehearsals differs from that of the base."""
    rehearsal = project.rehearsed_in
    if rehearsal is None or base.loaded is None:
        return
    file = rehearsal.path.relative_to(project.root).as_posix()
    side = LockSide(file, base.label, sentence("what is recorded there counts as rehearsed"))
    before = rehearsal._replace(path=base.loaded.project.root / file)
    yield from compare_locks(
        _read_rehearsal(before, base.loaded.project), _read_rehearsal(rehearsal, project), side
    )


def _read_rehearsal(rehearsal: LockPlace, project: Project) -> Lock:
    try:
        return open_lock_at(rehearsal, project.name, project.root).read()
    except SmsbyDeployError:  # only the base's lock: this checkout's was read for the plan
        return Lock(project.name)


@dataclass(frozen=True, slots=True)
class Baseline:
    """A base, and the recipients and opt-outs of its mailings as far as they can be read.

    For a saved plan, `audiences` is empty and `opted_out` is None.
    """

    base: Base
    audiences: AudienceSets = field(default_factory=AudienceSets)
    opted_out: PhoneSet | None = None


def make_reviewer(
    project: Project, lock: Lock, base: SavedBase | CheckoutBase | None, clock: Clock, select: Sequence[str]
) -> PlanReviewer:
    """Return a reviewer of the plan of `project`; without `base`, it compares with `lock`."""
    lock, _ = with_archived(lock, {mailing.address for mailing in project.mailings})
    return PlanReviewer(project, measure_base(base, lock, clock, select))


def measure_base(
    base: SavedBase | CheckoutBase | None, lock: Lock, clock: Clock, select: Sequence[str]
) -> Baseline:
    """Return the mailings of `base` that match `select`; for a checkout, with recipients.

    Without a base, or if its mailings cannot be read, those of `lock` take their place.
    """
    if isinstance(base, SavedBase):
        return Baseline(base_of_plan(_select(base.plan, select), base.label))
    if base is None or base.loaded is None:
        return Baseline(base_of_lock(lock))
    audiences = AudienceSets()
    nothing = Lock(base.loaded.project.name)
    files = measure_files(base.loaded, select=(), lock=nothing, observe=audiences.collect)
    plan = files.plan(client=None, account=None, now=clock.now(), new_id="base")
    texts = {mailing.address: reviewed_text(mailing.text) for mailing in base.loaded.project.mailings}
    found = base_of_plan(_select(plan, select), base.label, texts)
    flawed = {problem.address for problem in plan.problems if problem.is_error}
    unread = {one.address for one in plan.decided if one.address in flawed and not one.audience.rows}
    audiences.forget(unread)
    return Baseline(found.without_counts(unread), audiences, files.suppressed)


def _select(plan: Plan, select: Sequence[str]) -> Plan:
    """Leave out mailings outside `select`, which would otherwise look removed."""
    is_selected = selector(select)
    return plan.with_actions(action for action in plan.actions if is_selected(action.address))


class PlanReviewer:
    """Collects samples of every mailing, and compares recipients with `baseline`."""

    def __init__(self, project: Project, baseline: Baseline) -> None:
        self._mailings = project.by_address
        self._samples = ReviewCollector(project)
        self._baseline = baseline

    @property
    def opted_out(self) -> PhoneSet | None:
        """The opt-outs of the base; None if they were not read."""
        return self._baseline.opted_out

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
        """Return the reviews by address; only mailings that change something have samples."""
        sampled = {action.address for action in (*plan.to_do, *plan.blocked)}
        return {
            action.address: self._samples.review(
                self._mailings[action.address], with_samples=action.address in sampled
            )
            for action in plan.decided
            if action.address in self._mailings
        }

    def base(self, plan: Plan) -> Base:
        """Return the base, with how many recipients joined and left if an audience changed."""
        base = self._baseline.base
        digests = {action.address: action.audience_digest for action in (*plan.to_do, *plan.blocked)}
        mailings = {
            address: replace(mailing, moved=self._baseline.audiences.moved(address))
            if digests.get(address, mailing.audience_digest) != mailing.audience_digest
            else mailing
            for address, mailing in base.mailings.items()
        }
        if self.opted_out is not None:  # a checkout, measured without contact pressure
            capped = {action.address: action for action in plan.decided if action.uncapped is not None}
            mailings |= {one: mailings[one].as_capped(capped[one]) for one in capped if one in mailings}
        return replace(base, mailings=mailings)
