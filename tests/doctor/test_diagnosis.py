"""doctor never sends without --to, whatever sms.by answers, and reports every fact."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import Refused, UsageError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.smsby.facts import AccountFacts, FactName, FactState, read_facts, write_facts
from smsby_deploy.smsby.methods import METHODS, Effect, Method
from smsby_deploy.smsby.response import Answer
from smsby_deploy.smsby.transport import AnswerLost, NotConnected
from tests.apply.fake_smsby import LOST, OFFLINE, error
from tests.doctor.examples import ACCOUNT, PROJECT, UsualTransport, examine
from tests.smsby.any_json import ANY_JSON

_PHONE = "375291111111"
_MOMENT = int(SystemClock().now().timestamp())
# Answers that are likely to lead far: lists with rows, ids, times, and refusals of every kind.
_LIKELY = [
    {"status": "OK", "currency": "BYN", "result": [{"balance": "100"}]},
    {"limit": 100},
    {"0": "System name"},
    {"status": "OK", "result": [{"list_id": 7, "name": "smsby-deploy doctor"}]},
    {"status": "OK", "result": {"list_id": 8}},
    {
        "status": "success",
        "data": [{"id": 9, "name": "smsby-deploy doctor", "d_create": _MOMENT, "d_schedule": 1}],
    },
    {"status": "success", "data": []},
    {"status": "ok", "message_id": 9, "parts": 1, "time": _MOMENT},
    {"result": [{"message_id": 9, "message": "a", "d_create": "2026-11-02 12:00:00"}, {"message_id": 8}]},
    {"result": [{"phone": 375291111111, "status": "sent", "d_sent": "2026-11-02 12:00:00"}]},
    {"inserted": 0, "updated": 0, "invalid": 1, "log": [{"index": 0, "error_message": "no"}]},
    {"uuid": "cc9c8043", "success": "OK"},
    {"sms_id": 5, "status": "NEW"},
    {"error": "The same message exists with ID=9", "message_id": 9},
    {"error": "token is invalid"},
    {"error": "incorrect arguments"},
    {"error": "message_id not found"},
]
_ANSWERS = st.one_of(
    st.builds(
        lambda status, data: Answer(status, data, readable=data is not None, is_empty=data is None),
        st.sampled_from([200, 200, 200, 200, 204, 400, 403, 404, 405, 406, 500, 503]),
        st.one_of(st.sampled_from(_LIKELY), ANY_JSON),
    ),
    st.sampled_from([LOST, OFFLINE]),
)


class _Anything(UsualTransport):
    """Answers each call with a drawn answer, often the usual one."""

    def __init__(self, draw: Any) -> None:
        super().__init__()
        self._draw = draw

    def _reply(self, method: Method, params: Any) -> Answer:
        if self._draw(st.integers(0, 3)):
            return super()._reply(method, params)
        self.calls.append((method.name, dict(params)))
        answer: Answer | NotConnected | AnswerLost = self._draw(_ANSWERS)
        if isinstance(answer, Exception):
            raise answer
        return answer


@given(data=st.data(), leaves_rows=st.booleans())
@settings(max_examples=2 * settings().max_examples)
def test_doctor_sends_nothing_without_a_phone(data: st.DataObject, leaves_rows: bool) -> None:
    """Without --to no sequence of answers leads to a call that could reach a recipient, or leaves rows without --ask.

    Whatever it learns can be written and read again.
    """
    transport = _Anything(data.draw)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "smsby.yaml").write_text(PROJECT)
        path = folder / "smsby.facts.json"
        save = lambda facts: write_facts(path, facts, "https://app.sms.by")  # noqa: E731
        report = examine(folder, transport, leaves_rows=leaves_rows, save=save)
        known = read_facts(path, ACCOUNT).facts
    for method, params in transport.calls:
        assert not METHODS[method].sends_with(params) or METHODS[method].only_prepares
        assert leaves_rows or METHODS[method].effect is not Effect.CHANGES
        assert leaves_rows or not METHODS[method].sends_with(params)
    assert [one.fact.name for one in report.findings] == list(FactName)
    assert report.exit_code in (0, 4, 7)
    assert all(known[one.fact.name].value == one.fact.value for one in report.findings if one.is_new)
    assert all(one.fact.state is not FactState.NOT_ASKED for one in report.findings if one.is_new)


def _folder(tmp_path: Path, more: str = "") -> Path:
    (tmp_path / "smsby.yaml").write_text(PROJECT + more, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("answer", [error("token is invalid", 403), error("token is invalid"), Answer(401)])
def test_doctor_stops_at_a_refused_token(tmp_path: Path, answer: Answer) -> None:
    """After a refused token nothing more is asked or saved, as the token belongs to no account."""
    transport = UsualTransport()
    transport.script("getBalance", answer)
    saved: list[AccountFacts] = []
    report = examine(_folder(tmp_path), transport, leaves_rows=True, save=saved.append)
    assert [name for name, _ in transport.calls] == ["getBalance"]
    assert report.exit_code is ExitCode.UNREACHABLE
    assert saved == []
    assert not report.has_learned


@pytest.mark.parametrize("method", ["getLimit", "getAlphanames", "checkSMSMessageStatus", "getSMSMessages"])
def test_doctor_stops_at_a_token_that_is_revoked(tmp_path: Path, method: str) -> None:
    """After a token was revoked nothing more is asked."""
    transport = UsualTransport()
    transport.script(method, error("token is invalid", 403))
    report = examine(_folder(tmp_path), transport, leaves_rows=True)
    assert report.exit_code is ExitCode.UNREACHABLE
    assert len(transport.named(method)) == (
        3 if method == "getSMSMessages" else 1
    )  # one of each of the three kinds
    assert transport.calls[-1][0] == method


def test_doctor_tries_another_style_for_a_post(tmp_path: Path) -> None:
    """If a POST refuses a token that a GET accepts, each other call style is tried once, as it may read it elsewhere."""
    transport = UsualTransport()
    for method in ("statusBulkSms", "confirmSendMessageByList", "getSubscriberLists"):
        transport.script(method, error("token is invalid", 403))
    report = examine(_folder(tmp_path), transport)
    assert [len(transport.named(one)) for one in ("statusBulkSms", "confirmSendMessageByList")] == [4, 4]
    assert len(transport.named("getSubscriberLists")) == 6
    assert report.exit_code is ExitCode.DONE
    (styles,) = [one for one in report.findings if one.fact.name is FactName.CALL_STYLES]
    assert styles.learned == "not learnable: several readings fit the answer"


def test_doctor_asks_with_a_wrong_token_once(tmp_path: Path) -> None:
    """A wrong token is used only for the second query."""
    transport = UsualTransport()
    transport.script("statusBulkSms", error("token is invalid", 403))
    examine(_folder(tmp_path), transport, leaves_rows=True)
    assert len(transport.named("getBalance")) == 2


def test_doctor_keeps_what_it_learned_before_sms_by_failed(tmp_path: Path) -> None:
    """The facts learned before sms.by failed are saved, and the exit code says that not everything was asked."""
    transport = UsualTransport()
    transport.script("getAlphanames", OFFLINE)
    saved: list[AccountFacts] = []
    report = examine(_folder(tmp_path), transport, save=saved.append)
    assert report.exit_code is ExitCode.UNREACHABLE
    assert saved[-1].value(FactName.CURRENCY) == "BYN"
    assert saved[-1].get(FactName.SENDERS).state is FactState.NOT_ASKED


@pytest.mark.parametrize(
    ("to", "more", "failure"),
    [
        ("12", "", UsageError),
        (_PHONE, 'test_phones: ["375299999999"]\n', Refused),
        (_PHONE, "test_phones: []\n", Refused),
        (_PHONE, "suppress: [out.csv]\n", Refused),
    ],
)
def test_doctor_asks_nothing_if_the_phone_may_not_get_it(
    to: str, more: str, failure: type[Exception], tmp_path: Path
) -> None:
    """If test-send would refuse the phone, doctor asks nothing."""
    (tmp_path / "out.csv").write_text(f"{_PHONE}\n")
    transport = UsualTransport()
    with pytest.raises(failure):
        examine(_folder(tmp_path, more), transport, to=to)
    assert transport.calls == []


def test_doctor_contradicts_the_files(tmp_path: Path) -> None:
    """Unknown senders and lists in the files, and a price in another currency, are exit code 4."""
    (tmp_path / "sale.yaml").write_text(
        "version: 1\ncampaign: sale\nalphaname: NoShop\nmailings:\n"
        "  - {name: a, recipients: ['375291234567'], text: hi}\n  - {name: b, list: Regulars, text: hi}\n"
        "  - {name: c, alphaname: MyShop, list: Newsletter, text: hi}\n"
    )
    report = examine(_folder(tmp_path, "price: {currency: RUB, per_part: 1}\n"), UsualTransport())
    wrong = {one.fact.name: one.meaning for one in report.findings if one.contradicts}
    assert report.exit_code is ExitCode.REFUSED
    assert wrong == {
        FactName.CURRENCY: "the balance is in BYN, but price.currency is RUB: correct it",
        FactName.SENDERS: "the account has no sender NoShop: correct alphaname, or register it at sms.by",
        FactName.LISTS: "the account has no contact list Regulars: correct `list`, or make it at sms.by",
    }
