"""A plan file that is none: in words, with the way on."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.errors import PlanRefused
from smsby_deploy.plan.plan_file import read_plan


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"version: 1\n", "it is not JSON, or was cut off (line 1)"),
        (b'{"format": "smsby-plan",\n', "it is not JSON, or was cut off (line 2)"),
        (b"\xff\xfe\x00", "it is no text"),
        (b"{}", "it has no 'format'"),
    ],
)
def test_what_is_no_plan_is_told_in_words(tmp_path: Path, content: bytes, why: str) -> None:
    """Any file may be named by mistake."""
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(PlanRefused) as caught:
        read_plan(path)
    assert why in caught.value.message
    assert "make a new plan" in caught.value.hint
