"""The methods of sms.by, typed. A ReadClient has no way to send."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from smsby_deploy.clock import Clock
from smsby_deploy.errors import ApiError, SmsbyUnavailable, TokenRefused
from smsby_deploy.smsby.answers import (
    Alphaname,
    Balance,
    BulkMailingStatus,
    Delivery,
    ListInfo,
    RemoteMailing,
    SubscriberList,
    read_alphanames,
    read_balance,
    read_bulk_status,
    read_deliveries,
    read_list_info,
    read_lists,
    read_mailings,
)
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind, find_value, judge_send, read_int
from smsby_deploy.smsby.transport import Answer, AnswerLost, NotConnected, Transport

_TRIES = 4
_PAGE = 1000


class ReadClient:
    """Questions only; they are asked again after a connection failure, 429, 5xx or a lost answer.

    Every method raises TokenRefused, ApiError (sms.by answered with an error) or SmsbyUnavailable.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_sms_messages(self, kind: str | None = None) -> tuple[RemoteMailing, ...]:
        """All mailings; none is HTTP 406."""
        answer = self._ask("GET", "/api/v1/getSMSMessages", {"type": kind} if kind else {}, nothing=406)
        return tuple(read_mailings(answer.data)) if answer.status != 406 else ()

    def status_bulk_sms(self, uuid: str) -> tuple[BulkMailingStatus, ...]:
        """What became of one request of sendBulkSms; empty for a while after it."""
        return tuple(read_bulk_status(self._ask("POST", "/api/v1/statusBulkSms", {"uuid": uuid}).data))

    def get_sms_delivery_list(self, message_id: int) -> Iterator[Delivery]:
        """Every delivery of one mailing, page by page."""
        offset, before = 0, None
        while True:
            params = {"message_id": message_id, "limit_offset": offset, "limit_rows": _PAGE}
            page = tuple(
                read_deliveries(self._ask("GET", "/api/v1/getSmsDeliveryList", params, nothing=406).data)
            )
            if not page or page == before:
                return
            yield from page
            if len(page) < _PAGE:
                return
            offset, before = offset + len(page), page

    def get_alphanames(self) -> tuple[Alphaname, ...]:
        return tuple(read_alphanames(self._ask("GET", "/api/v1/getAlphanames", {}).data))

    def get_alphaname_id(self, name: str) -> int | None:
        return read_int(find_value(self._ask("GET", "/api/v1/getAlphanameId", {"name": name}).data, "id"))

    def get_subscriber_lists(self) -> tuple[SubscriberList, ...]:
        return tuple(read_lists(self._ask("GET", "/api/v2/getSubscriberLists", {}).data))

    def get_balance(self) -> Balance:
        balance = read_balance(self._ask("GET", "/api/v1/getBalance", {}).data)
        if balance is None:
            raise ApiError("sms.by's answer to getBalance holds no balance", status=200)
        return balance

    def _ask(self, verb: str, path: str, params: Mapping[str, Any], *, nothing: int = 0) -> Answer:
        method = path.rsplit("/", 1)[-1]
        for attempt in range(1, _TRIES + 1):
            failure: SmsbyUnavailable
            wait = 0.25 * 2**attempt
            try:
                answer = (
                    self._transport.get(path, params) if verb == "GET" else self._transport.post(path, params)
                )
            except (NotConnected, AnswerLost) as error:
                failure = error
            else:
                if nothing and answer.status == nothing:
                    return answer
                outcome = judge_send(answer, proof="confirmed")
                if outcome.kind is OutcomeKind.TOKEN_REFUSED:
                    raise TokenRefused("sms.by refuses the token", hint="check SMSBY_TOKEN")
                if outcome.kind is OutcomeKind.REJECTED:
                    raise ApiError(f"{method}: {outcome.error}", status=answer.status)
                if 200 <= answer.status < 300 and answer.readable:
                    return answer
                if 400 <= answer.status < 500 and answer.status != 429:
                    raise ApiError(f"{method}: HTTP {answer.status}", status=answer.status)
                failure = SmsbyUnavailable(
                    f"{method}: sms.by gave no usable answer (HTTP {answer.status})", hint="try again later"
                )
                wait = min(outcome.retry_after or wait, 60.0)
            if attempt < _TRIES:
                self._transport.clock.sleep(wait)
        raise failure


class SendClient(ReadClient):
    """The sending methods. None is ever repeated here: what an answer means is the caller's table."""

    def send_bulk_sms(self, messages: Sequence[Mapping[str, Any]], callback_url: str = "") -> Outcome:
        """Send mailings in one request; accepted by its uuid."""
        params = {"callback_url": callback_url, "messages": list(messages)}
        return self._send("/api/v1/sendBulkSms", params, "uuid")

    def send_sms_list(
        self, *, name: str, message: str, d_schedule: str, list_id: int, alphaname_id: int
    ) -> Outcome:
        """Make a draft for a list kept at sms.by; `d_schedule` is YYYY-MM-DD HH:MM in the account's clock."""
        params = {
            "name": name,
            "message": message,
            "d_schedule": d_schedule,
            "list_id": list_id,
            "alphaname_id": alphaname_id,
        }
        return self._send("/api/v1/sendSmsList", params, "message_id")

    def confirm_info(self, message_id: int) -> ListInfo:
        """What sms.by knows of a draft (confirm=0); starts nothing."""
        params = {"message_id": message_id, "confirm": 0}
        return read_list_info(self._ask("POST", "/api/v1/confirmSendMessageByList", params).data)

    def confirm(self, message_id: int) -> Outcome:
        """Start a draft (confirm=1)."""
        return self._send(
            "/api/v1/confirmSendMessageByList", {"message_id": message_id, "confirm": 1}, "confirmed"
        )

    def _send(
        self, path: str, params: Mapping[str, Any], proof: Literal["uuid", "message_id", "confirmed"]
    ) -> Outcome:
        answer: Answer | NotConnected | AnswerLost
        try:
            answer = self._transport.post(path, params)
        except (NotConnected, AnswerLost) as error:
            answer = error
        return judge_send(answer, proof=proof)


def read_client(
    url: str,
    token: str,
    *,
    timeout: float,
    requests_per_second: float,
    body: Literal["json", "form"],
    clock: Clock,
) -> ReadClient:
    """A client that can't send."""
    return ReadClient(
        Transport(
            url, token, timeout=timeout, requests_per_second=requests_per_second, body=body, clock=clock
        )
    )


def send_client(
    url: str,
    token: str,
    *,
    timeout: float,
    requests_per_second: float,
    body: Literal["json", "form"],
    clock: Clock,
) -> SendClient:
    """A client that can."""
    return SendClient(
        Transport(
            url, token, timeout=timeout, requests_per_second=requests_per_second, body=body, clock=clock
        )
    )
