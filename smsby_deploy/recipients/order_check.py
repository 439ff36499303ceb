"""Whether the order of a query's rows is certain."""

from __future__ import annotations

from itertools import islice
from operator import eq, itemgetter

from smsby_deploy.recipients.rows import RecipientsError, find_column
from smsby_deploy.wording import sentence


class OrderCheck:
    """Checks that `order_by` orders different rows without ties.

    Tied rows could come in another order the next time, and then a partly sent mailing would not be recognized.
    """

    def __init__(self, columns: tuple[str, ...], order_by: str | None) -> None:
        self.order_by = order_by
        wanted = [find_column(columns, key.split()[0]) for key in (order_by or "").split(",") if key]
        known = [index for index in wanted if index is not None]
        self.key = itemgetter(*known) if known else None
        self.last: list[str] | None = None

    def check(self, cells: list[list[str]], first: int) -> None:
        """Check the rows from `first` on, which are not empty.

        Raises:
            RecipientsError: two of them may come in another order.
        """
        rows = cells if self.last is None else [self.last, *cells]
        before = first if self.last is None else first - 1
        self.last = cells[-1]
        if self.key is None:
            return
        keys = [self.key(row) for row in rows]
        for index, tie in enumerate(map(eq, keys, islice(keys, 1, None))):
            if tie and rows[index] != rows[index + 1]:
                message = sentence(
                    "tied with the next row in `order_by: {order}`, so their order can change; add a column that orders "
                    "them",
                    order=self.order_by,
                )
                raise RecipientsError(message, before + index, "ORDER")
