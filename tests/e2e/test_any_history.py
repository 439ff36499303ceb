"""Any history of what a user, a runner and sms.by can do.

There are edits, removals, plans, signatures, applies, waves, crashes, lost locks, faults, resolutions and abandonments.
The user in these histories is truthful: checks the phones, waits while the list lags, and only then resolves.
"""

from __future__ import annotations

import shutil
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from smsby_deploy.digest_key import DigestKey
from smsby_deploy.lock.archive import archive_path, read_archive
from smsby_deploy.lock.decisions import VerdictKind
from smsby_deploy.lock.store import LockStore
from tests.e2e.conftest import Shop
from tests.e2e.forked import CLOCK_AHEAD
from tests.e2e.trial import IN_WINDOW, PHONES
from tests.plan.ssh_keys import Keys, make_keys

_MODES = [
    "reset",
    "close",
    "500",
    "502",
    "html",
    "empty",
    "no-proof",
    "truncated",
    "redirect",
    "error",
    "429",
]
_SENDS = (
    "sendBulkSms",
    "sendSmsList",
    "confirmSendMessageByList",
    "createSmsMessage",
    "sendSMS",
    "createSubscriberList",
    "importContacts",
)
_NAMES = ["one", "two", "three", "four", "five", "six"]
_KEYS = ["", "first-digest-key-" * 2, "second-digest-key-" * 2]
_CODES = {0, 1, 4, 5, 6}
_TESTER = PHONES[20]  # the first is the test phone of rehearsals, and the only recipient of the first mailing
_JUDGED = 2 * 3600  # seconds after the first wave, when it can be judged


def _machine(url: str, keys: Keys | None) -> type[RuleBasedStateMachine]:
    class AnyHistory(RuleBasedStateMachine):
        """One project with mailings of every kind, two of them with up to three requests.

        One is sent phone by phone, one uploaded, one waits, one goes in waves, one to a list, and one needs a signature.
        """

        def __init__(self) -> None:
            super().__init__()
            self._folder = TemporaryDirectory()
            self.shop = Shop(Path(self._folder.name), url)
            self.shop.reset()
            self.text = dict.fromkeys(_NAMES, 0)
            self.revision = dict.fromkeys(_NAMES, 1)
            self.presence = dict.fromkeys(_NAMES, "in the files")
            self.recipients = {
                "one": PHONES[:5],
                "two": PHONES[3:6],
                "three": PHONES[2:5],
                "four": PHONES[1:4],
                "five": PHONES[:3],
                "six": PHONES[:5],
            }
            self.signed_text = 0
            self.signed: set[str] = set()  # the texts that were signed
            self.was_lost = False  # whether a lock was ever lost, and the verdicts with it
            now = datetime.now(UTC)  # noqa: TID251  # the runs have the real clock, or are ahead of it
            self.time = (now + timedelta(days=2)).replace(microsecond=0, second=0)
            self.out: dict[str, int] = {}  # messages each opted-out phone had when it opted out
            self.over: dict[tuple[str, int], int] = {}  # messages of each revision when it was abandoned
            self.withdrawn: set[int] = set()  # revisions of the mailing that waits
            self.is_frozen = False
            self.size = 2
            self.key = ""
            self.older: list[tuple[bytes | None, bytes | None]] = [(None, None)]  # lock and archive
            self.codes: list[int] = []

        def teardown(self) -> None:
            """Send what was scheduled, to show that it was not scheduled twice."""
            for command in ({"advance": 3 * 86400}, {"reset": True}):
                self._check_inbox()
                self.nothing_of_a_withdrawn_revision_is_sent()
                requests.post(f"{url}/_sandbox/clock", json=command, timeout=5).raise_for_status()
            self._folder.cleanup()

        @initialize()
        def begin(self) -> None:
            self._write()

        def _write(self) -> None:
            shop = self.shop
            shop.write(
                "smsby.yaml",
                "version: 1\nproject: shop\napi: {requests_per_second: 1000, timeout_seconds: 5, "
                f"reconcile_seconds: 0.1, recipients_per_request: {self.size}}}\nsuppress: [stop.csv]\n"
                f"freeze: {'a history' if self.is_frozen else 'false'}\ntest_phones: ['{_TESTER}']\n"
                "environments: {staging: {token_env: SMSBY_STAGING_TOKEN, lock: .smsby/staging.lock.json, "
                "only_to: test_phones}}\n"
                "approvals: {signers: signers.txt, rules: [{when: {label: {kind: signed}}, need: 1}]}\n",
            )
            shop.write("signers.txt", keys.signers.read_text() if keys is not None else "")
            shop.write(
                "signed.yaml",
                "version: 1\ncampaign: signed\nlabels: {kind: signed}\nmailings:\n"
                f"  - {{name: seven, recipients: ['{PHONES[6]}'], text: seven v{self.signed_text}}}\n",
            )
            shop.write("stop.csv", "\n".join(["phone", *self.out]) + "\n")
            lines = ["version: 1", "campaign: sale", "alphaname: MyShop", "mailings:"]
            for name, recipients in self.recipients.items():
                if self.presence[name] == "removed":
                    continue
                reached = [*recipients, _TESTER] if name == "one" else recipients
                phones = ", ".join(f'"{phone}"' for phone in reached)
                if name == "three":  # the first recipient has another text
                    own = f"three r{self.revision[name]} own v{self.text[name]}"
                    phones = phones.replace(
                        f'"{recipients[0]}"', f'{{phone: "{recipients[0]}", text: {own}}}'
                    )
                lines.append(
                    f"  - name: {name}\n    revision: {self.revision[name]}\n    recipients: [{phones}]"
                )
                if self.presence[name] == "cancelled":
                    lines.append("    cancelled: a history")
                if name == "three":
                    lines.append("    via: single")
                if name == "four":
                    lines.append("    upload: true")
                if name == "five":
                    lines.append(f"    schedule_time: {self.time:%Y-%m-%dT%H:%M:%S}Z")
                    lines.append("    release: {before: 12h, at_latest: 20m}")
                if name == "six":
                    lines.append("    waves: [{people: 2, after: 1h, give_up: 9h, delivered: 50}, rest]")
                lines.append(f"    text: {name} r{self.revision[name]} v{self.text[name]}")
            lines.append("  - {name: letter, list: Newsletter, text: letter r1 v0}")
            shop.write("sale.yaml", "\n".join(lines) + "\n")

        def _run(self, *arguments: str, env: dict[str, str] | None = None) -> int:
            done = self.shop.run(*arguments, env={"SMSBY_DIGEST_KEY": self.key, **(env or {})})
            self.codes.append(done.code)
            if "SMSBY_FAULT" not in (env or {}):
                assert done.code in _CODES, (arguments, done.code, done.err)
            self._remember()
            return done.code

        def _remember(self) -> None:
            lock, archive = (path.read_bytes() if path.exists() else None for path in self._committed())
            if (lock, archive) != self.older[-1]:
                self.older.append((lock, archive))

        def _committed(self) -> tuple[Path, Path]:
            lock = self.shop.root / "smsby.lock.json"
            return lock, archive_path(lock)

        # --- edits ---

        @rule(name=st.sampled_from(_NAMES))
        def edit_text(self, name: str) -> None:
            self.text[name] += 1
            self._write()

        @rule(name=st.sampled_from(_NAMES))
        def put_text_back(self, name: str) -> None:
            self.text[name] = 0
            self._write()

        @rule(name=st.sampled_from(_NAMES), count=st.integers(1, 5), start=st.integers(0, 3))
        def edit_recipients(self, name: str, count: int, start: int) -> None:
            self.recipients[name] = PHONES[start : start + count]
            self._write()

        @rule(name=st.sampled_from(_NAMES), revision=st.integers(1, 3))
        def set_revision(self, name: str, revision: int) -> None:
            self.revision[name] = revision
            self._write()

        @rule(
            name=st.sampled_from([*_NAMES, "five", "six"]),
            presence=st.sampled_from(["in the files", "in the files", "removed", "cancelled"]),
        )
        def set_presence(self, name: str, presence: str) -> None:
            self.presence[name] = presence
            self._write()

        @rule(size=st.integers(1, 4))
        def set_chunk_size(self, size: int) -> None:
            self.size = size
            self._write()

        @rule(phone=st.sampled_from(PHONES[:6]))
        def opt_out(self, phone: str) -> None:
            self.out.setdefault(phone, self._count(phone))
            self._write()

        @rule(phone=st.sampled_from(PHONES[:6]))
        def opt_in(self, phone: str) -> None:
            self.out.pop(phone, None)
            self._write()

        def _count(self, phone: str) -> int:
            return len(self.shop.inbox().get(phone, []))

        # --- commands ---

        @rule()
        def save_plan(self) -> None:
            self._run("plan", "--out", "plan.json")

        @rule()
        def apply_plan(self) -> None:
            if (self.shop.root / "plan.json").exists():
                self._run("apply", "plan.json")

        @rule()
        def apply(self) -> None:
            self._run("apply", "--auto-approve")

        @rule()
        def apply_while_frozen(self) -> None:
            before = self._received()
            for self.is_frozen in (True, False):
                self._write()
                if self.is_frozen:
                    self._run("apply", "--auto-approve")
            assert self._received() == before, self.codes

        def _received(self) -> dict[str, list[int]]:
            """Return the messages of each phone without their status, which changes over time."""
            return {phone: [one["id"] for one in got] for phone, got in self.shop.inbox().items()}

        @rule(k=st.sampled_from([0, 0, 0, 6, 12, 24]))
        def rehearse(self, k: int) -> None:
            """Rehearse with the same account, or die while doing so: only the test phone gets anything."""
            others, locks = self._received_by_others(), self._read_lock()
            env = {"SMSBY_STAGING_TOKEN": "secret-token"} | ({"SMSBY_FAULT": f"kill:{k}"} if k else {})
            code = self._run("--env", "staging", "apply", "--auto-approve", env=env)
            assert code in _CODES or code == -signal.SIGKILL
            assert (self._received_by_others(), self._read_lock()) == (others, locks), self.codes

        def _received_by_others(self) -> dict[str, list[int]]:
            return {phone: got for phone, got in self._received().items() if phone != _TESTER}

        def _inbox_of_others(self) -> dict[str, list[dict[str, Any]]]:
            return {phone: messages for phone, messages in self.shop.inbox().items() if phone != _TESTER}

        def _read_lock(self) -> dict[str, bytes]:
            return {path.name: path.read_bytes() for path in self.shop.root.glob("smsby.lock.json*")}

        @rule(k=st.integers(1, 90))
        def crash(self, k: int) -> None:
            code = self._run("apply", "--auto-approve", env={"SMSBY_FAULT": f"kill:{k}"})
            assert code == -signal.SIGKILL or code in _CODES

        @rule(is_open=st.booleans())
        def hand_over(self, is_open: bool) -> None:
            """Run with a clock that is ahead; sms.by keeps what is handed over until the end of the history."""
            self._run("apply", "--due", env={CLOCK_AHEAD: str(IN_WINDOW if is_open else 0)})

        @rule(k=st.integers(1, 30))
        def crash_hand_over(self, k: int) -> None:
            env = {CLOCK_AHEAD: str(IN_WINDOW), "SMSBY_FAULT": f"kill:{k}"}
            code = self._run("apply", "--due", env=env)
            assert code == -signal.SIGKILL or code in _CODES

        @rule(k=st.sampled_from([0, 0, 1, 2, 3, 4, 5, 6, 7]))
        def archive(self, k: int) -> None:
            """Archive finished mailings, or die at the k-th step of doing so."""
            code = self._run("lock", "archive", env={"SMSBY_FAULT": f"kill:{k}"} if k else None)
            assert code == (-signal.SIGKILL if code < 0 else 0)

        # --- waves and signatures ---

        @rule(is_delivered=st.booleans(), k=st.sampled_from([0, 0, 0, 4, 8, 12, 16, 20]))
        def judge(self, is_delivered: bool, k: int) -> None:
            """Hand over what is due two hours later, with everything delivered or nothing; or die while doing so."""
            word = "DELIVERED" if is_delivered else "UNDELIVERED"
            self.shop.settings(fates=dict.fromkeys(PHONES, word))
            env = {CLOCK_AHEAD: str(_JUDGED)} | ({"SMSBY_FAULT": f"kill:{k}"} if k else {})
            code = self._run("apply", "--due", env=env)
            assert code == -signal.SIGKILL or code in _CODES

        @rule()
        def go(self) -> None:
            """Let the next wave be sent after a stop; refused in any other state."""
            assert self.shop.run("lock", "resolve", "sale/six", "--go").code in (0, 4, 64)
            self._remember()

        @rule(text=st.integers(0, 2))
        def edit_signed(self, text: int) -> None:
            self.signed_text = text
            self._write()

        @precondition(lambda self: keys is not None)
        @rule(is_edited=st.booleans())
        def sign(self, is_edited: bool) -> None:
            """Sign what a plan shows, perhaps edit it afterwards, and apply that plan."""
            if self._run("plan", "signed/*", "--out", "signed.json") not in (0, 4) or keys is None:
                return
            env = {"SMSBY_DIGEST_KEY": self.key}
            done = self.shop.run("approve", "signed.json", "--key", str(keys["anna"]), env=env)
            assert done.code in (0, 4, 5, 64), done.err
            if done.code == 0:
                self.signed.add(f"seven v{self.signed_text}")
            if is_edited:
                self.edit_signed((self.signed_text + 1) % 3)
            self._run("apply", "signed.json")

        # --- faults ---

        @rule(mode=st.sampled_from(_MODES), when=st.sampled_from(["before", "after"]), nth=st.integers(1, 3))
        def spoil(self, mode: str, when: str, nth: int) -> None:
            # With 429 or an error nothing was accepted: sms.by does not lie about that.
            when = "before" if mode in ("429", "error") else when
            more = {"retry_after": "0"} if mode == "429" else {}
            for method in _SENDS:
                if mode == "no-proof" and method.startswith("confirm"):
                    continue  # at this request any answer counts as a confirmation
                self.shop.fault(method=method, nth=nth, mode=mode, when=when, **more)

        @rule(edited=st.sampled_from(["", *_NAMES]))
        def lose_lock(self, edited: str) -> None:
            """Lose the lock with the runner's disk; the files may change before the next run."""
            self.was_lost = True
            self.over.clear()  # decisions are only in the lock
            self.withdrawn.clear()
            for path in self.shop.root.glob("smsby.lock.json*"):
                path.unlink()
            if edited:
                self.edit_text(edited)

        @precondition(lambda self: len(self.older) > 1)
        @rule(back=st.integers(1, 3))
        def older_lock(self, back: int) -> None:
            self.lose_lock("")
            contents = self.older[max(0, len(self.older) - 1 - back)]
            for path, content in zip(self._committed(), contents, strict=True):
                if content is not None:
                    path.write_bytes(content)

        # --- digest keys ---

        @rule(key=st.sampled_from(_KEYS))
        def change_key(self, key: str) -> None:
            """Change the secret; the lock keeps its key until `lock rekey`."""
            self.key = key

        @rule()
        def rekey(self) -> None:
            locked = LockStore(self.shop.root / "smsby.lock.json", "shop").read().digest_key
            old = next(key for key in _KEYS if DigestKey(key).id == locked)
            without = [] if self.key else ["--without-key"]
            assert self._run("lock", "rekey", *without, env={"SMSBY_DIGEST_KEY_OLD": old}) == 0

        # --- resolutions ---

        @rule()
        def resolve(self) -> None:
            """Resolve as not sent, or as sent if every phone has it, after looking again; otherwise wait."""
            self.shop.clear_faults()
            self.rekey()  # a lock of another key could not be compared with sms.by
            self._run("apply", "--auto-approve")
            for line in self.shop.run("lock", "list").out.splitlines():
                state, address, *_ = line.split()
                if state == "unknown":
                    self._run(
                        "lock", "resolve", address, "--sent" if self._is_on_phones(address) else "--not-sent"
                    )

        @rule(name=st.sampled_from(_NAMES))
        def abandon(self, name: str) -> None:
            """End a mailing; refused while it is unknown, complete or not recorded."""
            done = self.shop.run("lock", "abandon", f"sale/{name}")
            assert done.code in (0, 4, 64), done.err
            self._remember()
            if done.code == 0:
                revision = self.shop.run("lock", "show", f"sale/{name}").json["revision"]
                self.over[name, revision] = self._messages(name, revision)

        @rule(is_handed_over=st.booleans())
        def withdraw(self, is_handed_over: bool) -> None:
            """Approve a mailing, perhaps hand it over and delete it in the account, then withdraw it."""
            self._run("apply", "--auto-approve")
            env = {"SMSBY_DIGEST_KEY": self.key}
            if is_handed_over:
                self._run("apply", "--due", env={CLOCK_AHEAD: str(IN_WINDOW)})
                self.each_phone_got_what_it_may()
                env[CLOCK_AHEAD] = str(IN_WINDOW + 60)  # the list need not lag any more
                for row in self.shop.run("api", "getSMSMessages").json["data"]:
                    if row["name"].startswith("sale/five"):
                        requests.post(f"{url}/_sandbox/delete", json={"message_id": row["id"]}, timeout=5)
                # A phone that opted out after the hand-over does not get the deleted mailing.
                self.out = {phone: min(before, self._count(phone)) for phone, before in self.out.items()}
            done = self.shop.run("lock", "withdraw", "sale/five", env=env)
            assert done.code in (0, 4, 64), done.err
            self._remember()
            if done.code == 0:
                self.withdrawn.add(int(done.err.split(" is withdrawn")[0].split(" r")[-1]))

        def _messages(self, name: str, revision: int) -> int:
            messages = (m for messages in self.shop.inbox().values() for m in messages)
            return sum(str(m["text"]).startswith(f"{name} r{revision} ") for m in messages)

        def _is_on_phones(self, address: str) -> bool:
            """Return whether more phones got a single mailing than the lock knows."""
            entry = self.shop.run("lock", "show", address).json
            if entry["transport"] != "single":
                return False
            rows = [run for chunk in entry["chunks"] for run in chunk.get("rows", "").split()]
            known = sum(int(run[2:]) for run in rows if run.startswith("a:"))
            start = f"three r{entry['revision']} "
            messages = [m for messages in self.shop.inbox().values() for m in messages]
            got = sum(str(m["text"]).startswith(start) for m in messages)
            return got > known

        # --- invariants ---

        @invariant()
        def each_phone_got_what_it_may(self) -> None:
            """Check that no phone has a message twice, or one that was sent while it was opted out."""
            inbox = self._check_inbox()
            for phone, before in self.out.items():
                assert len(inbox.get(phone, [])) == before, (phone, self.codes)

        def _check_inbox(self) -> dict[str, list[dict[str, Any]]]:
            inbox = self._inbox_of_others()
            for phone, messages in inbox.items():
                counts = Counter(" ".join(m["text"].split()[:2]) for m in messages)
                twice = {text: n for text, n in counts.items() if n > 1}
                assert not twice, (phone, twice, self.codes)
            return inbox

        @invariant()
        def nothing_more_of_an_abandoned_revision_is_sent(self) -> None:
            for (name, revision), before in self.over.items():
                assert self._messages(name, revision) == before, (name, revision, self.codes)

        @invariant()
        def nothing_of_a_withdrawn_revision_is_sent(self) -> None:
            for revision in self.withdrawn:
                assert self._messages("five", revision) == 0, (revision, self.codes)

        @invariant()
        def nothing_is_sent_that_was_not_signed(self) -> None:
            sent = {
                one["text"] for one in self.shop.inbox().get(PHONES[6], []) if one["text"].startswith("seven")
            }
            assert sent <= self.signed, self.codes

        @invariant()
        def later_waves_have_a_verdict(self) -> None:
            """Check that each wave but the first was sent after a "go" about the previous one, unless a lock was lost."""
            entry = LockStore(self.shop.root / "smsby.lock.json", "shop").read().mailings.get("sale/six")
            for one in () if entry is None or self.was_lost else (entry, *entry.earlier):
                sent = any(chunk.wave == 2 and chunk.was_sent and not chunk.declared for chunk in one.chunks)
                has_first = any(chunk.wave == 1 for chunk in one.chunks)
                is_judged = any(verdict.kind is VerdictKind.GO for verdict in one.verdicts)
                assert not (sent and has_first) or is_judged, self.codes

        @invariant()
        def the_lock_can_be_read(self) -> None:
            list(read_archive(LockStore(self.shop.root / "smsby.lock.json", "shop").read()))

    return AnyHistory


@pytest.mark.usefixtures("shop")
def test_any_history_sends_nothing_twice(shop: Shop, tmp_path: Path) -> None:
    """Each phone gets each revision of each mailing at most once, and nothing while it is opted out."""
    run_state_machine_as_test(
        _machine(shop.url, make_keys(tmp_path) if shutil.which("ssh-keygen") else None),
        settings=settings(
            max_examples=24,
            stateful_step_count=14,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )
