"""Properties of all answers: nothing crashes, and nothing is concluded that the answer does not prove."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Request
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from smsby_deploy.errors import ApiError, SmsbyDeployError
from smsby_deploy.sandbox.protocol import read_params
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.deliveries import read_bulk_status, read_deliveries
from smsby_deploy.smsby.methods import METHODS, Method
from smsby_deploy.smsby.outcome import OutcomeKind, judge_send
from smsby_deploy.smsby.parsers import (
    read_alphanames,
    read_balance,
    read_import,
    read_list_info,
    read_lists,
    read_mailings,
    read_message_state,
    read_receipt,
)
from smsby_deploy.smsby.response import Answer, find_value, objects_of
from smsby_deploy.smsby.transport import _brackets
from tests.smsby.any_json import ANY_JSON
from tests.smsby.conftest import keep_all

SENDS = [method for method in METHODS.values() if method.sends]


@given(st.integers(200, 599), ANY_JSON, st.sampled_from(SENDS))
def test_judge_send_accepts_only_proof(status: int, data: Any, method: Method) -> None:
    """Only a proof is accepted, and only a 429 allows the request to be sent again, whatever the answer."""
    answer = Answer(status, data, readable=data is not None)
    outcome = judge_send(answer, method)
    assert (outcome.kind is OutcomeKind.NOT_SENT) == (status == 429)
    if outcome.kind is OutcomeKind.ACCEPTED:
        assert status < 300 and not answer.error
        assert all(str(found.get("success", "OK")).strip().lower() == "ok" for found in objects_of(data))
        if method.proof in ("uuid", "message_id"):
            assert getattr(outcome, method.proof)
        if method.proof != "confirmed":
            assert find_value(data, str(method.proof))
    if outcome.kind in (OutcomeKind.REJECTED, OutcomeKind.TOKEN_REFUSED):
        assert answer.error
        assert status == 200 or 400 <= status < 500 or (method.only_prepares and status >= 500)
    assert outcome.error is not None or outcome.kind is OutcomeKind.ACCEPTED


LIST_ANSWERS = st.builds(
    lambda status, data, is_empty: Answer(
        status, None if is_empty else data, readable=not is_empty, is_empty=is_empty
    ),
    st.sampled_from([200, 201, 204, 206, 301, 400, 404, 406, 500]),
    ANY_JSON
    | st.fixed_dictionaries(
        {},
        optional={
            "status": st.sampled_from(["success", "error", "ok", "", None]),
            "data": st.sampled_from([[], {}, None, "", 0, False, [[]], [None], [{}]]),
            "error": st.sampled_from(["Content not found", "limit exceeded", "page not found", "", None]),
        },
    ),
    st.booleans(),
)


@settings(max_examples=5 * settings().max_examples)
@given(LIST_ANSWERS)
def test_only_documented_answers_list_no_mailings(answer: Answer) -> None:
    """Only an answer in a documented form lists no mailings, so that plan and apply take no mailing for new by mistake."""
    transport = SimpleNamespace(
        ask=lambda method, params, keep: answer, clock=SimpleNamespace(sleep=lambda _: None)
    )
    try:
        listed = ReadClient(transport).get_sms_messages(keep=keep_all).mailings  # type: ignore[arg-type]
    except SmsbyDeployError as error:
        assert error.exit_code == 7
        return
    if listed:
        assert answer.status == 200
    elif answer.status == 200:
        assert answer.data["status"] == "success" and answer.data["data"] in ([], {}) and not answer.error
    else:
        assert answer.status == 406 and (not answer.error or answer.error == "Content not found")


def _all(read: Callable[[Any], Iterable[Any]]) -> Callable[[Any], Any]:
    return lambda data: list(read(data))


@pytest.mark.parametrize(
    "read",
    [
        _all(partial(read_mailings, keep=keep_all)),
        _all(read_bulk_status),
        _all(read_deliveries),
        _all(read_alphanames),
        _all(read_lists),
        read_balance,
        read_list_info,
        read_receipt,
        read_message_state,
        read_import,
    ],
    ids=lambda read: getattr(read, "__name__", "reader"),
)
@settings(max_examples=40)
@given(ANY_JSON)
def test_parsers_read_an_answer_or_raise_api_error(read: Callable[[Any], Any], data: Any) -> None:
    """Whatever the answer, a parser reads it or raises ApiError."""
    try:
        read(data)
    except ApiError as error:
        assert "cannot read the answer" in error.message


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NESTED = st.recursive(
    TEXTS,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "phone", "text"]), inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["messages", "name", "data"]), NESTED))
def test_brackets_of_a_form_lose_nothing(params: dict[str, Any]) -> None:
    """PHP, as the sandbox imitates it, reads from a form what was written into it."""
    pairs = list(_brackets(params))
    assert len(dict(pairs)) == len(pairs)
    builder = EnvironBuilder(method="POST", data=dict(pairs))
    assert read_params(Request(builder.get_environ()))["form"] == params
