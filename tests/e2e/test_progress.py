"""Progress of the real command is drawn only on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.forked import program

CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: {file: recipients.csv}
    text: Hello, {{ name }}
"""
RECIPIENTS = 3000
ESCAPE = "\x1b["


@pytest.fixture
def big(shop: Shop) -> Shop:
    """A mailing of several thousand recipients, 1,000 per request."""
    shop.write("smsby.yaml", "version: 1\nproject: shop\napi: {requests_per_second: 1000}\n")
    shop.write("sale.yaml", CAMPAIGN)
    rows = "".join(f"37529{number:07},Anna\n" for number in range(RECIPIENTS))
    shop.write("recipients.csv", "phone,name\n" + rows)
    return shop


def _on_terminal(shop: Shop, *arguments: str, term: str = "xterm") -> tuple[str, str]:
    """Return stdout, and what was written to a stderr that is a terminal."""
    master, slave = pty.openpty()
    environ = {**os.environ, "SMSBY_API_URL": shop.url, "SMSBY_TOKEN": "any", "TERM": term, "COLUMNS": "100"}
    with subprocess.Popen(
        [program(), *arguments],
        cwd=shop.root,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
    ) as process:
        os.close(slave)
        drawn = _read_all(master)
        assert process.stdout is not None
        return process.stdout.read(), drawn


def _read_all(master: int) -> str:
    parts = []
    try:
        while part := os.read(master, 65536):
            parts.append(part)
    except OSError:  # how Linux reports the end of a terminal
        pass
    os.close(master)
    return b"".join(parts).decode()


def test_reading_and_sending_draw_a_progress_bar(big: Shop) -> None:
    """The bar names the mailing and the recipients; earlier lines stay, and stdout has none of it."""
    out, drawn = _on_terminal(big, "validate")
    assert out == "no problems found\n"
    assert "reading sale/vip (1 of 1)" in drawn
    assert f"{RECIPIENTS:,} recipients" in drawn
    _, drawn = _on_terminal(big, "plan", "--out", "plan.json")
    assert f"{RECIPIENTS:,} recipients" in drawn
    out, drawn = _on_terminal(big, "apply", "plan.json")
    assert ESCAPE not in out
    assert f"{RECIPIENTS:,} of {RECIPIENTS:,} recipients" in drawn
    assert "accepted      1,000 recipients  sale/vip [1/3]\r\n" in drawn


@pytest.mark.parametrize("arguments", [["-q", "validate"], ["-q", "apply", "--auto-approve"]])
def test_quiet_draws_no_progress(big: Shop, arguments: list[str]) -> None:
    """With -q stderr stays empty, even on a terminal."""
    assert _on_terminal(big, *arguments)[1] == ""


def test_dumb_terminal_gets_plain_progress_lines(big: Shop) -> None:
    """A dumb terminal gets lines without control characters."""
    drawn = _on_terminal(big, "apply", "--auto-approve", term="dumb")[1]
    assert ESCAPE not in drawn
    assert drawn.count("accepted      1,000 recipients") == RECIPIENTS // 1000


def test_progress_without_a_terminal_is_plain_lines(big: Shop) -> None:
    """Without a terminal there is one line per request, without control characters."""
    applied = big.run("apply", "--auto-approve")
    assert applied.err.splitlines() == [
        f"accepted      1,000 recipients  sale/vip [{number}/3]" for number in (1, 2, 3)
    ]
    assert ESCAPE not in applied.out


def test_progress_bar_is_gone_before_the_question(big: Shop) -> None:
    """The progress bar is cleared before the question, and nothing is sent without a "yes"."""
    drawn = _on_terminal(big, "apply")[1]
    assert "sending" not in drawn
    assert not big.inbox()
    question = drawn.index("Send now?")
    assert ESCAPE not in drawn[question : drawn.index("not approved")]
