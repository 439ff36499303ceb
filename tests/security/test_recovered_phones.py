"""A reader of the repository, the plan or a name at sms.by tries every phone until a digest matches."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.plan.measure import measure_mailing
from smsby_deploy.plan.staleness import hash_inputs
from smsby_deploy.recipients.phone_set import PhoneSet
from tests.e2e.conftest import Shop

_KEY = "a-secret-of-the-pipeline-" * 2
_CANDIDATES = [f"37529123{number:04}" for number in range(0, 9000, 3)]
_PHONE = _CANDIDATES[2999]
_KINDS = {
    "bulk": "recipients: {file: vip.csv}, text: Hello",
    "personal": "recipients: {file: vip.csv}, text: 'Hello {{ phone[-2:] }}'",
    "single": "via: single, recipients: {file: vip.csv}, text: Hello",
    "upload": "upload: true, recipients: {file: vip.csv}, text: Hello",
    "query": "recipients: {sql: select phone from vip, url_env: VIP_URL, order_by: phone}, text: Hello",
}


def _write(root: Path, phone: str, kind: str) -> None:
    if kind == "query":
        with sqlite3.connect(root / "vip.db") as database:
            database.execute("create table if not exists vip (phone text)")
            database.execute("delete from vip")
            database.execute("insert into vip values (?)", (phone,))
        database.close()
    else:
        (root / "vip.csv").write_text(f"phone\n{phone}\n", "utf-8")


def _guess(
    root: Path, environ: dict[str, str], candidates: list[str], kind: str, shown: set[str]
) -> str | None:
    """Return the first candidate that gives one of the digests in `shown`, in a clone of the repository."""
    project = load_project(root, environ).project
    (mailing,) = project.mailings
    for phone in candidates:
        _write(root, phone, kind)
        desired = measure_mailing(project, mailing, PhoneSet()).desired
        assert desired is not None
        (chunk,) = desired.chunks
        over = {desired.audience_digest, desired.recipients_digest, desired.contacts, desired.snapshot}
        over |= {chunk.digest, chunk.fingerprint, hash_inputs(project, [mailing]).get("vip.csv")}
        if over & shown:
            return phone
    return None


@pytest.mark.parametrize("kind", _KINDS)
def test_digests_give_no_phone_back(
    shop: Shop, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One recipient among 3,000 candidates is found from public data without a digest key, but not with one."""
    url = {"VIP_URL": f"sqlite:///{shop.root}/vip.db"}
    shop.write("sale.yaml", f"version: 1\ncampaign: sale\nmailings:\n  - {{name: vip, {_KINDS[kind]}}}\n")
    tries = _CANDIDATES if kind == "bulk" else _CANDIDATES[2700:]  # the others are hashed in the same ways
    for key, found in (("", _PHONE), (_KEY, None)):
        shop.reset()
        for old in shop.root.glob("smsby.lock.json*"):
            old.unlink()
        _write(shop.root, _PHONE, kind)
        env = {**url, "SMSBY_DIGEST_KEY": key}
        assert shop.run("plan", "--out", "plan.json", env=env).code == 0
        done = shop.run("apply", "plan.json", env=env)
        assert done.code == 0, done.err
        public = (shop.root / "plan.json").read_text() + (shop.root / "smsby.lock.json").read_text()
        public += "".join(str(call) for call in shop.calls()) + done.out + done.err
        assert _KEY not in public
        shown = set(re.findall(r"\b(?:[0-9a-f]{64}|[0-9a-f]{10})\b", public))
        assert _guess(shop.root, url, tries[-1:] if not key else tries, kind, shown) == found
