"""JSON of the lock file: the same as that of the json module."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smsby_deploy.lock.json_text import canonical, decode, decode_mailings, indent, indent_mailings

_values = st.recursive(  # a lock has no floats
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(_values)
def test_indent_is_that_of_the_json_module(value: Any) -> None:
    """Indented text is byte for byte that of the json module, so another version does not change a lock."""
    assert indent(value) == json.dumps(value, ensure_ascii=False, indent=2).encode()


@given(_values)
@example("\ud800")
def test_canonical_has_sorted_keys_and_no_white_space(value: Any) -> None:
    """Canonical text has sorted keys and no white space, as the digests and seals of every version require."""
    expected = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert canonical(value) == expected.encode("utf-8", "surrogatepass")


def test_decode_refuses_a_key_twice() -> None:
    """A duplicate key is refused, since readers differ in which one counts."""
    with pytest.raises(ValueError, match="duplicate key"):
        decode('{"a": 1, "a": 1}')


@given(st.dictionaries(st.text(), st.dictionaries(st.text(), st.text() | st.integers(0, 9)), min_size=1))
def test_decode_mailings_takes_only_what_was_written(mailings: dict[str, Any]) -> None:
    """Only mailings in the layout of the program are decoded directly, so that they are written back byte for byte."""
    text = indent_mailings(mailings)
    assert decode_mailings(text) == mailings
    for other in (text + b" ", b"\t" + text, text + b",\n" + text):
        with pytest.raises(ValueError, match=r"layout|column"):
            decode_mailings(other)
