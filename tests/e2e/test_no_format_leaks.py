"""No command leaks the token or a whole phone number in any format, even if sms.by repeats them in its answers."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Shop

TOKEN = "secret-token"
PHONES = ("375291234567", "375297654321", "375331111111", "+375 29 123-45-67")
SHOP = "+375 17 200-10-20"  # its author wrote it, so that it stays readable in samples
ECHO = f"<zz> the token {TOKEN} may not send to {PHONES[0]} or {PHONES[3]} @zz"
CAMPAIGN = f"""\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: {{file: vip.csv}}
    text: "{{{{ name }}}} <zz> @zz call {SHOP}"
  - name: staff
    recipients: ["{PHONES[2]}"]
    text: Shop is closed until noon </pre><zz>
"""
MARKUP = ("markdown", "html", "junit", "sarif", "codeclimate")
FORMATS = {
    "validate": ("text", "json", "github", "sarif", "junit", "codeclimate"),
    "plan": ("text", "json", "markdown", "html", "github", "sarif", "junit", "codeclimate"),
    "status": ("text", "json", "markdown", "html", "junit", "csv"),
    "status --history": ("text", "json", "markdown"),
    "render sale/*": ("text", "json"),
}


def _check(shop: Shop, *arguments: str, form: str) -> None:
    done = shop.run(*arguments, "--format", form)
    shown = done.out + done.err
    assert done.code != 64, (arguments, form, done.err)
    assert done.out or form == "github", (arguments, form, done.err)
    assert TOKEN not in shown, (arguments, form)
    assert not [phone for phone in PHONES if phone in shown], (arguments, form, shown)
    if form in MARKUP:
        assert "<zz" not in done.out, (arguments, form)


def _check_all(shop: Shop, address: str = "sale/vip") -> None:
    for command, forms in FORMATS.items():
        for form in forms:
            _check(shop, *command.split(), form=form)
    listed = shop.run("lock", "list").out + shop.run("lock", "show", address).out
    assert not [phone for phone in PHONES if phone in listed]
    for path in shop.root.iterdir():
        if path.name.startswith("smsby.lock.json") or path.name.endswith(".plan"):
            kept = path.read_text(encoding="utf-8")
            assert TOKEN not in kept, path
            assert not [phone for phone in PHONES if phone in kept], path


@pytest.fixture
def leaky(shop: Shop) -> Shop:
    shop.write("sale.yaml", CAMPAIGN)
    shop.write("vip.csv", f"phone,name\n{PHONES[0]},Anna\n{PHONES[1]},Eve <zz>\n")
    return shop


def test_rejected_mailings_do_not_leak(leaky: Shop) -> None:
    """An error of sms.by is shown and recorded without the token that it repeats."""
    leaky.fault(method="sendBulkSms", mode="error", status=400, text=ECHO, times=9)
    for form in ("text", "json"):
        _check(leaky, "apply", "--auto-approve", "--report", "r.json", form=form)
        _check(leaky, "--log-format", "json", "apply", "--auto-approve", form=form)
    assert TOKEN not in (leaky.root / "r.json").read_text(encoding="utf-8")
    _check_all(leaky)
    assert SHOP in leaky.run("plan", "--format", "markdown").out


def test_delivery_states_do_not_leak(leaky: Shop) -> None:
    """A delivery state is masked, since it can be any word that sms.by chooses."""
    leaky.settings(fates={PHONES[0]: f"<zz>|{PHONES[0]}", PHONES[1]: "UNDELIVERED"})
    _check(leaky, "plan", "--out", "x.plan", form="markdown")
    _check(leaky, "apply", "x.plan", form="text")
    _check_all(leaky)


@pytest.mark.parametrize("method", ["getSMSMessages", "getAlphanames", "statusBulkSms", "getBalance"])
def test_failed_questions_do_not_leak(leaky: Shop, method: str) -> None:
    """A failed query is one sentence without the token, whatever sms.by answers."""
    assert leaky.run("apply", "--auto-approve").code == 0
    for command in ("plan", "status", "apply --auto-approve"):
        for status in (400, 403):
            leaky.clear_faults()
            leaky.fault(method=method, mode="error", status=status, text=ECHO, times=99)
            done = leaky.run(*command.split())
            shown = done.out + done.err
            assert TOKEN not in shown
            assert not [phone for phone in PHONES if phone in shown], (command, shown)


OTHER_WAYS = f"""\
version: 1
campaign: sale
alphaname: MyShop
mailings:
  - {{name: single, via: single, recipients: ["{PHONES[0]}", "{PHONES[2]}"], text: One by one}}
  - {{name: list, list: Newsletter, text: News}}
  - {{name: upload, upload: true, recipients: ["{PHONES[1]}"], text: Uploaded}}
"""


@pytest.mark.parametrize(
    ("methods", "status"),
    [
        (("sendSMS", "sendSmsList", "importContacts"), 400),
        (("createSmsMessage", "confirmSendMessageByList", "createSubscriberList"), 500),
    ],
)
def test_errors_of_the_other_transports_do_not_leak(
    leaky: Shop, methods: tuple[str, ...], status: int
) -> None:
    """An error of any transport that repeats a number and the token is masked on screen, in logs and in the lock."""
    leaky.write("sale.yaml", OTHER_WAYS)
    for method in methods:
        leaky.fault(method=method, mode="error", status=status, text=ECHO, times=99)
    for log_format in ("text", "json"):
        _check(leaky, "--log-format", log_format, "apply", "--auto-approve", form="json")
    assert {call["method"] for call in leaky.calls()} >= set(methods)
    leaky.clear_faults()
    _check_all(leaky, "sale/single")


def test_reasons_in_the_lock_do_not_leak(leaky: Shop) -> None:
    """A phone number in --reason is masked in the lock file."""
    leaky.fault(method="sendBulkSms", mode="reset", when="before", times=9)
    assert leaky.run("apply", "--auto-approve").code == 6
    reason = f"{PHONES[0]} and {PHONES[3]} got nothing"
    assert leaky.run("lock", "resolve", "sale/vip", "--not-sent", "--reason", reason).code == 0
    assert leaky.lock()["resolutions"][-1]["reason"].endswith("got nothing")
    _check_all(leaky)


def test_one_off_sends_do_not_leak(leaky: Shop) -> None:
    """Errors of test-send and otp are masked as well."""
    project = (leaky.root / "smsby.yaml").read_text(encoding="utf-8")
    leaky.write("smsby.yaml", project + f'test_phones: ["{PHONES[2]}"]\n')
    for method, arguments in {
        "sendQuickSMS": ["test-send", "sale/staff", "--to", PHONES[2], "--yes"],
        "sendOtpTelegram": ["otp", "telegram", PHONES[2], "1234", "--yes"],
    }.items():
        for status in (400, 500):
            leaky.fault(method=method, mode="error", status=status, text=ECHO, times=99)
            for log_format in ("text", "json"):
                done = leaky.run("--log-format", log_format, *arguments)
                assert done.code in (1, 6), done.err
                shown = done.out + done.err
                assert TOKEN not in shown
                assert not [phone for phone in PHONES if phone in shown], (arguments, shown)
