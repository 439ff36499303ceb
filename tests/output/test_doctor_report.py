"""The findings of doctor as text and as JSON."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

from smsby_deploy.doctor.diagnosis import DoctorReport, FactFinding
from smsby_deploy.errors import SmsbyUnavailable
from smsby_deploy.output.doctor_report import doctor_document, write_doctor
from smsby_deploy.smsby.facts import Fact, FactName, FactState, Gap

_AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
_REPORT = DoctorReport(
    "0123456789ab",
    (
        FactFinding(
            Fact(
                FactName.TOKEN_REFUSAL,
                FactState.KNOWN,
                {"status": 403, "recognized": True},
                None,
                _AT,
                "getBalance",
            ),
            "how a wrong token is refused",
            "HTTP 403, recognized",
            "a token that expires stops an apply",
            is_new=True,
            contradicts=False,
        ),
        FactFinding(
            Fact(FactName.CLOCK_IN, FactState.KNOWN, {"offset": 0}, None, _AT, "createSmsMessage"),
            "clock of `time`",
            "UTC+00:00",
            "set it for 375291234567",
            is_new=False,
            contradicts=True,
        ),
        FactFinding(
            Fact(FactName.DUPLICATES, FactState.NOT_LEARNABLE, None, Gap.REFUSED, _AT, "createSmsMessage"),
            "the same message again",
            "not learnable",
            "still applies",
            is_new=True,
            contradicts=False,
        ),
        FactFinding(
            Fact(FactName.LISTING_LAG), "time until listed", "not asked", "-", is_new=False, contradicts=False
        ),
    ),
    SmsbyUnavailable("connection lost"),
)


def test_doctor_as_text() -> None:
    """Each fact has a mark and a line, parts have headings, and earlier facts their date."""
    stream = io.StringIO()
    write_doctor(_REPORT, stream, color=False)
    assert stream.getvalue() == (
        "free questions\n"
        "  ok  how a wrong token is refused: HTTP 403, recognized\n"
        "      a token that expires stops an apply\n"
        "\n"
        "with --ask: rows at sms.by, no recipient\n"
        "  no  clock of `time`: UTC+00:00 (learned 2026-11-02)\n"
        "      set it for 37529*****67\n"
        "  ?   the same message again: not learnable\n"
        "      still applies\n"
        "\n"
        "with --to PHONE: one SMS\n"
        "  -   time until listed: not asked\n"
    )


def test_doctor_as_json() -> None:
    """The JSON has every fact, with the reason for a missing value, and why not everything was asked."""
    document = json.loads(json.dumps(doctor_document(_REPORT)))
    assert document["account"] == "0123456789ab"
    assert document["error"] == "connection lost"
    assert [(one["name"], one["state"], one["gap"]) for one in document["facts"]] == [
        ("token_refusal", "known", None),
        ("clock_in", "known", None),
        ("duplicates", "not_learnable", "refused"),
        ("listing_lag", "not_asked", None),
    ]
    assert document["facts"][1]["meaning"] == "set it for 37529*****67"
