"""places: the environment of a lock is part of every name and digest."""

from __future__ import annotations

from smsby_deploy.lock.places import scope_of


def test_scope_of_leaves_production_out() -> None:
    """Names and fingerprints of production are those of before there were environments."""
    assert [scope_of("shop", name) for name in (None, "production", "staging")] == [
        "shop",
        "shop",
        "shop~staging",
    ]
