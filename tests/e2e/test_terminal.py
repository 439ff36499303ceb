"""The real command on a terminal of 80 columns: no longer line, no broken word, colors only if supported."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.forked import program

CAMPAIGN = """\
version: 1
campaign: a-campaign-with-a-name-that-is-long
mailings:
  - name: customers-since-the-very-beginning
    recipients: [{phone: "375291234567", name: A}, {phone: "375297654321", name: B}, {phone: "375331111111", name: C}]
    text: "Dear {{ name }}, the shop is closed on Saturday – until noon, as we count all that we have"
  - name: short
    recipients: ["375291234567"]
    text: Hi
"""
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def at_terminal(shop: Shop, *arguments: str, typed: str = "", **env: str) -> str:
    """Return what `smsby-deploy ARGUMENTS` sends to a terminal of 80 columns."""
    leader, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environ = {
        **os.environ,
        "SMSBY_API_URL": shop.url,
        "SMSBY_TOKEN": "secret-token",
        "TERM": "xterm-256color",
        **env,
    }
    if "NO_COLOR" not in env:
        environ.pop("NO_COLOR", None)
    command = [program(), *arguments]
    with subprocess.Popen(
        command, cwd=shop.root, env=environ, stdin=terminal, stdout=terminal, stderr=terminal
    ):
        os.close(terminal)
        os.write(leader, typed.encode())
        sent = b""
        try:
            while part := os.read(leader, 65536):
                sent += part
        except OSError:  # how Linux reports the end of a terminal
            pass
    os.close(leader)
    shown = sent.decode()
    assert "Traceback" not in shown
    assert "secret-token" not in shown
    return shown


def lines_of(shown: str) -> list[str]:
    """Return the lines that stay on the screen; a redrawn line counts as it was drawn last."""
    return [_CODES.sub("", line.split("\r")[-1]).rstrip() for line in shown.replace("\r\n", "\n").split("\n")]


def test_plan_apply_and_status_fit_a_terminal(shop: Shop) -> None:
    """No line wraps, even if the project's names have the greatest allowed length."""
    shop.write("sale.yaml", CAMPAIGN)
    for arguments in (["validate"], ["plan"], ["apply", "--auto-approve"], ["status", "--watch"], ["status"]):
        lines = lines_of(at_terminal(shop, *arguments))
        assert lines, arguments
        for line in lines:
            is_command = line.startswith(
                ("next:", "      smsby-deploy")
            )  # a command to copy: it stays on one line
            assert len(line) <= 80 or is_command, (arguments, line)
    plan = lines_of(at_terminal(shop, "plan"))
    assert any("EXPENSIVE_CHARACTER" in line for line in plan)
    # A sentence is broken between words, and its next line is indented.
    assert sum(line.startswith("  ") for line in plan) >= 2


def test_terminal_shows_each_request_when_answered(shop: Shop) -> None:
    """The terminal shows each answered request above the bar, then each mailing, the total, and the next commands."""
    shop.write("sale.yaml", CAMPAIGN)
    (shop.root.parent / "elsewhere").mkdir()
    shown = lines_of(at_terminal(shop, "-C", str(shop.root), "apply", typed="yes\n"))
    accepted = [index for index, line in enumerate(shown) if line.startswith("accepted ")]
    sent = [index for index, line in enumerate(shown) if line.startswith("sent ")]
    assert (len(accepted), len(sent)) == (2, 2)
    assert max(accepted) < min(sent)
    assert any(line.endswith("[1/2]") for line in shown)
    assert f"      smsby-deploy -C {shop.root} status --watch" in shown
    assert any(line.startswith("2 sent; 4 recipients") for line in shown)


@pytest.mark.parametrize(
    ("arguments", "env", "has_color"),
    [
        ((), {}, True),
        (("--no-color",), {}, False),
        ((), {"NO_COLOR": "1"}, False),
        ((), {"NO_COLOR": ""}, True),  # no-color.org: only if it is not empty
        ((), {"TERM": "dumb"}, False),
    ],
)
def test_colors_can_be_turned_off(
    shop: Shop, arguments: tuple[str, ...], env: dict[str, str], has_color: bool
) -> None:
    """Colors can be turned off in every report, and a dumb terminal gets plain text."""
    shop.write("sale.yaml", CAMPAIGN)
    shown = at_terminal(shop, *arguments, "plan", **env)
    shown += at_terminal(shop, *arguments, "apply", "--auto-approve", **env)
    shown += at_terminal(shop, *arguments, "status", **env)
    assert bool(re.search(r"\x1b\[[0-9;]+m", shown)) == has_color
    if env.get("TERM") == "dumb":
        assert "\x1b" not in shown


def test_ctrl_c_ends_a_watch_with_a_report(shop: Shop) -> None:
    """After Ctrl-C a watch still prints its report, and exits with a failure."""
    shop.settings(fates={"375291234567": "SENT"})
    shop.write("sale.yaml", CAMPAIGN)
    assert shop.run("apply", "--auto-approve", "--select", "*/short").code == 0
    looked = len([call for call in shop.calls() if call["method"] == "statusBulkSms"])
    run = shop.start("status", "--watch", "*/short")
    shop.wait_until(lambda: len([c for c in shop.calls() if c["method"] == "statusBulkSms"]) > looked)
    shop.wait_until(lambda: "settled" in run.said())
    run.signal(signal.SIGINT)
    done = run.finish()
    assert done.code == 1
    assert "1 sent" in done.out
    assert "warning: interrupted: not every mailing is final" in done.err
    assert "error" not in done.err
