"""What survives the end of the process."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.sandbox.sandbox_settings import SandboxSettings
from smsby_deploy.sandbox.server import make_service, serving
from tests.sandbox.conftest import Client, Stopped


def test_store_keeps_everything_in_the_data_file(tmp_path: Path) -> None:
    """Mailings, messages, lists, the balance and the moved clock survive a restart."""
    data = tmp_path / "sandbox.db"
    seen = []
    for run in range(2):
        service = make_service(SandboxSettings(delay=10, strict=False), data, Stopped())
        with serving(service) as url:
            sms = Client(url, service)
            if run == 0:
                sms.bulk(name="kept")
                sms.ok("createSmsMessage", message="kept too")
                sms.ok("createSubscriberList", name="VIP")
                sms.control("clock", {"advance": 3600})
            seen.append(
                [
                    sms.inbox(),
                    sms.names(),
                    sms.ok("getMessagesList"),
                    sms.ok("getSubscriberLists"),
                    sms.ok("getBalance"),
                    sms.view("clock"),
                ]
            )
    assert seen[0] == seen[1]
    assert seen[0][1] == ["kept"]


def test_store_without_a_data_file_starts_empty() -> None:
    """Without a data file every start is a new account."""
    for _ in range(2):
        service = make_service(SandboxSettings(), None, Stopped())
        with serving(service) as url:
            sms = Client(url, service)
            assert sms.names() == []
            sms.bulk()


def test_store_does_not_touch_other_files(tmp_path: Path) -> None:
    """A file of another kind is refused and stays as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to look like a damaged one" * 20)
    with pytest.raises(SmsbyDeployError, match="cannot keep sandbox data"):
        make_service(SandboxSettings(), path)
    assert path.read_text().startswith("not a database")
