"""One answer: its error text, and what its repr shows."""

from __future__ import annotations

import pytest

from smsby_deploy.privacy import mask_phones
from smsby_deploy.smsby.response import Answer


def test_answer_error_is_one_short_line_without_the_token() -> None:
    """It goes into the lock and onto terminals, whose writers mask the phone numbers in it."""
    data = {"error": "token s3cret: no\n\x1b[31m+375 (29) 123-45-67, 375291234567, 8 (029) 123 45 67, "}
    data["error"] += "ID=2604834 of 2026-12-01 10:00:00 " + "x" * 900
    error = Answer(400, data, readable=True, token="s3cret").error
    assert error is not None
    assert "s3cret" not in error
    assert not any(shown in mask_phones(error) for shown in ("1234567", "123-45-67", "123 45 67"))
    assert "ID=2604834 of 2026-12-01 10:00:00" in error
    assert error.isprintable() and len(error) <= 301


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
        ([{"message": "no"}], None, "no"),
        ({"errors": []}, None, None),
        ({"uuid": "u"}, None, None),
        ("no", None, None),
    ],
)
def test_answer_explanation_is_under_three_keys(
    data: object, error: str | None, explanation: str | None
) -> None:
    """The keys `message` and `errors`, as Laravel writes them, explain an answer; only `error` decides."""
    answer = Answer(422, data, readable=True)
    assert (answer.error, answer.explanation) == (error, explanation)


def test_answer_explanation_hides_the_token() -> None:
    """Like the text under `error`."""
    answer = Answer(422, {"errors": {"token": ["t0ken-of-mine is unknown"]}}, token="t0ken-of-mine")
    assert answer.explanation == "token: <hidden> is unknown"


def test_answer_error_never_ends_in_half_a_phone_number() -> None:
    """A number that the cut would shorten can no longer be recognized, so no digit of it is left."""
    for length in range(270, 305):
        error = Answer(400, {"error": "x" * length + " 375 29 123-45-67 refused"}, readable=True).error
        assert error is not None
        assert sum(character.isdigit() for character in mask_phones(error)) <= 7


def test_answer_repr_shows_no_content() -> None:
    """Neither the data nor the token is in the repr of an answer."""
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
    """A text by which an error is known stays recognizable with a short token."""
    answer = Answer(400, {"error": "the same message exists, x"}, readable=True, token=token)
    assert answer.error == shown
