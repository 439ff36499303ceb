"""`test-send` and `otp` with the real command: shown, confirmed, never repeated and not recorded."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import PROJECT, Result, Shop

MINE = "375291111111"
SEND = ("test-send", "sale/vip", "--to", MINE)
CAMPAIGN = """\
version: 1
campaign: sale
alphaname: MyShop
mailings:
  - name: vip
    recipients: {file: vip.csv}
    on_invalid: drop
    text: "{{ name }}, скидка {{ discount }}%"
  - {name: letter, list: Newsletter, text: Новая коллекция}
"""
ROWS = "phone,name,discount\nnobody,Никто,0\n375297654321,Анна,10\n375297654322,Ольга,20\n"


def _write(shop: Shop, more: str = "") -> None:
    shop.write("smsby.yaml", PROJECT + more)
    shop.write("sale.yaml", CAMPAIGN)
    shop.write("vip.csv", ROWS)


def _texts(shop: Shop) -> dict[str, list[str]]:
    return {phone: [sms["text"] for sms in messages] for phone, messages in shop.inbox().items()}


def test_test_send_shows_the_text_and_its_cost(shop: Shop) -> None:
    """test-send shows the first valid row's text and cost before it sends; the phone is masked."""
    _write(shop)
    sent = shop.run(*SEND, stdin="yes\n")
    assert sent.code == 0, sent.err
    assert _texts(shop) == {MINE: ["Анна, скидка 10%"]}
    before, _, _ = sent.err.partition("Send now?")
    assert "Анна, скидка 10%" in before
    assert "1 part, 0.026 BYN" in before
    assert "sms_id" in sent.out
    assert "1 part, 0.026 BYN" in sent.out
    assert MINE not in sent.out + sent.err
    (call,) = [call for call in shop.calls() if call["method"] == "sendQuickSMS"]
    assert call["params"]["show_cost"] == "1"
    assert not (shop.root / "smsby.lock.json").exists()


@pytest.mark.parametrize(
    ("options", "text"), [(["--row", "2"], "Ольга, скидка 20%"), ([], "Анна, скидка 10%")]
)
def test_test_send_row_is_chosen_by_number(shop: Shop, options: list[str], text: str) -> None:
    """`--row` counts like that of `render`; without it the first recipient is used."""
    _write(shop)
    assert shop.run(*SEND, *options, "--yes").code == 0
    assert _texts(shop) == {MINE: [text]}


def test_test_send_takes_the_text_of_a_list_mailing(shop: Shop) -> None:
    """A list mailing can be sent as a test without rows, since it has one text."""
    _write(shop)
    assert shop.run("test-send", "sale/letter", "--to", MINE, "--yes").code == 0
    assert _texts(shop) == {MINE: ["Новая коллекция"]}
    assert shop.run("test-send", "sale/letter", "--to", MINE, "--row", "1", "--yes").code == 64


@pytest.mark.parametrize("answer", ["", "y\n", "no\n", "YES\n"])
def test_one_off_needs_a_yes(shop: Shop, answer: str) -> None:
    """Any answer but yes refuses, and nothing is sent."""
    _write(shop)
    for words in (SEND, ("otp", "telegram", MINE, "0042")):
        refused = shop.run(*words, stdin=answer)
        assert (refused.code, "not approved" in refused.err) == (4, True)
    assert shop.inbox() == {}


@pytest.mark.parametrize(
    ("listed", "code"),
    [('["+375 29 111-11-11"]', 0), ("[375291111111]", 0), ('["375292222222"]', 4), ("[]", 4), ('["12"]', 3)],
)
def test_test_send_needs_one_of_test_phones(shop: Shop, listed: str, code: int) -> None:
    """Only test_phones, however they are written, get tests; an empty list allows none."""
    _write(shop, f"test_phones: {listed}\n")
    done = shop.run(*SEND, "--yes")
    assert done.code == code, done.err
    assert ("test_phones" in done.err) is (code != 0)
    assert list(shop.inbox()) == ([MINE] if code == 0 else [])


def test_test_send_refuses_an_opt_out(shop: Shop) -> None:
    """A phone that opted out gets no test."""
    _write(shop, "suppress: [out.csv]\n")
    shop.write("out.csv", f"phone\n{MINE}\n")
    refused = shop.run(*SEND, "--yes")
    assert (refused.code, "suppress" in refused.err) == (4, True)
    assert shop.inbox() == {}


@pytest.mark.parametrize("words", [SEND, ("otp", "whatsapp", MINE, "0042")], ids=["test-send", "otp"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_lost_one_off_is_not_repeated(shop: Shop, words: tuple[str, ...], when: str) -> None:
    """A lost answer is an unknown outcome: exit code 6, one request, no output."""
    _write(shop)
    shop.fault(mode="reset", when=when, method="sendQuickSMS" if words is SEND else "sendOtpWhatsApp")
    lost = shop.run(*words, "--yes")
    assert (lost.code, lost.out) == (6, "")
    assert MINE not in lost.err
    assert sum(call["method"].startswith("send") for call in shop.calls()) == 1
    assert len(shop.inbox().get(MINE, [])) == (1 if when == "after" else 0)


def test_rejected_one_off_reports_the_error(shop: Shop) -> None:
    """A rejected one-off send shows the error of sms.by, and exits with 1."""
    _write(shop)
    shop.settings(balance="0")
    for words in (SEND, ("otp", "telegram", MINE, "0042")):
        rejected = shop.run(*words, "--yes")
        assert (rejected.code, "limit exceeded" in rejected.err) == (1, True)
    assert shop.inbox() == {}


def test_one_off_that_was_not_sent_exits_with_7(shop: Shop) -> None:
    """Without a connection or a token nothing was sent, for certain: exit code 7."""
    _write(shop)
    no_service = {"SMSBY_API_URL": "http://127.0.0.1:9"}
    assert shop.run("otp", "telegram", MINE, "1", "--yes", env=no_service).code == 7
    assert shop.run(*SEND, "--yes", env=no_service).code == 7
    assert shop.run(*SEND, "--yes", env={"SMSBY_TOKEN": ""}).code == 7


def _wrong(shop: Shop, *words: str) -> Result:
    done = shop.run(*words, "--yes")
    assert shop.calls() == []
    assert shop.inbox() == {}
    return done


def test_one_off_with_wrong_usage_calls_nothing(shop: Shop) -> None:
    """A wrong phone, row or address, or an invalid file, ends the command before any request."""
    _write(shop)
    assert _wrong(shop, "test-send", "sale/vip", "--to", "12").code == 64
    assert _wrong(shop, *SEND, "--row", "3").code == 64
    assert _wrong(shop, "test-send", "sale/gold", "--to", MINE).code == 64
    shop.write("sale.yaml", CAMPAIGN.replace("{{ name }}", "{{ nam }}"))
    assert _wrong(shop, *SEND).code == 3


def test_test_send_needs_a_known_sender(shop: Shop) -> None:
    """An alphaname that the account does not have is an error in the files."""
    _write(shop)
    shop.write("sale.yaml", CAMPAIGN.replace("MyShop", "Unknown"))
    unknown = shop.run(*SEND, "--yes")
    assert (unknown.code, "UNKNOWN_ALPHANAME" in unknown.err) == (3, True)
    assert shop.inbox() == {}


@pytest.mark.parametrize("channel", ["telegram", "whatsapp"])
def test_otp_sends_a_code_by_messenger(shop: Shop, channel: str) -> None:
    """An otp code reaches the phone and is not shown."""
    sent = shop.run("otp", channel, "+375 29 111-11-11", "0042", stdin="yes\n")
    assert sent.code == 0, sent.err
    assert "0042" not in sent.err
    assert _texts(shop) == {MINE: ["0042"]}


@pytest.mark.parametrize("code", ["", "12a4", "1 2", "12345678901234567", "٤٢"])
def test_otp_refuses_a_malformed_code(shop: Shop, code: str) -> None:
    """An otp code other than 1 to 16 ASCII digits is wrong usage, and no request is made."""
    assert _wrong(shop, "otp", "telegram", MINE, code).code == 64
