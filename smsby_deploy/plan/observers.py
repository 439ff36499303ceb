"""What else receives recipients and texts while audiences are read.

That is progress, samples, the cache of chunks, and the files that several mailings share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.plan.chunk_cache import Keep
from smsby_deploy.plan.chunks import OnBatch, ignore_batch
from smsby_deploy.plan.text_counter import ContentPolicy

if TYPE_CHECKING:  # validate never shares reads, and would load pickle; most mailings have no tests
    from smsby_deploy.plan.mailing_tests import MailingTestResult
    from smsby_deploy.recipients.shared_reads import SharedReads


class ReadProgress(NamedTuple):
    """Callbacks that report the reading of audiences.

    `begin` gets the address of each mailing, its number from 1 and the number of all; `advance` gets the number of
    further recipients.
    """

    begin: Callable[[str, int, int], None] = lambda address, number, count: None
    advance: Callable[[int], None] = lambda recipients: None

    def over(self, mailings: Sequence[Mailing]) -> Iterator[Mailing]:
        """Yield `mailings`, reporting each as it begins."""
        for number, mailing in enumerate(mailings, start=1):
            self.begin(mailing.address, number, len(mailings))
            yield mailing


NO_PROGRESS = ReadProgress()


class Observers(NamedTuple):
    """What else receives recipients and texts while a mailing is measured.

    `policy` checks every text that a recipient would get, `on_batch` gets every batch with its texts, `keep` every
    chunk of a mailing that is sent in chunks. With `keeps_phones`, the recipients are kept as a set. `shared` has the
    files that were read for other mailings. `tests` gets the results of the mailing's own tests; None runs none.
    """

    policy: ContentPolicy | None = None
    progress: ReadProgress = NO_PROGRESS
    on_batch: OnBatch = ignore_batch
    keep: Keep | None = None
    keeps_phones: bool = False
    shared: SharedReads | None = None
    tests: list[MailingTestResult] | None = None


NO_OBSERVERS = Observers()
