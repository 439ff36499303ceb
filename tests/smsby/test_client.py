"""The read-only client: its queries, how it reads answers, and when it repeats a query."""

from __future__ import annotations

import gzip
import inspect
import json
from decimal import Decimal
from typing import Any

import pytest

from smsby_deploy.errors import ApiError, SmsbyDeployError, SmsbyUnavailable, TokenRefused
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.deliveries import Delivery
from smsby_deploy.smsby.facts import NO_FACTS, AccountFacts, EmptyForm, Fact, FactName, FactState
from smsby_deploy.smsby.methods import METHODS, Effect
from smsby_deploy.smsby.parsers import AccountName, Balance, MailingList
from smsby_deploy.smsby.response import (
    AwaitingModeration,
    DuplicateMessage,
    LimitExceeded,
    NoMoney,
    NotFound,
    TextRefusedAsTooLong,
    UndefinedError,
    WrongAlphaname,
    WrongArguments,
    WrongPhone,
    error_for,
)
from smsby_deploy.smsby.transport import ReadTransport
from tests.smsby.conftest import TOKEN, FakeClock, FakeServer, Reply, keep_all

MAILING = {
    "id": 1173020,
    "name": "Notification",
    "d_create": 1614154034,
    "d_schedule": 1645612020,
    "type": "API",
    "parts": "27631",
    "count_phones": 27631,
    "status": "NEW",
    "sms_delivered": "0",
    "cost": "718.40600",
    "alphaname": "SMS.by",
}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, b""),
        Reply(500, {"error": "Server is not available"}),
        Reply(429, b""),
        Reply(502, b"<html>"),
        Reply(200, b"<html>"),
        Reply(302, b"", {"Location": "/login"}),
        Reply(break_off="reset"),
        Reply(200, {"balance": 5}, break_off="truncated"),
    ],
)
def test_read_client_repeats_a_question(
    wire: FakeServer, reader: ReadClient, clock: FakeClock, reply: Reply
) -> None:
    """A query, which reaches no recipient, is repeated."""
    wire.answers(reply, reply, Reply(200, {"balance": 5}))
    assert reader.get_balance().amount == 5
    assert [pause for pause in clock.slept if pause > 0.1] == [0.5, 1.0]


@pytest.mark.parametrize("reply", [Reply(500, b""), Reply(429, b""), Reply(200, b"<html>"), Reply(302, b"")])
def test_read_client_gives_up_after_four_tries(wire: FakeServer, reader: ReadClient, reply: Reply) -> None:
    """After four tries sms.by is unavailable."""
    wire.answers(*[reply] * 5)
    with pytest.raises(SmsbyUnavailable, match="getBalance") as caught:
        reader.get_balance()
    assert not isinstance(caught.value, TokenRefused)
    assert len(wire.asked) == 4


def test_read_client_honors_retry_after(wire: FakeServer, reader: ReadClient, clock: FakeClock) -> None:
    """The pause is as long as the header says."""
    wire.answers(
        Reply(429, b"", {"Retry-After": "7"}),
        Reply(503, b"", {"Retry-After": "60"}),
        Reply(429, b"", {"Retry-After": "0"}),
        Reply(200, {"balance": 5}),
    )
    reader.get_balance()
    assert [pause for pause in clock.slept if not 0 < pause < 0.1] == [7.0, 60.0, 0.0]


def test_read_client_gives_up_on_a_long_retry_after(
    wire: FakeServer, reader: ReadClient, clock: FakeClock
) -> None:
    """A Retry-After of over a minute is neither waited for nor ignored."""
    wire.answers(Reply(429, b"", {"Retry-After": "86400"}))
    with pytest.raises(SmsbyUnavailable, match=r"getBalance: .*; sms\.by says to try again in 24 h"):
        reader.get_balance()
    assert len(wire.asked) == 1
    assert [pause for pause in clock.slept if pause > 0.1] == []


@pytest.mark.parametrize(("status", "style"), [(200, "200 with error"), (400, "4xx"), (404, "4xx")])
def test_read_client_raises_an_error_at_once(
    wire: FakeServer, reader: ReadClient, status: int, style: str
) -> None:
    """An error text is an answer with HTTP 200 and 4xx alike, and raised at once."""
    wire.answers(Reply(status, {"error": "something odd"}))
    with pytest.raises(ApiError, match="getBalance: something odd") as caught:
        reader.get_balance()
    assert caught.value.status == status
    assert len(wire.asked) == 1


def test_read_client_raises_a_4xx_without_a_text(wire: FakeServer, reader: ReadClient) -> None:
    """A 4xx without an error text is an ApiError and is not repeated."""
    wire.answers(Reply(418, b"<html>not here</html>"))
    with pytest.raises(ApiError, match="getBalance: HTTP 418"):
        reader.get_balance()


@pytest.mark.parametrize(
    ("status", "text"),
    [(422, "getBalance: HTTP 422: no. name: x"), (403, "no. name: x"), (500, "no. name: x")],
)
def test_read_client_shows_message_and_errors(
    wire: FakeServer, reader: ReadClient, status: int, text: str
) -> None:
    """What sms.by says under other keys than `error` is shown, whatever kind of failure it is."""
    wire.answers(*[Reply(status, {"message": "no.", "errors": {"name": ["x"]}})] * 4)
    with pytest.raises(SmsbyDeployError) as caught:
        reader.get_balance()
    assert text in caught.value.message


def test_read_client_takes_no_message_for_a_known_error(wire: FakeServer, reader: ReadClient) -> None:
    """Only the text under `error` is classified, so a page that is not found is not an unknown name."""
    wire.answers(Reply(404, {"message": "Not found"}))
    with pytest.raises(ApiError) as caught:
        reader.check_sms_message_status(5)
    assert type(caught.value) is ApiError


def test_read_client_explains_a_wrong_url(wire: FakeServer, reader: ReadClient) -> None:
    """A 404 without an error text of sms.by comes from another web server, so api.url is wrong."""
    wire.answers(*[Reply(404, b"<html>not here</html>")] * 5)
    with pytest.raises(SmsbyUnavailable, match="HTTP 404") as caught:
        reader.get_balance()
    assert "api.url" in caught.value.hint


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"message": "Unauthenticated."}'])
def test_read_client_takes_a_bare_401_as_refused_token(
    wire: FakeServer, reader: ReadClient, status: int, body: bytes
) -> None:
    """A 401 or 403 without an error text means that the token is refused."""
    wire.answers(Reply(status, body))
    with pytest.raises(TokenRefused):
        reader.get_balance()
    assert len(wire.asked) == 1


@pytest.mark.parametrize("status", [200, 400, 401, 403, 406, 500])
def test_read_client_raises_a_refused_token_at_once(
    wire: FakeServer, reader: ReadClient, status: int
) -> None:
    """A refused token is raised at once with any HTTP status, which differed in 2017, 2021 and 2026."""
    wire.answers(Reply(status, {"error": "token is invalid"}))
    with pytest.raises(TokenRefused) as caught:
        reader.get_sms_messages(keep=keep_all)
    assert caught.value.exit_code == 7 and "SMSBY_TOKEN" in caught.value.hint
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("limit excided", LimitExceeded),
        ("limit exceeded", LimitExceeded),
        ("incorrect phone number", WrongPhone),
        ("incorrect arguments", WrongArguments),
        ("billing error", NoMoney),
        ("Insufficient funds to continue", NoMoney),
        ("message_id not found", NotFound),
        ("access denied", AwaitingModeration),
        ("not found", NotFound),
        ("undefined error", UndefinedError),
        ("The same message exists with ID=3", DuplicateMessage),
        ("alphaname is error", WrongAlphaname),
        ("Wrong alphaname. Check it is correct and approved.", WrongAlphaname),
        ("ошибка в буквенном имени", WrongAlphaname),
        (
            "Message is too long. Allowed size: 1530 chars for 10 sms (160 latin symbols /sms).",
            TextRefusedAsTooLong,
        ),
        ("len value must be beetwen 1 and 16", WrongArguments),
        ("token is invalid", TokenRefused),
        ("never seen before", ApiError),
    ],
)
def test_error_for_knows_every_error_text(text: str, kind: type[Exception]) -> None:
    """Each text has its type, and a hint."""
    error = error_for("sendSMS", text, status=500)
    assert type(error) is kind
    assert text in error.message
    assert bool(error.hint) is (kind is not ApiError)


def test_read_client_takes_a_known_error_with_500(wire: FakeServer, reader: ReadClient) -> None:
    """A known error with HTTP 500, as sms.by sent most errors in 2017, is not repeated."""
    wire.answers(Reply(500, {"error": "not found"}))
    with pytest.raises(NotFound):
        reader.check_sms_message_status(5)
    assert len(wire.asked) == 1


def test_get_sms_messages_reads_numbers_as_text(wire: FakeServer, reader: ReadClient) -> None:
    """Numbers that sms.by writes as text are read as numbers."""
    wire.answers(Reply(200, {"status": "success", "data": [MAILING, {"id": "7", "status": "SOMETHING_NEW"}]}))
    first, second = reader.get_sms_messages(keep=keep_all)
    assert (first.id, first.parts, first.count_phones) == (1173020, 27631, 27631)
    assert (first.cost, first.d_schedule, first.name) == (Decimal("718.406"), 1645612020, "Notification")
    assert (second.id, second.name, second.parts, second.cost, second.status) == (
        7,
        "",
        None,
        None,
        "SOMETHING_NEW",
    )


@pytest.mark.parametrize(
    "reply",
    [
        Reply(406, {"error": "Content not found"}),
        Reply(406, {"error": "No messages found."}),
        Reply(406, {"error": "Ничего не найдено"}),
        Reply(406, {"status": "error"}),
        Reply(406, {"error": None, "errors": []}),
        Reply(406, {"error": False, "message": ""}),
        Reply(406, []),
        Reply(406, "Content not found"),
        Reply(406, b""),
        Reply(200, {"status": "success", "data": []}),
        Reply(200, {"status": "success", "data": {}}),
    ],
)
def test_get_sms_messages_without_mailings(wire: FakeServer, reader: ReadClient, reply: Reply) -> None:
    """Only the documented forms mean that there are no mailings."""
    wire.answers(reply)
    assert reader.get_sms_messages(keep=keep_all) == MailingList((), 0)
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b""),
        Reply(200, b" \n"),
        Reply(200, []),
        Reply(200, {}),
        Reply(200, [{"status": "success", "data": []}]),
        Reply(200, {"data": []}),
        Reply(200, {"status": "success"}),
        Reply(200, {"status": "success", "data": None}),
        Reply(200, {"status": "success", "data": "many"}),
        Reply(200, {"status": "success", "data": ["a"]}),
        Reply(200, {"status": "success", "data": [{"name": "campaign/mailing shop#0123456789"}]}),
        Reply(200, {"status": "success", "data": [MAILING, "a"]}),
        Reply(200, {"status": "success", "data": [MAILING, {"name": "other"}]}),
        Reply(200, {"data": [MAILING], "status": "error"}),
        Reply(200, {"data": [MAILING], "status": "success", "error": "limit exceeded"}),
        Reply(200, {"data": [MAILING], "result": []}),
        Reply(200, json.dumps({"status": "success", "data": [MAILING]}).encode()[:-1]),
        Reply(200, json.dumps({"status": "success", "data": [MAILING]}).encode()[:-2]),
        Reply(200, json.dumps({"status": "success", "data": [MAILING]}).encode() + b"]"),
        Reply(200, {"status": "success", "data": [MAILING]}, break_off="truncated"),
        Reply(200, {"status": "error", "data": []}),
        Reply(200, {"status": "error", "data": [MAILING]}),
        Reply(200, {"status": "error", "message": "Некорректный запрос"}),
        Reply(200, {"error": "limit exceeded", "status": "success", "data": []}),
        Reply(200, "none"),
        Reply(200, 17),
        Reply(204, b""),
        Reply(206, {"status": "success", "data": []}),
        Reply(206, {"status": "success", "data": [MAILING]}),
        Reply(400, {"error": "incorrect arguments"}),
        Reply(404, {"error": "Content not found"}),
        Reply(406, b"<html>"),
        Reply(406, {"error": "limit exceeded"}),
        Reply(406, {"error": ""}),
        Reply(406, {"error": []}),
        Reply(406, [{"error": "", "data": []}]),
        Reply(406, "Not Acceptable"),
        Reply(406, [1, 2]),
        Reply(406, {"error": "not found", "data": [{"id": 1}]}),
        Reply(406, {"error": "page not found"}),
        Reply(406, {"message": "Not Acceptable"}),
        Reply(500, {"error": "Content not found"}),
    ],
)
def test_get_sms_messages_refuses_any_other_answer(
    wire: FakeServer, reader: ReadClient, reply: Reply
) -> None:
    """Any other answer is an error: an empty list would mean "not sent yet", and everything would be sent again."""
    wire.answers(*[reply] * 20)
    with pytest.raises(SmsbyUnavailable) as caught:
        reader.get_sms_messages(keep=keep_all)
    assert caught.value.exit_code == 7


@pytest.mark.parametrize(
    ("reply", "form"),
    [
        (Reply(200, b""), "no_body"),
        (Reply(204, b""), "no_body"),
        (Reply(200, []), "bare_list"),
        (Reply(200, {"status": "success", "data": None}), "null_data"),
        (Reply(200, {"status": "success"}), "null_data"),
        (Reply(404, {"error": "Content not found"}), "not_found"),
        (Reply(406, {"message": "Рассылки ещё не созданы"}), "other_406"),
        (Reply(406, {"error": ""}), "other_406"),
        (Reply(200, {}), None),
        (Reply(200, {"status": "error", "data": []}), None),
        (Reply(200, {"error": "limit exceeded", "status": "success"}), None),
        (Reply(404, {"error": "page not found"}), None),
        (Reply(406, {"error": "limit exceeded"}), None),
        (Reply(406, {"error": "token is invalid"}), None),
        (Reply(406, b"<html>"), None),
        (Reply(500, {"error": "Content not found"}), None),
    ],
)
def test_get_sms_messages_of_an_account_with_another_form(
    wire: FakeServer, reader: ReadClient, reply: Reply, form: str | None
) -> None:
    """Besides the documented forms, only the form that this account was seen to use means "no mailings"."""
    for known in EmptyForm:
        fact = Fact(FactName.EMPTY_LIST, FactState.KNOWN, str(known))
        reader.facts = AccountFacts("a", {FactName.EMPTY_LIST: fact})
        wire.replies.clear()
        wire.answers(*[reply] * 20)
        if known == form:
            assert reader.get_sms_messages(keep=keep_all) == MailingList((), 0)
        else:
            with pytest.raises(SmsbyUnavailable):
                reader.get_sms_messages(keep=keep_all)
    reader.facts = NO_FACTS
    wire.replies.clear()
    wire.answers(Reply(406, {"error": "Content not found"}))
    assert reader.get_sms_messages(keep=keep_all) == MailingList((), 0)


@pytest.mark.parametrize(
    "listed",
    [
        {"status": "success", "data": [{"id": 1}, MAILING, {"id": "3"}]},
        {"data": [{"id": 1}, MAILING, {"message_id": 3}], "status": "success"},
        {"data": [{"id": 1}, MAILING, {"id": 3}]},
        {"result": [{"id": 1}, MAILING, {"id": 3}], "data": None},
        {"data": "many", "result": [{"id": 1}, MAILING, {"id": 3}]},
        {"status": "success", "data": {"0": {"id": 1}, "7": MAILING, "8": {"id": 3}}},
        [{"status": "success", "data": [{"id": 1}, MAILING, {"id": 3}]}],
        [{"id": 1}, MAILING, {"id": 3}],
    ],
)
def test_get_sms_messages_keeps_what_is_needed(wire: FakeServer, reader: ReadClient, listed: Any) -> None:
    """From any form of the list the needed mailings are kept, and the others are counted."""
    content = json.dumps(listed).encode()
    wire.answers(
        Reply(200, content), Reply(200, gzip.compress(content, mtime=0), {"Content-Encoding": "gzip"})
    )
    for _ in range(2):
        found = reader.get_sms_messages(keep=lambda number, name: number == 2 or name == "Notification")
        assert [one.id for one in found] == [1173020]
        assert found.count == 3


def test_get_sms_messages_starts_anew_after_a_lost_answer(wire: FakeServer, reader: ReadClient) -> None:
    """After a lost answer the list is read anew, without what was already read."""
    listed = {"status": "success", "data": [MAILING] * 3}
    wire.answers(
        Reply(200, {"status": "success", "data": [MAILING, 7]}, break_off="truncated"), Reply(200, listed)
    )
    assert reader.get_sms_messages(keep=keep_all).count == 3


def test_get_sms_messages_hides_a_token_anywhere(wire: FakeServer, reader: ReadClient) -> None:
    """A token in the list is hidden even if a piece of the answer ends within it."""
    rows = [{"id": number, "name": f"{number * 'x'}{TOKEN}"} for number in range(500)]
    wire.answers(Reply(200, {"status": "success", "data": rows}))
    assert [one.name for one in reader.get_sms_messages(keep=keep_all)] == [
        f"{n * 'x'}<hidden>" for n in range(500)
    ]


ROWS = [{"message_id": 1, "name": "a", "alphaname_id": "1", "success": [{"phone": "375291111111"}]}]


@pytest.mark.parametrize("data", [ROWS, {"result": ROWS}, [{"result": ROWS}], {"0": ROWS[0]}])
def test_status_bulk_sms_reads_one_mailing(wire: FakeServer, reader: ReadClient, data: Any) -> None:
    """A list with one mailing is not mistaken for a wrapped answer."""
    wire.answers(Reply(200, data))
    (mailing,) = reader.status_bulk_sms("cc9c8043")
    assert mailing.message_id == 1
    assert mailing.deliveries == (Delivery("375291111111", "success", None),)
    assert (wire.asked[0].verb, wire.asked[0].query["uuid"]) == ("POST", ["cc9c8043"])


@pytest.mark.parametrize(
    "reply", [Reply(200, []), Reply(406, b""), Reply(200, b""), Reply(200, {"status": "wait"})]
)
def test_status_bulk_sms_may_be_empty(wire: FakeServer, reader: ReadClient, reply: Reply) -> None:
    """An empty answer of statusBulkSms, as some time after the request, is not an error."""
    wire.answers(reply)
    assert reader.status_bulk_sms("cc9c8043") == ()


def _page(*phones: int) -> Reply:
    rows = [{"phone": phone, "status": "sent", "d_sent": "2021-03-22 11:32:32"} for phone in phones]
    return Reply(200, {"result": rows})


def test_get_sms_delivery_list_reads_all_pages(wire: FakeServer, reader: ReadClient) -> None:
    """All pages are read even after a short one, since the largest page size is not documented."""
    wire.answers(_page(1, 2), _page(3, 4), _page(5), _page())
    assert [delivery.phone for delivery in reader.get_sms_delivery_list(9)] == ["1", "2", "3", "4", "5"]
    assert [asked.query["limit_offset"] for asked in wire.asked] == [["0"], ["2"], ["4"], ["5"]]
    assert {asked.query["message_id"][0] for asked in wire.asked} == {"9"}
    assert all(int(asked.query["limit_rows"][0]) > 0 for asked in wire.asked)


@pytest.mark.parametrize("second", [_page(1, 2), _page(1, 2, 3), Reply(406, b""), Reply(200, b"")])
def test_get_sms_delivery_list_notices_an_ignored_offset(
    wire: FakeServer, reader: ReadClient, second: Reply
) -> None:
    """If sms.by ignores the offset, no delivery is counted twice."""
    wire.answers(_page(1, 2), second)
    assert len(list(reader.get_sms_delivery_list(9))) == 2
    assert len(wire.asked) == 2


def test_get_sms_delivery_list_keeps_repeated_phones(wire: FakeServer, reader: ReadClient) -> None:
    """Pages with the same phones are two pages if their rows differ."""
    again = [{"phone": 1, "status": "sent", "d_sent": "2021-03-23 11:32:32"}]
    wire.answers(_page(1), Reply(200, {"result": again}), _page())
    assert [delivery.phone for delivery in reader.get_sms_delivery_list(9)] == ["1", "1"]


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({"0": "System name (SMS.by)", "1363": "MyShop"}, [(0, "System name (SMS.by)"), (1363, "MyShop")]),
        ([{"0": "System", "1363": "MyShop"}], [(0, "System"), (1363, "MyShop")]),
        (["System name (SMS.by)"], [(0, "System name (SMS.by)")]),
        ({"status": "OK", "result": {"1363": "MyShop"}}, [(1363, "MyShop")]),
        ([], []),
    ],
)
def test_get_alphanames_reads_a_map_or_a_list(
    wire: FakeServer, reader: ReadClient, data: Any, names: list[tuple[int, str]]
) -> None:
    """Alphanames are read from a map or a list, as which PHP writes a map whose only key is 0."""
    wire.answers(Reply(200, data))
    assert reader.get_alphanames() == tuple(AccountName(*name) for name in names)


@pytest.mark.parametrize(
    "data",
    [
        {"status": "OK", "result": [{"list_id": 3434, "name": "Newsletter"}]},
        {"status": "OK", "data": [{"id": "3434", "title": "Newsletter"}]},
        [{"list_id": "3434", "name": "Newsletter"}],
        [{"status": "OK", "result": [{"list_id": 3434, "name": "Newsletter"}]}],
        {"3434": "Newsletter"},
        {"status": "OK", "result": {"3434": "Newsletter"}},
        {"result": {"0": {"list_id": 3434, "name": "Newsletter"}}},
    ],
)
def test_get_subscriber_lists_reads_several_shapes(wire: FakeServer, reader: ReadClient, data: Any) -> None:
    """Objects and a map are read alike."""
    wire.answers(Reply(200, data))
    assert reader.get_subscriber_lists() == (AccountName(3434, "Newsletter"),)
    (asked,) = wire.asked
    assert (asked.verb, asked.path) == ("POST", "/api/v2/getSubscriberLists")


_LISTS = Reply(200, {"status": "OK", "result": [{"list_id": 3434, "name": "Newsletter"}]})
_REFUSED = Reply(403, {"error": "token is invalid"})


@pytest.mark.parametrize(
    "reply",
    [
        Reply(404, b"<html>"),
        Reply(405, {"message": "Use GET."}),
        Reply(200, {"error": "no"}),
        Reply(400),
        _REFUSED,
    ],
)
def test_get_subscriber_lists_falls_back_to_get(wire: FakeServer, reader: ReadClient, reply: Reply) -> None:
    """If the documented POST refuses a token that a GET accepted, the contact lists are read by GET."""
    wire.answers(Reply(200, {"balance": 5}), reply, _LISTS, reply, Reply(400, {"error": "not this either"}))
    reader.get_balance()
    assert reader.get_subscriber_lists() == (AccountName(3434, "Newsletter"),)
    with pytest.raises(SmsbyDeployError) as caught:
        reader.get_subscriber_lists()
    assert "not this either" not in caught.value.message
    assert [asked.verb for asked in wire.asked] == ["GET", "POST", "GET", "POST", "GET"]
    assert wire.asked[2].query == {"token": [TOKEN]}


def test_get_subscriber_lists_shows_a_refused_token_once(wire: FakeServer, reader: ReadClient) -> None:
    """If no GET has accepted the token, a POST that refuses it is raised at once."""
    wire.answers(_REFUSED, _LISTS)
    with pytest.raises(TokenRefused):
        reader.get_subscriber_lists()
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    ("data", "balance"),
    [
        (
            {"status": "OK", "currency": "RUR", "result": [{"balance": "2.86600", "viber_balance": "0"}]},
            Balance(Decimal("2.866"), "RUR"),
        ),
        ({"currency": "EUR", "result": [{"balance": 18.62}]}, Balance(Decimal("18.62"), "EUR")),
        ([{"balance": "7"}], Balance(Decimal(7), None)),
    ],
)
def test_get_balance_is_exact(wire: FakeServer, reader: ReadClient, data: Any, balance: Balance) -> None:
    """Money is a Decimal, never a float."""
    wire.answers(Reply(200, data))
    assert reader.get_balance() == balance


@pytest.mark.parametrize("amount", ["many", None, "NaN", "Infinity"])
def test_get_balance_refuses_other_values(wire: FakeServer, reader: ReadClient, amount: Any) -> None:
    """A balance that is not an amount is an ApiError."""
    wire.answers(Reply(200, {"result": [{"balance": amount}]}))
    with pytest.raises(ApiError, match="no balance"):
        reader.get_balance()


def test_check_sms_message_status(wire: FakeServer, reader: ReadClient) -> None:
    """Both shapes of the answer are read."""
    wire.answers(Reply(200, {"status": "new", "parts": 1}), Reply(200, [{"status": "Moderated"}]))
    found = [reader.check_sms_message_status(5) for _ in range(2)]
    assert [(state.status, state.parts) for state in found] == [("new", 1), ("Moderated", None)]


_WITHOUT_REQUEST = {"derive_secret"}
_ONLY_FOR_API = {
    "checksms",
    "getalphanameid",
    "getlimit",
    "getmessageslist",
}  # `api` calls them by name


def _public(kind: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind, callable) if not name.startswith("_")}


def test_read_client_has_no_sending_method(reader: ReadClient) -> None:
    """Each method of the read client only reads, and its transport cannot send."""

    def plain(name: str) -> str:
        return name.replace("_", "").lower()

    asks = {name.lower() for name, method in METHODS.items() if method.effect is Effect.ASKS}
    assert {plain(name) for name in _public(ReadClient) - _WITHOUT_REQUEST} == asks - _ONLY_FOR_API
    assert list(vars(reader)) == ["_transport", "facts", "pause"]
    assert type(reader._transport) is ReadTransport
    assert _public(ReadTransport) == {"ask"} | _WITHOUT_REQUEST
