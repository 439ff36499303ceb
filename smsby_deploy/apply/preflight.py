"""The checks before anything is sent, in the order of precedence of their exit codes.

Files (3), a held lock (8), the reviewed plan (5), sms.by (7), then guardrails and the balance (4). If several would fail,
only the first is reported, so the checks run in this order. If the outcome of an earlier send is unknown, sms.by, guardrails
and the balance end the run with 6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

from smsby_deploy import TOOL
from smsby_deploy.apply.context import ApplyRequest, Event
from smsby_deploy.apply.remote_list import RecentList
from smsby_deploy.config.declarations import Project
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.errors import (
    FilesInvalid,
    LockDamaged,
    PlanRefused,
    Refused,
    UsageError,
    unknown_first,
)
from smsby_deploy.lock.archive import with_archived
from smsby_deploy.lock.binding import check_service
from smsby_deploy.lock.keyed_digests import check_digest_key
from smsby_deploy.lock.records import Lock
from smsby_deploy.lock.store import HeldLock
from smsby_deploy.plan.budget import check_balance
from smsby_deploy.plan.chunks import Keep
from smsby_deploy.plan.guardrails import check_apply
from smsby_deploy.plan.model import NEW_SENDING, Action, ActionKind, LockStamp, Plan, ReasonCode
from smsby_deploy.plan.planner import measure_files
from smsby_deploy.plan.removed import find_unknown
from smsby_deploy.plan.selection import selector
from smsby_deploy.plan.staleness import (
    PlanProgress,
    find_outdated,
    find_staleness,
    read_progress,
    reviewed_addresses,
    stale_plan,
)
from smsby_deploy.problems import has_errors
from smsby_deploy.smsby.send_client import SendClient
from smsby_deploy.wording import counted, escape_controls, sentence

_LONGEST_NAME = 10_000  # characters of a name that the lock records


@dataclass(frozen=True, slots=True)
class ReadyPlan:
    """A plan that may be applied, and the client to send it with.

    `is_handing_over`: it hands over mailings approved earlier.
    """

    plan: Plan
    client: SendClient
    is_handing_over: bool = False


def check_files(request: ApplyRequest) -> None:
    """Check the files of an apply while another run holds the lock.

    Invalid files come first: their exit code takes precedence over a held lock.

    Raises:
        UsageError: a pattern of `select` matches nothing.
        FilesInvalid: the files are not valid.
    """
    loaded = request.load()
    try:
        lock = with_archived(request.store.read(), ()).lock
    except LockDamaged:
        lock = Lock(loaded.project.name)
    try:
        reviewed = request.reviewed() if request.reviewed is not None else None
        select = request.select if reviewed is None else reviewed_addresses(reviewed, loaded, lock)
    except PlanRefused:
        select = ()
    problems = measure_files(loaded, select=select, lock=lock, now=request.clock.now()).problems
    if has_errors(problems):
        raise FilesInvalid(problems)


def check_record(request: ApplyRequest, project: Project, plan: Plan, held: HeldLock) -> None:
    """Check that the lock will be readable once the run is recorded.

    Python callers can pass anything.

    Raises:
        UsageError: the lock or `here` is for another project or environment, or a name is not one line of text.
    """
    here, environment = request.here, project.environment.name
    if (held.store.project, held.store.environment) != (project.name, environment):
        raise UsageError(
            "the lock is opened for another project or environment",
            hint="nothing was sent; correct the LockStore",
        )
    if here is not None and here.environment != environment:
        raise UsageError(
            "here: its environment is not that of the project", hint="nothing was sent; correct it"
        )
    offset = request.clock.now().utcoffset()
    if offset is None or offset % timedelta(minutes=1):
        raise UsageError("clock: expected times in UTC", hint="nothing was sent; pass a SystemClock")
    names: dict[str, object] = {"plan id": plan.id, "commit": request.commit or "", "by": request.by or ""}
    if here is not None:
        names |= {"service": here.service, "account": here.account or ""}
    for name, value in names.items():
        if not isinstance(value, str) or escape_controls(value) != value or len(value) > _LONGEST_NAME:
            raise UsageError(
                f"{name}: expected one line of text", hint="nothing was sent; pass text without line breaks"
            )


def make_ready_plan(request: ApplyRequest, loaded: LoadedProject, lock: Lock, keep: Keep) -> ReadyPlan:
    """Return the plan as of now, limited to the reviewed plan if there is one.

    In that case it has the id and the mailings of the reviewed plan. `keep` receives its chunks. `request.planned` receives
    the plan before it can be refused as a whole.

    Raises:
        UsageError: a pattern of `select` matches nothing.
        FilesInvalid: the files are not valid.
        PlanRefused: the reviewed plan is unreadable, stale or already used, or it has errors.
        SmsbyUnavailable, TokenRefused, ApiError: sms.by could not be asked.
        Refused: a guardrail or the balance forbids the whole apply.
    """
    reviewed, refusal = _read_reviewed(request, loaded, lock)
    select = request.select if reviewed is None else tuple(action.address for action in reviewed.actions)
    lock = with_archived(lock, select).lock  # the plan includes mailings archived after the review
    files = measure_files(
        loaded,
        select=select,
        lock=lock,
        now=request.clock.now(),
        keep=keep,
        # The tests of a reviewed plan passed when it was made; a late opt-out must not stop it.
        runs_tests=reviewed is None,
    )
    now, new_id = request.clock.now(), reviewed.id if reviewed else uuid4().hex[:12]
    offline = files.plan(client=None, account=None, now=now, new_id=new_id)
    if offline.has_errors:
        request.planned(offline)
        raise FilesInvalid(offline.problems)
    if refusal is not None:
        raise refusal
    if reviewed is not None:
        account = request.account or reviewed.account  # without a token, the account is unknown
        progress = read_progress(reviewed, lock)
        outdated = find_outdated(reviewed, replace(offline, account=account), progress)
        if outdated:
            raise stale_plan(outdated)
    selected = () if reviewed is not None and not select else filter(selector(select), lock.mailings)
    with unknown_first(lambda: any(find_unknown(lock, set(selected)))):
        client = _connect(request, loaded, lock)
        plan = files.plan(client=client, account=request.account, now=now, new_id=new_id, here=request.here)
    if reviewed is not None and not plan.has_errors:  # invalid files come first
        plan = _as_reviewed(request, reviewed, plan, read_progress(reviewed, lock))
    request.planned(plan)
    with unknown_first(lambda: _has_unknown(plan, lock)):
        _check_whole(loaded.project, plan, client)
    return ReadyPlan(plan, client)


def _has_unknown(plan: Plan, lock: Lock) -> bool:
    removed = find_unknown(lock, frozenset(plan.orphans.addresses))
    return any(removed) or any(one.reason_code is ReasonCode.UNKNOWN for one in plan.decided)


def empty_plan(request: ApplyRequest, loaded: LoadedProject, lock: Lock) -> Plan:
    """Return an empty plan for a hand-over, to which its mailings are added."""
    project = loaded.project
    return Plan(
        id=uuid4().hex[:12],
        created_at=request.clock.now().isoformat(timespec="seconds"),
        project=project.name,
        account=request.account,
        tool=TOOL,
        select=request.select,
        inputs={},
        lock=LockStamp(lock.serial, lock.lineage, {}),
        decided=(),
        problems=(),
        currency=project.currency,
        environment=project.environment.name,
    )


def make_due_plan(
    request: ApplyRequest,
    loaded: LoadedProject,
    lock: Lock,
    addresses: tuple[str, ...],
    keep: Keep,
    run: Plan,
    recent: RecentList,
) -> ReadyPlan:
    """Return the plan that hands over mailings approved by one earlier apply.

    It is part of the hand-over `run`, from which it takes its id and time, and uses the list of `recent` if that is still
    recent.

    Raises:
        FilesInvalid: the files of one of them are not valid.
        SmsbyUnavailable, TokenRefused, ApiError: sms.by could not be asked.
        Refused: the lock, a guardrail or the balance forbids all of it.
    """
    files = measure_files(loaded, select=addresses, lock=lock, keep=keep)
    if has_errors(files.problems):
        raise FilesInvalid(files.problems)
    client = _connect(request, loaded, lock)
    plan = files.plan(
        client=client,
        account=request.account,
        now=request.clock.now(),
        new_id=run.id,
        here=request.here,
        is_handing_over=True,
        remote=recent.kept(),
    )
    plan = replace(plan, created_at=run.created_at)
    request.planned(plan)
    _check_whole(loaded.project, plan, client)
    return ReadyPlan(plan, client, is_handing_over=True)


def _connect(request: ApplyRequest, loaded: LoadedProject, lock: Lock) -> SendClient:
    """Return the client, after checking that the lock belongs to this key and service."""
    check_digest_key(lock, loaded.project.digest_key)
    if request.here is not None:
        check_service(lock, request.here.service)
    return request.connect()


def _read_reviewed(
    request: ApplyRequest, loaded: LoadedProject, lock: Lock
) -> tuple[Plan | None, PlanRefused | None]:
    """Return the reviewed plan, or the error that refuses it.

    The error is not raised yet: invalid files come first.

    Raises:
        PlanRefused: it was made from invalid files.
    """
    if request.reviewed is None:
        return None, None
    try:
        reviewed = request.reviewed()
    except PlanRefused as refusal:
        return None, refusal
    try:
        reviewed_addresses(reviewed, loaded, lock)
    except PlanRefused as refusal:
        if reviewed.has_errors:
            raise
        return None, refusal
    return reviewed, None


def _as_reviewed(request: ApplyRequest, reviewed: Plan, plan: Plan, progress: PlanProgress) -> Plan:
    """Return `plan` without what the reviewed plan does not allow.

    Raises:
        PlanRefused: the reviewed plan is stale.
    """
    if not reviewed.actions:
        plan = plan.with_actions(())
    stale = find_staleness(reviewed, plan, progress)
    if stale:
        raise stale_plan(stale)
    before = {a.address: a.audience.suppressed for a in reviewed.decided if a.commits}
    fewer = sum(a.audience.suppressed - before[a.address] for a in plan.decided if a.address in before)
    if fewer:
        line = f"{counted(fewer, 'recipient')} opted out since this plan was made: nothing is sent to them"
        request.say(Event("opt-outs", line, recipients=fewer))
    then = {action.address: action for action in reviewed.actions}
    return replace(plan, decided=tuple(_hold_back(then[now.address], now, progress) for now in plan.decided))


def _hold_back(then: Action, now: Action, progress: PlanProgress) -> Action:
    """Block a mailing that would be sent or approved without having been reviewed.

    That is the case if this plan has already settled it, if it was blocked and the obstacle may be gone, or if a plan of an
    older version does not name its contact list. A mailing that lacked only an approval is sent.
    """
    if not now.commits:
        return now
    if now.address in progress.settled:
        return now.block(ReasonCode.CHANGED, sentence("this plan has already settled it: make a new plan"))
    if then.action is ActionKind.BLOCKED and then.reason_code is not ReasonCode.APPROVAL:
        why = sentence("blocked in the reviewed plan; now {action}: make a new plan", action=now.action)
        return now.block(ReasonCode.CHANGED, why)
    if now.action in NEW_SENDING and now.contact_list is not None and then.contact_list is None:
        why = sentence("the reviewed plan does not say which contact list it means: make a new plan")
        return now.block(ReasonCode.CHANGED, why)
    return now


def _check_whole(project: Project, plan: Plan, client: SendClient) -> None:
    """Refuse the whole apply because of unknown names, a guardrail or the balance.

    Raises as make_ready_plan.
    """
    if plan.has_errors:
        raise FilesInvalid(plan.problems)
    breach = check_apply(project.guardrails, plan.decided)
    if breach:
        raise Refused(
            breach.message,
            hint=f"guardrails.{breach.key} in smsby.yaml sets it; change it there and have that reviewed",
        )
    cost = plan.totals.cost
    # Only sms.by knows what a list costs, and can be asked only once there is a draft.
    if cost or any(a.cost is None and a.via != "list" for a in plan.decided if a.sends):
        balance = client.get_balance()
        low = check_balance(cost, plan.currency, balance.amount, balance.currency)
        if low:
            top_up = "top up the account at sms.by, then apply again"
            fix = "set price.currency in smsby.yaml to the currency of the account"
            raise Refused(low.message, hint=top_up if low.key == "balance" else fix)
