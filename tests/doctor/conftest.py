"""An examination of an ordinary account, as a fixture."""

from __future__ import annotations

import pytest

from smsby_deploy.clock import SystemClock
from smsby_deploy.doctor.examination import Examination
from tests.doctor.examples import UsualTransport, examination


@pytest.fixture
def transport() -> UsualTransport:
    return UsualTransport()


@pytest.fixture
def look(transport: UsualTransport) -> Examination:
    return examination(transport, SystemClock())
