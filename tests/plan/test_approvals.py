"""Which signatures a mailing needs, and whose count."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.errors import PlanRefused, Refused, SmsbyDeployError
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.approvals import ApprovalCheck, Signatures, SignedMailing, find_author, sign_plan
from smsby_deploy.plan.model import Plan
from smsby_deploy.plan.planner import make_plan
from tests.plan.examples import CAMPAIGN, NOON, FixedClock
from tests.plan.ssh_keys import Keys, make_keys, signer_line

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
_RULE = "{need: 1}"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_keys(tmp_path_factory.mktemp("keys"))


class _Desk:
    """A project whose mailings need signatures."""

    def __init__(self, root: Path, keys: Keys) -> None:
        self.root, self.keys = root, keys
        shutil.copy(keys.signers, root / "signers.txt")
        (root / "sale.yaml").write_text(CAMPAIGN, "utf-8")
        self.rules(_RULE)

    def rules(self, *rules: str) -> None:
        (self.root / "smsby.yaml").write_text(
            "version: 1\nproject: shop\nprice: {currency: BYN, per_part: 1}\n"
            f"approvals: {{signers: signers.txt, rules: [{', '.join(rules)}]}}\n",
            "utf-8",
        )

    def plan(self) -> Plan:
        loaded = load_project(self.root)
        assert not loaded.problems
        plan = make_plan(
            loaded, select=(), client=None, account=None, lock=Lock("shop"), clock=FixedClock(), new_id="p1"
        )
        return _online(plan)

    def sign(self, *names: str) -> None:
        for name in names:
            sign_plan(load_project(self.root), self.plan(), self.keys[name], NOON)

    def reasons(self) -> list[str]:
        return [action.reason for action in self.plan().actions]

    def judge(self, recipients: int | None, cost: str | None) -> Signatures:
        """Judge the first mailing as if it had so many recipients and this cost."""
        project = load_project(self.root).project
        action, mailing = self.plan().actions[0], project.mailings[0]
        signed = SignedMailing(
            action.address, 1, action.content_digest, action.audience_digest, None, False, None
        )
        assert project.approvals is not None
        check = ApprovalCheck(project, project.approvals, NOON, [])
        return check.judge(mailing, signed, recipients, None if cost is None else Decimal(cost))


def _online(plan: Plan) -> Plan:
    """An offline plan cannot be applied, so it is not signed."""
    return replace(plan, account="a" * 12)


@pytest.fixture
def desk(tmp_path: Path, keys: Keys) -> _Desk:
    return _Desk(tmp_path, keys)


def test_unsigned_mailing_is_blocked(desk: _Desk) -> None:
    assert [action.reason_code for action in desk.plan().actions] == ["approval", "approval"]
    assert "needs 1 signature and has 0; sign its plan" in desk.reasons()[0]


def test_signed_mailing_is_created(desk: _Desk) -> None:
    desk.sign("anna")
    plan = desk.plan()
    assert [action.action for action in plan.actions] == ["create", "create"]
    assert {action.signed_by for action in plan.actions} == {("anna@example.com",)}
    assert not plan.problems


@pytest.mark.parametrize(
    ("when", "recipients", "cost", "is_needed"),
    [
        ("{people_over: 10}", 10, "1", False),
        ("{people_over: 10}", 11, "1", True),
        ("{people_over: 10}", None, "1", True),  # only sms.by knows how many a list has
        ("{cost_over: 5}", 10, "5", False),
        ("{cost_over: 5}", 10, "5.01", True),
        ("{cost_over: 5}", 10, None, True),
        ("{people_over: 10, cost_over: 5}", 11, "5", False),
        ("{people_over: 10, cost_over: 5}", 11, "6", True),
    ],
)
def test_rule_applies_to(
    desk: _Desk, when: str, recipients: int | None, cost: str | None, is_needed: bool
) -> None:
    desk.rules(f"{{when: {when}, need: 1}}")
    assert (desk.judge(recipients, cost).lack is not None) is is_needed


@pytest.mark.parametrize(
    ("labels", "is_needed"), [("{kind: promo}", True), ("{kind: service}", False), ("", False)]
)
def test_rule_applies_to_labels(desk: _Desk, labels: str, is_needed: bool) -> None:
    desk.rules("{when: {label: {kind: promo}}, need: 1}")
    labeled = CAMPAIGN.replace("mailings:", f"labels: {labels}\nmailings:") if labels else CAMPAIGN
    (desk.root / "sale.yaml").write_text(labeled, "utf-8")
    assert (desk.plan().actions[0].reason_code == "approval") is is_needed


def test_two_signatures_of_two_persons(desk: _Desk) -> None:
    desk.rules("{need: 2}")
    desk.sign("anna")
    assert "needs 2 signatures and has 1 (anna@example.com)" in desk.reasons()[0]
    desk.sign("anna")
    assert "has 1 (anna@example.com)" in desk.reasons()[0]
    desk.sign("boris")
    assert [action.action for action in desk.plan().actions] == ["create", "create"]


def test_two_keys_of_one_person_are_one(desk: _Desk) -> None:
    desk.rules("{need: 2}")
    second = signer_line(desk.keys["boris"], name="boss@example.com,anna@example.com")
    (desk.root / "signers.txt").write_text(signer_line(desk.keys["anna"]) + second, "utf-8")
    desk.sign("anna", "boris")
    assert len(list((desk.root / "approvals").iterdir())) == 2
    assert "needs 2 signatures and has 1" in desk.reasons()[0]


def test_strictest_rule_is_named(desk: _Desk) -> None:
    desk.rules("{need: 1}", "{need: 2}")
    assert "needs 2 signatures" in desk.reasons()[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("hello", "hello again"),
        lambda text: text.replace("375297654321", "375297654322"),
        lambda text: text.replace("campaign: sale\n", "campaign: sale\nrevision: 2\n"),
        lambda text: text.replace("campaign: sale\n", "campaign: sale\nschedule_time: 2027-01-01T10:00:00\n"),
        lambda text: text.replace("campaign: sale\n", "campaign: sale\nalphaname: '7'\n"),
    ],
    ids=["text", "recipients", "revision", "time", "sender"],
)
def test_change_invalidates_a_signature(desk: _Desk, change: Callable[[str], str]) -> None:
    desk.sign("anna")
    (desk.root / "sale.yaml").write_text(change(CAMPAIGN), "utf-8")
    assert desk.plan().actions[0].reason_code == "approval"


def test_opt_out_keeps_a_signature(desk: _Desk) -> None:
    desk.sign("anna")
    (desk.root / "out.txt").write_text("375291234567\n", "utf-8")
    smsby = desk.root / "smsby.yaml"
    smsby.write_text(smsby.read_text("utf-8") + "suppress: [out.txt]\n", "utf-8")
    vip = desk.plan().actions[0]
    assert (vip.action, vip.recipients) == ("create", 1)


def _edit(document: dict[str, Any], key: str, value: object) -> None:
    document[key] = value


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: _edit(d, "plan", "p2"), "does not count"),
        (lambda d: _edit(d, "mailings", d["mailings"][::-1]), "does not count"),
        (lambda d: _edit(d, "mailings", d["mailings"][:1]), "does not count"),
        (lambda d: _edit(d, "signature", d["signature"].replace("\nU", "\nV", 1)), "does not count"),
        (lambda d: _edit(d, "signature", "mine"), "not an approval"),
        (lambda d: _edit(d, "more", 1), "not an approval"),
        (lambda d: _edit(d, "project", "other"), ""),
        (lambda d: _edit(d, "environment", "staging"), ""),
    ],
)
def test_edited_approval_does_not_count(
    desk: _Desk, edit: Callable[[dict[str, Any]], None], message: str
) -> None:
    desk.sign("anna")
    [path] = (desk.root / "approvals").iterdir()
    document = json.loads(path.read_text("utf-8"))
    edit(document)
    path.write_text(json.dumps(document), "utf-8")
    plan = desk.plan()
    assert plan.actions[0].reason_code == "approval"
    found = [problem for problem in plan.problems if problem.code == "APPROVAL"]
    assert [message in problem.message for problem in found] == [True] * bool(message)


def test_approval_for_another_environment_is_not_replayed(desk: _Desk) -> None:
    """A signature names its environment: edited to another one it does not verify."""
    desk.sign("anna")
    [path] = (desk.root / "approvals").iterdir()
    document = json.loads(path.read_text("utf-8")) | {"environment": "staging"}
    path.write_text(json.dumps(document), "utf-8")
    smsby = desk.root / "smsby.yaml"
    smsby.write_text(
        smsby.read_text("utf-8") + "environments: {staging: {lock: staging.lock.json}}\n", "utf-8"
    )
    loaded = load_project(desk.root, {}, "staging")
    plan = make_plan(
        loaded, select=(), client=None, account=None, lock=Lock("shop"), clock=FixedClock(), new_id="p1"
    )
    assert plan.actions[0].reason_code == "approval"


def test_opt_outs_that_are_taken_back_need_new_signatures(desk: _Desk) -> None:
    """Later ones are subtracted; without them it would be sent to recipients that were not signed for."""
    smsby, opt_outs = desk.root / "smsby.yaml", desk.root / "opt-outs.txt"
    smsby.write_text(smsby.read_text("utf-8") + "suppress: [opt-outs.txt]\n", "utf-8")
    opt_outs.write_text("375297654321\n", "utf-8")
    desk.sign("anna")
    vip = desk.plan().actions[0]
    assert (vip.action, vip.recipients) == ("create", 1)
    opt_outs.write_text("375297654321\n375291234567\n", "utf-8")
    assert desk.plan().actions[0].action == "create"
    opt_outs.write_text("", "utf-8")
    vip = desk.plan().actions[0]
    assert (vip.reason_code, vip.recipients) == ("approval", 2)


def test_fresh_audience_needs_a_signature_of_its_own(desk: _Desk) -> None:
    """Who signed for these recipients did not sign that they may change until the hand-over."""
    campaign = CAMPAIGN.replace("campaign: sale", "campaign: sale\nschedule_time: 2026-12-10T10:00:00")
    (desk.root / "sale.yaml").write_text(campaign, "utf-8")
    smsby = desk.root / "smsby.yaml"
    rails = "guardrails: {expect_recipients: {min: 1, max: 9}}\nrelease: {before: 12h, at_latest: 20m}\n"
    smsby.write_text(smsby.read_text("utf-8") + rails, "utf-8")
    desk.sign("anna")
    assert desk.plan().actions[0].action == "hold"
    (desk.root / "sale.yaml").write_text(
        campaign.replace("campaign: sale", "campaign: sale\naudience: fresh"), "utf-8"
    )
    assert desk.plan().actions[0].reason_code == "approval"
    desk.sign("anna")
    assert desk.plan().actions[0].action == "hold"


def test_signature_stays_in_the_project(desk: _Desk) -> None:
    """The id of a plan is whatever its file says."""
    plan = replace(desk.plan(), id="../../outside/" + "x" * 300)
    signed = sign_plan(load_project(desk.root), plan, desk.keys["anna"], NOON)
    assert [path.name for path in (desk.root / "approvals").iterdir()] == [Path(signed.file).name]
    assert desk.plan().actions[0].action == "create"


@pytest.mark.parametrize("is_link", [True, False])
def test_approvals_that_are_no_folder(
    desk: _Desk, tmp_path_factory: pytest.TempPathFactory, is_link: bool
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    if is_link:
        (desk.root / "approvals").symlink_to(outside)
    else:
        (desk.root / "approvals").write_text("", "utf-8")
    with pytest.raises(SmsbyDeployError, match="link" if is_link else "cannot write approvals/p1"):
        desk.sign("anna")
    assert not list(outside.iterdir())


def test_linked_approval_is_not_read(desk: _Desk, tmp_path: Path) -> None:
    desk.sign("anna")
    [path] = (desk.root / "approvals").iterdir()
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    assert [problem.code for problem in desk.plan().problems] == ["APPROVAL"]


@pytest.mark.parametrize(
    "forged",
    [
        {"audience_digest": "0" * 64},
        {"content_digest": "0" * 64},
        {"recipients": 9},
        {"revision": 2},
        {"cost": Decimal(9)},
    ],
    ids=str,
)
def test_sign_plan_refuses_what_is_not_in_the_files(desk: _Desk, forged: dict[str, Any]) -> None:
    """A plan file may show one thing and have another one signed."""
    plan = desk.plan()
    actions = (replace(plan.actions[0], **forged), *plan.actions[1:])
    with pytest.raises(PlanRefused, match="sale/vip is not the mailing of the files here"):
        sign_plan(load_project(desk.root), replace(plan, actions=actions), desk.keys["anna"], NOON)


def test_sign_plan_refuses_a_stranger(desk: _Desk) -> None:
    with pytest.raises(Refused, match="would not count"):
        desk.sign("eve")
    assert not (desk.root / "approvals").exists()


def test_sign_plan_refuses_an_offline_plan(desk: _Desk) -> None:
    loaded = load_project(desk.root)
    plan = make_plan(
        loaded, select=(), client=None, account=None, lock=Lock("shop"), clock=FixedClock(), new_id="p1"
    )
    with pytest.raises(PlanRefused, match="offline"):
        sign_plan(loaded, plan, desk.keys["anna"], NOON)


# --- The author ------------------------------------------------------------------------------------------------------


def _git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Anna", "-c", "user.email=Anna@Example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def _commit(folder: Path, *files: str, author: str = "Anna <Anna@Example.com>") -> None:
    if not (folder / ".git").exists():
        _git(folder, "init", "-q", "-b", "main")
    _git(folder, "--literal-pathspecs", "add", *(files or ("sale.yaml",)))
    _git(folder, "commit", "-q", "-m", "A campaign", "--author", author)


def test_author_does_not_count(desk: _Desk) -> None:
    desk.rules("{need: 1, not_author: true}")
    _commit(desk.root)
    desk.sign("anna")
    assert "the author of the last commit of sale.yaml does not count" in desk.reasons()[0]
    desk.sign("boris")
    assert [action.action for action in desk.plan().actions] == ["create", "create"]


@pytest.mark.parametrize("file", ["text.txt", "templates/footer.j2", "list.csv"])
def test_author_of_a_text_or_list_does_not_count(desk: _Desk, file: str) -> None:
    """Another person committed the campaign file, so that its own author would count."""
    (desk.root / "sale.yaml").write_text(
        "version: 1\ncampaign: sale\nmailings:\n"
        "  - {name: vip, recipients: {file: list.csv}, text_file: text.txt}\n",
        "utf-8",
    )
    desk.rules("{need: 1, not_author: true}")
    contents = {
        "list.csv": "phone\n375291234567\n",
        "text.txt": '{% include "footer.j2" %}',
        "templates/footer.j2": "Hi",
    }
    (desk.root / "templates").mkdir()
    for name, content in contents.items():
        (desk.root / name).write_text(content, "utf-8")
    _commit(desk.root, *({"sale.yaml", *contents} - {file}), author="Eve <eve@example.com>")
    _commit(desk.root, file)
    desk.sign("anna")
    assert f"the author of the last commit of {file} does not count" in desk.reasons()[0]
    desk.sign("boris")
    assert [action.action for action in desk.plan().actions] == ["create"]


def test_list_that_git_does_not_have_has_no_author(desk: _Desk) -> None:
    (desk.root / "sale.yaml").write_text(
        "version: 1\ncampaign: sale\nmailings:\n  - {name: vip, recipients: {file: list.csv}, text: Hi}\n",
        "utf-8",
    )
    desk.rules("{need: 1, not_author: true}")
    (desk.root / "list.csv").write_text("phone\n375291234567\n", "utf-8")
    _commit(desk.root)
    desk.sign("boris")
    assert [action.action for action in desk.plan().actions] == ["create"]


@pytest.mark.parametrize("file", ["s*.yaml", ":!other.yaml"])
def test_author_of_a_file_named_as_a_pattern(tmp_path: Path, file: str) -> None:
    """git would take the author of any other file that the pattern matches."""
    (tmp_path / file).write_text("a", "utf-8")
    (tmp_path / "sale.yaml").write_text("a", "utf-8")
    _commit(tmp_path, file)
    _commit(tmp_path, author="Eve <eve@example.com>")
    assert find_author(tmp_path, file).email == "anna@example.com"


def test_no_signature_counts_without_an_author(desk: _Desk) -> None:
    desk.rules("{need: 1, not_author: true}")
    desk.sign("boris")
    assert "no signature counts while sale.yaml is in no git repository" in desk.reasons()[0]


def test_find_author(tmp_path: Path) -> None:
    (tmp_path / "sale.yaml").write_text("a", "utf-8")
    _commit(tmp_path)
    assert find_author(tmp_path, "sale.yaml").email == "anna@example.com"
    (tmp_path / "sale.yaml").write_text("b", "utf-8")
    assert "not committed" in find_author(tmp_path, "sale.yaml").why_unknown


def test_find_author_in_a_shallow_checkout(tmp_path: Path) -> None:
    """The only commit it has may be another one than that which changed the file last."""
    origin = tmp_path / "origin"
    origin.mkdir()
    (origin / "sale.yaml").write_text("a", "utf-8")
    _commit(origin)
    _git(origin, "commit", "-q", "--allow-empty", "-m", "Something else")
    _git(tmp_path, "clone", "-q", "--depth=1", origin.as_uri(), "shallow")
    assert "lacks the history" in find_author(tmp_path / "shallow", "sale.yaml").why_unknown
    _git(tmp_path / "shallow", "fetch", "-q", "--unshallow")
    assert find_author(tmp_path / "shallow", "sale.yaml").email == "anna@example.com"
