"""The client of doctor itself refuses whatever could reach a recipient."""

from __future__ import annotations

from typing import Any

import pytest

from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import SmsbyUnavailable
from smsby_deploy.smsby.methods import METHODS, Effect
from smsby_deploy.smsby.parameters import CallStyle
from smsby_deploy.smsby.probe_client import ProbeClient
from smsby_deploy.smsby.response import Answer
from smsby_deploy.smsby.transport import AnswerTooSlow
from tests.apply.fake_smsby import LOST, FakeTransport, busy, ok

_PARAMS: dict[str, Any] = {"confirm": 1}


def _client(*, may_write: bool) -> tuple[FakeTransport, ProbeClient]:
    transport = FakeTransport(SystemClock())
    for name in METHODS:
        transport.script(name, ok({}))
    return transport, ProbeClient(transport, transport, may_write=may_write)


@pytest.mark.parametrize("may_write", [False, True])
@pytest.mark.parametrize("style", [None, *CallStyle])
@pytest.mark.parametrize(
    "name", [name for name, one in METHODS.items() if one.sends and not one.only_prepares]
)
def test_probe_client_sends_nothing(name: str, style: CallStyle | None, may_write: bool) -> None:
    """The probe client sends nothing, in any call style and with any parameters, confirm=1 included."""
    transport, client = _client(may_write=may_write)
    params = dict.fromkeys(METHODS[name].required, 1)
    with pytest.raises(PermissionError):
        client.call(name, params | _PARAMS, style=style)
    assert transport.calls == []


@pytest.mark.parametrize("name", ["createSmsMessage", "createSubscriberList", "importContacts"])
def test_probe_client_leaves_rows_only_with_leave(name: str) -> None:
    """A call that leaves rows needs `leave`, and is made once, whatever the answer."""
    params = {"message": "a", "name": "a", "list_id": 1, "field_names": ["phone"], "data": [["0"]]}
    transport, client = _client(may_write=False)
    with pytest.raises(PermissionError):
        client.call(name, params)
    assert transport.calls == []
    transport, client = _client(may_write=True)
    transport.script(name, busy())
    assert client.call(name, params).status == 429
    transport.script(name, LOST)
    with pytest.raises(SmsbyUnavailable):
        client.call(name, params)
    assert len(transport.calls) == 2


def test_probe_client_asks_again_if_sms_by_is_busy() -> None:
    """A query is repeated after a 429, a proxy's error or a lost answer, and after no other answer."""
    transport, client = _client(may_write=False)
    transport.script("getBalance", busy(), Answer(502), LOST, Answer(500, {"error": "x"}, readable=True))
    assert client.call("getBalance").status == 500
    assert len(transport.calls) == 4
    transport.script("getBalance", busy())
    with pytest.raises(SmsbyUnavailable):
        client.call("getBalance")


def test_probe_client_asks_a_slow_service_three_times() -> None:
    """A query whose answer makes no progress is tried three times, as by every other command."""
    transport, client = _client(may_write=False)
    transport.script("getBalance", AnswerTooSlow("timed out"))
    with pytest.raises(AnswerTooSlow):
        client.call("getBalance")
    assert len(transport.calls) == 3


def test_probe_client_may_ask_about_a_draft() -> None:
    """confirm=0, and every method that only reads, can be called."""
    transport, client = _client(may_write=False)
    client.call("confirmSendMessageByList", {"message_id": 1, "confirm": 0})
    for name, method in METHODS.items():
        if method.effect is Effect.ASKS:
            client.call(name, dict.fromkeys(method.required, 1))
    assert len(transport.calls) == 1 + sum(method.effect is Effect.ASKS for method in METHODS.values())
