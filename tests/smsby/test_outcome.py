"""What each answer of a send means, judged by itself."""

from __future__ import annotations

from typing import Any

import pytest

from smsby_deploy.privacy import mask_phones
from smsby_deploy.smsby.methods import Proof
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind, judge_send
from smsby_deploy.smsby.response import Answer
from smsby_deploy.smsby.transport import AnswerLost, NotConnected

ACCEPTED, NOT_SENT, REJECTED = OutcomeKind.ACCEPTED, OutcomeKind.NOT_SENT, OutcomeKind.REJECTED
TOKEN_REFUSED, UNKNOWN = OutcomeKind.TOKEN_REFUSED, OutcomeKind.UNKNOWN


def judge(status: int, data: Any = None, proof: Proof = "uuid", **more: Any) -> Outcome:
    return judge_send(Answer(status, data, readable=data is not None, **more), proof=proof)


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
        (201, {"error": "no"}, UNKNOWN),
    ],
)
def test_the_answer_of_a_bulk_send(status: int, data: Any, kind: OutcomeKind) -> None:
    """Only proof is accepted, only a told refusal is rejected, everything else is unknown."""
    assert judge(status, data).kind is kind


def test_no_connection_is_not_sent_and_a_lost_answer_is_unknown() -> None:
    assert judge_send(NotConnected("no route"), proof="uuid").kind is NOT_SENT
    assert judge_send(AnswerLost("reset"), proof="uuid").kind is UNKNOWN


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
    ],
)
def test_the_number_that_proves_a_send(
    proof: Proof, data: Any, kind: OutcomeKind, number: int | None
) -> None:
    """At the top, under result or data, as a number or as text."""
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
        ({"success": False}, UNKNOWN),
        ({}, UNKNOWN),
        ([], UNKNOWN),
        ("OK", UNKNOWN),
    ],
)
def test_what_shows_that_a_draft_was_confirmed(data: Any, kind: OutcomeKind) -> None:
    """Money is spent by a confirmation: only a sign of success says that it happened."""
    assert judge(200, data, "confirmed").kind is kind


def test_a_method_that_only_prepares_may_fail_with_5xx() -> None:
    """createSmsMessage: an error text is an answer, a bare 5xx is not; the duplicate's id is kept."""
    text = {"error": "The same message exists with ID=3", "message_id": 3}
    outcome = judge_send(Answer(500, text, readable=True), proof="message_id", only_prepares=True)
    assert (outcome.kind, outcome.message_id) == (REJECTED, 3)
    bare = judge_send(Answer(500, None), proof="message_id", only_prepares=True)
    assert bare.kind is UNKNOWN


def test_answer_error_is_one_short_line_without_the_token() -> None:
    """It goes into the lock and onto terminals, whose writers mask the phone numbers in it."""
    data = {"error": "token s3cret: no\n\x1b[31m+375 (29) 123-45-67, 375291234567, 8 (029) 123 45 67, "}
    data["error"] += "ID=2604834 of 2026-12-01 10:00:00 " + "x" * 900
    error = judge(400, data, token="s3cret").error
    assert error is not None
    assert "s3cret" not in error
    assert not any(shown in mask_phones(error) for shown in ("1234567", "123-45-67", "123 45 67"))
    assert "ID=2604834 of 2026-12-01 10:00:00" in error
    assert error.isprintable() and len(error) <= 301


def test_answer_error_never_ends_in_half_a_phone_number() -> None:
    """A number that the cut would shorten can no longer be recognized, so no digit of it is left."""
    for length in range(270, 305):
        error = Answer(400, {"error": "x" * length + " 375 29 123-45-67 refused"}, readable=True).error
        assert error is not None
        assert sum(character.isdigit() for character in mask_phones(error)) <= 7


def test_an_answer_shows_nothing_of_its_content() -> None:
    assert repr(Answer(200, {"phone": "375291234567"}, token="s3cret")).count("3752") == 0
    assert "s3cret" not in repr(Answer(200, {}, token="s3cret"))
