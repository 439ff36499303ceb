"""Whatever files, sms.by and the environment contain, no output of any command has power or shows a secret."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.e2e.conftest import PROJECT, Result, Shop, running_sandbox

TOKEN = "secret-token"
PHONES = ("375291234567", "375447654321")
POWER = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
COMMAND = re.compile(r"^\s*::(?!(error|warning|notice) )|##\w*\[", re.MULTILINE)
COLOR = re.compile(r"\x1b\[[0-9;]*m")
FORMULA = re.compile(r"""[\s"]*[=+\-@]""")
# What an attacker would try; escape sequences without colors are found even where colors are on.
_TRICKS = (
    "\x1b[2J",
    "\x1b]0;x\x07",
    "\x9b2J",
    "\r",
    "\n",
    "\t",
    "\x7f",
    "\x85",
    "\u202e",
    "\u2066",
    "\u200f",
    "\u061c",
    "\u2028",
    "::stop-commands::x",
    "##[add-path]x",
    "=1+1",
    "+",
    "-",
    "@",
    '"',
    "'",
    ",",
    "<b>",
    "|",
    " ",
    "слово",
    "x",
)
_SECRETS = (PHONES[0], f"+{PHONES[1]}", "+375 29 123-45-67", "8 (044) 765 43 21")
_text = st.lists(st.sampled_from(_TRICKS), min_size=1, max_size=6).map("".join)
_data = st.lists(st.sampled_from((*_TRICKS, *_SECRETS)), min_size=1, max_size=6).map("".join)
_answer = st.lists(st.sampled_from((*_TRICKS, *_SECRETS, TOKEN)), min_size=1, max_size=6).map("".join)
_file = _text.map(lambda text: text.replace("\n", "").strip())


@dataclass(frozen=True)
class World:
    """Everything that an attacker may control."""

    file: str  # the name of the campaign file
    text: str  # of the template
    value: str  # of a recipient's row
    sender: str
    error: str  # of sms.by
    state: str  # of a delivery
    user: str  # of the pipeline


_worlds = st.builds(
    World, file=_file, text=_text, value=_data, sender=_text, error=_answer, state=_answer, user=_data
)


def _build(shop: Shop, world: World) -> None:
    shutil.rmtree(shop.root)
    shop.root.mkdir()
    shop.reset()
    rows = io.StringIO()
    csv.writer(rows).writerows([("phone", "name"), (PHONES[0], world.value), (PHONES[1], "x")])
    shop.write("list.csv", rows.getvalue())
    mailing = {"name": "vip", "recipients": {"file": "list.csv"}, "text": f"{{{{ name }}}} {world.text}"}
    broken = {"name": "broken", "recipients": ["x"], "text": f"{world.text} {{{{ nothing }}}}"}
    files = {
        "sale.yaml": {"version": 1, "campaign": "sale", "mailings": [mailing]},
        f"broken/{world.file}.yaml": {"version": 1, "campaign": "broken", "mailings": [broken]},
        f"broken/{world.file}2.yaml": {
            "version": 1,
            "campaign": "x",
            "alphaname": world.sender,
            world.text: 1,
        },
    }
    for name, document in files.items():
        shop.write(name, json.dumps(document))
    shop.write("smsby.yaml", PROJECT + "campaigns: [sale.yaml]\n")
    shop.settings(fates={PHONES[0]: world.state, PHONES[1]: world.state})


def _outputs(shop: Shop, world: World) -> Iterator[tuple[tuple[str, ...], Result]]:
    """Run every command in every format, first refused by sms.by, then accepted, then with broken files."""

    def run(*arguments: str, **env: str) -> tuple[tuple[str, ...], Result]:
        return arguments, shop.run(*arguments, env={"GITHUB_ACTOR": world.user, **env})

    for form in ("text", "json", "github", "sarif", "junit", "codeclimate"):
        yield run("validate", "--format", form)
    for form in ("text", "json"):
        yield run("render", "sale/*", "--format", form)
    for form in ("text", "json", "markdown", "github", "junit"):
        yield run("plan", "--format", form)
    shop.fault(method="sendBulkSms", mode="error", status=400, text=world.error, times=1)
    yield run("--log-format", "json", "apply", "--auto-approve", "--format", "json")
    yield run("plan", "--out", "x.plan")
    yield run("apply", "x.plan", FORCE_COLOR="1")
    for form in ("text", "json", "markdown", "html", "junit", "csv"):
        yield run("status", "--format", form)
    yield run("status", FORCE_COLOR="1")
    yield run("status", "--history")
    yield run("lock", "bind", "--reason", world.user)
    yield run("lock", "list")
    yield run("lock", "show", "sale/vip")
    yield run("import", "sale/vip", "--message-id", "7", "--reason", world.user)
    yield run("api", "getSMSMessages")
    for method in ("getSMSMessages", "getAlphanames"):
        shop.fault(method=method, mode="error", status=400, text=world.error, times=9)
        yield run("plan")
        shop.clear_faults()
    shop.write("smsby.yaml", PROJECT + "campaigns: ['*.yaml', 'broken/*.yaml']\n")
    for form in ("text", "json", "github", "junit"):
        yield run("validate", "--format", form)
    yield run("--log-format", "json", "plan", "--format", "markdown")


def _check(arguments: tuple[str, ...], done: Result) -> None:
    for shown in (COLOR.sub("", done.out), COLOR.sub("", done.err)):
        where = (arguments, shown)
        assert not POWER.search(shown), where
        assert not COMMAND.search(shown), where
        assert TOKEN not in shown, where
        if arguments != ("api", "getSMSMessages"):  # prints an answer unchanged
            assert not [secret for secret in _SECRETS if secret in shown], where
    if arguments[-1] == "csv":
        cells = [cell for row in csv.reader(io.StringIO(done.out)) for cell in row]
        assert cells
        assert not [cell for cell in cells if FORMULA.match(cell)], done.out


def test_no_output_has_power_or_shows_a_secret(tmp_path: Path) -> None:
    """Every command and format keeps the promise of docs/guarantees.md about outputs."""
    with running_sandbox(tmp_path) as url:
        shop = Shop(tmp_path / "project", url)
        shop.root.mkdir()

        @settings(max_examples=3, database=None, phases=[Phase.generate], deadline=None)
        @given(_worlds)
        def attack(world: World) -> None:
            _build(shop, world)
            for arguments, done in _outputs(shop, world):
                _check(arguments, done)

        attack()
