"""Truth of values: by their type if they have one, and otherwise by their text."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.recipient_sources import read_inline_recipients
from smsby_deploy.config.sources import FalseText, RecipientsFile
from smsby_deploy.config.yaml_nodes import read_yaml
from smsby_deploy.problems import Location
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.cell_values import text_columns
from smsby_deploy.recipients.list_files import read_list_file
from smsby_deploy.recipients.rows import SourceFacts
from smsby_deploy.texts.compiler import compile_text
from tests.texts.rendering import MAILING, make_source

_TYPED = (
    st.booleans() | st.none() | st.sampled_from(["", "0", "false", "x"]) | st.integers(-2, 2)
    | st.floats(-1, 1) | st.sampled_from([0.0, -0.0, Decimal("0.00"), Decimal("0.10"), 10**30])
)  # fmt: skip
_TESTS = [
    "{% if x %}T{% else %}F{% endif %}", "{% if not x %}F{% else %}T{% endif %}", "{{ 'T' if x else 'F' }}",
    "{% if x and 1 %}T{% else %}F{% endif %}", "{% if x or 0 %}T{% else %}F{% endif %}",
    "{% set y = x %}{% if y %}T{% else %}F{% endif %}",
]  # fmt: skip


def _render(text: str, cells: list[str]) -> list[str]:
    count = len(cells)
    batch = Batch(
        ["375291234567"] * count, ("x",), [cells], [None] * count, range(count), bytearray(count), None, True
    )
    return compile_text(make_source(text)).render_batch(batch, MAILING).texts


@given(st.lists(_TYPED, min_size=1, max_size=5), st.sampled_from(_TESTS))
def test_truth_of_database_values_is_pythons(values: list[Any], text: str) -> None:
    """A value of a query or a Parquet file is as true as in Python."""
    cells = text_columns([values])[0]
    assert _render(text, cells) == ["T" if value else "F" for value in values]


@given(_TYPED.filter(lambda value: not isinstance(value, Decimal)), st.sampled_from(_TESTS))
def test_truth_of_json_values_is_pythons(
    tmp_path_factory: pytest.TempPathFactory, value: Any, text: str
) -> None:
    """Numbers and booleans of JSONL keep their truth, and quoted text is true unless it is empty."""
    path = tmp_path_factory.getbasetemp() / "r.jsonl"
    path.write_text(json.dumps({"x": value}) + "\n", encoding="utf-8")
    [block] = read_list_file(RecipientsFile(path, "r.jsonl", "phone", Location("c.yaml", 1)), SourceFacts())
    assert _render(text, list(block.values[0])) == ["T" if value else "F"]


@pytest.mark.parametrize("text", _TESTS)
def test_truth_of_yaml_values_is_that_of_their_type(tmp_path: Path, text: str) -> None:
    """Unquoted false and zero are false in YAML; NO and everything quoted is text."""
    written = {
        "false": "F",
        "0": "F",
        "0.00": "F",
        '""': "F",
        "true": "T",
        "null": "F",
        "~": "F",
        "NO": "T",
        '"false"': "T",
        "'0'": "T",
        "10": "T",
    }
    path = tmp_path / "c.yaml"
    path.write_text(
        "rows:\n" + "".join(f"  - {{phone: '1', x: {one}}}\n" for one in written), encoding="utf-8"
    )
    rows = read_inline_recipients(read_yaml(path, "c.yaml")["rows"], Location("c.yaml", 1)).rows
    assert _render(text, [row["x"] for row in rows]) == list(written.values())


@pytest.mark.parametrize(
    "text", ["a {{ x }}", "a {% if x or 1 %}{{ x }}{% endif %}", "{{ 'a ' ~ x }}", "{% set y = x %}a {{ y }}"]
)
def test_false_values_are_printed_as_written(text: str) -> None:
    """False values are printed as written, are not empty, and are not replaced by `default`."""
    assert _render(text, [FalseText("0.00"), "5", FalseText("false")]) == ["a 0.00", "a 5", "a false"]
    assert _render("{{ x | default('-', true) }}", [FalseText("0"), "", "5"]) == ["0", "-", "5"]
