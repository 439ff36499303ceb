"""One-off messages: which text a test sends, to which phones, and what each answer means."""

from __future__ import annotations

from decimal import Decimal

import pytest

from smsby_deploy.apply.one_off import OneOffMessage, prepare_test, send_one
from smsby_deploy.errors import (
    ApiError,
    FilesInvalid,
    OutcomeUnknown,
    Refused,
    SmsbyDeployError,
    SmsbyUnavailable,
    TokenRefused,
    UsageError,
)
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from tests.apply.fake_smsby import PHONES, Shop, ok

MINE = "375291111111"


@pytest.fixture
def vip(shop: Shop) -> Shop:
    """A mailing with a text for each of two recipients; the first row is invalid."""
    shop.write("vip.csv", f"phone,name\nnone,No\n{PHONES[0]},Anna\n{PHONES[1]},Olga\n")
    shop.mailing("on_invalid: drop, recipients: {file: vip.csv}, text: 'Hi {{ name }}'")
    return shop


def prepared(shop: Shop, *, to: str = MINE, row: int | None = None) -> OneOffMessage:
    return prepare_test(shop.load(), "sale/staff", to=to, row=row, open_client=lambda: shop.client)


@pytest.mark.parametrize(("row", "text"), [(None, "Hi Anna"), (2, "Hi Olga")])
def test_one_off_text_is_that_of_a_row(vip: Shop, row: int | None, text: str) -> None:
    """The text is that of the first valid recipient, or of the chosen row; the sender is looked up."""
    message = prepared(vip, row=row)
    assert (message.sample.text, message.phone, message.alphaname_id) == (text, MINE, 7)


def test_one_off_cost_needs_a_price(vip: Shop) -> None:
    """The cost is that of the text's parts, or None without a price."""
    assert prepared(vip).cost is None
    vip.configure(price="{currency: BYN, per_part: 0.026}")
    message = prepared(vip)
    assert (message.cost, message.currency) == (Decimal("0.026"), "BYN")


def test_one_off_with_a_numeric_sender_asks_nothing(vip: Shop) -> None:
    """An alphaname given as an id needs no look-up."""
    vip.write("sale.yaml", (vip.root / "sale.yaml").read_text().replace("MyShop", '"0"'))
    assert prepared(vip).alphaname_id == 0
    assert vip.sms_by.calls == []


def test_one_off_sender_must_be_the_only_one(vip: Shop) -> None:
    """A numeric sender that is also the name of another one is an error."""
    vip.write("sale.yaml", (vip.root / "sale.yaml").read_text().replace("MyShop", '"7"'))
    assert prepared(vip).alphaname_id == 7
    vip.sms_by.script("getAlphanames", ok({"0": "System name", "7": "MyShop", "8": "7"}))
    with pytest.raises(FilesInvalid) as invalid:
        prepared(vip)
    assert [problem.code for problem in invalid.value.problems] == ["AMBIGUOUS_ALPHANAME"]


@pytest.mark.parametrize(
    ("settings", "to", "kind"),
    [
        ({"test_phones": "['375292222222']"}, MINE, Refused),
        ({"test_phones": "[]"}, MINE, Refused),
        ({"test_phones": "['12']"}, MINE, FilesInvalid),
        ({"suppress": "[out.csv]"}, MINE, Refused),
        ({}, "12", UsageError),
    ],
)
def test_one_off_phone_must_be_allowed(
    vip: Shop, settings: dict[str, str], to: str, kind: type[SmsbyDeployError]
) -> None:
    """A phone that opted out, is not in test_phones, or is invalid, gets nothing."""
    vip.write("out.csv", f"phone\n{MINE}\n")
    vip.configure(**settings)
    with pytest.raises(kind):
        prepared(vip, to=to)


def test_one_off_phone_may_be_written_in_any_way(vip: Shop) -> None:
    """A phone matches test_phones however it is written."""
    vip.configure(test_phones="['+375 29 111-11-11']")
    assert prepared(vip).phone == MINE


def test_one_off_needs_a_known_sender(vip: Shop) -> None:
    """An alphaname that the account does not have is an error in the files."""
    vip.write("sale.yaml", (vip.root / "sale.yaml").read_text().replace("MyShop", "Other"))
    with pytest.raises(FilesInvalid) as invalid:
        prepared(vip)
    assert [problem.code for problem in invalid.value.problems] == ["UNKNOWN_ALPHANAME"]


def test_one_off_row_must_exist(vip: Shop) -> None:
    """A row beyond the last one, or of a list kept at sms.by, is wrong usage."""
    with pytest.raises(UsageError):
        prepared(vip, row=3)
    vip.mailing("list: Newsletter, text: News")
    assert prepared(vip).sample.text == "News"
    with pytest.raises(UsageError, match="no rows"):
        prepared(vip, row=1)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (OutcomeKind.REJECTED, ApiError),
        (OutcomeKind.TOKEN_REFUSED, TokenRefused),
        (OutcomeKind.NOT_SENT, SmsbyUnavailable),
        (OutcomeKind.UNKNOWN, OutcomeUnknown),
    ],
)
def test_send_one_never_repeats(kind: OutcomeKind, error: type[SmsbyDeployError]) -> None:
    """Any outcome but accepted is its own error, after exactly one request."""
    calls = []

    def request() -> Outcome:
        calls.append(1)
        return Outcome(kind, error="why")

    with pytest.raises(error, match="why"):
        send_one("sendQuickSMS", request)
    assert len(calls) == 1


def test_send_one_returns_the_receipt() -> None:
    """An accepted message returns a receipt with its id and parts."""
    answer = {"sms_id": "12", "status": "NEW", "parts": 1}
    receipt = send_one("sendQuickSMS", lambda: Outcome(OutcomeKind.ACCEPTED, raw=answer))
    assert (receipt.sms_id, receipt.parts) == (12, 1)
