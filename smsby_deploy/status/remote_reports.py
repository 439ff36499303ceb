"""What sms.by reports about recorded chunks.

Each request is queried once, however many chunks it carried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smsby_deploy.errors import ApiError, UnusableAnswer
from smsby_deploy.lock.records import ChunkRecord, Lock
from smsby_deploy.plan.fingerprint import read_remote_name
from smsby_deploy.plan.remote_state import RemoteView, read_remote
from smsby_deploy.privacy import mask_phones
from smsby_deploy.smsby.response import NotFound
from smsby_deploy.status.delivery_counts import DeliveryCounts, DeliveryTally
from smsby_deploy.status.final_chunks import FinalChunks

if TYPE_CHECKING:
    from smsby_deploy.smsby.client import ReadClient
    from smsby_deploy.smsby.deliveries import BulkMailingStatus
    from smsby_deploy.smsby.parsers import RemoteMailing

_MOST_FAILURES = 5  # in a row; then sms.by seems to be down, and each further query would take seconds

# Returns the mailings of the request with a uuid, as far as callbacks report them.
ReadCallbacks = Callable[[str], "tuple[BulkMailingStatus, ...]"]


@dataclass(frozen=True, slots=True)
class _BulkReport:
    """The deliveries that statusBulkSms reports for one mailing of a request."""

    message_id: int | None
    fingerprint: str | None
    tally: DeliveryTally

    def is_about(self, chunk: ChunkRecord) -> bool:
        has_same_id = chunk.message_id is not None and self.message_id == chunk.message_id
        return has_same_id or self.fingerprint == chunk.fingerprint


class RemoteReports:
    """Answers of sms.by about the chunks of one lock, each asked for at most once."""

    def __init__(
        self,
        lock: Lock,
        client: ReadClient,
        read_callbacks: ReadCallbacks,
        *,
        list_missed: bool,
        final: FinalChunks | None = None,
        remote: RemoteView | None = None,
    ) -> None:
        """Read the list of mailings, unless `remote` is the list as read just before.

        `final` holds the chunks that were final in earlier reports and are not queried again. It is extended.

        Raises:
            SmsbyUnavailable, TokenRefused, ApiError: sms.by did not answer.
        """
        self._project = lock.scope
        self._client = client
        self._read_callbacks = read_callbacks
        self._list_missed = list_missed
        chunks = [chunk for _, entry in lock.revisions() for chunk in entry.chunks]
        self._message_uses = Counter(chunk.message_id for chunk in chunks)
        self._request_sizes = Counter(chunk.uuid for chunk in chunks)
        self._bulk_reports: dict[str, list[_BulkReport]] = {}
        self._errors: dict[str, str] = {}  # by uuid
        self._final = FinalChunks() if final is None else final
        self._unread: list[str] = []  # errors of sms.by in place of deliveries, masked
        self._failures: list[UnusableAnswer] = []
        self._failures_in_a_row = 0
        self._has_answer = False
        self.remote = read_remote(client, lock.scope, lock) if remote is None else remote

    def has_own_message(self, chunk: ChunkRecord) -> bool:
        """Return whether all deliveries of its message belong to `chunk`.

        A chunk sent phone by phone shares its message with every other send of the same text.
        """
        return chunk.phones is None or (chunk.foreign == 0 and self._message_uses[chunk.message_id] == 1)

    def find_listed(self, chunk: ChunkRecord) -> RemoteMailing | None:
        """Return `chunk` in the list of mailings; None proves nothing."""
        return self.remote.find_sent(chunk) if self.has_own_message(chunk) else None

    def count_deliveries(self, chunk: ChunkRecord, *, is_overdue: bool = False) -> DeliveryCounts:
        """Return the reported deliveries of an accepted chunk; call it once for each.

        They are found by its uuid, otherwise by its message_id. Callbacks add the phones that sms.by does not report. An
        error of sms.by about this chunk is kept for `take_unread`, and does not affect the others. In an overdue chunk, no
        message is open.
        """
        known = self._final.find(chunk, is_overdue=is_overdue, needs_phones=self._list_missed)
        if known is not None:
            self._has_answer = True
            return known
        errors = len(self._unread)
        tally = self._tally_of_request(chunk)
        if tally is None:
            tally = self._tally_of_message(chunk)
        is_own = tally.is_finished or not self._add_callbacks(chunk, tally)
        counts = tally.finish()
        if is_overdue:
            counts.settle()
        if is_own and len(self._unread) == errors:  # callbacks come from a mere file in the checkout
            self._final.add(chunk, counts, is_overdue=is_overdue)
        return counts

    def require_answers(self, *, to_all: bool = False) -> None:
        """Check that sms.by answered some query about deliveries, if there was any.

        With `to_all`, it must have answered each.

        Raises:
            UnusableAnswer: it did not.
        """
        if self._failures and (to_all or not self._has_answer):
            raise self._failures[0]

    def take_unread(self) -> list[str]:
        """Return the masked errors received in place of deliveries since the last call."""
        unread, self._unread = self._unread, []
        return unread

    def _tally_of_request(self, chunk: ChunkRecord) -> DeliveryTally | None:
        if chunk.uuid is None:
            return None
        if chunk.uuid not in self._bulk_reports:
            self._bulk_reports[chunk.uuid] = [
                self._bulk_report(mailing) for mailing in self._status_of_request(chunk.uuid)
            ]
        reports = self._bulk_reports[chunk.uuid]
        about = [report for report in reports if report.is_about(chunk)] or self._only_report(reports, chunk)
        if about:  # several chunks may have one message_id, but never one fingerprint
            return next((one for one in about if one.fingerprint == chunk.fingerprint), about[0]).tally
        if chunk.uuid in self._errors:
            self._unread.append(self._errors[chunk.uuid])
        return None

    def _only_report(self, reports: list[_BulkReport], chunk: ChunkRecord) -> list[_BulkReport]:
        """Return the report with a truncated name, if the request carried only one chunk."""
        if len(reports) != 1 or self._request_sizes[chunk.uuid] != 1:
            return []
        [report] = reports
        has_other_id = None not in (report.message_id, chunk.message_id)
        is_too_large = chunk.recipients is None or len(report.tally) > chunk.recipients
        return [] if report.fingerprint is not None or has_other_id or is_too_large else reports

    def _bulk_report(self, mailing: BulkMailingStatus) -> _BulkReport:
        tally = DeliveryTally(list_missed=self._list_missed)
        tally.add(mailing.deliveries)
        return _BulkReport(mailing.message_id, self._fingerprint(mailing.name), tally)

    def _tally_of_message(self, chunk: ChunkRecord) -> DeliveryTally:
        tally = DeliveryTally(list_missed=self._list_missed)
        listed = self.find_listed(chunk)
        message_id = chunk.message_id if chunk.message_id is not None else listed.id if listed else None
        if message_id is None:
            return tally
        try:
            tally.add(self._client.get_sms_delivery_list(message_id))
            self._note_answer()
        except NotFound:
            self._note_answer()  # one message that sms.by does not know (yet) must not hide the others
        except (ApiError, UnusableAnswer) as error:
            self._unread.append(self._note_failure(error))
        return tally

    def _add_callbacks(self, chunk: ChunkRecord, tally: DeliveryTally) -> bool:
        """Add the phones that callbacks report and sms.by does not; return whether there are any.

        The lock holds no phones: if there would be more phones than recipients in the chunk, some belong to another mailing,
        and none is added.
        """
        before = len(tally)
        if chunk.uuid is None or chunk.recipients is None or before >= chunk.recipients:
            return False
        for mailing in self._read_callbacks(chunk.uuid):
            if not self._bulk_report(mailing).is_about(chunk):
                continue
            new = [one for one in mailing.deliveries if one.phone not in tally]
            if len(tally) + len({one.phone for one in new}) <= chunk.recipients:
                tally.add(new)
        return len(tally) > before

    def _status_of_request(self, uuid: str) -> tuple[BulkMailingStatus, ...]:
        reported: tuple[BulkMailingStatus, ...] = ()
        try:
            reported = self._client.status_bulk_sms(uuid)
            self._note_answer()
        except NotFound:
            self._note_answer()
        except (ApiError, UnusableAnswer) as error:
            self._errors[uuid] = self._note_failure(error)
        return reported

    def _note_answer(self) -> None:
        self._has_answer, self._failures_in_a_row = True, 0

    def _note_failure(self, error: ApiError | UnusableAnswer) -> str:
        """Return the masked text of an error about one chunk.

        Raises:
            UnusableAnswer: sms.by has repeatedly failed to answer.
        """
        if isinstance(error, ApiError):
            self._note_answer()
        else:
            self._failures.append(error)
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= _MOST_FAILURES:
                raise error
        return mask_phones(error.message)

    def _fingerprint(self, name: str | None) -> str | None:
        """Return the fingerprint in a remote name of this project."""
        found = read_remote_name(name or "")
        return found.fingerprint if found and found.project == self._project else None
