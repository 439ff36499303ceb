"""Which signatures a mailing needs, and which of them count."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.lock.decisions import Ending, EndingKind
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.plan.approvals import SignedMailing, Size, find_signer, sign
from smsby_deploy.plan.model import Action
from tests.commits import commit
from tests.plan.approval_desk import Desk
from tests.plan.examples import CAMPAIGN, plan_offline
from tests.plan.ssh_keys import Keys, signer_line

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
_NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
_TEXT = b'{"address":"sale/vip"}'


@pytest.mark.parametrize(
    ("signed", "now", "is_covered"),
    [
        ({"recipients": 10}, {"recipients": 10}, True),
        ({"recipients": 10}, {"recipients": 9}, True),  # a later opt-out
        ({"recipients": 10}, {"recipients": 11}, False),
        ({"recipients": None}, {"recipients": 11}, True),  # only sms.by knows
        ({"recipients": 10}, {"recipients": None}, True),
        ({"opted_out": "3"}, {"opted_out": "3"}, True),
        ({"opted_out": "3"}, {"opted_out": ""}, False),
        ({"opted_out": None}, {"opted_out": ""}, True),
        ({"opted_out": "3"}, {"opted_out": None}, True),
        ({}, {"revision": 2}, False),
        ({}, {"settings_digest": "t"}, False),
        ({}, {"schedule_time": "2026-12-01T10:00:00+03:00"}, False),
    ],
)
def test_signed_mailing_covers(signed: dict[str, Any], now: dict[str, Any], is_covered: bool) -> None:
    mailing = SignedMailing("sale/vip", 1, "c", "a", None, False, "s", 10, "")
    assert mailing._replace(**signed).covers(mailing._replace(**now)) is is_covered


def test_size_is_not_known_if_a_part_is_not() -> None:
    assert Size.total([Size(10, Decimal(1)), Size(5, Decimal(2))]) == Size(15, Decimal(3))
    assert Size.total([Size(10, Decimal(1)), Size(None, Decimal(2))]) == Size(None, Decimal(3))
    assert Size.total([Size(None, None), Size(5, Decimal(2))]) == Size(None, None)
    assert Size.total([Size(10, Decimal(1)), Size(5, None)]) == Size(15, None)


def test_unsigned_mailing_is_blocked(desk: Desk) -> None:
    assert [action.reason_code for action in desk.plan().actions] == ["approval", "approval"]
    assert "needs 1 signature and has 0; sign its plan" in desk.reasons()[0]


def test_signed_mailing_is_created(desk: Desk) -> None:
    desk.sign("anna")
    plan = desk.plan()
    assert [action.action for action in plan.actions] == ["create", "create"]
    assert {action.signed_by for action in plan.actions} == {("anna@example.com",)}
    assert {problem.code for problem in plan.problems} == {"OVERLAP"}


@pytest.mark.parametrize(
    ("when", "recipients", "cost", "is_needed"),
    [
        ("{people_over: 10}", 10, "1", False),
        ("{people_over: 10}", 11, "1", True),
        ("{people_over: 10}", None, "1", True),  # only sms.by knows the size of a list
        ("{cost_over: 5}", 10, "5", False),
        ("{cost_over: 5}", 10, "5.01", True),
        ("{cost_over: 5}", 10, None, True),
        ("{people_over: 10, cost_over: 5}", 11, "5", False),
        ("{people_over: 10, cost_over: 5}", 11, "6", True),
    ],
)
def test_rule_applies_to(
    desk: Desk, when: str, recipients: int | None, cost: str | None, is_needed: bool
) -> None:
    desk.rules(f"{{when: {when}, need: 1}}")
    assert (desk.judge(recipients, cost).lack is not None) is is_needed


@pytest.mark.parametrize(
    ("labels", "is_needed"), [("{kind: promo}", True), ("{kind: service}", False), ("", False)]
)
def test_rule_applies_to_labels(desk: Desk, labels: str, is_needed: bool) -> None:
    desk.rules("{when: {label: {kind: promo}}, need: 1}")
    labeled = CAMPAIGN.replace("mailings:", f"labels: {labels}\nmailings:") if labels else CAMPAIGN
    (desk.root / "sale.yaml").write_text(labeled, "utf-8")
    assert (desk.plan().actions[0].reason_code == "approval") is is_needed


def test_two_signatures_of_two_persons(desk: Desk) -> None:
    desk.rules("{need: 2}")
    desk.sign("anna")
    assert "needs 2 signatures and has 1 (anna@example.com)" in desk.reasons()[0]
    desk.sign("anna")
    assert "has 1 (anna@example.com)" in desk.reasons()[0]
    desk.sign("boris")
    assert [action.action for action in desk.plan().actions] == ["create", "create"]


@pytest.mark.parametrize("names", ["boss@example.com,anna@example.com", "Anna@Example.com"])
def test_two_keys_of_one_person_are_one(desk: Desk, names: str) -> None:
    """Two keys of one person count once, also under another name or case, as in `not_author`."""
    desk.rules("{need: 2}")
    second = signer_line(desk.keys["boris"], name=names)
    (desk.root / "signers.txt").write_text(signer_line(desk.keys["anna"]) + second, "utf-8")
    desk.sign("anna", "boris")
    assert len(list((desk.root / "approvals").iterdir())) == 2
    assert "needs 2 signatures and has 1" in desk.reasons()[0]


def test_strictest_rule_is_named(desk: Desk) -> None:
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
def test_change_invalidates_a_signature(desk: Desk, change: Callable[[str], str]) -> None:
    desk.sign("anna")
    (desk.root / "sale.yaml").write_text(change(CAMPAIGN), "utf-8")
    assert desk.plan().actions[0].reason_code == "approval"


_FRESH = "release: {before: 12h, at_latest: 20m}\n    audience: fresh\n    expect_recipients: {max: 9}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "via: single"),
        ("", "max_late: 30m"),
        ("", "countries: [BY, RU]"),
        ("", "on_invalid: drop"),
        ("", "expect_recipients: {max: 9}"),
        ("", "priority: 1"),
        (_FRESH, _FRESH.replace("20m", "10m")),
        (_FRESH, _FRESH.replace("9", "10")),
    ],
)
def test_change_of_a_setting_invalidates_a_signature(desk: Desk, before: str, after: str) -> None:
    """A change of how, when or whether a mailing is sent needs a new signature, even if its text is the same."""

    def plan_with(settings: str) -> Action:
        time = f"- name: vip\n    schedule_time: 2027-01-01T10:00:00\n    {settings}\n"
        (desk.root / "sale.yaml").write_text(CAMPAIGN.replace("- name: vip\n", time), "utf-8")
        return desk.plan().actions[0]

    plan_with(before)
    desk.sign("anna")
    then, now = plan_with(before), plan_with(after)
    assert then.commits
    assert now.reason_code == "approval"
    assert (now.content_digest, now.audience_digest) == (then.content_digest, then.audience_digest)


def test_change_of_labels_invalidates_a_signature(desk: Desk) -> None:
    """A change of labels needs a new signature, since rules exempt mailings by their labels."""
    desk.sign("anna")
    labeled = CAMPAIGN.replace("mailings:", "labels: {kind: service}\nmailings:")
    (desk.root / "sale.yaml").write_text(labeled, "utf-8")
    assert desk.plan().actions[0].reason_code == "approval"


def test_approval_of_an_older_version_does_not_count(desk: Desk) -> None:
    """An approval of an older version does not count, as it does not cover the settings."""
    desk.sign("anna")
    [path] = (desk.root / "approvals").iterdir()
    document = json.loads(path.read_text("utf-8"))
    for mailing in document["mailings"]:
        del mailing["settings_digest"]
    path.write_text(json.dumps(document), "utf-8")
    plan = desk.plan()
    assert plan.actions[0].reason_code == "approval"
    assert "of this version, or edited; sign the plan again" in plan.problems[0].message


def test_opt_out_keeps_a_signature(desk: Desk) -> None:
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
    desk: Desk, edit: Callable[[dict[str, Any]], None], message: str
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


def test_approval_for_another_environment_is_not_replayed(desk: Desk) -> None:
    """A signature names its environment, so an approval edited for another one does not verify."""
    desk.sign("anna")
    [path] = (desk.root / "approvals").iterdir()
    document = json.loads(path.read_text("utf-8")) | {"environment": "staging"}
    path.write_text(json.dumps(document), "utf-8")
    smsby = desk.root / "smsby.yaml"
    smsby.write_text(
        smsby.read_text("utf-8") + "environments: {staging: {lock: staging.lock.json}}\n", "utf-8"
    )
    loaded = load_project(desk.root, {}, "staging")
    plan = plan_offline(loaded)
    assert plan.actions[0].reason_code == "approval"


def test_opt_outs_that_are_taken_back_need_new_signatures(desk: Desk) -> None:
    """If opt-outs are taken back, new signatures are needed, as more recipients would get the mailing than were signed."""
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


@pytest.mark.parametrize("vip", ["", "upload: true, schedule_time: 2026-12-10T10:00:00, "])
def test_opt_outs_that_are_exchanged_need_new_signatures(desk: Desk, vip: str) -> None:
    """If opt-outs are exchanged, new signatures are needed, even for as many recipients: who opted out must not get it."""
    smsby, opt_outs = desk.root / "smsby.yaml", desk.root / "opt-outs.txt"
    smsby.write_text(smsby.read_text("utf-8") + "suppress: [opt-outs.txt]\n", "utf-8")
    (desk.root / "sale.yaml").write_text(
        f"version: 1\ncampaign: sale\nmailings:\n  - {{name: vip, {vip}text: hello, recipients: "
        '["375291234567", "375297654321", "375291234568"]}\n',
        "utf-8",
    )
    opt_outs.write_text("375297654321\n", "utf-8")
    desk.sign("anna")
    assert desk.plan().actions[0].reason_code is None
    opt_outs.write_text("375291234567\n", "utf-8")
    vip_action = desk.plan().actions[0]
    assert (vip_action.reason_code, vip_action.recipients) == ("approval", 2)
    opt_outs.write_text("375291234568\n375291234567\n375297654321\n", "utf-8")
    assert desk.plan().actions[0].reason_code is None


def test_opt_outs_that_are_no_recipients_may_go(desk: Desk) -> None:
    """Removing opt-outs of no recipient, or of another mailing's, keeps the signatures."""
    smsby, opt_outs = desk.root / "smsby.yaml", desk.root / "opt-outs.txt"
    smsby.write_text(smsby.read_text("utf-8") + "suppress: [opt-outs.txt]\n", "utf-8")
    opt_outs.write_text("375297654321\n375290000000\n", "utf-8")
    desk.sign("anna")
    opt_outs.write_text("375297654321\n", "utf-8")
    assert [action.action for action in desk.plan().actions] == ["create", "create"]


_TWO = """\
version: 1
campaign: {campaign}
mailings:
  - {{name: a, recipients: ["375291234567", "375291234568"], text: hello}}
  - {{name: b, recipients: ["375291234569", "375291234560"], text: hello}}
"""


@pytest.mark.parametrize(
    ("when", "is_needed"), [("people_over: 3", True), ("cost_over: 3", True), ("people_over: 4", False)]
)
def test_mailings_of_a_campaign_count_together(desk: Desk, when: str, is_needed: bool) -> None:
    """Mailings of one campaign count together, so a divided mailing needs the same signatures; each campaign is separate."""
    desk.rules(f"{{when: {{{when}}}, need: 1}}")
    (desk.root / "sale.yaml").write_text(_TWO.format(campaign="sale"), "utf-8")
    (desk.root / "more.yaml").write_text(
        _TWO.format(campaign="sale-2").replace(', "375291234568"', ""), "utf-8"
    )
    codes = {action.address: action.reason_code for action in desk.plan().actions}
    code = "approval" if is_needed else None
    assert codes == {"sale/a": code, "sale/b": code, "sale-2/a": None, "sale-2/b": None}
    assert any("the mailings of its campaign count together" in one for one in desk.reasons()) is is_needed


def test_mailing_that_is_over_does_not_count(desk: Desk) -> None:
    """A mailing whose time has passed is not counted, whatever its signatures."""
    desk.rules("{when: {people_over: 3}, need: 1}")
    expired = _TWO.format(campaign="sale").replace("name: a,", "name: a, schedule_time: 2026-01-01T10:00:00,")
    (desk.root / "sale.yaml").write_text(expired, "utf-8")
    assert [action.reason_code for action in desk.plan().actions] == ["expired", None]
    more = '  - {name: c, recipients: ["375291234561", "375291234562"], text: hello}\n'
    (desk.root / "sale.yaml").write_text(expired + more, "utf-8")
    assert [action.reason_code for action in desk.plan().actions] == ["expired", "approval", "approval"]


def test_finished_mailing_does_not_count_any_more(desk: Desk) -> None:
    """A sent mailing is not counted, so the next mailing of its campaign counts alone."""
    desk.rules("{when: {people_over: 3}, need: 1}")
    (desk.root / "sale.yaml").write_text(_TWO.format(campaign="sale"), "utf-8")
    sent, ending = _sent(desk), Ending(EndingKind.WITHDRAWN, "2026-11-01T10:00:00+00:00", "anna", "")
    pending = replace(sent, chunks=(replace(sent.chunks[0], state=ChunkState.PENDING),))
    for entry, code in ((sent, None), (pending, "approval"), (replace(pending, ending=ending), None)):
        assert desk.plan(Lock("shop", mailings={"sale/a": entry})).actions[1].reason_code == code
    raised = _TWO.format(campaign="sale").replace("name: a,", "name: a, revision: 2,")
    (desk.root / "sale.yaml").write_text(raised, "utf-8")
    assert desk.plan(Lock("shop", mailings={"sale/a": sent})).actions[1].reason_code == "approval"


@pytest.mark.parametrize(("more", "code"), [("", None), (", max_late: 20m", "approval")])
def test_late_mailing_counts_while_it_may_be_sent(desk: Desk, more: str, code: str | None) -> None:
    """A late mailing counts within `max_late`, or if a part of it was sent."""
    desk.rules("{when: {people_over: 3}, need: 1}")
    late = f"name: a, schedule_time: 2026-11-24T11:50:00{more},"  # ten minutes ago
    (desk.root / "sale.yaml").write_text(_TWO.format(campaign="sale").replace("name: a,", late), "utf-8")
    assert desk.plan().actions[1].reason_code == code
    sent = _sent(desk)
    part = replace(sent, chunks=(*sent.chunks, replace(sent.chunks[0], state=ChunkState.PENDING)))
    assert desk.plan(Lock("shop", mailings={"sale/a": part})).actions[1].reason_code == "approval"


def _sent(desk: Desk) -> Entry:
    """Return the record of the first mailing after it was sent."""
    sent = desk.plan().actions[0]
    chunks = tuple(ChunkRecord(one.fingerprint, 2, one.digest, ChunkState.ACCEPTED) for one in sent.chunks)
    return Entry(
        1, sent.content_digest, sent.audience_digest, "bulk", "Shop", 7, None, 2, 2, None, chunks,
        AppliedBy("2026-11-01T10:00:00+00:00", "p", None, "x"),
    )  # fmt: skip


def test_fresh_audience_needs_a_signature_of_its_own(desk: Desk) -> None:
    """A fresh audience needs its own signature: a signature for certain recipients does not cover later changes."""
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


def test_linked_approval_is_not_read(desk: Desk, tmp_path: Path) -> None:
    desk.sign("anna")
    [path] = (desk.root / "approvals").iterdir()
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    assert [problem.code for problem in desk.plan().problems] == ["APPROVAL"]


# --- The author ------------------------------------------------------------------------------------------------------


def test_every_rule_must_be_met(desk: Desk) -> None:
    """Every rule must be met: two signatures satisfy the first one, but the second does not count the author's."""
    desk.rules("{need: 2}", "{need: 2, not_author: true}")
    commit(desk.root)
    desk.sign("anna", "boris")
    assert "needs 2 signatures and has 1 (boris@example.com)" in desk.reasons()[0]


def test_author_does_not_count(desk: Desk) -> None:
    desk.rules("{need: 1, not_author: true}")
    commit(desk.root)
    desk.sign("anna")
    assert "the author of the last commit of sale.yaml does not count" in desk.reasons()[0]
    desk.sign("boris")
    assert [action.action for action in desk.plan().actions] == ["create", "create"]


@pytest.mark.parametrize("file", ["text.txt", "templates/footer.j2", "list.csv"])
def test_author_of_a_text_or_list_does_not_count(desk: Desk, file: str) -> None:
    """The author of a text or list file does not count either, even if another user committed the campaign file."""
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
    commit(desk.root, *({"sale.yaml", *contents} - {file}), author="Eve <eve@example.com>")
    commit(desk.root, file)
    desk.sign("anna")
    assert f"the author of the last commit of {file} does not count" in desk.reasons()[0]
    desk.sign("boris")
    assert [action.action for action in desk.plan().actions] == ["create"]


def test_list_that_git_does_not_have_has_no_author(desk: Desk) -> None:
    (desk.root / "sale.yaml").write_text(
        "version: 1\ncampaign: sale\nmailings:\n  - {name: vip, recipients: {file: list.csv}, text: Hi}\n",
        "utf-8",
    )
    desk.rules("{need: 1, not_author: true}")
    (desk.root / "list.csv").write_text("phone\n375291234567\n", "utf-8")
    commit(desk.root)
    desk.sign("boris")
    assert [action.action for action in desk.plan().actions] == ["create"]


def test_no_signature_counts_without_an_author(desk: Desk) -> None:
    desk.rules("{need: 1, not_author: true}")
    desk.sign("boris")
    assert "no signature counts while sale.yaml is not in a git repository" in desk.reasons()[0]


# --- SSH signatures by the real ssh-keygen ---


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_find_signer_names_the_key(line_end: str, keys: Keys) -> None:
    signature = sign(_TEXT, keys["anna"]).replace("\n", line_end)
    assert find_signer(_TEXT, signature, keys.signers, _NOW) == ("anna@example.com",)


@pytest.mark.parametrize("text", [b"", _TEXT + b" ", _TEXT[:-1]])
def test_find_signer_of_another_text(keys: Keys, text: bytes) -> None:
    assert find_signer(text, sign(_TEXT, keys["anna"]), keys.signers, _NOW) == ()


def test_find_signer_of_a_stranger(keys: Keys) -> None:
    assert find_signer(_TEXT, sign(_TEXT, keys["eve"]), keys.signers, _NOW) == ()


@pytest.mark.parametrize(
    "signature", ["", "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"]
)
def test_find_signer_of_no_signature(keys: Keys, signature: str) -> None:
    assert find_signer(_TEXT, signature, keys.signers, _NOW) == ()


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ('valid-before="20261123"', ()),
        ('valid-before="20261230"', ("anna@example.com",)),
        ('valid-after="20261130"', ()),
        ('namespaces="git"', ()),
    ],
)
def test_find_signer_by_the_options(keys: Keys, tmp_path: Path, options: str, names: tuple[str, ...]) -> None:
    """A key counts only while it is valid, and only for mailings."""
    signers = tmp_path / "signers.txt"
    signers.write_text(signer_line(keys["anna"], options), "utf-8")
    assert find_signer(_TEXT, sign(_TEXT, keys["anna"]), signers, _NOW) == names


def test_find_signer_whose_key_was_removed(keys: Keys, tmp_path: Path) -> None:
    signers = tmp_path / "signers.txt"
    signers.write_text(signer_line(keys["boris"]), "utf-8")
    assert find_signer(_TEXT, sign(_TEXT, keys["anna"]), signers, _NOW) == ()


def test_pattern_is_no_name(keys: Keys, tmp_path: Path) -> None:
    """A pattern in the file of signers is not accepted, since it would match any author or none."""
    signers = tmp_path / "signers.txt"
    signers.write_text(signer_line(keys["anna"], name="*@example.com"), "utf-8")
    assert find_signer(_TEXT, sign(_TEXT, keys["anna"]), signers, _NOW) == ()


def test_sign_without_ssh_keygen(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SmsbyDeployError, match="ssh-keygen, which makes") as caught:
        sign(_TEXT, keys["anna"])
    assert "OpenSSH" in caught.value.hint


def test_sign_with_a_file_that_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key", "utf-8")
    with pytest.raises(SmsbyDeployError, match="did not sign with key"):
        sign(_TEXT, tmp_path / "key")
