"""A project and a fake sms.by for the tests of the senders."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apply.fake_smsby import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """An empty project called shop, and a fake sms.by."""
    return Shop(tmp_path)
