"""The status report as terminal text."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest

from smsby_deploy.output.status_text import (
    StatusDisplay,
    counts_line,
    progress_line,
    status_totals_line,
    write_status,
)
from smsby_deploy.status.status_report import State, StatusReport
from tests.output import examples
from tests.output.golden import check_golden


def text_of(report: StatusReport, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    write_status(report, stream, color=False, currency="BYN")
    stream.flush()
    return raw.getvalue().decode(encoding)


def test_write_status_fits_80_columns() -> None:
    """Each mailing has a state, time, bar and aligned numbers in 80 columns, without color codes."""
    report = examples.status()
    text = text_of(report)
    check_golden("status.txt", text)
    longer = [line.strip() for line in text.splitlines() if len(line) > 80]
    (sentence,) = (note for mailing in report.mailings for note in mailing.notes if "judges it until" in note)
    assert longer == [sentence]
    assert "\x1b" not in text
    columns = {
        line.index(" recipients") for line in text.splitlines() if re.search(r"% +[\d,]+ recipients", line)
    }
    assert len(columns) == 1


def test_write_status_draws_letters_without_blocks() -> None:
    """An encoding without block characters gets ASCII instead of question marks."""
    text = text_of(examples.status(), "ascii")
    assert "########xx++++++++++++....." in text
    assert "# delivered  x undelivered" in text


def test_write_status_says_that_it_is_empty() -> None:
    """Without mailings there is a sentence, not an empty screen."""
    assert text_of(StatusReport(())) == "no mailings: the lock records none that match\n"


def test_write_status_agrees_in_number() -> None:
    """A single recipient is "1 recipient", and the columns stay."""
    report = StatusReport((examples.mailing("sale/vip", State.FINAL, (1, 0, 0, 0)),), "shop")
    assert "1 recipient  " in text_of(report)
    assert "1 recipients" not in text_of(report)
    free = replace(report.mailings[0], cost=None)
    assert not re.search(r" $", text_of(replace(report, mailings=(free,))), re.MULTILINE)
    assert status_totals_line(report, "BYN") == "1 mailing: 1 of 1 recipient delivered (100.0%), 0.026 BYN"


def test_totals_line_before_anything_is_delivered() -> None:
    """Before any delivery recipients are not called due, which means a mailing that `apply --due` hands over."""
    report = StatusReport((examples.mailing("sale/vip", State.SCHEDULED, (0, 0, 0, 2)),), "shop")
    assert status_totals_line(report, "BYN") == "1 mailing: nothing to deliver yet, 0.052 BYN"


def test_counts_line_leaves_out_zeros() -> None:
    """Zeros are left out, undocumented words are verbatim, and a mailing without recipients says so."""
    mailing = examples.mailing("sale/vip", State.FINAL, (1100, 80, 0, 0), other={"Odd": 15})
    assert counts_line(mailing) == "1,100 delivered, 80 undelivered, 15 Odd"
    assert counts_line(examples.mailing("a/b", State.DRAFT, (0, 0, 0, 0))) == "no recipients yet"
    assert counts_line(examples.mailing("a/b", State.FINAL, (0, 0, 0, 0))) == "no recipients"


class _Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("color", [True, False])
def test_display_redraws_in_place_at_a_terminal(monkeypatch: pytest.MonkeyPatch, color: bool) -> None:
    """The second report replaces the first, and both disappear before the final output."""
    monkeypatch.setenv("TERM", "xterm-256color")
    if color:
        monkeypatch.delenv("NO_COLOR")
    stream, notes = _Tty(), list[str]()
    with StatusDisplay(stream, color=color, currency="BYN", note=notes.append) as display:
        display.show(examples.status())
        display.show(examples.status())
    text = stream.getvalue()
    assert text.count("5 of 8 mailings settled") >= 2
    assert "\x1b[1A\x1b[2K" in text
    assert ("\x1b[32m" in text) == color
    assert notes == []


def test_display_writes_lines_to_a_dumb_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dumb terminal gets lines, since its cursor cannot move."""
    monkeypatch.setenv("TERM", "dumb")
    stream, notes = _Tty(), list[str]()
    with StatusDisplay(stream, color=True, currency=None, note=notes.append) as display:
        display.show(examples.status())
    assert (stream.getvalue(), len(notes)) == ("", 1)


def test_display_logs_only_what_changed() -> None:
    """Without a terminal a changed line is written once, and nothing is drawn."""
    notes: list[str] = []
    with StatusDisplay(io.StringIO(), color=False, currency=None, note=notes.append) as display:
        display.show(examples.status())
        display.show(examples.status())
    assert notes == [progress_line(examples.status())]
    assert notes[0].startswith("5 of 8 mailings settled, ")
