"""The chunks of single mailings: the planned ones without opt-outs, or nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_smsby import PHONES, Shop
from tests.apply.single_mailing import THREE, called


def test_files_changed_before_single_send(single: Shop) -> None:
    """Recipients that differ from the plan end the mailing with exit code 5 before its first request."""
    single.write("recipients.csv", "phone\n" + "".join(f"{phone}\n" for phone in THREE))
    single.mailing("via: single, recipients: {file: recipients.csv}, text: Closed")

    def change(params: Mapping[str, Any]) -> Answer:
        single.write("recipients.csv", f"phone\n{PHONES[6]}\n")
        return Answer(406, is_empty=True)

    single.sms_by.script("getSMSMessages", Answer(406, is_empty=True), change)
    assert single.apply()[0].exit_code == ExitCode.PLAN_REFUSED
    assert called(single) == []


def test_unreadable_opt_outs_stop_a_single_mailing(single: Shop) -> None:
    """If the suppression file can no longer be read, no phone gets the mailing: exit code 5."""
    single.configure(suppress="[out.csv]")
    single.write("out.csv", f"phone\n{PHONES[1]}\n")

    def remove(params: Mapping[str, Any]) -> Answer:
        (single.root / "out.csv").unlink(missing_ok=True)
        return Answer(406, is_empty=True)

    single.sms_by.script("getSMSMessages", Answer(406, is_empty=True), remove)
    result, mailing = single.apply()
    assert (result.exit_code, single.sms_by.changes()) == (ExitCode.PLAN_REFUSED, [])
    assert mailing.error is not None
    assert "out.csv" in mailing.error
