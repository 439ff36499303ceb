"""JSON of the lock file: the same as that of the json module."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.lock.json_text import canonical, decode, indent

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(_values)
def test_indent_is_that_of_the_json_module(value: Any) -> None:
    """Byte by byte, so that a lock does not change by being written by another version."""
    assert indent(value) == json.dumps(value, ensure_ascii=False, indent=2)


@given(_values)
def test_canonical_has_sorted_keys_and_no_white_space(value: Any) -> None:
    """Digests and seals of every version are taken over it."""
    expected = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert canonical(value) == expected.encode("utf-8", "surrogatepass")


def test_decode_refuses_a_key_twice() -> None:
    """Readers differ in which of them counts."""
    with pytest.raises(ValueError, match="duplicate key"):
        decode('{"a": 1, "a": 1}')
