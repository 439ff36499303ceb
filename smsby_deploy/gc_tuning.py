"""Control of the garbage collector.

By default it runs after every 700 new containers. While modules and a project are loaded there is no garbage, and it would
take a fifth of the time. Later it must run as usual: reading a long list leaves reference cycles, and memory would grow
with the list.
"""

from __future__ import annotations

import gc

_DEFAULT = gc.get_threshold()
_RARELY = 500_000  # new containers


def collect_seldom() -> None:
    """Run the collector rarely until everything permanent is loaded."""
    gc.set_threshold(_RARELY)


def collect_as_usual() -> None:
    """Run the collector as usual, and exempt what is loaded so far."""
    gc.freeze()
    gc.set_threshold(*_DEFAULT)


def keep_until_exit(value: object) -> None:
    """Do not free `value` before the process ends.

    Freeing ten thousand rows one by one takes 10 ms. The cycle outlives even the modules if `end_quickly` freezes it.
    """
    cycle = [value]
    cycle.append(cycle)


def end_quickly() -> None:
    """Skip the last collection before the process ends: its memory is freed anyway."""
    gc.freeze()
