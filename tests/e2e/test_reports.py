"""The report formats of the real command: every format keeps the exit code and is a complete document."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
from xml.etree import ElementTree

import pytest

from tests.e2e.campaigns import STAFF
from tests.e2e.conftest import Shop
from tests.e2e.forked import program


@pytest.mark.parametrize("form", ["sarif", "junit", "codeclimate", "github"])
def test_invalid_files_are_reported_in_every_format(shop: Shop, form: str) -> None:
    """A bad phone exits with 3 in every format, and the document has its location but not the number."""
    shop.write("sale.yaml", STAFF.replace("+375297654321", "+37529765432100"))
    shown = shop.run("validate", "--format", form)
    assert shown.code == 3
    assert "PHONE" in shown.out
    assert "sale.yaml" in shown.out
    assert "37529765432100" not in shown.out
    if form == "junit":
        assert ElementTree.fromstring(shown.out).get("failures") == "1"  # noqa: S314  # our own
    elif form != "github":
        json.loads(shown.out)


def test_report_paths_start_at_the_working_directory(shop: Shop) -> None:
    """If the project is below the repository's root, annotations use paths from the root."""
    shop.write("campaigns/smsby.yaml", "version: 1\nproject: shop\n")
    shop.write("campaigns/sale.yaml", STAFF.replace("+375297654321", "12"))
    (shop.root / "smsby.yaml").unlink()
    assert "file=campaigns/sale.yaml,line=5" in shop.run("validate", "--format", "github").out


def test_blocked_mailing_is_a_finding(shop: Shop) -> None:
    """A blocked mailing exits with 4, and is a failed case at its location."""
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text() + "guardrails: {max_recipients: 1}\n")
    shop.write("sale.yaml", STAFF)
    shown = shop.run("plan", "--format", "github")
    assert shown.code == 4
    assert "::error file=sale.yaml,line=4" in shown.out
    assert "title=BLOCKED" in shown.out


def test_plan_is_compared_with_a_saved_one(shop: Shop) -> None:
    """A plan is compared with a saved one by recipients, parts and cost; a changed text is only mentioned."""
    shop.write("sale.yaml", STAFF)
    assert shop.run("plan", "--offline", "--out", "base.json").code == 0
    shop.write("sale.yaml", STAFF.replace("noon", "two").replace(', "+375297654321"', ""))
    shown = shop.run("plan", "--format", "markdown", "--compare", "base.json")
    assert "| -1 recipient, -1 part, -0.026 BYN, text |" in shown.out
    assert shop.run("plan", "--format", "markdown", "--compare", "nothing.json").code == 64


def test_base_folder_shows_added_and_removed_recipients(shop: Shop) -> None:
    """With an equal count, a base folder still shows added and removed recipients, and mailings that only the base has."""
    shop.write("sale.yaml", STAFF + "  - name: old\n    recipients: ['375291234567']\n    text: Bye\n")
    base = shop.root.parent / "base"
    shutil.copytree(shop.root, base)
    others = "+375291234567, '8 029 111-11-11', '375447777777', '375257777777'"
    shop.write("sale.yaml", STAFF.replace('"+375291234567", "+375297654321"', others))
    shop.write("out.csv", "phone\n375257777777\n375291234567\n")
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text() + "suppress: [out.csv]\n")
    shown = shop.run("plan", "--format", "markdown", "--compare", str(base))
    assert shown.code == 0, shown.err
    assert "| +2 -2 recipients |" in shown.out
    assert "No longer here, but in the base: **sale/old**" in shown.out
    chosen = shop.run("plan", "sale/staff", "--format", "markdown", "--compare", str(base))
    assert "No longer here" not in chosen.out


def test_status_is_the_same_in_every_format(shop: Shop) -> None:
    """Every format of status reports the same; csv lists undelivered recipients, with full numbers only on request."""
    shop.write("sale.yaml", STAFF)
    assert shop.run("apply", "--auto-approve").code == 0
    assert shop.run("status", "--watch", "--campaign", "sale", "--since", "1d").code == 0
    assert "sale/staff" in shop.run("status", "--format", "html").out
    assert "sale/staff" in shop.run("status", "--format", "markdown").out
    cases = ElementTree.fromstring(shop.run("status", "--format", "junit").out)  # noqa: S314  # our own
    assert [case.get("name") for case in cases.iter("testcase")] == ["staff"]
    rows = list(csv.DictReader(io.StringIO(shop.run("status", "--format", "csv").out)))
    status = shop.run("status", "--format", "json").json
    assert sum(int(row["people"]) for row in rows) == 2 - status["summary"]["delivered"]
    for form in ("text", "json", "markdown", "html", "junit", "csv"):
        assert "375291234567" not in shop.run("status", "--format", form).out
    assert shop.run("status", "--unmask").code == 64
    assert shop.run("status", "--since", "yesterday").code == 64


def test_history_shows_earlier_applies(shop: Shop) -> None:
    """The history shows the plan and the recipients of earlier applies, without a request to sms.by."""
    shop.write("sale.yaml", STAFF)
    applied = shop.run("apply", "--auto-approve", "--format", "json").json
    shown = shop.run("status", "--history", "--format", "json", env={"SMSBY_TOKEN": ""}).json
    assert [(run["plan"], run["recipients"]) for run in shown["applies"]] == [(applied["plan"], 2)]
    assert applied["plan"] in shop.run("status", "--history").out


@pytest.mark.parametrize("encoding", ["ascii", "cp1251"])
def test_console_without_a_character_does_not_fail(shop: Shop, encoding: str) -> None:
    """A Windows console without a check mark shows `?`, and the plan's exit code is unchanged."""
    shop.write("sale.yaml", STAFF.replace("Shop is", "Магазин –"))
    environ = {
        **os.environ,
        "SMSBY_API_URL": shop.url,
        "SMSBY_TOKEN": "secret-token",
        "PYTHONIOENCODING": encoding,
    }
    for arguments in (
        ["plan", "--format", "markdown"],
        ["render", "sale/*"],
        ["apply", "--auto-approve"],
        ["status", "--format", "html"],
        ["status"],
    ):
        command = [program(), *arguments]
        done = subprocess.run(command, cwd=shop.root, env=environ, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "sale/staff" in done.stdout.decode(encoding, "replace")
