"""One HTTP request that sends, as the dispatcher sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from smsby_deploy.apply.reconcile import Reconciler
from smsby_deploy.apply.recorder import ChunkRef
from smsby_deploy.smsby.outcome import Outcome
from smsby_deploy.smsby.send_client import PreparedSend


class SendRequest(ABC):
    """A request with `chunks`; each sender has a subclass for its kind of request.

    `step` is "draft" or "confirm" for a list mailing. With `row` only that phone of the one chunk
    is sent to. The dispatcher sets `order`, counts `tries`, and removes the chunks of stopped
    mailings. One that `is_repeatable` reaches no recipient, and repeating it changes nothing.
    """

    is_repeatable = False

    def __init__(
        self, chunks: Sequence[ChunkRef], *, step: str | None = None, row: int | None = None
    ) -> None:
        self.chunks = list(chunks)
        self.step = step
        self.row = row
        self.tries = 0
        self.order = 0

    @property
    def addresses(self) -> tuple[str, ...]:
        """The mailings it carries, each once, in order."""
        return tuple(dict.fromkeys(address for address, _ in self.chunks))

    @abstractmethod
    def prepare(self) -> PreparedSend:
        """Build the HTTP request with the present `chunks`."""

    def objection_to_retry(self) -> str:
        """Return why it must not be repeated, asked after the pause; empty if it may be."""
        return ""

    def record(self, outcome: Outcome) -> bool:
        """Record its final outcome; return False if it is to be recorded as that of a send.

        Raises:
            StopSending: nothing more can be sent in this run.
        """
        return False

    def record_retry(self, outcome: Outcome, pause: float) -> bool:
        """Record and report that it is repeated after `pause` seconds; False as in `record`."""
        return False

    def concerns_one_phone(self, error: str) -> bool:
        """Return whether a rejection with this error says nothing about the rest of the mailing."""
        return False

    def look_for_lost(self, reconciler: Reconciler) -> None:
        """Find out whether sms.by took it after its answer was lost, and record what was found."""
        reconciler.look_for(self.chunks)

    def on_recorded(self) -> None:  # noqa: B027 - a hook that most need not fill
        """Called once its result is recorded and announced."""
