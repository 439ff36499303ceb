"""What `doctor` found, as terminal text and as JSON."""

from __future__ import annotations

from typing import Any, TextIO

from smsby_deploy.doctor.diagnosis import DoctorReport, FactFinding
from smsby_deploy.output.console import make_console, write_sentence
from smsby_deploy.output.translation import ENGLISH, Translator
from smsby_deploy.privacy import mask_phones
from smsby_deploy.smsby.facts import FactName, FactState
from smsby_deploy.wording import sentence

# The first fact of --ask and of --to.
_PARTS = {
    FactName.TOKEN_REFUSAL: sentence("free questions"),
    FactName.CLOCK_IN: sentence("with --ask: rows at sms.by, no recipient"),
    FactName.LISTING_LAG: sentence("with --to PHONE: one SMS"),
}
_MARKS = {FactState.KNOWN: "ok", FactState.NOT_LEARNABLE: "?", FactState.NOT_ASKED: "-"}
_STYLES = {FactState.KNOWN: "green", FactState.NOT_LEARNABLE: "yellow", FactState.NOT_ASKED: "dim"}


def write_doctor(report: DoctorReport, stream: TextIO, *, color: bool, t: Translator = ENGLISH) -> None:
    """Write a line for what was asked and learned, and one below for what it means."""
    from rich.text import Text

    console = make_console(stream, color=color)
    for finding in report.findings:
        if (title := _PARTS.get(finding.fact.name)) is not None:
            lead = "" if finding.fact.name is FactName.TOKEN_REFUSAL else "\n"
            console.print(f"{lead}{t.sentence(title)}", style="bold")
        mark = "no" if finding.contradicts else _MARKS[finding.fact.state]
        style = "red" if finding.contradicts else _STYLES[finding.fact.state]
        lead_text = Text(f"  {mark:<2}  ", style=style)
        said = f"{t.sentence(finding.asked)}: {t.sentence(finding.learned)}{_age(finding, t)}"
        write_sentence(console, said, lead=lead_text)
        if finding.fact.state is not FactState.NOT_ASKED:
            means = mask_phones(t.sentence(finding.meaning))
            write_sentence(console, f"      {means}", "red" if finding.contradicts else "dim")


def _age(finding: FactFinding, t: Translator) -> str:
    learned_at = finding.fact.learned_at
    if finding.is_new or learned_at is None:
        return ""
    return f" ({t.gettext('learned {day}', day=learned_at.date())})"


def doctor_document(report: DoctorReport) -> dict[str, Any]:
    """The document of `doctor --format json`."""
    return {
        "account": report.account,
        "facts": [
            {
                "name": one.fact.name,
                "state": one.fact.state,
                "value": one.fact.value,
                "gap": one.fact.gap,
                "learned_at": one.fact.learned_at.isoformat() if one.fact.learned_at else None,
                "method": one.fact.method or None,
                "asked": one.asked,
                "learned": one.learned,
                "meaning": mask_phones(one.meaning),
                "contradicts": one.contradicts,
            }
            for one in report.findings
        ],
        "error": None if report.failure is None else mask_phones(str(report.failure)),
    }
