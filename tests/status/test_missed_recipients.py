"""missed_recipients: every row is kept, compressed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.status.missed_recipients import Missed, MissedRows


@given(
    st.lists(
        st.builds(Missed, st.text(), st.text(), st.none() | st.text(), st.booleans(), st.booleans()),
        max_size=5,
    )
)
def test_missed_rows_keep_every_row(rows: list[Missed]) -> None:
    """In their order; longer ones are in several blocks."""
    kept = MissedRows(rows * 500)
    assert (list(kept), len(kept)) == (rows * 500, len(rows) * 500)
    kept.extend(MissedRows(rows))
    assert list(kept) == rows * 501
    assert kept != MissedRows([*rows, Missed("1", "SENT", None)])
