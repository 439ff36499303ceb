"""A scripted sms.by: the test chooses every answer, every request is kept, and nothing reaches the network."""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smsby_deploy.apply.apply_result import ApplyResult, MailingResult
from smsby_deploy.apply.run import ApplyRequest, apply_plan
from smsby_deploy.clock import Clock, SystemClock
from smsby_deploy.config.project_loader import LoadedProject, load_project
from smsby_deploy.lock.records import ChunkRecord, Lock
from smsby_deploy.lock.store import LockStore
from smsby_deploy.plan.model import Plan
from smsby_deploy.plan.planner import make_plan
from smsby_deploy.smsby.answer_limits import BoundedAdapter
from smsby_deploy.smsby.connections import FreshConnection, FreshConnections
from smsby_deploy.smsby.methods import Method
from smsby_deploy.smsby.response import Answer
from smsby_deploy.smsby.send_client import SendClient
from smsby_deploy.smsby.transport import AnswerLost, NotConnected, PreparedRequest, SendTransport

PHONES = [f"37529000000{n}" for n in range(1, 8)]
PROJECT = """\
version: 1
project: shop
api: {reconcile_seconds: 2}
"""


def ok(data: object) -> Answer:
    return Answer(200, data, readable=True)


def error(text: str, status: int = 200, **more: object) -> Answer:
    return Answer(status, {"error": text, **more}, readable=True)


def busy(retry_after: float | None = None) -> Answer:
    """Return a 429 with a Retry-After of that many seconds."""
    return Answer(429, {"error": "too many"}, readable=True, retry_after=retry_after)


EMPTY_LIST = Answer(406, is_empty=True)  # what getSMSMessages answers if there are no mailings
LOST = AnswerLost("the answer was lost")
OFFLINE = NotConnected("cannot connect")

Reply = Answer | Exception | Callable[[Mapping[str, Any]], Answer]


def _default_answers() -> dict[str, Reply]:
    return {
        "getSMSMessages": EMPTY_LIST,
        "getAlphanames": ok({"0": "System name", "7": "MyShop"}),
        "getSubscriberLists": ok({"status": "OK", "result": [{"list_id": 34, "name": "Newsletter"}]}),
        "getBalance": ok({"balance": "1000", "currency": "BYN"}),
        "getSmsDeliveryList": EMPTY_LIST,
        "checkSMSMessageStatus": ok({"status": "moderated", "alphaname": "MyShop"}),
    }


class _NoPace:
    """A rate limit that never waits."""

    def seconds_until_turn(self) -> float:
        return 0.0

    def take_turn(self) -> float:
        return 0.0

    def wait_turn(self) -> None:
        return None


class FakeTransport(SendTransport):
    """A transport that answers each method from its script, then with the last answer or a default."""

    def __init__(self, clock: Clock) -> None:
        self._token = "token"
        self.pace = _NoPace()
        self.clock = clock
        self.clock_lead = None
        adapter = BoundedAdapter(ssl.create_default_context, clock)
        self.connections = FreshConnections(lambda: FreshConnection(adapter), lambda: 0, clock)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._scripts: dict[str, deque[Reply]] = {}
        self._defaults = _default_answers()

    def __repr__(self) -> str:
        return f"FakeTransport({self.changes()})"

    def script(self, method: str, *replies: Reply) -> None:
        """Make `method` give `replies` in turn, and the last of them from then on."""
        self._scripts[method] = deque(replies)
        self._defaults[method] = replies[-1]

    def ask(self, method: Method, params: Mapping[str, Any], keep: object = None) -> Answer:
        return self._reply(method, params)

    def send(self, method: Method, params: Mapping[str, Any]) -> Answer:
        return self._reply(method, params)

    def prepare(self, method: Method, params: Mapping[str, Any]) -> PreparedRequest:
        return lambda connection=None: self._reply(method, params)

    def _reply(self, method: Method, params: Mapping[str, Any]) -> Answer:
        self.calls.append((method.name, dict(params)))
        script = self._scripts.get(method.name)
        reply = script.popleft() if script else self._defaults[method.name]
        if isinstance(reply, Exception):
            raise reply
        return reply(params) if callable(reply) else reply

    def named(self, *methods: str) -> list[dict[str, Any]]:
        """Return the parameters of every call of these methods, in order."""
        return [params for name, params in self.calls if name in methods]

    def changes(self) -> list[str]:
        """Return the names of the calls that change something or send, in order, confirm=0 and confirm=1 among them."""
        names = []
        for name, params in self.calls:
            if name == "confirmSendMessageByList":
                name = f"confirm={params['confirm']}"
            if not name.startswith(("get", "check")):
                names.append(name)
        return names


@dataclass
class Shop:
    """A project in a folder, and a fake sms.by to apply it to."""

    root: Path
    clock: Clock = field(default_factory=SystemClock)
    sms_by: FakeTransport = field(init=False)
    lines: list[str] = field(default_factory=list)  # what the applies reported

    def __post_init__(self) -> None:
        self.sms_by = FakeTransport(self.clock)
        self.write("smsby.yaml", PROJECT)

    @property
    def client(self) -> SendClient:
        return SendClient(self.sms_by)

    @property
    def store(self) -> LockStore:
        return LockStore(self.root / "lock.json", "shop")

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text, encoding="utf-8")

    def configure(self, **lines: str) -> None:
        """Set top-level keys of smsby.yaml."""
        self.write("smsby.yaml", PROJECT + "".join(f"{key}: {value}\n" for key, value in lines.items()))

    def mailing(self, text: str) -> None:
        """Write sale.yaml with one mailing named `staff`; `text` is the content of its YAML map."""
        head = "version: 1\ncampaign: sale\nalphaname: MyShop\nmailings:\n"
        self.write("sale.yaml", f"{head}  - {{name: staff, {text}}}\n")

    def load(self) -> LoadedProject:
        return load_project(self.root, {})

    def apply(self) -> tuple[ApplyResult, MailingResult]:
        """Plan and apply the project; return the result, and that of its first mailing."""
        result = apply_plan(self.request())
        return result, result.mailings[0]

    def request(self, reviewed: Plan | None = None) -> ApplyRequest:
        """Return the request to apply this project, with the reviewed plan if there is one."""
        return ApplyRequest(
            self.load,
            self.store,
            lambda: self.client,
            "account",
            self.clock,
            reviewed=None if reviewed is None else lambda: reviewed,
            approve=lambda plan: True,
            say=lambda event: self.lines.append(event.line),
        )

    def plan(self) -> Plan:
        """Plan the project for a review."""
        return make_plan(
            self.load(),
            select=(),
            client=self.client,
            account="account",
            lock=self.lock(),
            clock=self.clock,
            new_id="reviewed",
        )

    def lock(self) -> Lock:
        return self.store.read()

    def chunk(self, index: int = 0) -> ChunkRecord:
        return self.lock().mailings["sale/staff"].chunks[index]
