"""One answer: its error text, and what its repr shows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from smsby_deploy.errors import CHECK_TOKEN, ApiError, TokenRefused
from smsby_deploy.privacy import mask_phones
from smsby_deploy.smsby.response import (
    PLACE_HINT,
    Answer,
    Rows,
    error_for,
    inner_value,
    read_count,
    read_decimal,
    read_int,
    refuses_token,
    rows_of,
)


def test_answer_error_is_one_short_line_without_the_token() -> None:
    """The error text, which goes into locks and onto terminals, is one short line without the token."""
    data = {"error": "token s3cret: no\n\x1b[31m+375 (29) 123-45-67, 375291234567, 8 (029) 123 45 67, "}
    data["error"] += "ID=2604834 of 2026-12-01 10:00:00 " + "x" * 900
    error = Answer(400, data, readable=True, token="s3cret").error
    assert error is not None
    assert "s3cret" not in error
    assert not any(shown in mask_phones(error) for shown in ("1234567", "123-45-67", "123 45 67"))
    assert "ID=2604834 of 2026-12-01 10:00:00" in error
    assert error.isprintable() and len(error) <= 301 and error.endswith("…")
    assert Answer(400, {"error": "x" * 300}).error == "x" * 300


@pytest.mark.parametrize(
    ("data", "error", "explanation"),
    [
        ({"error": "billing error"}, "billing error", "billing error"),
        ({"message": "Некорректный запрос"}, None, "Некорректный запрос"),
        (
            {"message": "The given data was invalid.", "errors": {"name": ["is too long", "is taken"]}},
            None,
            "The given data was invalid. name: is too long; name: is taken",
        ),
        ({"error": "no", "message": "no", "errors": ["why"]}, "no", "no; why"),
        ({"error": {"code": 7, "text": "no"}}, "code: 7; text: no", "code: 7; text: no"),
        ({"error": {"code": None}}, "{'code': None}", "{'code': None}"),
        ({"error": [" ", "no"]}, "no", "no"),
        ({"error": {"a": {"b": {"c": {"d": {"e": "no"}}}}}}, "d: {'e': 'no'}", "d: {'e': 'no'}"),
        ([{"message": "no"}], None, "no"),
        ({"errors": []}, None, None),
        ({"uuid": "u"}, None, None),
        ("no", None, None),
    ],
)
def test_answer_explanation_is_under_three_keys(
    data: object, error: str | None, explanation: str | None
) -> None:
    """`message` and `errors`, as Laravel writes them, explain an answer, but only `error` decides."""
    answer = Answer(422, data, readable=True)
    assert (answer.error, answer.explanation) == (error, explanation)


def test_answer_explanation_hides_the_token() -> None:
    """The explanation hides the token, like the text under `error`."""
    answer = Answer(422, {"errors": {"token": ["t0ken-of-mine is unknown"]}}, token="t0ken-of-mine")
    assert answer.explanation == "token: <hidden> is unknown"


def test_answer_error_never_ends_in_half_a_phone_number() -> None:
    """A phone number that truncation would cut is left out, since its part could not be recognized and masked."""
    for length in range(270, 305):
        error = Answer(400, {"error": "x" * length + " 375 29 123-45-67 refused"}, readable=True).error
        assert error is not None
        assert sum(character.isdigit() for character in mask_phones(error)) <= 7


def test_answer_repr_shows_no_content() -> None:
    """The repr of an answer has neither its data nor the token."""
    assert repr(Answer(200, {"phone": "375291234567"}, token="s3cret")).count("3752") == 0
    assert "s3cret" not in repr(Answer(200, {}, token="s3cret"))


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("x", "the same message exists, <hidden>"),  # any token will do for the sandbox
        ("exists, x", "the same message <hidden>"),
        ("an-eight-digit-one", "the same message exists, x"),
    ],
)
def test_answer_error_hides_the_token(token: str, shown: str) -> None:
    """The text of a known error stays recognizable even with a short token."""
    answer = Answer(400, {"error": "the same message exists, x"}, readable=True, token=token)
    assert answer.error == shown


@pytest.mark.parametrize(
    ("answer", "is_success", "accepts_token"),
    [
        (Answer(200, {"result": []}, readable=True), True, True),
        (Answer(200, is_empty=True), True, False),
        (Answer(200, {"error": "no"}, readable=True), False, False),
        (Answer(300, {"result": []}, readable=True), False, False),
        (Answer(406, is_empty=True), False, True),
        (Answer(406, {"error": "not found"}, readable=True), False, True),
        (Answer(406, {"error": "incorrect token"}, readable=True), False, False),
        (Answer(407, is_empty=True), False, False),
    ],
)
def test_answer_accepts_the_token(answer: Answer, is_success: bool, accepts_token: bool) -> None:
    """An answer with data, or saying that there is none, accepts the token; an error or unreadable body does not."""
    assert (answer.is_success, answer.accepts_token) == (is_success, accepts_token)


def test_token_is_refused_by_its_status_or_text() -> None:
    """A refusal of the token needs an error text, and if another method accepted the token, its place may be wrong."""
    assert refuses_token("no", 401) and refuses_token("token not found", 404)
    assert not refuses_token(None, 401) and not refuses_token("", 401) and not refuses_token("no", 403)
    hints = [error_for("m", "no", status=401, **known).hint for known in ({}, {"is_token_known": True})]
    assert hints == [CHECK_TOKEN, PLACE_HINT]
    assert isinstance(error_for("m", "no", status=401), TokenRefused)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7),
        (" 7 ", 7),
        (7.0, 7),
        (-7, -7),
        (7.5, None),
        (True, None),
        ([7], None),
        ("7x", None),
        ("7" * 19, None),
    ],
)
def test_read_int_reads_only_integers(value: Any, number: int | None) -> None:
    """An integer is read from text or a number, and a count is not below 0."""
    assert read_int(value) == number
    assert read_count(value) == (None if number == -7 else number)
    assert read_count(0) == 0


@pytest.mark.parametrize(
    ("value", "is_money"),
    [
        ("0.026", True),
        (7, True),
        ("9" * 30, True),
        ("9" * 31, False),
        ("1e30", True),
        ("1e31", False),
        ("1e-30", True),
        ("1e-31", False),
        ("NaN", False),
        ("Infinity", False),
        ("x", False),
        (None, False),
    ],
)
def test_read_decimal_reads_what_can_be_written(value: Any, is_money: bool) -> None:
    """A short text can be a number with a hundred million digits, which is not read."""
    assert read_decimal(value) == (Decimal(str(value)) if is_money else None)


@pytest.mark.parametrize(
    ("data", "inner"),
    [
        ({"status": "success", "data": [1]}, [1]),
        ({"result": "OK", "data": {"7": "News"}}, {"7": "News"}),
        ({"result": "OK", "data": Rows([], 3)}, Rows([], 3)),
        ({"result": "OK"}, "OK"),
        ({"result": None}, []),
        ({"data": None}, []),
        ([{"data": [1]}], [1]),
        ({"7": "News"}, {"7": "News"}),
    ],
)
def test_inner_value_is_a_list_or_map(data: Any, inner: Any) -> None:
    """A list or map is the content of an answer, not a word next to it such as OK."""
    assert inner_value(data) == inner


@pytest.mark.parametrize(
    "data", [{}, {"status": "OK"}, {"result": "OK"}, "x", None, [1], {"7": {"id": 7}, "x": 1}]
)
def test_rows_of_what_is_no_list(data: Any) -> None:
    """An unreadable answer is not an empty list, since absence would be taken for a fact."""
    with pytest.raises(ApiError, match="expected a list") as caught:
        list(rows_of(data))
    assert caught.value.status == 200
