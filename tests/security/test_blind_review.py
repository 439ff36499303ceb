"""If a pull request also changes smsby.yaml or the lock, the review does not call the plan ready and unchanged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from smsby_deploy.lock.archive import append_archive, archive_path
from smsby_deploy.lock.records import Approval, ChunkState, Lock
from smsby_deploy.lock.serialization import read_lock, write_lock
from smsby_deploy.lock.store import LockStore
from tests.e2e.conftest import Shop

SETTINGS = """\
version: 1
project: shop
api:
  requests_per_second: 1000
  reconcile_seconds: 0.3
  account_timezone: Europe/Minsk
  callback_url: https://shop.example/results
guardrails:
  max_recipients: 100
  max_cost: 500.00
price: {currency: BYN, per_part: 0.026}
suppress: [out.csv]
test_phones: ["375291234567"]
"""
CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: ["375291234567"]
    text: Hello
  - name: rest
    recipients: ["375297654321"]
    text: Hello, too
"""


@pytest.fixture
def base(shop: Shop, tmp_path: Path) -> Path:
    """A checkout of the base branch, from which the project starts."""
    shop.write("smsby.yaml", SETTINGS)
    shop.write("sale.yaml", CAMPAIGN)
    shop.write("out.csv", "phone\n375447777777\n")
    folder = tmp_path / "base"
    shutil.copytree(shop.root, folder)
    return folder


def _edit(shop: Shop, before: str, after: str) -> None:
    assert before in SETTINGS
    shop.write("smsby.yaml", SETTINGS.replace(before, after))


def _comment(shop: Shop, base: Path) -> str:
    done = shop.run("plan", "--format", "markdown", "--compare", str(base))
    assert done.code == 0, done.err
    return done.out.replace("\u2060", "").replace("\\_", "_")


def _visible(comment: str) -> str:
    """Return what a reviewer sees without a click."""
    return comment.partition("<details>")[0]


@pytest.mark.parametrize(
    ("before", "after", "row"),
    [
        ("  max_cost: 500.00\n", "", "guardrails.max_cost** | <code>500.00</code> | not set |"),
        (
            "https://shop.example/results",
            "https://evil.example/results",
            "api.callback_url** | <code>https://shop.example/results</code> | <code>https://evil.example/results</code> |",
        ),
        (
            "Minsk",
            "Warsaw",
            "api.account_timezone** | <code>Europe/Minsk</code> | <code>Europe/Warsaw</code> |",
        ),
        (
            "suppress: [out.csv]",
            "suppress: [out.csv]\nlock: empty.lock.json",
            "lock** | not set | <code>empty.lock.json</code> |",
        ),
        ("suppress: [out.csv]\n", "", "suppress** | <code>out.csv</code> | not set |"),
        (
            "per_part: 0.026",
            "per_part: 0.001",
            "price.per_part** | <code>0.026</code> | <code>0.001</code> |",
        ),
        (
            "version: 1\n",
            "version: 1\ndefaults: {alphaname: 0}\n",
            "defaults.alphaname** | not set | <code>0</code> |",
        ),
        ("version: 1\n", "version: 1\ncountries: [BY, RU]\n", "countries** | not set | <code>RU</code> |"),
        (
            "version: 1\n",
            "version: 1\nenvironments: {staging: {guardrails: {max_cost: 9}}}\n",
            "environments.staging.guardrails.max_cost** | not set | <code>9</code> |",
        ),
        (
            '["375291234567"]',
            '["375291234568"]',
            "test_phones** | <code>37529\\*\\*\\*\\*\\*67</code> | <code>37529\\*\\*\\*\\*\\*68</code> |",
        ),
    ],
)
def test_changed_setting_is_in_the_verdict(before: str, after: str, row: str, shop: Shop, base: Path) -> None:
    """A changed setting is in the first line and shown with both values, even if the mailings are the same."""
    _edit(shop, before, after)
    comment = _comment(shop, base)
    verdict = comment.splitlines()[1]
    assert "✅" not in verdict
    assert verdict.startswith("### ⚠️ Ready: 2 mailings to send, but ")
    assert "changed" in verdict
    assert f"| **{row}" in _visible(comment)


def test_unchanged_project_is_ready(shop: Shop, base: Path) -> None:
    """Changed comments, quotes and order of keys are not a changed setting."""
    lines = SETTINGS.splitlines()
    shop.write("smsby.yaml", "\n".join(["# ours", *lines[:2], *lines[10:], *lines[2:10], ""]))
    comment = _comment(shop, base)
    assert comment.splitlines()[1].startswith("### ✅ Ready: 2 mailings to send · shop")
    assert "Settings changed" not in comment


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_callback_to_a_stranger_in_every_format(form: str, shop: Shop, base: Path) -> None:
    """Every format names the service that gets results and phones, without user, password, query or long path segments."""
    secret = "0123456789abcdef0123"
    _edit(shop, "https://shop.example/results", f"https://us:pw@evil.example/{secret}?key=k3y")
    for arguments in ([], ["--compare", str(base)]):
        done = shop.run("plan", "--format", form, *arguments)
        assert "evil.example" in done.out
        assert not [one for one in (secret, "pw@", "us:", "k3y") if one in done.out]


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_other_service_in_every_format(form: str, shop: Shop, base: Path) -> None:
    """A plan for another service than app.sms.by says so even without a comparison."""
    done = shop.run("plan", "--format", form)
    assert shop.url in done.out.replace("\u2060", "")


def _forge(lock: Lock) -> Lock:
    """Record sale/rest as accepted, like sale/vip."""
    return lock.with_entry("sale/rest", lock.mailings["sale/vip"])


def _approve(lock: Lock) -> Lock:
    """Record sale/rest as approved for later, which only an apply of a reviewed plan may do."""
    entry = lock.mailings["sale/vip"]
    chunks = tuple(
        replace(chunk, state=ChunkState.PENDING, uuid=None, accepted_at=None) for chunk in entry.chunks
    )
    start, end = "2026-11-01T00:00:00+00:00", "2036-11-01T00:00:00+00:00"
    approval = Approval(start, "p", "root", start, end)
    return lock.with_entry("sale/rest", replace(entry, chunks=chunks, approval=approval))


def _drop(lock: Lock) -> Lock:
    return replace(lock, mailings={})


def _edit_entry(lock: Lock) -> Lock:
    return lock.with_entry("sale/vip", replace(lock.mailings["sale/vip"], revision=7))


@pytest.mark.parametrize(
    ("edit", "address", "words"),
    [
        (_forge, "sale/rest", "recorded as complete here and not recorded in the base"),
        (
            _approve,
            "sale/rest",
            "recorded as waiting here and not recorded in the base; `apply --due` sends it",
        ),
        (
            _drop,
            "sale/vip",
            "recorded as complete in the base and not recorded here, so it may be sent again",
        ),
        (_edit_entry, "sale/vip", "recorded differently from the base"),
    ],
)
def test_edited_lock_is_in_the_verdict(
    edit: Callable[[Lock], Lock], address: str, words: str, shop: Shop, base: Path
) -> None:
    """A forged entry, which would keep a mailing unsent, and a removed one, which could send it again, are LOCK_CHANGED."""
    assert shop.run("apply", "--auto-approve", "--select", "sale/vip").code == 0
    shutil.copy(shop.root / "smsby.lock.json", base)
    assert "LOCK_CHANGED" not in _comment(shop, base)
    path = shop.root / "smsby.lock.json"
    path.write_text(write_lock(edit(read_lock(path.read_text("utf-8"), path.name))), "utf-8")
    done = shop.run("plan", "--format", "json", "--compare", str(base))
    problems = [one for one in done.json["problems"] if one["code"] == "LOCK_CHANGED" and one["address"]]
    assert [(one["address"], one["file"]) for one in problems] == [(address, "smsby.lock.json")]
    assert words in problems[0]["message"]
    assert done.json["changes"]["lock_changes"] == 1
    assert "LOCK_CHANGED" in shop.run("plan", "--compare", str(base)).out
    assert (
        "::warning file=smsby.lock.json" in shop.run("plan", "--format", "github", "--compare", str(base)).out
    )
    shown = shop.run("plan", "--format", "markdown", "--compare", str(base)).out
    assert "1 lock entry changed" in shown.splitlines()[1]
    assert "LOCK_CHANGED" in _visible(shown)


def test_forged_archive_is_in_the_verdict(shop: Shop, base: Path) -> None:
    """A forged archive line, and one removed together with the lock's count, are LOCK_CHANGED."""
    assert shop.run("apply", "--auto-approve", "--select", "sale/vip").code == 0
    path = shop.root / "smsby.lock.json"
    lock = LockStore(path, "shop").read()
    shutil.copy(path, base)
    forged = _forge(lock)
    count = append_archive(forged, archive_path(path), {"sale/rest"}, forged.mailings["sale/rest"].applied.at)
    path.write_text(write_lock(replace(lock, archived=count)), "utf-8")
    done = shop.run("plan", "--format", "json", "--compare", str(base)).json
    assert {one["address"]: one["action"] for one in done["actions"]}["sale/rest"] != "create"
    found = [one["address"] for one in done["problems"] if one["code"] == "LOCK_CHANGED" and one["address"]]
    assert found == ["sale/rest"]
    shutil.copy(path, base)
    shutil.move(archive_path(path), base)
    path.write_text(write_lock(lock), "utf-8")
    found = shop.run("plan", "--format", "json", "--compare", str(base)).json["problems"]
    assert [one["address"] for one in found if one["code"] == "LOCK_CHANGED"] == ["sale/rest"]


def test_moved_lock_loses_every_entry(shop: Shop, base: Path) -> None:
    """If `lock:` is moved, each lost entry is named, since it would be sent again."""
    assert shop.run("apply", "--auto-approve").code == 0
    shutil.copy(shop.root / "smsby.lock.json", base)
    _edit(shop, "suppress:", "lock: other.lock.json\nsuppress:")
    found = shop.run("plan", "--format", "json", "--compare", str(base)).json["problems"]
    assert [one["address"] for one in found if one["code"] == "LOCK_CHANGED"] == ["sale/rest", "sale/vip"]


def test_saved_plan_as_the_base_names_what_it_lacks(shop: Shop, base: Path) -> None:
    """A saved plan as the base has no settings, which is said, and entries of the lock are compared."""
    assert shop.run("plan", "--out", "base.json").code == 0
    assert shop.run("apply", "--auto-approve", "--select", "sale/vip").code == 0
    _edit(shop, "  max_cost: 500.00\n", "")
    done = shop.run("plan", "--format", "json", "--compare", "base.json").json
    assert done["changes"]["settings"] == []
    assert done["changes"]["gaps"] == [
        "smsby.yaml differs from that of base.json; compare with a checkout to see what differs"
    ]
    assert [one["address"] for one in done["problems"] if one["code"] == "LOCK_CHANGED"] == ["sale/vip"]


@pytest.mark.parametrize(
    ("content", "gap", "is_listed"),
    [
        (None, "the base has no smsby.yaml, so every setting and every entry of the lock is new", True),
        ("a: [", "the smsby.yaml of the base cannot be read", False),
        ("version: 1\n", "the smsby.yaml of the base is not valid, so the lock was not compared", True),
        (SETTINGS + "bogus: 1\n", "the files of the base are not valid", True),
    ],
)
def test_verdict_says_that_the_base_is_not_valid(
    content: str | None, gap: str, is_listed: bool, shop: Shop, base: Path
) -> None:
    """An invalid base, which the pull request may repair, is no error, but the first line says what is missing."""
    (base / "smsby.yaml").unlink()
    if content is not None:
        (base / "smsby.yaml").write_text(content, "utf-8")
    _edit(shop, "  max_cost: 500.00\n", "  max_cost: 900.00\n")
    comment = _comment(shop, base)
    assert comment.splitlines()[1].startswith("### ⚠️ Ready: 2 mailings to send, but ")
    assert f"> ⚠️ {gap}" in _visible(comment)
    assert ("guardrails.max_cost" in _visible(comment)) is is_listed


def test_verdict_says_that_the_lock_of_the_base_is_damaged(shop: Shop, base: Path) -> None:
    """A damaged lock of the base cannot be compared, and the first line says so."""
    (base / "smsby.lock.json").write_text("{", "utf-8")
    comment = _comment(shop, base)
    assert "but not everything could be compared" in comment.splitlines()[1]
    assert "> ⚠️ the lock of the base was not compared: " in comment


def test_many_items_do_not_push_a_guardrail_out(shop: Shop, base: Path) -> None:
    """Ten thousand new patterns are counted, and the removed guardrail is still the first row."""
    words = ", ".join(f"word{number:05}" for number in range(10_000))
    _edit(shop, "  max_cost: 500.00\n", f"  forbidden_words: [{words}]\n")
    comment = _comment(shop, base)
    rows = [line for line in comment.splitlines() if line.startswith("| **guardrails")]
    assert rows[0] == "| **guardrails.max_cost** | <code>500.00</code> | not set |"
    assert rows[-1] == "| **guardrails.forbidden_words** | not set | <code>9,990 more</code> |"
    assert len(rows) == 12


def test_forged_rehearsal_is_named(shop: Shop, base: Path) -> None:
    """A forged rehearsal, which `rehearsed_in` would accept, is named if the base does not have it."""
    for folder in (shop.root, base):
        (folder / "smsby.yaml").write_text(f"{SETTINGS}rehearsed_in: sandbox\n", "utf-8")
    assert shop.run("--env", "sandbox", "apply", "--auto-approve").code == 0
    found = shop.run("plan", "--format", "json", "--compare", str(base)).json["problems"]
    forged = [one for one in found if one["code"] == "LOCK_CHANGED" and one["address"]]
    assert [(one["file"], one["address"]) for one in forged] == [
        (".smsby/sandbox.lock.json", "sale/rest"),
        (".smsby/sandbox.lock.json", "sale/vip"),
    ]
    assert "counts as rehearsed" in forged[0]["message"]


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_removed_opt_out_is_a_changed_setting(form: str, shop: Shop, base: Path) -> None:
    """A removed opt-out is a changed setting, since nothing else shows that a new mailing reaches that recipient."""
    shop.write("out.csv", "phone\n375251111111\n")
    more = "  - name: new\n    recipients: ['375447777777']\n    text: Hello again\n"
    shop.write("sale.yaml", CAMPAIGN + more)
    done = shop.run("plan", "--format", form, "--compare", str(base))
    assert done.code == 0
    assert "1 opt-out" in done.out
    assert "1 of them no longer subtracted" in done.out


def test_changed_include_is_not_hidden_by_another_time(shop: Shop, base: Path) -> None:
    """The text of a changed include is compared word by word, even if the time of the mailing changed as well."""
    for folder, link, time in (
        (base, "shop.example", "10:00"),
        (shop.root, "evil.example", "10:01"),
    ):
        (folder / "templates").mkdir()
        (folder / "templates/footer.j2").write_text(f"Buy at {link}", "utf-8")
        text = "\"Hello, {% include 'footer.j2' %}\""
        campaign = CAMPAIGN.replace("Hello\n", f"{text}\n    schedule_time: 2036-12-01T{time}:00\n")
        (folder / "sale.yaml").write_text(campaign, "utf-8")
    comment = _comment(shop, base)
    assert "| time, text |" in comment
    assert "templates/footer.j2:\nBuy at <del>shop</del><ins>evil</ins>.example" in comment
