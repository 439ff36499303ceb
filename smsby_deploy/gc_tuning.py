"""The garbage collector, which looks for objects that hold each other in a circle: when it is worth its time.

By default it looks after every 700 new containers. While modules and a project are loaded nothing of what it looks at is
garbage, and a fifth of the time goes into looking. Afterwards it must be as usual: what is read of a long list does leave
circles behind, and without it the memory would grow with the list.
"""

from __future__ import annotations

import gc

_USUAL = gc.get_threshold()
_SELDOM = 500_000  # new containers


def collect_seldom() -> None:
    """From the start on, till all that stays is loaded."""
    gc.set_threshold(_SELDOM)


def collect_as_usual() -> None:
    """All that stays is loaded, and is not looked at again."""
    gc.freeze()
    gc.set_threshold(*_USUAL)


def end_quickly() -> None:
    """The memory is given back in a moment: a last look through all of it would only take time."""
    gc.freeze()
