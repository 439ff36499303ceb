"""callback_url and `listen`: the sandbox calls back, and status shows what sms.by itself does not report."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import requests

from tests.e2e.conftest import PROJECT, Shop

SECRET = {"SMSBY_CALLBACK_SECRET": "0123456789abcdef" * 2}
PHONE = "375291234560"
CAMPAIGN = (
    f'version: 1\ncampaign: sale\nmailings:\n  - {{name: staff, recipients: ["{PHONE}"], text: Closed}}\n'
)


def test_callbacks_complete_the_status(shop: Shop) -> None:
    """callback_url is passed on, and status reads the reports that `listen` keeps next to the lock."""
    listener = subprocess.Popen(
        [sys.executable, "-m", "smsby_deploy", "listen", "--port", "0"],
        cwd=shop.root,
        env={**os.environ, **SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert listener.stdout is not None
        url = listener.stdout.readline().strip()
        shop.settings(callback_ports=[int(url.rsplit(":", 1)[1])])
        shop.write("smsby.yaml", PROJECT.replace("api: {", f'api: {{callback_url: "{url}/cb?x=1", '))
        shop.write("sale.yaml", CAMPAIGN)
        done = shop.run("apply", "--auto-approve", env=SECRET)
        (call,) = [call for call in shop.calls() if call["method"] == "sendBulkSms"]
        address = call["params"]["callback_url"]
        assert (done.code, re.fullmatch(rf"{url}/cb/[0-9a-f]{{32}}[?]x=1", address) is not None) == (0, True)
        secret_path = address.rsplit("/", 1)[1].partition("?")[0]
        assert secret_path not in done.out + done.err
        assert requests.post(f"{url}/cb", json={"uuid": "forged"}, timeout=5).status_code == 404
        kept = shop.root / "smsby.lock.json.callbacks.jsonl"
        shop.wait_until(lambda: kept.exists() and kept.read_text(encoding="utf-8").endswith("\n"))
        listener.send_signal(signal.SIGINT)
        assert listener.wait(30) == 0
    finally:
        listener.kill()
        listener.wait()
        if listener.stdout is not None:
            listener.stdout.close()
    shop.settings(status_lag=100000, list_lag=100000)
    (shown,) = shop.run("status", "--format", "json").json["mailings"]
    assert (shown["delivered"], shown["state"]) == (1, "final")
    text = kept.read_text(encoding="utf-8")
    assert not [word for word in ("secret-token", secret_path, "forged") if word in text]
    kept.unlink()
    (shown,) = shop.run("status", "--format", "json").json["mailings"]
    assert (shown["delivered"], shown["pending"]) == (0, 1)


def test_secret_path_in_an_answer_is_hidden(shop: Shop) -> None:
    """The secret path is hidden in the lock and the log, since a reader of it could forge reports."""
    shop.write("smsby.yaml", PROJECT.replace("api: {", 'api: {callback_url: "https://example.by/cb", '))
    shop.write("sale.yaml", CAMPAIGN)
    assert shop.run("apply", "--auto-approve", env=SECRET).code == 0
    (call,) = [call for call in shop.calls() if call["method"] == "sendBulkSms"]
    address = call["params"]["callback_url"]
    shop.fault(method="sendBulkSms", mode="error", text=f"cannot call {address}")
    shop.write("sale.yaml", CAMPAIGN.replace("text: Closed", "text: Open, revision: 2"))
    refused = shop.run("-v", "apply", "--auto-approve", "--format", "json", env=SECRET)
    (mailing,) = refused.json["mailings"]
    assert mailing["error"] == "cannot call https://example.by/cb/<hidden>"
    written = refused.out + refused.err + (shop.root / "smsby.lock.json").read_text(encoding="utf-8")
    assert address.rpartition("/")[2] not in written


def test_no_callback_url_means_no_callbacks(shop: Shop) -> None:
    """Without callback_url the request has none, and no callback is made."""
    shop.write("sale.yaml", CAMPAIGN)
    assert shop.run("apply", "--auto-approve").code == 0
    (call,) = [call for call in shop.calls() if call["method"] == "sendBulkSms"]
    assert not call["params"].get("callback_url")


def test_callback_url_should_be_https(shop: Shop) -> None:
    """callback_url must be a URL with https; http is a warning, except on loopback, where the sandbox runs."""
    shop.write("sale.yaml", CAMPAIGN)
    for url in ("ftp://example.by", "https://", "http:///cb", "https://a b"):
        shop.write("smsby.yaml", PROJECT.replace("api: {", f'api: {{callback_url: "{url}", '))
        refused = shop.run("validate")
        assert (refused.code, "https" in refused.out + refused.err) == (3, True), url
    for url, is_plain in (
        ("https://example.by/cb?k=1", False),
        ("http://127.0.0.1:8026", False),
        ("http://example.by/cb", True),
        ("http://127.0.0.1.example.by/", True),
    ):
        shop.write("smsby.yaml", PROJECT.replace("api: {", f'api: {{callback_url: "{url}", '))
        done = shop.run("validate")
        assert (done.code, "smsby.yaml:3:21: warning CALLBACK_HTTP" in done.out + done.err) == (
            0,
            is_plain,
        ), url


def test_listen_reports_a_port_in_use(shop: Shop) -> None:
    """A port in use is reported as such."""
    port = shop.url.rsplit(":", 1)[1]
    taken = shop.run("listen", "--port", port, env=SECRET)
    assert (taken.code, "cannot listen" in taken.err) == (1, True)
    assert requests.get(f"{shop.url}/_sandbox/inbox", timeout=5).ok
