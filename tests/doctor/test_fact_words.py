"""Every fact has its sentences, whatever its value."""

from __future__ import annotations

import pytest

from smsby_deploy.doctor.fact_words import asked, learned, meaning
from smsby_deploy.resources import load_schema
from smsby_deploy.smsby.facts import Fact, FactName, FactState, Gap
from tests.smsby.fact_values import FACT_VALUES

_SCHEMA = load_schema("facts")
_FACTS = _SCHEMA["properties"]["accounts"]["additionalProperties"]["properties"]["facts"]["properties"]


def _values(name: FactName) -> list[object]:
    """Yield an example of a fact, and every other value that its schema names."""
    value = _FACTS[name]["allOf"][1]["properties"]["value"]
    more = [True, False] if value.get("type") == "boolean" else value.get("enum", [])
    return [FACT_VALUES[name], *more]


@pytest.mark.parametrize("name", FactName)
def test_every_fact_has_sentences(name: FactName) -> None:
    """Each fact has one line for every value, and for the reason why it has none."""
    for value in _values(name):
        fact = Fact(name, FactState.KNOWN, value)
        assert asked(name).isprintable()
        assert learned(fact).isprintable()
        assert learned(fact)
        assert meaning(fact) or name is FactName.TOKEN_REFUSAL
    gaps = {learned(Fact(name, FactState.NOT_LEARNABLE, gap=gap)) for gap in Gap}
    assert len(gaps) == len(Gap)
    assert learned(Fact(name)) == "not asked"
