"""Names, texts and answers that try to control a terminal, a CI log or a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from tests.config.one_campaign import CAMPAIGN
from tests.e2e.conftest import Shop

COMMAND = re.compile(r"^\s*::(?!(error|warning|notice) )|##\w*\[", re.MULTILINE)
POWER = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
READS = (
    ["validate"],
    ["validate", "--format", "github"],
    ["validate", "--format", "json"],
    ["plan", "--offline"],
    ["plan", "--offline", "--format", "github"],
    ["plan", "--offline", "--format", "markdown"],
    ["plan", "--offline", "--format", "junit"],
    ["--log-format", "json", "plan", "--offline"],
)


def _check(shop: Shop, *arguments: str, env: dict[str, str] | None = None) -> str:
    done = shop.run(*arguments, env=env)
    for shown in (done.out, done.err):
        assert not COMMAND.search(shown), (arguments, shown)
        assert not POWER.search(shown), (arguments, shown)
    return done.out + done.err


@pytest.mark.parametrize("name", ["::stop-commands::x.yaml", " ::add-mask::x.yaml", "##[error]x.yaml"])
def test_file_name_as_workflow_command(shop: Shop, name: str) -> None:
    """A file name with `::` or `##[` does not become a command of GitHub."""
    shop.write(name, CAMPAIGN.replace("Hello", "Hello {{ x }}"))
    shop.write("smsby.yaml", f"version: 1\nproject: shop\ncampaigns: ['*.yaml', '{name}']\n")
    for command in READS:
        assert "stop" in _check(shop, *command) or "stop" not in name, command


def test_text_as_workflow_command(shop: Shop) -> None:
    """The Markdown of a plan shows the text unchanged, but no line of it is a command in a log."""
    shop.write(
        "sale.yaml", CAMPAIGN.replace("Hello", '"::stop-commands::x\\n##[add-mask]y\\n ::add-mask::z"')
    )
    for command in (*READS, ["render", "sale/*"], ["render", "sale/*", "--format", "json"]):
        _check(shop, *command)
    assert "&#58;:" in shop.run("plan", "--offline", "--format", "markdown").out


@pytest.mark.parametrize("form", ["text", "json"])
def test_error_of_the_service_as_workflow_command(shop: Shop, form: str) -> None:
    """An error of sms.by has no effect in apply, status and lock show."""
    shop.write("sale.yaml", CAMPAIGN)
    evil = "\n::set-env name=PATH::/tmp ##[add-path]/tmp \x1b[2J \x9b31m \u202e"
    shop.fault(method="sendBulkSms", mode="error", status=400, text=evil, times=9)
    shown = _check(shop, "apply", "--auto-approve", "--format", form)
    assert "set-env" in shown
    _check(shop, "--log-format", "json", "apply", "--auto-approve")
    for command in (["plan"], ["status"], ["lock", "list"], ["lock", "show", "sale/vip"]):
        _check(shop, *command)


def test_environment_as_workflow_command(shop: Shop) -> None:
    """Variables that a pipeline fills with names of branches and users are cleaned."""
    shop.write("sale.yaml", CAMPAIGN)
    evil = "\n::stop-commands::x\x1b[2J\x9b##[y]\u202e"
    for name in ("SMSBY_ENV", "SMSBY_PROJECT", "SMSBY_API_URL", "GITHUB_ACTOR"):
        for command in ("plan", "apply"):
            _check(shop, command, env={name: evil})
    assert shop.run("apply", "--auto-approve", env={"GITHUB_ACTOR": evil}).code == 0
    for form in ("text", "json", "markdown"):
        _check(shop, "status", "--history", "--format", form)


def test_arguments_as_workflow_command(shop: Shop) -> None:
    """Arguments, such as the name of a branch, are cleaned, even in messages of click."""
    for command in ("validate", "plan", "nonsense"):
        for option in ("\n::stop-commands::x", "--format=\n::add-mask::x", "--no\x1b[2J\u202e"):
            _check(shop, command, option)


@pytest.mark.parametrize("status", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '"=1', "\u202e=1", "' =1"])
def test_delivery_status_as_formula(shop: Shop, status: str) -> None:
    """No cell of the CSV starts a formula, whatever word sms.by reports."""
    shop.write("sale.yaml", CAMPAIGN)
    shop.settings(fates={"375291234567": status})
    assert shop.run("apply", "--auto-approve").code == 0
    shown = _check(shop, "status", "--format", "csv")
    rows = list(csv.reader(io.StringIO(shown)))
    assert len(rows) == 2
    assert not [cell for row in rows for cell in row if re.match(r"[\s\"]*[=+\-@]", cell)]


def test_out_files_are_cleaned_as_well(shop: Shop, tmp_path: Path) -> None:
    """Files written by `--out` are cleaned, since terminals show them, too."""
    shop.write("sale.yaml", CAMPAIGN)
    shop.settings(fates={"375291234567": "\x9b31m\u202e"})
    assert shop.run("apply", "--auto-approve").code == 0
    for form in ("text", "json", "markdown", "html", "junit", "csv"):
        assert shop.run("status", "--format", form, "--out", str(tmp_path / form)).code == 0
        assert not POWER.search((tmp_path / form).read_text("utf-8")), form
