"""A document read as it arrives equals that of the json module, whatever its pieces are."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsby_deploy.smsby.answer_limits import TooLarge
from smsby_deploy.smsby.json_stream import JsonStream, KeepRow
from smsby_deploy.smsby.response import Rows

_LIMIT = 1 << 20
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=9),
    st.sampled_from(["\ud800", "]}", '",', "2026"]),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=9,
)
_DOCUMENTS = _VALUES | st.dictionaries(st.sampled_from(["status", "data", "result", "error"]), _VALUES)
_DAMAGE = st.sampled_from(["", "", "]", "}", ",", ":", " ", '"', "1", "x", "[", '{"data": [', "\\"])


def _read(content: bytes, size: int = 5, keep: KeepRow = lambda row: True, limit: int = _LIMIT) -> Any:
    pieces = (content[at : at + size] for at in range(0, len(content), size))
    return JsonStream(pieces, keep, limit).read()


def _plain(document: Any) -> Any:
    if not isinstance(document, dict):
        return document
    return {key: value.kept if isinstance(value, Rows) else value for key, value in document.items()}


def _outcome(read: Any) -> str:
    """Return the value, or that there is none; NaN equals itself in this form."""
    try:
        return repr(read())
    except (ValueError, RecursionError):
        return "not JSON"


@settings(max_examples=2 * settings().max_examples)
@given(_DOCUMENTS, st.data(), st.booleans(), st.integers(1, 40))
def test_json_stream_reads_what_json_reads(
    document: Any, data: st.DataObject, ascii: bool, size: int
) -> None:
    """The stream reads what the json module reads, even after a character was inserted or the rest removed."""
    text = json.dumps(document, ensure_ascii=ascii)
    at, end = (data.draw(st.integers(0, len(text)), label=label) for label in ("at", "end"))
    text = text[:at] + data.draw(_DAMAGE) + (text[at:] if data.draw(st.booleans()) else text[at:end])
    content = text.encode("utf-8", "surrogatepass")
    if not content.strip(b" "):
        return
    assert _outcome(lambda: _plain(_read(content, size))) == _outcome(lambda: json.loads(content))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_stream_reads_any_encoding_of_json(encoding: str) -> None:
    assert _plain(_read('{"data": ["привет"]}'.encode(encoding), size=3)) == {"data": ["привет"]}


@pytest.mark.parametrize("number", ["1.5", "1e5", "-1.5E+5", "12345", "-0", "NaN", "-Infinity"])
def test_json_stream_reads_a_number_in_pieces(number: str) -> None:
    """A number that arrives in pieces is read completely, though its first digits are a number, too."""
    content = f'{{"data": [{number}, {number}]}}'.encode()
    assert repr(_read(content, size=1)["data"].kept) == repr(json.loads(content)["data"])


def test_json_stream_skips_nothing_at_the_end() -> None:
    """Looking for the end of a value skips nothing at the end of a short answer."""
    with pytest.raises(ValueError):
        _read(b'{"status"": null}', size=17)


@pytest.mark.parametrize("content", [b"", b" \r\n\t "])
def test_json_stream_of_nothing(content: bytes) -> None:
    stream = JsonStream([content], lambda row: True, _LIMIT)
    assert stream.read() is None
    assert stream.is_empty


def test_json_stream_keeps_rows_and_everything_else() -> None:
    """Everything next to the rows is kept, even a status or an error after the list."""
    content = b'{"a": [1, 2], "data": [1, {"b": 2}, 3], "status": "success"}'
    found = _read(content, keep=lambda row: row == 3)
    assert found == {"a": [1, 2], "data": Rows([3], 3), "status": "success"}
    assert len(found["data"]) == 3


def _long_list(rows: int) -> Iterator[bytes]:
    yield b'{"data": [{"id": 0}'
    for number in range(1, rows):
        yield b', {"id": %d, "name": "%s"}' % (number, b"Newsletter" * 20)
    yield b'], "status": "success"}'


def test_json_stream_holds_no_row_that_is_not_kept() -> None:
    """Of 2 MB of rows that are not kept, at most a tenth is in memory at any time."""
    tracemalloc.start()
    try:
        found = JsonStream(_long_list(10_000), lambda row: row["id"] == 7, _LIMIT).read()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (found["data"].count, len(found["data"].kept), found["status"]) == (10_000, 1, "success")
    assert peak < 200_000


@pytest.mark.parametrize(
    "content",
    [
        b'{"data": [' + b'"12345678", ' * 9 + b"1]}",
        b'{"data": {"0": "' + b"x" * 80 + b'"}}',
        b'["' + b"x" * 80 + b'"]',
        b'{"status": "' + b"x" * 80 + b'", "data": []}',
        b"{" + b'"1": 2, ' * 90 + b'"data": []}',
        b'"' + b"x" * 900,
    ],
)
def test_json_stream_holds_so_much(content: bytes) -> None:
    """The limit is on the rows that are kept, together with everything next to them."""
    with pytest.raises(TooLarge):
        _read(content, limit=64)


def test_json_stream_passes_a_long_list() -> None:
    content = b'{"data": [' + b'"12345678", ' * 99 + b"1]}"
    assert _read(content, keep=lambda row: False, limit=64)["data"] == Rows([], 100)
