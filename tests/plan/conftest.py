"""Projects for the tests of plans."""

from __future__ import annotations

from tests.plan.approval_desk import desk, keys

__all__ = ["desk", "keys"]
