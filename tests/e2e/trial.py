"""One campaign, sent by the real command, and what became of it: what the tests of crashes and lost answers share."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.e2e.conftest import Result, Shop

PHONES = [f"3752912345{n:02}" for n in range(60, 90)]


@dataclass(frozen=True)
class Case:
    """`requests` of 2 recipients each, or that many lists kept at sms.by, with or without a saved plan. Phone by phone: as
    many people, of whom the second has a text of its own. An upload: as many requests that fill its list."""

    via: str
    requests: int
    plan_file: bool
    concurrency: int = 1

    def __str__(self) -> str:
        flying = f"-{self.concurrency}-in-flight" if self.concurrency > 1 else ""
        return f"{self.via}-{self.requests}-{'plan-file' if self.plan_file else 'no-file'}{flying}"

    @property
    def people(self) -> int:
        """Recipients of a bulk case: the last chunk holds one."""
        return 2 * self.requests - 1

    @property
    def method(self) -> str:
        ways = {"list": "sendSmsList", "single": "sendSMS", "upload": "importContacts"}
        return ways.get(self.via, "sendBulkSms")

    def campaign(self, project: str) -> str:
        if self.via == "list":
            mailings = [
                f"  - {{name: letter{n}, list: Newsletter, text: News {n} {project}}}"
                for n in range(self.requests)
            ]
        elif self.via == "upload":
            mailings = [
                f"  - {{name: staff, upload: true, recipients: {{file: people.csv}}, text: Closed {project}}}"
            ]
        elif self.via == "single":
            phones = ", ".join(f'"{phone}"' for phone in PHONES[: self.people])
            own = f'{{phone: "{PHONES[1]}", text: Own {project}}}'
            phones = phones.replace(f'"{PHONES[1]}"', own)
            mailings = [f"  - {{name: staff, via: single, recipients: [{phones}], text: Closed {project}}}"]
        else:
            phones = ", ".join(f'"{phone}"' for phone in PHONES[: self.people])
            mailings = [f"  - {{name: staff, recipients: [{phones}], text: Closed {project}}}"]
        head = "version: 1\ncampaign: sale\nalphaname: MyShop\nmailings:\n"
        return head + "\n".join(mailings) + "\n"


def start(shop: Shop, case: Case, project: str, **api: object) -> None:
    """A project of its own at the same sms.by; its name ends every text, so that messages are told apart."""
    for old in shop.root.iterdir():
        old.unlink()
    settings: dict[str, object] = {
        "requests_per_second": 1000,
        "recipients_per_request": 2,
        "timeout_seconds": 5,
        "reconcile_seconds": 0.1,
        "concurrency": case.concurrency,
        **api,
    }
    shop.write("smsby.yaml", f"version: 1\nproject: {project}\napi: {json.dumps(settings)}\n")
    shop.write("sale.yaml", case.campaign(project))
    if case.via == "upload":
        shop.write("people.csv", "phone,name\n" + "".join(f"{p},Anna\n" for p in PHONES[: case.people]))
    if case.plan_file:
        assert shop.run("plan", "--out", "plan.json").code == 0


def apply(shop: Shop, case: Case, env: dict[str, str]) -> Result:
    arguments = ["plan.json"] if case.plan_file else []
    return shop.run("apply", *arguments, "--auto-approve", env=env)


def received(shop: Shop, project: str) -> Counter[str]:
    """How often each message of `project` reached each phone."""
    return Counter(
        f"{phone}: {message['text'].removesuffix(project)}"
        for phone, messages in shop.inbox().items()
        for message in messages
        if message["text"].endswith(f" {project}")
    )


def finish(shop: Shop, case: Case, where: str) -> None:
    """What a person does: say what is found out of the unknown, and apply until all is sent."""
    for _ in range(2 * case.requests + 1):
        for address in unknown(shop):
            # The list at this sms.by does not lag: what is not in it was not sent.
            assert shop.run("lock", "resolve", address, "--not-sent", "--reason", "looked").code == 0, where
        done = shop.run("apply", "--auto-approve")
        if done.code == 0:
            return
        assert done.code in (1, 6), f"{where}\n{done.err}"
    raise AssertionError(f"{where}: it was never done")


def unknown(shop: Shop) -> list[str]:
    if not (shop.root / "smsby.lock.json").exists():
        return []
    mailings: dict[str, Any] = shop.lock()["mailings"]
    return [address for address, entry in mailings.items() if entry["state"] == "unknown"]
