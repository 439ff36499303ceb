"""One SMS outside any mailing: the test of a mailing's text, or a one-time code.

The lock does not record it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal

from smsby_deploy.apply.shutdown import ShutdownSignal
from smsby_deploy.apply.worker_pool import WorkerPool
from smsby_deploy.clock import SystemClock
from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.config.sources import ContactList, InlineRecipients
from smsby_deploy.errors import (
    FilesInvalid,
    OutcomeUnknown,
    Refused,
    SmsbyUnavailable,
    UsageError,
)
from smsby_deploy.plan.account_names import NOT_ASKED, SYSTEM_NAME, find_name_problems, read_names
from smsby_deploy.plan.selection import find_mailing, problems_in
from smsby_deploy.problems import has_errors
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.phones import BadPhone, normalize_opt_out, normalize_phone
from smsby_deploy.recipients.suppression import load_suppression, read_test_phones
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from smsby_deploy.smsby.parsers import SmsReceipt, read_receipt
from smsby_deploy.smsby.response import error_for, token_refused
from smsby_deploy.texts.cost import cost_of
from smsby_deploy.texts.samples import Sample, sample_mailing


@dataclass(frozen=True, slots=True)
class OneOffMessage:
    """The SMS that is about to be sent to `phone`.

    `sample` says which mailing and row the text comes from; `cost` is None without a price.
    """

    address: str
    phone: str
    sample: Sample
    cost: Decimal | None
    currency: str | None
    alphaname: str
    alphaname_id: int


def prepare_test(
    loaded: LoadedProject, address: str, *, to: str, row: int | None, open_client: Callable[[], ReadClient]
) -> OneOffMessage:
    """Return one recipient's text from the mailing `address` as a message to the phone `to`.

    Args:
        row: the number of the recipient; None for the first one that can be sent to.
        open_client: called only if the alphaname has to be looked up.

    Raises:
        UsageError: no such mailing, row or phone.
        FilesInvalid: the files are not valid.
        Refused: `to` is not in test_phones, or opted out.
        SmsbyUnavailable, ApiError: the alphaname could not be looked up.
    """
    project, mailing = loaded.project, find_mailing(loaded, address)
    try:
        phone = normalize_phone(to, mailing.countries)
    except BadPhone as error:
        raise UsageError(f"--to: {error}", hint="e.g. --to 375291234567") from None
    suppressed, problems = load_suppression(project.suppress)
    problems = [*problems_in(loaded, (address,)), *problems]
    if has_errors(problems):
        raise FilesInvalid(problems)
    _check_allowed(project, phone, suppressed)
    sample = _choose_sample(project, mailing, suppressed, row)
    return OneOffMessage(
        address=address,
        phone=phone,
        sample=sample,
        cost=cost_of(sample.size.parts, project.price, phone),
        currency=project.currency,
        alphaname=mailing.alphaname,
        alphaname_id=_alphaname_id(mailing, open_client),
    )


def send_one(method: str, request: Callable[[], Outcome]) -> SmsReceipt:
    """Send once, without retries, and return the answer of `method`; raises as send_once."""
    with ShutdownSignal(SystemClock()) as shutdown:
        return read_receipt(send_once(method, request, shutdown).raw)


def send_once(method: str, request: Callable[[], Outcome], shutdown: ShutdownSignal) -> Outcome:
    """Send once, without retries, and return the outcome if sms.by accepted it.

    `shutdown` counts signals that arrive meanwhile.

    Raises:
        OutcomeUnknown: the outcome is unknown, including after a second Ctrl-C.
        ApiError: sms.by rejected it.
        TokenRefused, SmsbyUnavailable: it was certainly not sent.
    """
    with closing(WorkerPool(shutdown)) as workers:
        outcome = workers.run(request)
    error = outcome.error or "no reason given"
    match outcome.kind:
        case OutcomeKind.ACCEPTED:
            return outcome
        case OutcomeKind.REJECTED:
            raise error_for(method, error, status=200)
        case OutcomeKind.TOKEN_REFUSED:
            raise token_refused(method, error, is_token_known=outcome.is_token_known)
        case OutcomeKind.NOT_SENT:
            raise SmsbyUnavailable(f"{method}: not sent: {error}", hint="try again later")
        case OutcomeKind.UNKNOWN:
            raise OutcomeUnknown(
                f"{method}: the outcome is unknown: {error}",
                hint="it is not repeated; check the phone or sms.by before you send again",
            )


def check_test_phone(project: Project, to: str) -> str:
    """Return the digits of `to` if it may get a test of the whole project.

    Raises:
        UsageError: it is not a phone number.
        FilesInvalid: the opt-outs cannot be read.
        Refused: it is not in test_phones, or opted out.
    """
    try:
        phone = normalize_opt_out(to)
    except BadPhone as error:
        raise UsageError(f"--to: {error}", hint="e.g. --to 375291234567") from None
    suppressed, problems = load_suppression(project.suppress)
    if has_errors(problems):
        raise FilesInvalid(problems)
    _check_allowed(project, phone, suppressed)
    return phone


def _choose_sample(project: Project, mailing: Mailing, suppressed: PhoneSet, row: int | None) -> Sample:
    if row is not None and isinstance(mailing.audience, ContactList):
        raise UsageError(
            f"{mailing.address} is sent to a list kept at sms.by: it has one text and no rows",
            hint="leave out --row",
        )
    rows = () if row is None else (row,)
    found = sample_mailing(project, mailing, suppressed, limit=1, rows=rows)
    if has_errors(found.problems):
        raise FilesInvalid(found.problems)
    if not found.samples:
        raise UsageError(
            f"{mailing.address} has no recipient that can be sent to", hint="name a recipient with --row N"
        )
    return found.samples[0]


def _check_allowed(project: Project, phone: str, suppressed: PhoneSet) -> None:
    allowed, problems = read_test_phones(project)
    if problems:
        raise FilesInvalid(problems)
    if project.test_phones is not None and phone not in allowed:
        raise Refused(
            "not in test_phones; nothing was sent",
            hint="test_phones in smsby.yaml lists the phones that may get tests",
        )
    if phone in suppressed:
        raise Refused(
            "this phone opted out (suppress in smsby.yaml); nothing was sent", hint="use another phone"
        )


def _alphaname_id(mailing: Mailing, open_client: Callable[[], ReadClient]) -> int:
    if NOT_ASKED.alphaname_id(mailing.alphaname) == SYSTEM_NAME:
        return SYSTEM_NAME
    sender = mailing._replace(audience=InlineRecipients((), mailing.location))  # no list to look up
    names = read_names(open_client(), [sender])
    number = names.alphaname_id(mailing.alphaname)
    if number is None:
        raise FilesInvalid(list(find_name_problems([sender], names)))
    return number
