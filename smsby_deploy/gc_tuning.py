"""Makes garbage collection less frequent.

By default Python collects after every 700 new containers. While modules and a project are loaded there is no garbage,
and collections would take a fifth of the time. Later they must run now and then, because memory must not grow with a
list or with the number of requests; every 20,000 containers is often enough for that, and saves a few percent.
"""

from __future__ import annotations

import gc

_OFTEN_ENOUGH = (20_000, *gc.get_threshold()[1:])  # new containers, then as by default
_RARELY = 500_000  # new containers


def collect_seldom() -> None:
    """Run the collector rarely until everything permanent is loaded."""
    gc.set_threshold(_RARELY)


def collect_as_usual() -> None:
    """Run the collector now and then, and exempt everything loaded so far."""
    gc.freeze()
    gc.set_threshold(*_OFTEN_ENOUGH)


def keep_until_exit(value: object) -> None:
    """Do not free `value` before the process ends.

    Freeing ten thousand rows one by one takes 7 ms. The cycle outlives even the modules if `end_quickly` freezes it.
    """
    cycle = [value]
    cycle.append(cycle)


def end_quickly() -> None:
    """Skip the last collection before the process ends: its memory is freed anyway."""
    gc.freeze()
