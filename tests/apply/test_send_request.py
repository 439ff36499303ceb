"""A request as the dispatcher sees it: its mailings, and what a subclass need not say."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.apply.recorder import ChunkRef
from tests.apply.fake_dispatch import ACCEPTED, FakeRequest, World

REFS = st.lists(st.tuples(st.sampled_from(["m/0", "m/1", "m/2"]), st.integers(0, 3)), max_size=8)


def _request(chunks: list[ChunkRef]) -> FakeRequest:
    request = FakeRequest(World(), ("m/0", 0), [ACCEPTED])
    request.chunks = chunks
    return request


@given(REFS)
def test_send_request_names_each_mailing_once(chunks: list[ChunkRef]) -> None:
    """In the order of its chunks; what the dispatcher removes is gone from both."""
    request = _request(chunks)
    assert sorted(request.addresses) == sorted({address for address, _ in chunks})
    assert [chunks[0][0]] == list(request.addresses[:1]) if chunks else not request.addresses
    request.chunks = [ref for ref in chunks if ref[0] != "m/1"]
    assert "m/1" not in request.addresses


def test_send_request_keeps_its_own_list_of_chunks() -> None:
    """The dispatcher removes chunks of a request, not those of its caller."""
    given_chunks = [("m/0", 0), ("m/0", 1)]
    request = FakeRequest(World(), given_chunks[0], [ACCEPTED])
    request.chunks.clear()
    assert given_chunks == [("m/0", 0), ("m/0", 1)]


def test_send_request_may_be_repeated_by_default() -> None:
    """A subclass says otherwise: a phone of its own to blame, or a reason not to repeat it."""
    request = _request([("m/0", 0)])
    assert (request.tries, request.step, request.row) == (0, None, None)
    assert request.objection_to_retry() == ""
    assert request.concerns_one_phone("incorrect phone number") is False


def test_send_request_looks_for_its_present_chunks() -> None:
    """Chunks that were left out of the request are not looked for."""
    looked: list[list[ChunkRef]] = []

    class Reconciler:
        def look_for(self, chunks: list[ChunkRef]) -> None:
            looked.append(list(chunks))

    reconciler: Any = Reconciler()
    request = _request([("m/0", 0), ("m/1", 0)])
    request.chunks = [("m/1", 0)]
    request.look_for_lost(reconciler)
    assert looked == [[("m/1", 0)]]
