"""callback_url and `listen`: the sandbox calls back, and status uses what sms.by itself does not report."""

from __future__ import annotations

import signal
import subprocess
import sys

import requests

from tests.e2e.conftest import PROJECT, Shop

PHONE = "375291234560"
CAMPAIGN = (
    f'version: 1\ncampaign: sale\nmailings:\n  - {{name: staff, recipients: ["{PHONE}"], text: Closed}}\n'
)


def test_callbacks_complete_the_status(shop: Shop) -> None:
    """callback_url is passed on; reports are kept beside the lock and read by status."""
    listener = subprocess.Popen(
        [sys.executable, "-m", "smsby_deploy", "listen", "--port", "0"],
        cwd=shop.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert listener.stdout is not None
        url = listener.stdout.readline().strip()
        shop.settings(callback_ports=[int(url.rsplit(":", 1)[1])])
        shop.write("smsby.yaml", PROJECT.replace("api: {", f'api: {{callback_url: "{url}/cb", '))
        shop.write("sale.yaml", CAMPAIGN)
        assert shop.run("apply", "--auto-approve").code == 0
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
    assert "secret-token" not in kept.read_text(encoding="utf-8")
    kept.unlink()
    (shown,) = shop.run("status", "--format", "json").json["mailings"]
    assert (shown["delivered"], shown["pending"]) == (0, 1)


def test_no_callback_url_means_no_callbacks(shop: Shop) -> None:
    """Without callback_url the request has none, and nothing is called."""
    shop.write("sale.yaml", CAMPAIGN)
    assert shop.run("apply", "--auto-approve").code == 0
    (call,) = [call for call in shop.calls() if call["method"] == "sendBulkSms"]
    assert not call["params"].get("callback_url")


def test_callback_url_must_be_https(shop: Shop) -> None:
    """http is only for loopback, where the sandbox runs."""
    shop.write("sale.yaml", CAMPAIGN)
    for url in (
        "http://example.by/cb",
        "ftp://example.by",
        "https://",
        "http://127.0.0.1.example.by/",
        "https://a b",
    ):
        shop.write("smsby.yaml", PROJECT.replace("api: {", f'api: {{callback_url: "{url}", '))
        refused = shop.run("validate")
        assert (refused.code, "https" in refused.out + refused.err) == (3, True), url
    shop.write("smsby.yaml", PROJECT.replace("api: {", 'api: {callback_url: "https://example.by/cb?k=1", '))
    assert shop.run("validate").code == 0


def test_listen_reports_a_port_in_use(shop: Shop) -> None:
    """A port in use is a clear error."""
    port = shop.url.rsplit(":", 1)[1]
    taken = shop.run("listen", "--port", port)
    assert (taken.code, "cannot listen" in taken.err) == (1, True)
    assert requests.get(f"{shop.url}/_sandbox/inbox", timeout=5).ok
