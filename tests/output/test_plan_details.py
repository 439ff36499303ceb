"""What a comment folds away."""

from __future__ import annotations

from smsby_deploy.output.plan_details import chunks_section
from smsby_deploy.output.translation import ENGLISH
from smsby_deploy.plan.desired import ChunkPlan
from smsby_deploy.plan.model import ActionKind
from tests.output.examples import action


def test_section_of_chunks_has_waves_and_variants() -> None:
    """Each in a column of its own, where the mailing has some."""
    chunks = (ChunkPlan("aaaaaaaaaa", 2, "d", wave=1, variant="b"), ChunkPlan("bbbbbbbbbb", 10, "d", wave=2))
    shown = chunks_section(action("sale/vip", ActionKind.CREATE, chunks=chunks), ENGLISH)
    assert "| chunk | fingerprint | recipients | wave | variant |" in shown
    assert "| 1 | <code>aaaaaaaaaa</code> | 2 | 1 | b |" in shown
    plain = chunks_section(
        action("sale/vip", ActionKind.CREATE, chunks=(ChunkPlan("aaaaaaaaaa", 2, "d"),)), ENGLISH
    )
    assert "| chunk | fingerprint | recipients |\n|---:|---|---:|\n" in plain
