"""Lock entries, and a client with tables of answers, for the tests of status."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.deliveries import BulkMailingStatus, Delivery
from smsby_deploy.smsby.parsers import KeepMailing, MailingList, RemoteMailing
from smsby_deploy.status.collect import collect_status
from smsby_deploy.status.delivery_counts import DeliveryCounts, DeliveryTally
from smsby_deploy.status.status_report import MailingStatus, StatusReport

A, B = "a" * 10, "b" * 10  # fingerprints


class FixedClock:
    """A clock that always shows midnight of 2026-12-01 UTC."""

    def now(self) -> datetime:
        return datetime(2026, 12, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None: ...


class TableClient(ReadClient):
    """A client that answers from tables and records the requests in `asked`; it has no transport."""

    def __init__(
        self,
        bulk: dict[str, list[BulkMailingStatus]] | None = None,
        lists: dict[int, list[Delivery]] | None = None,
        listed: list[RemoteMailing] | None = None,
    ) -> None:
        self.bulk, self.lists, self.listed = bulk or {}, lists or {}, listed or []
        self.asked: list[str | int] = []

    def get_sms_messages(self, kind: str | None = None, *, keep: KeepMailing) -> MailingList:
        self.asked.append("getSMSMessages")
        return MailingList(tuple(one for one in self.listed if keep(one.id, one.name)), len(self.listed))

    def status_bulk_sms(self, uuid: str) -> tuple[BulkMailingStatus, ...]:
        self.asked.append(uuid)
        return tuple(self.bulk.get(uuid, ()))

    def get_sms_delivery_list(self, message_id: int) -> Iterator[Delivery]:
        self.asked.append(message_id)
        return iter(self.lists.get(message_id, ()))


def entry(*chunks: ChunkRecord, schedule_time: str | None = None, via: str = "bulk") -> Entry:
    """Return a recorded mailing of these chunks, applied on 2026-11-29 at a cost of 1."""
    recipients = sum(chunk.recipients or 0 for chunk in chunks) if via == "bulk" else None
    applied = AppliedBy("2026-11-29T00:00:00+00:00", "p1", None, "0.1.0")
    return Entry(
        1, "c", "a", via, "MyShop", 1363, schedule_time, recipients, recipients, "1", chunks, applied
    )


def chunk(fingerprint: str, recipients: int | None, state: ChunkState = ChunkState.ACCEPTED) -> ChunkRecord:
    """Return a chunk; an accepted one was sent in request `u1`."""
    uuid = "u1" if state is ChunkState.ACCEPTED else None
    return ChunkRecord(fingerprint, recipients, "d", state, uuid=uuid)


def deliveries(*statuses: str) -> tuple[Delivery, ...]:
    """Return one delivery for each status, to 375290000000, 375290000001 and so on."""
    return tuple(
        Delivery(f"37529{index:07}", status, "2026-12-01 10:00:42.5") for index, status in enumerate(statuses)
    )


def answer(address: str, fingerprint: str, *statuses: str, message_id: int = 1) -> BulkMailingStatus:
    """Return one mailing in the answer of statusBulkSms."""
    name = f"{address} shop#{fingerprint}"
    return BulkMailingStatus(message_id, name, deliveries(*statuses))


def listed(
    address: str, fingerprint: str, count: int | None, *, cost: str = "1", when: int = 0
) -> RemoteMailing:
    """Return one mailing in the answer of getSMSMessages, with id 7."""
    name, price = f"{address} shop#{fingerprint}", Decimal(cost)
    return RemoteMailing(7, name, 0, when, count, count, "NEW", price, "MyShop")


def collect(lock: Lock, client: ReadClient, *select: str) -> StatusReport:
    """Return the status report with the default options."""
    return collect_status(lock, client, select=select, clock=FixedClock())


def total(mailing: MailingStatus) -> int:
    """Return the sum of all counts of a mailing."""
    documented = mailing.delivered + mailing.undelivered + mailing.sent + mailing.pending
    return documented + sum(mailing.other.values())


def count_deliveries(deliveries: Iterable[Delivery], *, list_missed: bool) -> DeliveryCounts:
    """Count `deliveries`; with `list_missed`, also list those that were not delivered."""
    tally = DeliveryTally(list_missed=list_missed)
    tally.add(deliveries)
    return tally.finish()
