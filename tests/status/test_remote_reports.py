"""Queries about a chunk, and how the answers of sms.by are assigned to chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from smsby_deploy.errors import ApiError, UnusableAnswer
from smsby_deploy.lock.phone_states import PhoneStates
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Lock
from smsby_deploy.smsby.deliveries import BulkMailingStatus, Delivery
from smsby_deploy.smsby.response import NotFound
from smsby_deploy.status.remote_reports import RemoteReports
from tests.status.examples import A, B, TableClient, answer, chunk, deliveries, entry, listed


class ForgetfulClient(TableClient):
    """A client that knows no request and no message."""

    def status_bulk_sms(self, uuid: str) -> tuple[BulkMailingStatus, ...]:
        raise NotFound("statusBulkSms: not found", status=404)

    def get_sms_delivery_list(self, message_id: int) -> Iterator[Delivery]:
        raise NotFound("getSmsDeliveryList: not found", status=404)


def _reports(client: TableClient, *chunks: ChunkRecord) -> RemoteReports:
    lock = Lock("shop", mailings={"c/x": entry(*chunks)})
    return RemoteReports(lock, client, lambda uuid: (), list_missed=False)


def test_remote_reports_ask_once_per_request() -> None:
    """Two chunks of one request are assigned by fingerprint, with one call of statusBulkSms."""
    client = TableClient({"u1": [answer("c/x", A, "DELIVERED"), answer("c/y", B, "SENT", "SENT")]})
    reports = _reports(client, chunk(A, 1), chunk(B, 2))
    assert reports.count_deliveries(chunk(A, 1)).words == {"DELIVERED": 1}
    assert reports.count_deliveries(chunk(B, 2)).words == {"SENT": 2}
    assert client.asked == ["getSMSMessages", "u1"]


def test_remote_reports_assign_by_message_id_first() -> None:
    """A report with a truncated name still belongs to the chunk with its message_id."""
    unnamed = BulkMailingStatus(7, "c/x", deliveries("DELIVERED"))
    record = replace(chunk(A, 1), message_id=7)
    assert _reports(TableClient({"u1": [unnamed]}), record).count_deliveries(record).total == 1


@pytest.mark.parametrize(("count", "others", "expected"), [(2, 0, 2), (1, 0, 1), (3, 0, 0), (2, 1, 0)])
def test_remote_reports_assign_the_only_one_of_a_request(count: int, others: int, expected: int) -> None:
    """A truncated name is accepted if request and report are about one chunk, and the report is not larger."""
    unnamed = BulkMailingStatus(7, "c/x", deliveries(*["DELIVERED"] * count))
    record = chunk(A, 2)
    reports = _reports(TableClient({"u1": [unnamed]}), record, *[chunk(B, 2)] * others)
    assert reports.count_deliveries(record).total == expected


def test_remote_reports_tell_chunks_with_one_message_id_apart() -> None:
    """If all messages of a request have one id, each chunk gets those under its own name."""
    answers = [
        replace(one, message_id=7) for one in (answer("c/x", A, "DELIVERED"), answer("c/y", B, "SENT"))
    ]
    first, second = (replace(chunk(mark, 1), message_id=7) for mark in (A, B))
    reports = _reports(TableClient({"u1": answers}), first, second)
    assert [reports.count_deliveries(one).words for one in (first, second)] == [{"DELIVERED": 1}, {"SENT": 1}]


def test_remote_reports_ignore_names_of_other_projects() -> None:
    """A listed mailing with our fingerprint but another project is ignored."""
    foreign = replace(listed("c/x", A, 5), name=f"c/x other#{A}")
    reports = _reports(TableClient(listed=[foreign]), chunk(A, 1))
    assert reports.find_listed(chunk(A, 1)) is None


def test_remote_reports_find_the_mailing_that_was_sent() -> None:
    """Of a sent mailing and a draft with one fingerprint the sent one counts, in any order."""
    sent = listed("c/x", A, 5)
    draft = replace(sent, id=6, status="DRAFT")
    for order in ([sent, draft], [draft, sent]):
        assert _reports(TableClient(listed=order), chunk(A, 5)).find_listed(chunk(A, 5)) == sent


@pytest.mark.parametrize("message_id", [None, 7])
def test_remote_reports_of_unknown_messages_are_empty(message_id: int | None) -> None:
    """A request or message that sms.by does not know reports nothing, without an error."""
    record = replace(chunk(A, 1), message_id=message_id)
    assert _reports(ForgetfulClient(), record).count_deliveries(record).total == 0


@pytest.mark.parametrize(
    ("other_message", "foreign", "expected"), [(8, 0, True), (7, 0, False), (8, 2, False)]
)
def test_remote_reports_know_shared_messages(other_message: int, foreign: int, expected: bool) -> None:
    """A single chunk owns its message if no other chunk uses it and all its deliveries are explained."""
    state, phones = ChunkState.ACCEPTED, PhoneStates.parse("a:1")
    record = ChunkRecord(A, 1, "d", state, message_id=7, phones=phones, foreign=foreign)
    other = replace(record, fingerprint=B, message_id=other_message)
    assert _reports(TableClient(), record, other).has_own_message(record) is expected
    assert _reports(TableClient(), record, other).has_own_message(chunk(A, 1)) is True


class FailingClient(TableClient):
    """A client that answers about request u1 and message 7 with an error."""

    def status_bulk_sms(self, uuid: str) -> tuple[BulkMailingStatus, ...]:
        if uuid == "u1":
            raise ApiError("statusBulkSms: no access to 375291234567", status=400)
        return super().status_bulk_sms(uuid)

    def get_sms_delivery_list(self, message_id: int) -> Iterator[Delivery]:
        yield from deliveries("DELIVERED")
        raise ApiError("getSmsDeliveryList: undefined error", status=400)


def test_remote_reports_of_an_error_hide_nothing() -> None:
    """An error about one chunk is a note without phones, and everything else is counted."""
    other, listed_only = replace(chunk(B, 1), uuid="u2"), replace(chunk("c" * 10, 2), uuid=None, message_id=7)
    client = FailingClient({"u2": [answer("c/x", B, "DELIVERED")]})
    reports = _reports(client, chunk(A, 1), other, listed_only)
    assert reports.count_deliveries(chunk(A, 1)).total == 0
    assert reports.take_unread() == ["statusBulkSms: no access to 37529*****67"]
    assert reports.count_deliveries(other).total == 1
    assert reports.take_unread() == []
    assert reports.count_deliveries(listed_only).total == 1
    assert reports.take_unread() == ["getSmsDeliveryList: undefined error"]


class SilentClient(TableClient):
    """A client that fails to answer about requests outside its tables."""

    def status_bulk_sms(self, uuid: str) -> tuple[BulkMailingStatus, ...]:
        if uuid not in self.bulk:
            self.asked.append(uuid)
            raise UnusableAnswer("statusBulkSms: no usable answer (HTTP 500)")
        return super().status_bulk_sms(uuid)


def test_remote_reports_of_a_server_error_hide_nothing() -> None:
    """A server error about one chunk is a note, but a verdict needs all answers, and a report at least one."""
    client = SilentClient({"u2": [answer("c/x", B, "DELIVERED")]})
    reports = _reports(client, chunk(A, 1), replace(chunk(B, 1), uuid="u2"))
    assert reports.count_deliveries(chunk(A, 1)).total == 0
    assert reports.take_unread() == ["statusBulkSms: no usable answer (HTTP 500)"]
    with pytest.raises(UnusableAnswer):
        reports.require_answers()
    assert reports.count_deliveries(replace(chunk(B, 1), uuid="u2")).total == 1
    reports.require_answers()
    with pytest.raises(UnusableAnswer):
        reports.require_answers(to_all=True)


def test_remote_reports_end_if_nothing_is_answered() -> None:
    """After five server errors in a row nothing more is asked."""
    client = SilentClient()
    chunks = [replace(chunk(str(number) * 10, 1), uuid=f"v{number}") for number in range(9)]
    reports = _reports(client, *chunks)
    with pytest.raises(UnusableAnswer):
        for one in chunks:
            reports.count_deliveries(one)
    assert client.asked == ["getSMSMessages", "v0", "v1", "v2", "v3", "v4"]


def _called_back(**statuses: str) -> BulkMailingStatus:
    rows = tuple(Delivery(phone[1:], status, None) for phone, status in statuses.items())
    return BulkMailingStatus(1, f"c/x shop#{A}", rows)


@pytest.mark.parametrize(
    ("called_back", "expected"),
    [
        (_called_back(p375290000000="UNDELIVERED"), {"SENT": 1}),
        (_called_back(p375290000009="DELIVERED"), {"SENT": 1, "DELIVERED": 1}),
        (_called_back(p375290000008="DELIVERED", p375290000009="DELIVERED"), {"SENT": 1}),
    ],
)
@pytest.mark.parametrize("has_bulk_status", [True, False])
def test_remote_reports_add_callbacks(
    called_back: BulkMailingStatus, expected: dict[str, int], has_bulk_status: bool
) -> None:
    """Callbacks change no status of sms.by, and more phones than recipients belong to other mailings."""
    record = replace(chunk(A, 2), message_id=1)
    client = TableClient(
        {"u1": [answer("c/x", A, "SENT")]} if has_bulk_status else {}, lists={1: list(deliveries("SENT"))}
    )
    lock = Lock("shop", mailings={"c/x": entry(record)})
    reports = RemoteReports(lock, client, lambda uuid: (called_back,), list_missed=False)
    assert reports.count_deliveries(record).words == expected
