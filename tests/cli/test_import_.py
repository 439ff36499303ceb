"""`import`: wrong usage."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.cli.main import run


@pytest.mark.parametrize("options", [(), ("--message-id", "7", "--uuid", "u")])
def test_import_needs_one_kind_of_id(
    options: tuple[str, ...], shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Either a message_id or a uuid is required, before anything is asked."""
    assert run(["-C", str(shop), "import", "sale/vip", *options]) == 64
    assert "either --message-id N or --uuid U" in capsys.readouterr().err
