"""Projects for the tests of plans."""

from __future__ import annotations

from tests.plan.approval_desk import desk
from tests.plan.ssh_keys import keys

__all__ = ["desk", "keys"]
