"""Who holds a shared lock, and until when; test_shared.py has what a lease guarantees."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from smsby_deploy.clock import SystemClock
from smsby_deploy.lock.lease import Holder, StoreFailed, holder_document, read_holder

_AT = "2026-11-02T09:00:00+00:00"


def test_read_holder_refuses_damage() -> None:
    """A note that cannot be read says nothing about who holds the lock, so no run may take it."""
    holder = Holder("x", "apply", 1, "host", _AT, _AT)
    assert read_holder(holder_document(holder)) == holder
    assert read_holder(holder_document(None)) is None
    damaged = (replace(holder, since="yesterday"), replace(holder, renewed="2026-11-02T09:00:00"))
    for text in ("{", "[]", "{}", *map(holder_document, damaged)):
        with pytest.raises(StoreFailed):
            read_holder(text)


def test_holder_is_dead_after_its_lease() -> None:
    """Until then it may be slow."""
    now = SystemClock().now()
    holder = Holder("x", "apply", 1, "host", _AT, now.isoformat())
    assert not holder.is_dead(now + timedelta(seconds=60))
    assert holder.is_dead(now + timedelta(seconds=61))
