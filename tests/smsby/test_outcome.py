"""The outcome of a send, for each possible answer."""

from __future__ import annotations

from typing import Any

import pytest

from smsby_deploy.smsby.methods import METHODS
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind, judge_send
from smsby_deploy.smsby.response import Answer
from smsby_deploy.smsby.transport import AnswerLost, NotConnected

ACCEPTED, NOT_SENT, REJECTED = OutcomeKind.ACCEPTED, OutcomeKind.NOT_SENT, OutcomeKind.REJECTED
TOKEN_REFUSED, UNKNOWN = OutcomeKind.TOKEN_REFUSED, OutcomeKind.UNKNOWN


# A method for each proof.
SENDS = {
    "uuid": METHODS["sendBulkSms"],
    "message_id": METHODS["sendSmsList"],
    "sms_id": METHODS["sendSMS"],
    "confirmed": METHODS["confirmSendMessageByList"],
}


def judge(status: int, data: Any = None, proof: str = "uuid", **more: Any) -> Outcome:
    return judge_send(Answer(status, data, readable=data is not None, **more), SENDS[proof])


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (500, "incorrect phone number", REJECTED),
        (500, "limit excided", REJECTED),
        (500, "access denied", REJECTED),
        (500, "undefined error", UNKNOWN),
        (500, "Server is not available", UNKNOWN),
        (500, "page not found", UNKNOWN),
        (502, "incorrect phone number", UNKNOWN),
        (503, "incorrect phone number", UNKNOWN),
    ],
)
def test_judge_send_where_500_refuses(status: int, text: str, kind: OutcomeKind) -> None:
    """A 500 is a rejection only with the text of a refusal, and only if this account was seen to refuse that way."""
    answer = Answer(status, {"error": text}, readable=True)
    assert judge_send(answer, METHODS["sendBulkSms"], refuses_at_500=True).kind is kind
    assert judge_send(answer, METHODS["sendBulkSms"]).kind is UNKNOWN
    beside_a_send = Answer(status, {"error": text, "uuid": "cc9c8043"}, readable=True)
    assert judge_send(beside_a_send, METHODS["sendBulkSms"], refuses_at_500=True).kind is UNKNOWN


@pytest.mark.parametrize(
    ("status", "data", "kind"),
    [
        (200, {"uuid": "cc9c8043", "success": "OK"}, ACCEPTED),
        (202, {"uuid": "cc9c8043"}, ACCEPTED),
        (200, [{"uuid": "cc9c8043"}], ACCEPTED),
        (200, {"result": {"uuid": "cc9c8043"}}, ACCEPTED),
        (200, {"data": [{"uuid": "cc9c8043"}]}, ACCEPTED),
        (200, {"error": "", "uuid": "cc9c8043"}, ACCEPTED),
        (429, None, NOT_SENT),
        (429, {"error": "Request limit exceeded"}, NOT_SENT),
        (400, {"error": "incorrect phone number"}, REJECTED),
        (403, {"error": "access denied"}, REJECTED),
        (404, {"error": "message_id not found"}, REJECTED),
        (200, {"error": "billing error"}, REJECTED),
        (200, [{"error": "billing error"}], REJECTED),
        (200, {"error": {"code": 7, "text": "no"}}, REJECTED),
        (403, {"error": "token is invalid"}, TOKEN_REFUSED),
        (200, {"error": "token is invalid"}, TOKEN_REFUSED),
        (401, {"error": "Unauthenticated."}, TOKEN_REFUSED),
        (400, {"error": "Данный токен не найден"}, TOKEN_REFUSED),
        (400, {"error": "the text must not hold the word token"}, REJECTED),
        (500, {"error": "Server is not available"}, UNKNOWN),
        (500, {"error": "incorrect phone number"}, UNKNOWN),
        (500, {"uuid": "cc9c8043"}, UNKNOWN),
        (502, None, UNKNOWN),
        (400, None, UNKNOWN),
        (401, None, UNKNOWN),
        (404, {"message": "Page not found"}, UNKNOWN),
        (408, None, UNKNOWN),
        (301, {"uuid": "cc9c8043"}, UNKNOWN),
        (302, None, UNKNOWN),
        (307, {"error": "moved"}, UNKNOWN),
        (200, None, UNKNOWN),
        (204, None, UNKNOWN),
        (200, {}, UNKNOWN),
        (200, [], UNKNOWN),
        (200, "OK", UNKNOWN),
        (200, {"success": "OK"}, UNKNOWN),
        (200, {"uuid": None}, UNKNOWN),
        (200, {"uuid": "  "}, UNKNOWN),
        (200, {"uuid": 17}, UNKNOWN),
        (200, {"message_id": 17}, UNKNOWN),
        (200, [{"uuid": "a"}, {"uuid": "b"}], UNKNOWN),
        (200, {"uuid": "cc9c8043", "error": "one of the phones is wrong"}, UNKNOWN),
        (200, {"error": "a phone is wrong", "messages": [{"uuid": "a"}, {"uuid": "b"}]}, UNKNOWN),
        (400, {"error": "a phone is wrong", "result": {"sent": {"uuid": "cc9c8043"}}}, UNKNOWN),
        (429, {"error": "Request limit exceeded", "uuid": "cc9c8043"}, UNKNOWN),
        (429, {"result": {"sms_id": 2197871}}, UNKNOWN),
        (401, {"error": "token is invalid", "uuid": "cc9c8043"}, UNKNOWN),
        (201, {"error": "no"}, UNKNOWN),
        (200, {"uuid": "cc9c8043", "success": "ok"}, ACCEPTED),
        (200, {"uuid": "cc9c8043", "success": "ERROR"}, UNKNOWN),
        (200, {"uuid": "cc9c8043", "success": False}, UNKNOWN),
        (200, {"uuid": "cc9c8043", "success": None}, UNKNOWN),
        (200, {"uuid": "cc9c8043", "success": ""}, UNKNOWN),
        (200, {"success": "OK", "result": {"uuid": "cc9c8043", "success": "no"}}, UNKNOWN),
        (200, {"uuid": "cc9c8043", "status": "error", "message": "no"}, UNKNOWN),
        (422, {"message": "The given data was invalid.", "errors": {"name": ["no"]}}, UNKNOWN),
    ],
)
def test_judge_send_of_a_bulk_request(status: int, data: Any, kind: OutcomeKind) -> None:
    """A bulk request is accepted only by proof and rejected only by an error text; everything else is unknown."""
    assert judge(status, data).kind is kind


@pytest.mark.parametrize("status", [200, 400, 429])
def test_judge_send_of_a_draft_that_was_refused_and_made(status: int) -> None:
    """An error next to a draft's id is unknown, and next to the id of a message with the same text a rejection."""
    answer = Answer(status, {"error": "no", "message_id": 5}, readable=True)
    assert judge_send(answer, METHODS["sendSmsList"]).kind is UNKNOWN
    assert judge_send(answer, METHODS["createSmsMessage"]).kind is not UNKNOWN
    assert judge_send(answer, METHODS["sendSMS"]).kind is not UNKNOWN


def test_judge_send_without_an_answer() -> None:
    """Without a connection the request was not sent, and with a lost answer it is unknown."""
    assert judge_send(NotConnected("no route"), METHODS["sendBulkSms"]).kind is NOT_SENT
    assert judge_send(AnswerLost("reset"), METHODS["sendBulkSms"]).kind is UNKNOWN


@pytest.mark.parametrize(
    ("proof", "data", "kind", "number"),
    [
        ("message_id", {"message_id": 5}, ACCEPTED, 5),
        ("message_id", {"message_id": "5"}, ACCEPTED, 5),
        ("message_id", {"status": "OK", "result": {"message_id": "5"}}, ACCEPTED, 5),
        ("message_id", {"data": {"message_id": 5}}, ACCEPTED, 5),
        ("message_id", [{"message_id": 5}], ACCEPTED, 5),
        ("message_id", {"message_id": None, "result": {"message_id": 5}}, ACCEPTED, 5),
        ("message_id", {"message_id": 0}, UNKNOWN, None),
        ("message_id", {"message_id": True}, UNKNOWN, None),
        ("message_id", {"message_id": "five"}, UNKNOWN, None),
        ("message_id", {"status": "OK"}, UNKNOWN, None),
        ("sms_id", {"sms_id": 2197871, "status": "NEW", "parts": 1}, ACCEPTED, None),
        ("sms_id", [{"sms_id": "2197871"}], ACCEPTED, None),
        ("sms_id", {"status": "NEW"}, UNKNOWN, None),
        ("sms_id", {"sms_id": 2197871, "status": "ERROR"}, UNKNOWN, None),
        ("message_id", {"status": "error", "message_id": 5}, UNKNOWN, None),
    ],
)
def test_judge_send_finds_the_proving_number(
    proof: str, data: Any, kind: OutcomeKind, number: int | None
) -> None:
    """The proving number is found at the top, under result or data, as a number or as text."""
    outcome = judge(200, data, proof)
    assert (outcome.kind, outcome.message_id) == (kind, number)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"status": "OK"}, ACCEPTED),
        ({"success": "OK"}, ACCEPTED),
        ({"result": "1"}, ACCEPTED),
        ({"message_id": 5}, ACCEPTED),
        ({"status": "OK", "result": {"message_id": 5, "status": "NEW"}}, ACCEPTED),
        ({"status": "OK", "result": {"message_id": 5, "status": "Draft"}}, UNKNOWN),
        ({"status": "error", "message": "Некорректный запрос"}, UNKNOWN),
        ({"status": "fail"}, UNKNOWN),
        ({"message_id": 5, "status": "Rejected"}, UNKNOWN),
        ({"success": False}, UNKNOWN),
        ({}, UNKNOWN),
        ([], UNKNOWN),
        ("OK", UNKNOWN),
    ],
)
def test_judge_send_of_a_confirmation(data: Any, kind: OutcomeKind) -> None:
    """A confirmation, which spends money, is proved only by a sign of success."""
    assert judge(200, data, "confirmed").kind is kind


@pytest.mark.parametrize("word", ["error", "Fail", "failed", "FAILURE", "false", False, "0", 0])
def test_judge_send_of_a_word_of_failure(word: Any) -> None:
    """A word of failure makes the outcome unknown, whatever proof is next to it."""
    answers = {
        "uuid": {"uuid": "u"},
        "message_id": {"message_id": 5},
        "sms_id": {"sms_id": 5},
        "confirmed": {},
    }
    for proof, data in answers.items():
        assert judge(200, {**data, "status": word}, proof).kind is UNKNOWN


@pytest.mark.parametrize(
    "word", ["draft", "Rejected", "refused", "denied", "declined", "invalid", "canceled", "CANCELLED"]
)
def test_judge_send_of_a_mailing_that_did_not_start(word: str) -> None:
    """A failed start denies the confirmation of a mailing, but not the send of one SMS."""
    assert judge(200, {"message_id": 5, "status": word}, "confirmed").kind is UNKNOWN
    assert judge(200, {"sms_id": 5, "status": word}, "sms_id").kind is ACCEPTED


@pytest.mark.parametrize(
    ("status", "data", "text"),
    [
        (422, {"message": "Invalid.", "errors": {"name": ["no"]}}, "HTTP 422: Invalid. name: no"),
        (503, {"message": "Busy"}, "HTTP 503: Busy"),
        (500, {"error": "Server is not available"}, "Server is not available"),
        (400, {"error": "no", "message": "phone"}, "no; phone"),
        (429, {"message": "Too Many Attempts."}, "Too Many Attempts."),
        (200, {"success": "OK", "message": "queued"}, "the answer contains no uuid: queued"),
        (
            200,
            {"uuid": "cc9c8043", "success": "ERROR", "message": "no name"},
            'the answer says success "ERROR" instead of "OK": no name',
        ),
        (404, None, "HTTP 404, without proof that it was sent"),
    ],
)
def test_judge_send_keeps_what_the_answer_says(status: int, data: Any, text: str) -> None:
    """What is under error, message or errors is in the outcome, even an unknown one."""
    assert judge(status, data).error == text


def test_judge_send_says_how_long_to_wait() -> None:
    """The outcome says how long to wait only after a Retry-After that no run waits for."""
    busy = Answer(429, {"error": "busy"}, readable=True, retry_after=7200)
    assert judge_send(busy, METHODS["sendBulkSms"]).error == "busy; sms.by says to try again in 2 h"
    soon = Answer(429, {"error": "busy"}, readable=True, retry_after=60)
    assert judge_send(soon, METHODS["sendBulkSms"]).error == "busy"


def test_judge_send_of_a_method_that_only_prepares() -> None:
    """For createSmsMessage an error text is an answer, a bare 5xx is not, and a duplicate keeps its id."""
    text = {"error": "The same message exists with ID=3", "message_id": 3}
    outcome = judge_send(Answer(500, text, readable=True), METHODS["createSmsMessage"])
    assert (outcome.kind, outcome.message_id) == (REJECTED, 3)
    bare = judge_send(Answer(500, None), METHODS["createSmsMessage"])
    assert bare.kind is UNKNOWN
