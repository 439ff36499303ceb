"""Lists outside git with the real command: pinned, reviewed, compared and sent, even encrypted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.campaigns import FROM_A_FILE
from tests.e2e.conftest import Shop

pyrage = pytest.importorskip("pyrage")

_PROJECT = "version: 1\nproject: shop\nlists_dir_env: SHOP_LISTS\n"


def test_pinned_list_outside_the_project(shop: Shop, tmp_path: Path) -> None:
    """A list is sent as pinned; if it changed, it must be pinned again, and the comment counts who joined and left."""
    store = tmp_path / "store"
    (store / "lists").mkdir(parents=True)
    old = "phone,name\n375291111111,Anna\n375292222222,Bob\n"
    (store / "lists/vip.csv").write_text(old)
    env = {"SHOP_LISTS": str(store)}
    shop.write("smsby.yaml", _PROJECT)
    shop.write("sale.yaml", FROM_A_FILE.replace("vip.csv}", f"vip.csv, sha256: '{'0' * 64}'}}"))
    assert "error PIN sale/vip" in shop.run("plan", env=env).out
    assert shop.run("pin", env=env).code == 0
    assert "NOT_READ sale/vip: SHOP_LISTS is not set" in shop.run("validate").out
    assert shop.run("plan", "--offline").code == 3
    base = tmp_path / "base"
    shutil.copytree(shop.root, base)
    before = _pinned(shop)
    (store / "lists/vip.csv").write_text(
        old.replace("375292222222,Bob", "375293333333,Kim\n375294444444,Lea")
    )
    assert shop.run("pin", "lists/vip.csv", env=env).code == 0
    unknown = shop.run("plan", "--format", "markdown", "--compare", str(base), env=env)
    assert "| recipients or their texts |" in unknown.out
    (store / before).write_text(old)  # the older list, named by its digest
    comment = shop.run("plan", "--format", "markdown", "--compare", str(base), "--out", "plan.json", env=env)
    assert "+2 -1 recipients" in comment.out
    (store / "lists/vip.csv").write_text(old)
    assert shop.run("apply", "plan.json", env=env).code in (3, 5)
    assert shop.inbox() == {}
    (store / "lists/vip.csv").write_text(
        old.replace("375292222222,Bob", "375293333333,Kim\n375294444444,Lea")
    )
    assert shop.run("apply", "plan.json", env=env).code == 0
    assert set(shop.inbox()) == {"375291111111", "375293333333", "375294444444"}


def _pinned(shop: Shop) -> str:
    return (shop.root / "sale.yaml").read_text().partition("sha256: '")[2][:64]


def test_encrypted_list_is_sent(shop: Shop) -> None:
    """An encrypted list is sent only with its identity, which no output shows; `validate` names what it did not check."""
    identity = pyrage.x25519.Identity.generate()
    path = shop.root / "lists/vip.csv.age"
    path.parent.mkdir()
    path.write_bytes(pyrage.encrypt(b"phone,name\n375291111111,Anna\n", [identity.to_public()]))
    shop.write("sale.yaml", FROM_A_FILE.replace("vip.csv", "vip.csv.age"))
    assert "NOT_READ" in shop.run("validate").out
    assert shop.run("apply", "--auto-approve").code == 3
    done = shop.run("-v", "apply", "--auto-approve", env={"SMSBY_AGE_IDENTITY": str(identity)})
    assert done.code == 0, done.err
    assert str(identity) not in done.out + done.err
    assert [one["text"] for one in shop.inbox()["375291111111"]] == ["Anna, hello"]
