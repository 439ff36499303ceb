"""An examination of a scripted sms.by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from smsby_deploy.apply.self_test import SelfTest
from smsby_deploy.clock import Clock, SystemClock
from smsby_deploy.config.project_loader import load_project
from smsby_deploy.doctor.diagnosis import DoctorReport, DoctorRequest, run_doctor
from smsby_deploy.doctor.examination import Examination
from smsby_deploy.smsby.facts import AccountFacts, FactName, FactState
from smsby_deploy.smsby.probe_client import ProbeClient
from smsby_deploy.smsby.response import Answer
from smsby_deploy.smsby.send_client import SendClient
from smsby_deploy.smsby.transport import SendTransport
from smsby_deploy.texts.parts import measure_text
from tests.apply.fake_smsby import FakeTransport, error, ok

PROJECT = "version: 1\nproject: shop\n"
ACCOUNT = "0123456789ab"


class UsualTransport(FakeTransport):
    """Answers every query of doctor like an ordinary account, except that the second getBalance refuses the token."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.script("getBalance", ok({"balance": "26", "currency": "BYN"}), error("token is invalid", 403))
        self.script("getLimit", ok({"limit": 1000}))
        self.script("statusBulkSms", ok([]))
        self.script("confirmSendMessageByList", error("message_id not found", 404))
        self.script("checkSMSMessageStatus", error("not found", 404), ok({"status": "moderated"}))
        self.script("getMessagesList", ok({"result": []}))
        self.script("getSmsDeliveryList", ok({"result": []}))
        self.script("createSmsMessage", self._create)
        self.script("createSubscriberList", ok({"status": "OK", "result": {"list_id": 8}}))
        self.script("importContacts", ok({"result": {"inserted": 0, "updated": 0, "invalid": 1, "log": []}}))

    def _create(self, params: Mapping[str, Any]) -> Answer:
        is_again = sum(one["message"] == params["message"] for one in self.named("createSmsMessage")) > 1
        if is_again:
            return error("The same message exists with ID=9", 500, message_id=9)
        written = params.get("time")
        moment = datetime.fromisoformat(written).replace(tzinfo=ZoneInfo("Europe/Minsk")) if written else None
        parts = measure_text(params["message"]).parts
        return ok({"message_id": 9, "parts": parts, "time": int(moment.timestamp()) if moment else 0})


def examination(transport: SendTransport, clock: Clock, *, may_write: bool = True) -> Examination:
    client = ProbeClient(transport, transport, may_write=may_write)
    return Examination(client, clock, ZoneInfo("Europe/Minsk"), "0a1b2c3d4e")


def examine(
    folder: Path,
    transport: SendTransport,
    *,
    leaves_rows: bool = False,
    to: str | None = None,
    facts: AccountFacts = AccountFacts(ACCOUNT),  # noqa: B008  # it is immutable
    save: Callable[[AccountFacts], object] = lambda facts: None,
) -> DoctorReport:
    """Run doctor in the project in `folder`; `transport` also gets what it may send."""
    clock = SystemClock()
    project = load_project(folder).project

    def open_self_test(facts: AccountFacts, look: Examination) -> SelfTest:
        return SelfTest(
            project, SendClient(transport, facts), clock, look.mark, know=look.know, miss=look.miss
        )

    return run_doctor(
        DoctorRequest(
            project,
            facts,
            ProbeClient(transport, transport, may_write=leaves_rows),
            clock,
            "0a1b2c3d4e",
            open_self_test,
            save,
            lambda step: None,
            to,
        )
    )


def fact_found(look: Examination, name: FactName) -> Any:
    """Return the value of a fact, or why it has none."""
    fact = look.facts[name]
    return fact.value if fact.state is FactState.KNOWN else fact.gap
