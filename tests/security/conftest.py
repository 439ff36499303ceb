"""Attacks on the real command, with a sandbox or a server that a test scripts."""

from __future__ import annotations

from tests.e2e.conftest import shop as shop
from tests.smsby.conftest import clock as clock
from tests.smsby.conftest import make_sender as make_sender
from tests.smsby.conftest import reader as reader
from tests.smsby.conftest import sender as sender
from tests.smsby.conftest import wire as wire
