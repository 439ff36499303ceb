"""The free queries: which answers prove a fact, and which leave it open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from smsby_deploy.doctor.examination import Examination
from smsby_deploy.doctor.questions import (
    ask_for_an_error,
    ask_for_balance,
    ask_for_call_styles,
    ask_for_mailings,
    ask_for_messages,
    ask_for_names,
)
from smsby_deploy.errors import SmsbyUnavailable
from smsby_deploy.smsby.facts import FactName, Gap, ListSize
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_smsby import EMPTY_LIST, OFFLINE, Reply, error, ok
from tests.doctor.examples import UsualTransport, fact_found


@pytest.mark.parametrize(
    ("balance", "limit", "currency", "price"),
    [
        ({"balance": "26", "currency": "byn"}, ok({"limit": "1000"}), "BYN", "0.026"),
        ({"balance": "26"}, ok({"limit": 1000}), Gap.NO_VALUE, "0.026"),
        ({"balance": "26", "currency": "рубли"}, ok({"limit": 0}), Gap.NO_VALUE, Gap.NO_VALUE),
        ({"balance": "0", "currency": "BYN"}, ok({"limit": 1000}), "BYN", Gap.NO_VALUE),
        ({"balance": "26", "currency": "BYN"}, error("no"), "BYN", Gap.REFUSED),
        ({"money": "26"}, ok({"limit": 1000}), Gap.NO_VALUE, Gap.NO_VALUE),
    ],
)
def test_prices_by_balance_and_limit(
    balance: object,
    limit: Answer,
    currency: object,
    price: object,
    look: Examination,
    transport: UsualTransport,
) -> None:
    """The price of an SMS is estimated as the balance divided by the number of SMS it buys."""
    transport.script("getBalance", ok(balance), error("token is invalid", 403))
    transport.script("getLimit", limit)
    ask_for_balance(look)
    assert (fact_found(look, FactName.CURRENCY), fact_found(look, FactName.PRICE_ESTIMATE)) == (
        currency,
        price,
    )


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (error("token is invalid", 403), {"status": 403, "recognized": True}),
        (Answer(401), {"status": 401, "recognized": False}),
        (ok({"balance": "1"}), Gap.UNDECIDED),  # a service that accepts any token
        (OFFLINE, Gap.NO_ANSWER),
    ],
)
def test_refusal_of_a_wrong_token(
    wrong: Reply, found: object, look: Examination, transport: UsualTransport
) -> None:
    """The answer to a wrong token shows how a revoked token will be recognized."""
    transport.script("getBalance", ok({"balance": "26", "currency": "BYN"}), wrong)
    ask_for_balance(look)
    assert fact_found(look, FactName.TOKEN_REFUSAL) == found


@pytest.mark.parametrize("status", [404, 200])
def test_service_without_a_balance_is_not_reached(
    look: Examination, transport: UsualTransport, status: int
) -> None:
    """Without a readable balance nothing more is asked, so a proxy's page teaches nothing; the message says what to check."""
    transport.script("getBalance", Answer(status))
    with pytest.raises(SmsbyUnavailable) as caught:
        ask_for_balance(look)
    assert caught.value.message == f"getBalance: no usable answer (HTTP {status})"
    assert "SMSBY_API_URL" in caught.value.hint
    assert not look.facts


def test_names_are_learned_each_by_itself(look: Examination, transport: UsualTransport) -> None:
    """Unreadable senders do not prevent learning the lists."""
    transport.script("getAlphanames", error("no"))
    senders, lists = ask_for_names(look)
    assert (senders, [one.name for one in lists]) == ({}, ["Newsletter"])
    assert (fact_found(look, FactName.SENDERS), fact_found(look, FactName.LISTS)) == (Gap.REFUSED, 1)
    transport.script("getAlphanames", ok({"7": "MyShop"}))
    transport.script("getSubscriberLists", ok("odd"))
    assert ask_for_names(look)[0] == {"MyShop": 7}


@pytest.mark.parametrize(
    ("works_in", "deviations"),
    [
        (1, {}),
        (2, {"sendQuickSMS": "post_form", "sendOtpTelegram": "post_form", "sendOtpWhatsApp": "post_form"}),
        (9, Gap.UNDECIDED),
    ],
)
def test_call_style_of_a_post(
    works_in: int, deviations: Any, look: Examination, transport: UsualTransport
) -> None:
    """The first call style that works counts, also for similar methods that cannot be tried."""

    def answer(params: Mapping[str, Any]) -> Answer:
        is_read = len(transport.named("statusBulkSms")) >= works_in
        return ok([]) if is_read else error("incorrect arguments", 400)

    transport.script("statusBulkSms", answer)
    for other in ("confirmSendMessageByList", "getSubscriberLists"):
        transport.script(other, error("incorrect arguments", 400))
    ask_for_call_styles(look)
    found = fact_found(look, FactName.CALL_STYLES)
    if isinstance(found, dict) and found:
        style = found.pop("statusBulkSms")
        assert set(found.values()) == {style}
        assert found.keys() == deviations.keys()
    else:
        assert found == deviations


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (error("not found", 404), {"status": 404, "known": True}),
        (error("кто здесь?", 200), {"status": 200, "known": False}),
        (ok({"status": "NEW"}), Gap.NO_VALUE),
    ],
)
def test_error_style(answer: Answer, found: object, look: Examination, transport: UsualTransport) -> None:
    transport.script("checkSMSMessageStatus", answer)
    ask_for_an_error(look)
    assert fact_found(look, FactName.ERROR_STYLE) == found


def _list(count: int) -> Answer:
    rows = [{"id": number, "name": str(number)} for number in range(1, count + 1)]
    return ok({"status": "success", "data": rows}) if rows else EMPTY_LIST


@pytest.mark.parametrize(
    ("every", "api", "web", "is_capped"),
    [
        (7, 5, 2, False),
        (7, 7, 7, False),  # `type` is not followed
        (100, 100, 0, True),  # as many as a page may have
        (100, 60, 40, False),  # both kinds are in it, and add up
        (100, 100, 100, True),
        (90, 60, 40, True),  # there are more of each kind than in all
    ],
)
def test_list_that_may_have_been_cut(
    every: int, api: int, web: int, is_capped: bool, look: Examination, transport: UsualTransport
) -> None:
    """A list that may have been cut is never used as proof that something was not sent."""
    transport.script("getSMSMessages", *map(_list, (every, api, web)))
    latest = ask_for_mailings(look)
    assert fact_found(look, FactName.LIST_SIZE) == {"count": every, "capped": is_capped}
    assert [row["id"] for row in latest] == []  # a fake does not stream


@pytest.mark.parametrize(("count", "is_capped"), [(5, True), (6, False), (4, False)])
def test_list_known_to_be_cut_stays_so_at_the_same_size(
    count: int, is_capped: bool, look: Examination, transport: UsualTransport
) -> None:
    """A list known to be cut stays so while its size is the same, even if that is no usual limit."""
    transport.script("getSMSMessages", *map(_list, (count, count, count)))
    ask_for_mailings(look, ListSize(5, is_capped=True))
    assert fact_found(look, FactName.LIST_SIZE) == {"count": count, "capped": is_capped}


@pytest.mark.parametrize(
    ("answers", "form"),
    [
        ([EMPTY_LIST] * 3, "documented"),
        ([Answer(204, is_empty=True)] * 3, "no_body"),
        ([_list(3), _list(3), ok([])], "bare_list"),  # all are of one kind, so the other has none
        ([_list(3), _list(2), _list(1)], Gap.NO_ROWS),
        ([EMPTY_LIST, EMPTY_LIST, ok([])], Gap.UNDECIDED),
        ([error("нет доступа", 406)] * 3, Gap.UNDECIDED),  # in other words: perhaps about something else
    ],
)
def test_form_of_no_mailings(
    answers: list[Answer], form: object, look: Examination, transport: UsualTransport
) -> None:
    """A form counts as "no mailings" only if something else proves that there are none."""
    transport.script("getSMSMessages", *answers)
    ask_for_mailings(look)
    assert fact_found(look, FactName.EMPTY_LIST) == form


def _message(number: int, created: str) -> dict[str, Any]:
    return {"id": number, "d_create": created}


@pytest.mark.parametrize(
    ("second", "paging"),
    [
        ([_message(2, "2026-05-28 23:26:40")], {"limit": True, "offset": True}),
        ([_message(1, "x")], {"limit": True, "offset": False}),
        ([_message(1, "x"), _message(2, "y")], {"limit": False, "offset": False}),
    ],
)
def test_paging_and_clock_of_messages(
    second: list[dict[str, Any]], paging: object, look: Examination, transport: UsualTransport
) -> None:
    """The zone of messages is found from one message whose time is a number in one list and text in another."""
    first = [_message(1, "2026-05-28 23:26:40"), _message(2, "2026-05-28 23:26:40")]
    transport.script("getMessagesList", ok({"result": first}), ok({"result": second}))
    ask_for_messages(look, [{"id": 1, "d_create": 1_780_000_000}])
    assert fact_found(look, FactName.PAGING) == paging
    assert fact_found(look, FactName.CLOCK_OUT)["offset"] == 180


def test_clock_by_a_delivery(look: Examination, transport: UsualTransport) -> None:
    """The zone is found from a delivery shortly after its mailing, looking only at gone mailings."""
    transport.script(
        "getSmsDeliveryList",
        ok({"result": [{"phone": "1", "status": "SENT", "d_sent": "2026-05-28 23:29:00"}]}),
    )
    ask_for_messages(look, [{"id": 1, "d_schedule": 1_780_000_000}, {"id": 2, "d_schedule": 4_000_000_000}])
    assert fact_found(look, FactName.CLOCK_OUT)["offset"] == 180
    assert [params["message_id"] for params in transport.named("getSmsDeliveryList")] == [1]
    assert fact_found(look, FactName.PAGING) is Gap.NO_ROWS


def test_clock_of_a_new_account_is_open(look: Examination) -> None:
    ask_for_messages(look, [])
    assert fact_found(look, FactName.CLOCK_OUT) is Gap.NO_ROWS
