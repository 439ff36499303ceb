"""One project with several environments: each has its own service, token, lock, fingerprints and names."""

from __future__ import annotations

import json

import pytest
import requests

from tests.e2e.campaigns import THREE
from tests.e2e.conftest import PROJECT, Shop

STAGING = """\
environments:
  staging: {token_env: SMSBY_STAGING_TOKEN, lock: .smsby/staging.lock.json, guardrails: {max_recipients: 2}}
"""
WITHOUT_TOKEN = {"SMSBY_TOKEN": ""}


@pytest.fixture
def sale(shop: Shop) -> Shop:
    shop.write("smsby.yaml", PROJECT + STAGING)
    shop.write("sale.yaml", THREE)
    return shop


def _names(shop: Shop) -> set[str]:
    answer = requests.get(f"{shop.url}/api/v1/getSMSMessages", {"token": "any"}, timeout=5)
    return {row["name"] for row in answer.json()["data"]}


def test_rehearsal_leaves_no_trace_in_production(sale: Shop) -> None:
    """A mailing that was sent in the sandbox is still new in production: lock, names and fingerprints differ."""
    rehearsed = sale.run("--env", "sandbox", "apply", "--auto-approve", env=WITHOUT_TOKEN)
    assert rehearsed.code == 0, rehearsed.err
    assert "git add" not in rehearsed.out
    assert not (sale.root / "smsby.lock.json").exists()
    assert (sale.root / ".smsby" / ".gitignore").read_text("utf-8") == "*\n"
    lock = json.loads((sale.root / ".smsby" / "sandbox.lock.json").read_text("utf-8"))
    assert (lock["project"], lock["environment"]) == ("shop", "sandbox")
    assert "= noop" in sale.run("--env", "sandbox", "plan").out
    plan = sale.run("plan", "--format", "json")
    assert plan.json["environment"] == "production"
    assert [action["action"] for action in plan.json["actions"]] == ["create"]
    assert sale.run("apply", "--auto-approve").code == 0
    assert sale.lock()["environment"] == "production"
    projects = {name.split()[-1].split("#")[0] for name in _names(sale)}
    assert projects == {"shop", "shop~sandbox"}


def test_production_keeps_its_fingerprints(sale: Shop) -> None:
    """Other environments do not change the fingerprints of production, which existing locks and lists have."""
    chunks = [
        sale.run("--env", name, "plan", "--offline", "--format", "json").json["actions"][0]["chunks"]
        for name in ("production", "sandbox", "staging")
    ]
    assert [chunk["fingerprint"] for chunk in chunks[0]] == ["e24c4513ff", "2eb52aff5b"]
    assert len({chunk["fingerprint"] for some in chunks for chunk in some}) == 6
    assert len({chunk["digest"] for some in chunks for chunk in some}) == 2


def test_plan_of_another_environment_is_refused(sale: Shop) -> None:
    """A plan of another environment is refused with exit code 5 in both directions, and nothing is sent."""
    for made, used in (("production", "sandbox"), ("sandbox", "production")):
        assert sale.run("plan", "--env", made, "--out", "plan.json").code == 0
        done = sale.run("apply", "plan.json", "--env", used)
        assert done.code == 5
        assert f"made for the environment {made}" in done.err
    assert sale.inbox() == {}


def test_environment_has_its_own_token_and_settings(sale: Shop) -> None:
    """An environment has its own token (`token_env`) and guardrail, and inherits the rest."""
    missing = sale.run("-e", "staging", "plan")
    assert missing.code == 7
    assert "SMSBY_STAGING_TOKEN is not set" in missing.err
    plan = sale.run("plan", env={"SMSBY_ENV": "staging", "SMSBY_STAGING_TOKEN": "bad"})
    assert (plan.code, "refuses the token" in plan.err) == (7, True)
    plan = sale.run("-e", "staging", "plan", env={"SMSBY_STAGING_TOKEN": "good"})
    assert plan.code == 4
    assert plan.out.startswith("environment staging\n")
    assert "guardrail" in plan.out
    assert "0.078" in plan.out


def test_comment_names_the_environment(sale: Shop) -> None:
    """The comment names its environment in its first line, where a later run looks, and its heading; production has none."""
    arguments = ("plan", "--offline", "--format", "markdown")
    staging = sale.run(*arguments, "-e", "staging").out.split("\n")
    assert staging[0] == "<!-- smsby-deploy:plan project=shop environment=staging -->"
    assert staging[1].endswith("shop · environment staging")
    assert sale.run(*arguments).out.startswith("<!-- smsby-deploy:plan project=shop -->\n")


@pytest.mark.parametrize("command", ["plan", "apply", "status", "api"])
def test_sandbox_refuses_another_machine(sale: Shop, command: str) -> None:
    """A rehearsal never sends for real, whatever the pipeline sets: another machine as its service is exit code 64."""
    arguments = {"apply": ("apply", "--auto-approve"), "api": ("api", "getBalance")}.get(command, (command,))
    done = sale.run("--env", "sandbox", *arguments, env={"SMSBY_API_URL": "https://app.sms.by"})
    assert done.code == 64
    assert "SMSBY_API_URL" in done.err


@pytest.mark.parametrize("name", ["other", "Staging", "a" * 11, "", "../x"])
def test_unknown_environment_is_wrong_usage(sale: Shop, name: str) -> None:
    """An unknown environment is wrong usage, even for a command that needs no project."""
    assert sale.run("--env", name, "validate").code == 64
    assert sale.run("api", "getBalance", "--env", name).code == 64


def test_lock_of_another_environment_is_refused(sale: Shop) -> None:
    """An environment that inherits the lock of production is refused, since their mailings would mix."""
    sale.write("smsby.yaml", PROJECT + "environments: {staging: {}}\n")
    assert sale.run("apply", "--auto-approve").code == 0
    before = sale.lock()
    done = sale.run("apply", "--auto-approve", "--env", "staging")
    assert done.code == 4
    assert "its own `lock:`" in done.err
    assert sale.lock() == before


def test_environment_that_is_not_valid_is_reported(sale: Shop) -> None:
    """Mistakes in an environment are reported with their locations, whichever environment is in use."""
    sale.write(
        "smsby.yaml",
        PROJECT
        + "environments:\n  production: {}\n  staging: {token_env: GITHUB_TOKEN, guardrails: {max_parts: x}, uri: a}\n",
    )
    done = sale.run("validate")
    assert done.code == 3
    places = (
        "environments: expected a name",
        "environments.staging.token_env:",
        "max_parts: ",
        "unknown key uri",
    )
    assert all(place in done.out for place in places), done.out
    assert "smsby.yaml:7:24: error" in done.out


def _rehearse(sale: Shop, text: str, *arguments: str, campaign: str = THREE) -> None:
    sale.write("sale.yaml", campaign.replace("Hello", text))
    assert "+ create" in sale.run("--env", "sandbox", "plan").out
    done = sale.run("--env", "sandbox", "apply", *(arguments or ("--auto-approve",)))
    assert done.code == 0, done.err


@pytest.mark.parametrize("via", ["bulk", "single"])
def test_changed_mailing_is_rehearsed_again(sale: Shop, via: str) -> None:
    """A changed mailing is rehearsed again without a new revision, also with a saved plan; an unchanged one is not."""
    for text in ("Hello", f"Hi\n    via: {via}", f"Bye\n    via: {via}"):
        _rehearse(sale, text)
        assert "= noop" in sale.run("--env", "sandbox", "plan").out
    sale.write("sale.yaml", THREE.replace("Hello", "Last"))
    assert sale.run("--env", "sandbox", "plan", "--out", "plan.json").code == 0
    assert sale.run("--env", "sandbox", "apply", "plan.json").code == 0
    assert {len(messages) for messages in sale.inbox().values()} == {4}
    sale.run("apply", "--auto-approve")
    sale.write("sale.yaml", THREE)
    assert "! blocked" in sale.run("plan").out  # in production a sent mailing stays sent


def test_every_difference_is_rehearsed_again(sale: Shop) -> None:
    """A change of recipients, chunks or revision makes a mailing new for a rehearsal."""
    _rehearse(sale, "Hello\n    revision: 3")
    _rehearse(sale, "Hello")
    _rehearse(sale, 'Hello\n  - name: other\n    recipients: ["375291234560"]\n    text: Other')
    other = THREE.replace("375291234569", "375291234561")
    _rehearse(sale, "Hello", campaign=other)
    _rehearse(sale, "Hello", campaign=other.replace(', "375291234561"', ""))
    _rehearse(sale, "Hello")
    assert {phone: len(messages) for phone, messages in sale.inbox().items()} == {
        "375291234567": 5,
        "375291234568": 5,
        "375291234569": 3,
        "375291234560": 1,
        "375291234561": 1,
    }


@pytest.mark.parametrize("way", ["restarted", "planned after the restart"])
def test_lock_of_a_forgetful_sandbox_starts_anew(sale: Shop, way: str) -> None:
    """A sandbox forgets everything on a restart; after that everything can be rehearsed again."""
    _rehearse(sale, "Hello")
    lineage = json.loads((sale.root / ".smsby/sandbox.lock.json").read_text("utf-8"))["lineage"]
    sale.reset()
    if way == "restarted":
        _rehearse(sale, "Hello")
    else:
        assert sale.run("--env", "sandbox", "plan", "--out", "plan.json").code == 0
        _rehearse(sale, "Hello", "plan.json")
    lock = json.loads((sale.root / ".smsby/sandbox.lock.json").read_text("utf-8"))
    assert lock["lineage"] != lineage
    assert {len(messages) for messages in sale.inbox().values()} == {1}


def test_lock_of_another_sandbox_counts_as_empty(sale: Shop) -> None:
    """`plan` and `status` treat the lock of another sandbox as empty, as the next apply will, instead of refusing it."""
    _rehearse(sale, "Hello")
    elsewhere = {"SMSBY_API_URL": sale.url.replace("127.0.0.1", "localhost")}
    assert sale.run("--env", "sandbox", "status", "--format", "json").json["summary"]["mailings"] == 1
    for url in (elsewhere, {}):
        done = sale.run("--env", "sandbox", "status", "--format", "json", env=url)
        assert (done.code, done.json["mailings"]) == (0, []), done.err
        assert sale.run("--env", "sandbox", "status", "sale/vip", env=url).code == 0
        plan = sale.run("--env", "sandbox", "plan", "--format", "json", env=url)
        assert plan.json["actions"][0]["action"] == ("create" if url == {} else "adopt"), plan.err
        sale.reset()  # the same address, but it has forgotten everything
    assert sale.run("status", env=elsewhere).code == 0  # production has no lock yet
    assert sale.run("apply", "--auto-approve").code == 0
    assert sale.run("status", env=elsewhere).code == 4


def test_production_lock_never_starts_anew(sale: Shop) -> None:
    """In production a list that shows nothing is doubted; the lock never starts anew."""
    assert sale.run("apply", "--auto-approve").code == 0
    sale.reset()
    before = sale.lock()
    sale.run("apply", "--auto-approve")
    assert sale.lock()["mailings"] == before["mailings"]
    assert sale.inbox() == {}


def test_mailing_must_be_rehearsed_first(sale: Shop) -> None:
    """A mailing is blocked until the required environment's lock has its content; then its saved plan can be applied."""
    sale.write("smsby.yaml", PROJECT + "rehearsed_in: sandbox\n")
    plan = sale.run("plan", "--out", "plan.json", "--format", "json")
    assert plan.code == 4
    (action,) = plan.json["actions"]
    assert (action["action"], action["reason_code"]) == ("blocked", "approval")
    assert sale.run("apply", "--auto-approve").code == 4
    assert sale.inbox() == {}
    _rehearse(sale, "Hello")
    assert sale.run("apply", "plan.json").code == 0
    assert {len(messages) for messages in sale.inbox().values()} == {2}
    sale.write("sale.yaml", THREE.replace("Hello", "Changed\n    revision: 2"))
    changed = sale.run("plan", "--format", "json").json["actions"][0]
    assert (changed["action"], changed["reason_code"]) == ("blocked", "approval")


def test_archived_rehearsal_counts(sale: Shop) -> None:
    """An archived rehearsal counts: it could not be repeated, since an archived mailing is not sent again."""
    sale.write("smsby.yaml", PROJECT + "rehearsed_in: sandbox\n")
    _rehearse(sale, "Hello")
    assert sale.run("--env", "sandbox", "lock", "archive", env=WITHOUT_TOKEN).code == 0
    assert sale.run("--env", "sandbox", "lock", "list", env=WITHOUT_TOKEN).out == ""
    assert sale.run("apply", "--auto-approve").code == 0


def test_rehearsal_in_an_unknown_environment_is_an_error(sale: Shop) -> None:
    """A required rehearsal in an unknown environment is an error with its location."""
    sale.write("smsby.yaml", PROJECT + "rehearsed_in: stage\n")
    done = sale.run("validate")
    assert done.code == 3
    assert "smsby.yaml:5:15: error ENVIRONMENT rehearsed_in: there is no environment stage" in done.out


EMPTY = """\
version: 1
campaign: empty
mailings: [{name: all, recipients: {file: optouts.txt}, text: Hi}]
"""
LIMITED = """\
test_phones: ["375291234567", "80291234561"]
suppress: [optouts.txt]
environments: {staging: {only_to: test_phones, lock: .smsby/staging.lock.json}}
"""


def test_plan_counts_who_is_held_out_even_if_no_recipient_is(sale: Shop) -> None:
    """The plan has the count of held-out recipients wherever `only_to` is set, even if it is 0, and nowhere else."""
    sale.write("smsby.yaml", PROJECT + LIMITED)
    sale.write("optouts.txt", "")
    sale.write("sale.yaml", THREE.replace(', "375291234568", "375291234569"', ""))
    sale.write("empty.yaml", EMPTY)
    for environment, held_out in (("staging", 0), ("production", None)):
        actions = sale.run("-e", environment, "plan", "--format", "json").json["actions"]
        assert [one["audience"].get("held_out") for one in actions] == [held_out, held_out], actions


@pytest.mark.parametrize("via", ["bulk", "single", "bulk\n    upload: true"])
def test_only_test_phones_are_sent_to(sale: Shop, via: str) -> None:
    """With `only_to`, only test phones are sent to; others count as held out, and a changed text is sent again."""
    sale.write("smsby.yaml", PROJECT + LIMITED)
    sale.write("optouts.txt", "375291234568\n")
    more = (
        f"Hello\n    via: {via}"
        if "upload" not in via
        else "Hello\n    upload: true\n    schedule_time: 2030-01-01T10:00:00"
    )
    sale.write(
        "sale.yaml",
        THREE.replace("Hello", more).replace('"375291234567", ', '"375291234567", "375291234567", '),
    )
    plan = sale.run("-e", "staging", "plan", "--format", "json", "--out", "plan.json")
    assert plan.code == 0, plan.err
    (action,) = plan.json["actions"]
    counts = {"rows": 4, "invalid": 0, "duplicate": 1, "suppressed": 1, "held_out": 1, "final": 1}
    assert (action["audience"], action["recipients"]) == (counts, 1)
    assert sale.run("-e", "staging", "apply", "plan.json").code == 0
    if "upload" not in via:
        assert {phone: len(messages) for phone, messages in sale.inbox().items()} == {"375291234567": 1}
        sale.write("sale.yaml", THREE.replace("Hello", more.replace("Hello", "Changed")))
        assert sale.run("-e", "staging", "apply", "--auto-approve").code == 0
        assert {phone: len(messages) for phone, messages in sale.inbox().items()} == {"375291234567": 2}


def test_contact_list_cannot_be_limited(sale: Shop) -> None:
    """A contact list cannot be limited to test phones, so it is blocked; without test phones the project is invalid."""
    sale.write("smsby.yaml", PROJECT + LIMITED.replace("suppress: [optouts.txt]\n", ""))
    sale.write(
        "sale.yaml", "version: 1\ncampaign: sale\nmailings:\n  - {name: a, list: Newsletter, text: Hi}\n"
    )
    plan = sale.run("-e", "staging", "plan")
    assert (plan.code, "only_to" in plan.out) == (4, True)
    sale.write("smsby.yaml", PROJECT + LIMITED.partition("\n")[2].replace("suppress: [optouts.txt]\n", ""))
    assert sale.run("-e", "staging", "validate").code == 3
    sale.write(
        "smsby.yaml",
        PROJECT
        + LIMITED.replace('"375291234567", "80291234561"', "").replace("suppress: [optouts.txt]\n", ""),
    )
    empty = sale.run("-e", "staging", "validate")
    assert (empty.code, "only_to: there are no `test_phones`" in empty.out) == (3, True)


def test_rehearsal_that_reaches_no_one_says_so(sale: Shop) -> None:
    """A rehearsal that reaches no recipient says that they are held out, not that all of them opted out."""
    sale.write("smsby.yaml", PROJECT + LIMITED.replace("375291234567", "375291234500"))
    sale.write("optouts.txt", "375291234568\n")
    sale.write("sale.yaml", THREE)
    done = sale.run("-e", "staging", "apply", "--auto-approve")
    assert (done.code, sale.inbox()) == (0, {})
    assert "warning NO_TEST_PHONE sale/vip: only_to: none of its recipients is a test phone" in done.err
    assert "ALL_SUPPRESSED" not in done.err


@pytest.mark.parametrize("declared", ["{staging: {url: not a url}}", "{staging: {colour: 1}}", "[staging]"])
@pytest.mark.parametrize("command", ["validate", "plan", "status", "apply"])
def test_invalid_environment_is_a_fault_of_the_file(command: str, declared: str, sale: Shop) -> None:
    """A declared but invalid environment is an error in the files, not wrong usage."""
    sale.write("smsby.yaml", PROJECT + f"environments: {declared}\n")
    done = sale.run("-e", "staging", command)
    assert (done.code, "smsby.yaml:5:" in done.out + done.err) == (3, True), done.err
    sale.write("smsby.yaml", PROJECT + "colour: red\n")
    assert sale.run("-e", "staging", command).code == 64


def test_url_that_cannot_be_read_is_not_this_machine(sale: Shop) -> None:
    """A URL with an unclosed bracket is not taken for this machine."""
    sale.write("smsby.yaml", PROJECT + "environments: {sandbox: {url: 'http://[::1'}}\n")
    assert sale.run("-e", "sandbox", "plan", env={"SMSBY_API_URL": ""}).code == 64
    assert "warning ENVIRONMENT" in sale.run("validate", env={"SMSBY_API_URL": ""}).out
