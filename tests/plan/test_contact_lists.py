"""Mailings to contact lists: what can be measured, and which texts and fields are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.project_loader import load_project
from smsby_deploy.digest_key import NO_KEY
from smsby_deploy.plan.contact_lists import UploadDigest, select_fields
from smsby_deploy.plan.desired import Desired
from smsby_deploy.plan.measure import measure_mailing
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.suppression import load_suppression

_KEPT = "  - {name: kept, list: Newsletter, text: TEXT}\n"
_UPLOADED = """\
  - name: made
    recipients: {file: buyers.csv}
    upload: FIELDS
    text: TEXT
"""
_ROWS = "phone,name,city\n375291234567,Anna,Minsk\n375297654321,Olga,Brest\n"


def _load(folder: Path, mailing: str, *, text: str, opt_outs: str = "", fields: str = "true") -> Mailing:
    written = mailing.replace("TEXT", f'"{text}"').replace("FIELDS", fields)
    (folder / "smsby.yaml").write_text("version: 1\nproject: shop\nsuppress: [stop.txt]\n", "utf-8")
    (folder / "sale.yaml").write_text(f"version: 1\ncampaign: sale\nmailings:\n{written}", "utf-8")
    (folder / "stop.txt").write_text(opt_outs or "# none\n", "utf-8")
    (folder / "buyers.csv").write_text(_ROWS, "utf-8")
    return load_project(folder).project.mailings[0]


def _measure(folder: Path, mailing: str, **options: str) -> tuple[Desired, list[str]]:
    """Return the desired state and the codes of the problems."""
    loaded = _load(folder, mailing, **options)  # type: ignore[arg-type]
    project = load_project(folder).project
    suppressed: PhoneSet = load_suppression(project.suppress)[0]
    measured = measure_mailing(project, loaded, suppressed)
    return measured.desired, [problem.code for problem in measured.problems]


def test_measure_list_counts_one_text(tmp_path: Path) -> None:
    """The recipients of a list are not counted and opt-outs not subtracted, since only sms.by knows them."""
    desired, codes = _measure(tmp_path, _KEPT, text="я" * 71)
    assert (desired.longest, desired.ucs2, desired.parts, desired.cost) == (2, 1, None, None)
    assert [chunk.recipients for chunk in desired.chunks] == [None]
    assert codes == ["LIST_SUPPRESS"]


@pytest.mark.parametrize("mailing", [_KEPT, _UPLOADED])
def test_list_mailing_has_one_text(mailing: str, tmp_path: Path) -> None:
    """A text with a variable is an error for both kinds of list, which have one text."""
    assert "LIST_TEXT" in _measure(tmp_path, mailing, text="Hi {{ name }}")[1]


def test_measure_upload_subtracts_opt_outs(tmp_path: Path) -> None:
    """An opt-out is not uploaded, and does not make another mailing."""
    before, _ = _measure(tmp_path, _UPLOADED, text="Hi")
    after, _ = _measure(tmp_path, _UPLOADED, text="Hi", opt_outs="375291234567\n")
    assert (before.audience.final, after.audience.final, after.audience.suppressed) == (2, 1, 1)
    assert before.contacts != after.contacts
    assert before.fingerprints == after.fingerprints
    assert before.audience_digest == after.audience_digest


@pytest.mark.parametrize(
    ("fields", "code"),
    [("{fields: [name]}", None), ("{fields: [age]}", "UPLOAD"), ("{fields: [phone]}", "UPLOAD")],
)
def test_measure_upload_checks_fields(fields: str, code: str | None, tmp_path: Path) -> None:
    """A field must be a column of the recipients other than the phone."""
    assert _measure(tmp_path, _UPLOADED, text="Hi", fields=fields)[1] == ([code] if code else [])


def test_select_fields_keeps_the_order_of_columns(tmp_path: Path) -> None:
    """The fields are all columns except those that identify a contact, unless some are chosen, in order."""
    columns = ["city", "Phone", "EMAIL", "name", " "]
    every = _load(tmp_path, _UPLOADED, text="Hi")
    assert select_fields(every, columns) == ["city", "name"]
    chosen = _load(tmp_path, _UPLOADED, text="Hi", fields="{fields: [name, city]}")
    assert select_fields(chosen, columns) == ["city", "name"]


def test_upload_digest_does_not_depend_on_batches() -> None:
    """The upload digest depends on the order of recipients, but not on the size of the batches."""
    phones = ["375291234567", "375297654321", "375331234567"]
    whole, parts, turned = (UploadDigest("content", "text", NO_KEY) for _ in range(3))
    whole.add(phones, phones[1:])
    parts.add(phones[:1], [])
    parts.add(phones[1:], phones[1:])
    turned.add(phones[::-1], phones[1:])
    assert (whole.chunk, whole.contacts, whole.count) == (parts.chunk, parts.contacts, 2)
    assert whole.chunk != turned.chunk
