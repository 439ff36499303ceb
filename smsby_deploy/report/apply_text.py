"""What an apply did, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TextIO

from smsby_deploy.report.console import clean, make_console, number

_COLORS = {"sent": "green", "adopted": "cyan", "confirmed": "green", "rejected": "red", "unknown": "bold red"}


def write_apply(document: Mapping[str, Any], stream: TextIO, *, color: bool) -> None:
    """Write the summary of an apply; `document` is what `apply --format json` prints."""
    console = make_console(stream, color=color)
    for mailing in document["mailings"]:
        outcome = mailing["outcome"]
        error = f": {clean(mailing['error'])}" if mailing["error"] else ""
        line = f"{outcome:<9} {mailing['address']}  {number(mailing['recipients'])} people{error}"
        console.print(line, style=_COLORS.get(outcome), soft_wrap=True)
    told = ", ".join(f"{count} {name}" for name, count in document["summary"].items() if count)
    console.print(told or "nothing to do", soft_wrap=True)
    if document["summary"].get("unknown"):
        console.print(
            "hint: look at sms.by whether the unknown ones went out, then say so:\n"
            "  smsby-deploy lock resolve ADDRESS --sent|--not-sent",
            soft_wrap=True,
        )
