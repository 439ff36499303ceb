"""What survives the end of the process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.sandbox.server import make_service, serving
from smsby_deploy.sandbox.settings import SandboxSettings
from tests.sandbox.conftest import Client, Stopped


def test_everything_is_kept_in_the_data_file(tmp_path: Path) -> None:
    """Mailings, messages, lists, the balance and the moved clock are there after a restart."""
    data = tmp_path / "sandbox.db"
    seen = []
    for run in range(2):
        service = make_service(SandboxSettings(delay=10), data, Stopped())
        with serving(service) as url:
            sms = Client(url, service)
            if run == 0:
                sms.bulk(name="kept")
                sms.ok("createSmsMessage", message="kept too")
                sms.ok("createSubscriberList", name="VIP")
                sms.door("clock", {"advance": 3600})
            seen.append(
                [
                    sms.inbox(),
                    sms.names(),
                    sms.ok("getMessagesList"),
                    sms.ok("getSubscriberLists"),
                    sms.ok("getBalance"),
                    sms.look("clock"),
                ]
            )
    assert seen[0] == seen[1]
    assert seen[0][1] == ["kept"]


def test_without_a_data_file_nothing_is_kept() -> None:
    """Each start is a new account."""
    for _ in range(2):
        service = make_service(SandboxSettings(), None, Stopped())
        with serving(service) as url:
            sms = Client(url, service)
            assert sms.names() == []
            sms.bulk()


def test_a_file_that_is_no_sandboxes_is_not_touched(tmp_path: Path) -> None:
    """It says so, and leaves the file as it was."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be taken for a damaged one" * 20)
    with pytest.raises(SmsbyDeployError, match="can't be opened"):
        make_service(SandboxSettings(), path)
    assert path.read_text().startswith("not a database")


def test_a_reset_makes_it_new(sms: Client) -> None:
    """Nothing sent, the opening balance, no faults; the switches stay."""
    sms.bulk()
    sms.door("faults", {"mode": "502", "method": "getLimit"})
    sms.door("settings", {"error_status": 200})
    sms.door("reset")
    assert sms.inbox() == {}
    assert sms.look("requests") == []
    assert sms.look("faults") == []
    assert sms.ok("getBalance")["result"] == [{"balance": "1000.00000"}]
    assert sms.look("settings")["error_status"] == 200
    lists = [(one["list_id"], one["name"]) for one in sms.ok("getSubscriberLists")["result"]]
    assert lists == [(3434, "Newsletter"), (3435, "Regulars")]


def test_nobody_overdraws_by_calling_at_once(sms: Client) -> None:
    """Calls are carried out one by one: ten at once spend what there is, not more."""
    sms.door("settings", {"balance": "0.13"})
    with ThreadPoolExecutor(10) as pool:
        answers: list[requests.Response] = list(pool.map(lambda n: sms.bulk(f"37529111111{n}"), range(10)))
    assert sum(answer.status_code == 200 for answer in answers) == 5
    assert sms.look("settings")["balance"] == "0.000"


def test_one_can_look_while_others_send(sms: Client) -> None:
    """Every look is whole, and the last one has all."""

    def send(n: int) -> int:
        return sms.bulk(f"3752911111{n:02}").status_code

    with ThreadPoolExecutor(4) as pool:
        sends = pool.map(send, range(40))
        looks = [len(sms.inbox()) for _ in range(20)]
        overviews = [len(sms.look("overview")["phones"]) for _ in range(20)]
        assert set(sends) == {200}
    assert looks == sorted(looks)
    assert overviews == sorted(overviews)
    assert len(sms.inbox()) == len(sms.look("overview")["phones"]) == 40
