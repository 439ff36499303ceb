"""JSON that was written before: as a part of another value it says the same."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.smsby.raw_json import Written, write_json
from smsby_deploy.smsby.transport import _brackets

_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def _write_some(value: Any, places: list[bool]) -> Any:
    """`value`, parts of it as Written: those for which `places` says so."""
    if places and places.pop():
        return Written(json.dumps(value, ensure_ascii=False).encode())
    if isinstance(value, dict):
        return {name: _write_some(item, places) for name, item in value.items()}
    return [_write_some(item, places) for item in value] if isinstance(value, list) else value


@given(_plain, st.lists(st.booleans(), max_size=12))
def test_what_is_written_says_the_same(value: Any, places: list[bool]) -> None:
    """Wherever in a request it stands, in a JSON body and in a form."""
    mixed = _write_some(value, places)
    assert json.loads(write_json(mixed)) == value
    assert list(_brackets(mixed)) == list(_brackets(value))
