"""A project with one campaign, written and loaded."""

from __future__ import annotations

from pathlib import Path

from smsby_deploy.config.project_loader import LoadedProject, load_project

HEAD = "version: 1\nproject: shop\n"
CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: ["375291234567"]
    text: Hello
"""


def load_one(folder: Path, project: str = "", campaign: str = CAMPAIGN) -> LoadedProject:
    """Load a project whose settings are HEAD and `project`, and whose only file is `campaign`."""
    (folder / "smsby.yaml").write_text(HEAD + project, encoding="utf-8")
    (folder / "sale.yaml").write_text(campaign, encoding="utf-8")
    return load_project(folder)
