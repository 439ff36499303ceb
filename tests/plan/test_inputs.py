"""Inputs of a plan: included templates are among them, and are part of the content."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.plan.desired_state import Desired
from smsby_deploy.plan.inputs import hash_inputs
from smsby_deploy.plan.measure import measure_mailing
from smsby_deploy.recipients.phone_set import PhoneSet

_CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: [{phone: "375291234567", n: Анна}]
    text: "TEXT{% include 'footer.j2' %}"
"""


def _desired(folder: Path, text: str, footer: str) -> tuple[Desired, dict[str, str]]:
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "smsby.yaml").write_text("version: 1\nproject: shop\n", "utf-8")
    (folder / "sale.yaml").write_text(_CAMPAIGN.replace("TEXT", text), "utf-8")
    (folder / "templates/footer.j2").write_text(footer, "utf-8")
    loaded = load_project(folder)
    assert not loaded.problems
    mailing = loaded.project.mailings[0]
    desired, problems = measure_mailing(loaded.project, mailing, PhoneSet())
    assert not problems
    return desired, hash_inputs(loaded.project, [mailing])


@pytest.mark.parametrize("text", ["Hi", "Hi {{ n }}"])
def test_included_file_changes_content_and_inputs(tmp_path: Path, text: str) -> None:
    """Digest, fingerprint and input change with an included file, for bulk and personal texts."""
    before, inputs = _desired(tmp_path, text, " Stop: 1")
    after, inputs_after = _desired(tmp_path, text, " Stop: 2")
    assert before.content_digest != after.content_digest
    assert before.chunks[0].fingerprint != after.chunks[0].fingerprint
    changed = {name for name in inputs if inputs[name] != inputs_after[name]}
    assert changed == {"templates/footer.j2"}
