"""A small valid project for the commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.smsby.conftest import TOKEN, FakeServer
from tests.smsby.conftest import wire as wire  # a fixture of these tests, too

CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: [{phone: "375291234567", name: Anna}]
    text: "Hello {{ name }}"
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a valid project; there is no token and no URL in the environment."""
    monkeypatch.delenv("SMSBY_TOKEN", raising=False)
    monkeypatch.delenv("SMSBY_API_URL", raising=False)
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\n", "utf-8")
    (tmp_path / "sale.yaml").write_text(CAMPAIGN, "utf-8")
    return tmp_path


@pytest.fixture
def server(wire: FakeServer, shop: Path, monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """The fake server as the project's account; commands run in the project's folder."""
    monkeypatch.chdir(shop)
    monkeypatch.setenv("SMSBY_API_URL", wire.url)
    monkeypatch.setenv("SMSBY_TOKEN", TOKEN)
    return wire
