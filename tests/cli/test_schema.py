"""`schema`: the shipped JSON Schemas."""

from __future__ import annotations

import json

import pytest

from smsby_deploy.cli.main import run


@pytest.mark.parametrize("name", ["project", "campaign", "plan", "lock", "facts"])
def test_schema_prints_valid_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each schema is one document."""
    assert run(["schema", name]) == 0
    assert "$schema" in json.loads(capsys.readouterr().out)
