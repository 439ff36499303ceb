"""One campaign, sent by the real command, for the tests of crashes and lost answers."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e.conftest import Result, Shop

PHONES = [f"3752912345{n:02}" for n in range(60, 90)]


@dataclass(frozen=True)
class Case:
    """A campaign that takes `requests` requests to send, with or without a saved plan.

    Bulk: requests of two recipients each. List: one list mailing each. Single: as many recipients as bulk, of whom the
    second has a text of their own. Upload: as many requests that fill the list. Variants: bulk, with about as many requests.
    """

    via: str
    requests: int
    plan_file: bool
    concurrency: int = 1

    def __str__(self) -> str:
        flying = f"-{self.concurrency}-in-flight" if self.concurrency > 1 else ""
        return f"{self.via}-{self.requests}-{'plan-file' if self.plan_file else 'no-file'}{flying}"

    @property
    def recipients(self) -> int:
        """Return the number of recipients: the last chunk has one."""
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
                f"  - {{name: staff, upload: true, recipients: {{file: recipients.csv}}, text: Closed {project}}}"
            ]
        elif self.via == "single":
            phones = ", ".join(f'"{phone}"' for phone in PHONES[: self.recipients])
            own = f'{{phone: "{PHONES[1]}", text: Own {project}}}'
            phones = phones.replace(f'"{PHONES[1]}"', own)
            mailings = [f"  - {{name: staff, via: single, recipients: [{phones}], text: Closed {project}}}"]
        else:
            phones = ", ".join(f'"{phone}"' for phone in PHONES[: self.recipients])
            text = f"text: Closed {project}"
            if self.via == "variants":
                a, b = (f"{{name: {name}, share: 50, text: {name.upper()} {project}}}" for name in "ab")
                text = f"variants: [{a}, {b}]"
            mailings = [f"  - {{name: staff, recipients: [{phones}], {text}}}"]
        head = "version: 1\ncampaign: sale\nalphaname: MyShop\nmailings:\n"
        return head + "\n".join(mailings) + "\n"


def start(shop: Shop, case: Case, project: str, **api: object) -> None:
    """Write the campaign as a new project of the same sandbox; every text ends with the project's name."""
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
        shop.write(
            "recipients.csv", "phone,name\n" + "".join(f"{p},Anna\n" for p in PHONES[: case.recipients])
        )
    if case.plan_file:
        assert shop.run("plan", "--out", "plan.json").code == 0


IN_WINDOW = 40 * 3600.0  # how many seconds the clock of a run must be ahead for the window of `release_later`


def release_later(shop: Shop) -> None:
    """Schedule the campaign in two days, with a release window."""
    now = datetime.now(UTC)  # noqa: TID251  # the runs have the real clock, or are ahead of it
    time = (now + timedelta(days=2)).replace(microsecond=0, second=0)
    campaign = (shop.root / "sale.yaml").read_text(encoding="utf-8")
    lines = f"schedule_time: {time:%Y-%m-%dT%H:%M:%S}Z\nrelease: {{before: 12h, at_latest: 20m}}\nmailings:\n"
    shop.write("sale.yaml", campaign.replace("mailings:\n", lines))


JUDGED = 2 * 3600.0  # how many seconds ahead the verdict of `send_in_waves` is reached


def send_in_waves(shop: Shop) -> None:
    """Give the campaign a first wave of one recipient, who gets the message."""
    campaign = (shop.root / "sale.yaml").read_text(encoding="utf-8")
    lines = "waves: [{people: 1, after: 1h, delivered: 100}, rest]\nmailings:\n"
    shop.write("sale.yaml", campaign.replace("mailings:\n", lines))
    shop.settings(fates=dict.fromkeys(PHONES, "DELIVERED"))


def apply(shop: Shop, case: Case, env: dict[str, str]) -> Result:
    arguments = ["plan.json"] if case.plan_file else []
    return shop.run("apply", *arguments, "--auto-approve", env=env)


def received(shop: Shop, project: str) -> Counter[str]:
    """Return how often each message of `project` reached each phone."""
    return Counter(
        f"{phone}: {message['text'].removesuffix(project)}"
        for phone, messages in shop.inbox().items()
        for message in messages
        if message["text"].endswith(f" {project}")
    )


def finish(shop: Shop, case: Case, where: str) -> None:
    """Act as a user: resolve unknown outcomes, and apply until everything is sent.

    A plan file stays the same one until it is used.
    """
    for _ in range(2 * case.requests + 1):
        for address in unknown(shop):
            # The sandbox's list does not lag: a request it lacks was not sent.
            assert shop.run("lock", "resolve", address, "--not-sent", "--reason", "looked").code == 0, where
        done = apply(shop, case, {})
        if done.code == 0 or (case.plan_file and "everything in it is settled" in done.err):
            return
        assert done.code in (1, 6), f"{where}\n{done.err}"
    raise AssertionError(f"{where}: it never completed")


def unknown(shop: Shop) -> list[str]:
    if not (shop.root / "smsby.lock.json").exists():
        return []
    mailings: dict[str, Any] = shop.lock()["mailings"]
    return [address for address, entry in mailings.items() if entry["state"] == "unknown"]


def lose_lock(shop: Shop) -> None:
    for path in shop.root.glob("smsby.lock.json*"):
        path.unlink()


def planned_action(shop: Shop) -> tuple[str, str]:
    """Return the planned action for the only mailing, and its reason."""
    (action,) = shop.run("plan", "--format", "json").json["actions"]
    return action["action"], action["reason"]


def adopt_after_losing_the_lock(shop: Shop, case: Case) -> None:
    """Send everything and lose the lock; check that the next apply records the mailing and sends nothing."""
    start(shop, case, "shop")
    assert apply(shop, case, {}).code == 0
    lose_lock(shop)
    assert planned_action(shop)[0] == "adopt"
    adopted = shop.run("apply", "--auto-approve", "--format", "json")
    assert (adopted.code, adopted.json["summary"]["adopted"]) == (0, 1)
    assert planned_action(shop)[0] == "noop"
    assert set(received(shop, "shop").values()) == {1}
