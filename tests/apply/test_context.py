"""Events of a running apply."""

from __future__ import annotations

from smsby_deploy.apply.context import request_event


def test_request_event_names_the_chunks_of_a_mailing() -> None:
    """An event has chunk numbers as in the remote names, none for a whole mailing, and names at most three mailings."""
    parts = [("sale/vip", 1, 4), ("sale/vip", 2, 4), ("sale/b", 0, 1)]
    line = request_event("accepted", parts, 2500).line
    assert line.startswith("accepted      2,500 ")
    assert line.endswith("  sale/vip [2-3/4], sale/b")
    many = [(f"sale/m{number}", 0, 1) for number in range(9)]
    event = request_event("unknown", many, 9)
    assert event.line.endswith("sale/m0, sale/m1, sale/m2 and 6 more")
    assert len(event.addresses) == 9
    assert event.is_warning
