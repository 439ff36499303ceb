"""Tests in headless Chromium. They are skipped where it is not installed (`make browser`)."""

from __future__ import annotations

from tests.sandbox.conftest import sms  # noqa: F401  # the fixture
