"""File permissions that apply even to root, who can otherwise read every file."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION_3 = 0x20080522
_OVERRIDES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


@contextmanager
def ordinary_permissions() -> Iterator[None]:
    """Let this thread read only what permissions allow."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    before = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, each in two halves
    assert libc.capget(header, before) == 0
    assert libc.capset(header, (ctypes.c_uint32 * 6)(before[0] & ~_OVERRIDES, *before[1:])) == 0
    try:
        yield
    finally:
        assert libc.capset(header, before) == 0
