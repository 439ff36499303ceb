"""Projects and a fake sms.by for the tests of the senders."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apply.fake_smsby import Shop
from tests.apply.single_mailing import inbox, single
from tests.apply.uploaded_mailing import known, uploaded
from tests.apply.waiting_mailings import waiting, waves

__all__ = ["inbox", "known", "shop", "single", "uploaded", "waiting", "waves"]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """An empty project named shop, and a fake sms.by."""
    return Shop(tmp_path)
