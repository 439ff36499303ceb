"""What is asked of sms.by about a chunk, and how its answers are assigned to chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from smsby_deploy.lock.phone_states import PhoneStates
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Lock
from smsby_deploy.smsby.parsers import BulkMailingStatus, Delivery
from smsby_deploy.smsby.response import NotFound
from smsby_deploy.status.remote_reports import RemoteReports
from tests.status.examples import A, B, TableClient, answer, chunk, deliveries, entry, listed


class ForgetfulClient(TableClient):
    """Knows no request and no message."""

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
    unnamed = BulkMailingStatus(7, "c/x", None, deliveries("DELIVERED"), None)
    record = replace(chunk(A, 1), message_id=7)
    assert _reports(TableClient({"u1": [unnamed]}), record).count_deliveries(record).total == 1


def test_remote_reports_ignore_names_of_other_projects() -> None:
    """A listed mailing with our fingerprint but another project is not ours."""
    foreign = replace(listed("c/x", A, 5), name=f"c/x other#{A}")
    reports = _reports(TableClient(listed=[foreign]), chunk(A, 1))
    assert reports.find_listed(chunk(A, 1)) is None


@pytest.mark.parametrize("message_id", [None, 7])
def test_remote_reports_of_unknown_messages_are_empty(message_id: int | None) -> None:
    """A request or message that sms.by does not know reports nothing and raises nothing."""
    record = replace(chunk(A, 1), message_id=message_id)
    assert _reports(ForgetfulClient(), record).count_deliveries(record).total == 0


@pytest.mark.parametrize(
    ("other_message", "foreign", "expected"), [(8, 0, True), (7, 0, False), (8, 2, False)]
)
def test_remote_reports_know_shared_messages(other_message: int, foreign: int, expected: bool) -> None:
    """A single-send chunk owns its message if no other chunk uses it and all its deliveries are explained."""
    state, phones = ChunkState.ACCEPTED, PhoneStates.parse("a:1")
    record = ChunkRecord(A, 1, "d", state, message_id=7, phones=phones, foreign=foreign)
    other = replace(record, fingerprint=B, message_id=other_message)
    assert _reports(TableClient(), record, other).has_own_message(record) is expected
    assert _reports(TableClient(), record, other).has_own_message(chunk(A, 1)) is True
