"""The read-only methods of sms.by, as typed functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from smsby_deploy.errors import ApiError, SmsbyDeployError, SmsbyUnavailable, TokenRefused, UnusableAnswer
from smsby_deploy.smsby.deliveries import BulkMailingStatus, Delivery, read_bulk_status, read_deliveries
from smsby_deploy.smsby.facts import NO_FACTS, AccountFacts, EmptyForm
from smsby_deploy.smsby.json_stream import KeepRow
from smsby_deploy.smsby.methods import METHODS, check_params
from smsby_deploy.smsby.parameters import CallStyle
from smsby_deploy.smsby.parsers import (
    AccountName,
    Balance,
    KeepMailing,
    MailingList,
    MessageState,
    mailing_id,
    mailing_name,
    read_alphanames,
    read_balance,
    read_lists,
    read_mailings,
    read_message_state,
)
from smsby_deploy.smsby.response import (
    Answer,
    Rows,
    error_for,
    error_kind,
    refuses_token,
    says_nothing_found,
    token_refused,
    unwrap,
)
from smsby_deploy.smsby.retry import READ_RETRIES, SLOW_RETRIES, with_wait
from smsby_deploy.smsby.transport import (
    AnswerLost,
    AnswerTooLarge,
    AnswerTooSlow,
    NotConnected,
    ReadTransport,
)

_PAGE = 1000


class ReadClient:
    """The read-only methods, so nothing can be sent.

    They are retried after a connection failure, 429, 5xx or a lost answer.

    Every method raises TokenRefused, ApiError (sms.by answered with an error; response.py has its subclasses) or
    SmsbyUnavailable. HTTP 406 and an empty body mean "nothing yet", except for getSMSMessages: taking another answer for an
    empty list would send every mailing again. `pause` sleeps before a retry; it may return early.
    """

    def __init__(self, transport: ReadTransport, facts: AccountFacts = NO_FACTS) -> None:
        self._transport = transport
        self.facts = facts
        self.pause: Callable[[float], None] = transport.clock.sleep

    def derive_secret(self, purpose: str) -> bytes:
        """Return 32 bytes that can be computed only with the token."""
        return self._transport.derive_secret(purpose)

    @property
    def clock_lead(self) -> timedelta | None:
        """How far this machine's clock is ahead of that of sms.by; None if no answer shows it."""
        return self._transport.clock_lead

    def get_sms_messages(self, *, keep: KeepMailing) -> MailingList:
        """Return the mailings of the account that `keep` accepts.

        The list has every mailing of the account, so it is read as a stream, and only what is kept is held. Its count is 0
        only if sms.by says so in a documented form.

        Raises:
            SmsbyUnavailable, TokenRefused: anything else, including an error of sms.by.
        """

        def is_kept(row: Any) -> bool:
            number = mailing_id(row) if isinstance(row, dict) else None
            return number is None or keep(number, mailing_name(row))  # one without an id must be refused

        try:
            answer = self._ask("getSMSMessages", {}, is_nothing=self._lists_none, keep=is_kept)
            if self._lists_none(answer):
                return MailingList((), 0)
            return _read_listed(answer, keep)
        except ApiError as error:
            raise SmsbyUnavailable(
                f"cannot list the mailings of the account: {error.message}",
                hint="nothing is sent without it; try again later, or see what `smsby-deploy api getSMSMessages` prints",
            ) from error

    def status_bulk_sms(self, uuid: str) -> tuple[BulkMailingStatus, ...]:
        """Return the mailings of one sendBulkSms request; empty for a while after the send.

        An error next to deliveries, in any entry, does not hide them.
        """
        answer = self._ask("statusBulkSms", {"uuid": uuid}, is_usable=_reports_deliveries)
        return tuple(read_bulk_status(answer.data)) if answer.readable else ()

    def get_sms_delivery_list(self, message_id: int) -> Iterator[Delivery]:
        """Yield every delivery of one mailing, page by page.

        A short page need not be the last one: the largest page size is not documented.
        """
        offset = 0
        before: list[Delivery] = []
        while True:
            params = {"message_id": message_id, "limit_offset": offset, "limit_rows": _PAGE}
            answer = self._ask("getSmsDeliveryList", params)
            rows = list(read_deliveries(answer.data)) if answer.readable else []
            # A page that starts with the rows of the previous one: the offset was ignored, and that page was complete.
            if not rows or (before and rows[: len(before)] == before):
                return
            yield from rows
            offset, before = offset + len(rows), rows

    def check_sms_message_status(self, message_id: int) -> MessageState:
        """Return whether a message of createSmsMessage is approved."""
        return read_message_state(self._ask("checkSMSMessageStatus", {"message_id": message_id}).data)

    def get_alphanames(self) -> tuple[AccountName, ...]:
        """Return the sender names of the account."""
        answer = self._ask("getAlphanames", {})
        return tuple(read_alphanames(answer.data)) if answer.readable else ()

    def get_subscriber_lists(self) -> tuple[AccountName, ...]:
        """Return the contact lists of the account.

        sms.by documents a POST; if that is refused, a GET is tried.
        """
        answer = self._ask("getSubscriberLists", {}, is_usable=_may_need_get)
        if not answer.is_success:
            try:
                answer = self._ask("getSubscriberLists", {}, style=CallStyle.GET)
            except SmsbyDeployError:
                raise failure_of("getSubscriberLists", answer) from None
        return tuple(read_lists(answer.data)) if answer.readable else ()

    def get_balance(self) -> Balance:
        """Return the balance of the account."""
        return read_balance(self._ask("getBalance", {}).data)

    def _lists_none(self, answer: Answer) -> bool:
        """Return whether an answer says "no mailings", as documented or as this account does."""
        return empty_form_of(answer) in (EmptyForm.DOCUMENTED, self.facts.empty_form or EmptyForm.DOCUMENTED)

    def _ask(
        self,
        name: str,
        params: Mapping[str, Any],
        is_nothing: Callable[[Answer], bool] = lambda answer: answer.says_nothing,
        is_usable: Callable[[Answer], bool] = lambda answer: False,
        keep: KeepRow | None = None,
        style: CallStyle | None = None,
    ) -> Answer:
        """Return the answer to a query, from as many tries as it takes.

        `is_nothing` recognizes an answer that means "nothing yet". `is_usable` recognizes a
        result despite an error in the answer. `keep` chooses the rows of an answer that is read as a stream.
        `style` is how the method is called, if not as documented.

        Raises:
            TokenRefused, ApiError, SmsbyUnavailable: every try failed, or a retry is pointless.
        """
        method = METHODS[name].by(style)
        check_params(method, params)

        def failure_in(answer: Answer) -> SmsbyUnavailable | None:
            is_result = answer.is_success and (answer.readable or answer.is_empty)
            if is_nothing(answer) or is_result or is_usable(answer):
                return None
            refusal = failure_of(name, answer)
            if not isinstance(refusal, SmsbyUnavailable) or isinstance(refusal, TokenRefused):
                raise refusal
            return refusal

        answer = ask_until_answered(lambda: self._transport.ask(method, params, keep), failure_in, self.pause)
        return Answer(406, is_empty=True) if is_nothing(answer) else answer


def ask_until_answered(
    ask: Callable[[], Answer],
    failure_in: Callable[[Answer], SmsbyUnavailable | None],
    pause: Callable[[float], None],
) -> Answer:
    """Return the answer to a query; ask again if it was lost, or if sms.by is busy.

    `failure_in` returns the error for an answer that a later one may replace, None for any other.

    Raises:
        SmsbyUnavailable: every try failed, or a retry is pointless.
    """
    failure: SmsbyUnavailable | None
    tries = 0
    while True:
        tries += 1
        policy, retry_after = READ_RETRIES, None
        try:
            answer = ask()
        except AnswerTooLarge:
            raise
        except AnswerTooSlow as error:
            failure, policy = error, SLOW_RETRIES
        except (NotConnected, AnswerLost) as error:
            failure = error
        else:
            failure, retry_after = failure_in(answer), answer.retry_after
            if failure is None:
                return answer
        wait = policy.pause_after(tries, retry_after)
        if wait is None:
            raise failure
        pause(wait)


def _may_need_get(answer: Answer) -> bool:
    """Return whether an answer to a POST may refuse the verb, or the place of the token."""
    if refuses_token(answer.error, answer.status) or answer.status in (401, 403):
        return answer.is_token_known
    return bool(answer.error) if answer.status == 200 else 400 <= answer.status < 500 and answer.status != 429


def _reports_deliveries(answer: Answer) -> bool:
    """Return whether an answer to statusBulkSms has deliveries, perhaps next to an error."""
    is_answer = (
        200 <= answer.status < 300 and answer.readable and not refuses_token(answer.error, answer.status)
    )
    return is_answer and any(one.deliveries for one in read_bulk_status(answer.data))


def lists_no_mailings(answer: Answer) -> bool:
    """Return whether an answer to getSMSMessages documents that there are no mailings.

    HTTP 200 with `status: success` and an empty `data`; or HTTP 406 without a body, or with JSON that has no rows and
    whose error, if any, says that nothing was found.
    """
    data = answer.data
    if answer.status == 200:
        is_list = isinstance(data, dict) and isinstance(data.get("data"), list | dict | Rows)
        return not answer.error and is_list and data.get("status") == "success" and not data["data"]
    if answer.status != 406:
        return False
    if answer.is_empty or not answer.readable:
        return answer.is_empty
    top = unwrap(data)
    if not isinstance(top, dict):
        return not top or says_nothing_found(str(top))
    is_unexplained = top.get("error") not in (None, False) and not top["error"]  # an error without its text
    if top.get("data") or is_unexplained:
        return False
    texts = [top.get(key) for key in ("error", "message", "errors")]
    return all(says_nothing_found(str(text)) for text in texts if text)


def empty_form_of(answer: Answer) -> EmptyForm | None:
    """Return the form in which an answer to getSMSMessages may say "no mailings", or None."""
    if lists_no_mailings(answer):
        return EmptyForm.DOCUMENTED
    status, data = answer.status, answer.data
    if refuses_token(answer.error, status):
        return None
    if answer.is_empty and 200 <= status < 300:
        return EmptyForm.NO_BODY
    if status == 404 and says_nothing_found(answer.error or ""):
        return EmptyForm.NOT_FOUND
    if status == 406 and answer.readable and error_kind(answer.explanation or "") is ApiError:
        return EmptyForm.OTHER_406
    if status != 200 or answer.error:
        return None
    if isinstance(data, Rows | list) and not data:
        return EmptyForm.BARE_LIST
    is_null = isinstance(data, dict) and data.get("status") == "success" and not data.get("data")
    return EmptyForm.NULL_DATA if is_null else None


def _read_listed(answer: Answer, keep: KeepMailing) -> MailingList:
    """Return the mailings of a getSMSMessages answer that lists at least one.

    Raises:
        ApiError: it lists none, and is not one of the documented forms of "no mailings".
    """
    top = unwrap(answer.data)
    # Otherwise `status` may be that of a mailing.
    is_wrapped = isinstance(top, dict) and ("data" in top or "result" in top)
    status = top.get("status", "success") if is_wrapped else "success"
    if answer.status == 200 and answer.readable and status == "success":
        listed = read_mailings(answer.data, keep)
        if listed.count:
            return listed
    text = answer.explanation
    raise ApiError(
        f"getSMSMessages: an answer of HTTP {answer.status} that is neither a list of mailings nor "
        f"the documented answer for no mailings{': ' + text if text else ''}",
        status=answer.status,
    )


def failure_of(name: str, answer: Answer) -> SmsbyDeployError:
    """Return the error for an answer without a result."""
    error, status, text = answer.error, answer.status, answer.explanation
    is_final = status < 300 or 400 <= status < 500
    if (
        error
        and status != 429
        and (is_final or error_kind(error) is not ApiError or refuses_token(error, status))
    ):
        return error_for(name, text or error, status=status, is_token_known=answer.is_token_known)
    if status == 429:
        message = with_wait(f"{name}: {text or 'too many requests'} (HTTP 429)", answer.retry_after)
        busy = SmsbyUnavailable(message, hint="try again later")
        busy.retry_after = answer.retry_after
        return busy
    if status in (401, 403):
        why = f"HTTP {status}{': ' + text if text else ''}"
        return token_refused(name, why, is_token_known=answer.is_token_known)
    if status == 404 and not answer.readable:
        hint = "check api.url (or SMSBY_API_URL): it is not the URL of the sms.by API"
        return SmsbyUnavailable(f"{name}: no such page (HTTP 404)", hint=hint)
    if 400 <= status < 500:
        # Without `error` the text decides nothing, so the error is not typed.
        return ApiError(f"{name}: HTTP {status}{': ' + text if text else ''}", status=status)
    return UnusableAnswer(f"{name}: {text or 'no usable answer'} (HTTP {status})", hint="try again later")
