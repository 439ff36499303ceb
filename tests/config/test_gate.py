"""The gate, which passes documents without jsonschema, says what jsonschema says of every document."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from smsby_deploy.config.gate import UnknownKeyword, make_gate
from smsby_deploy.config.schema import _errors, _gate, load_schema, type_scalars
from smsby_deploy.config.yaml_nodes import Plain, YamlList, YamlMap, read_yaml
from smsby_deploy.resources import sample_project

BROKEN = sorted((Path(__file__).resolve().parent / "broken").glob("*.yaml"))
_SAMPLES = sorted(sample_project().glob("*.yaml"))
_FULL = {
    "project": """\
version: 1
project: shop
api: {url: "https://app.sms.by", account_timezone: Europe/Minsk, requests_per_second: 0.5, concurrency: 2,
  recipients_per_request: 1000, timeout_seconds: 30, body: form, reconcile_seconds: 5, callback_url: "https://a.by/x"}
defaults: {alphaname: 0, timezone: Europe/Minsk}
campaigns: ["**/*.yaml"]
suppress: [a.csv, {file: b.csv, phone: tel, encoding: cp1251, delimiter: ";"}]
guardrails: {max_recipients: 5, max_parts: 3, max_cost: 500.00, quiet_hours: {from: "21:00", to: 09:00},
  min_lead_minutes: 10, expect_recipients: {min: 1}, budget: 5, blackout: [2026-12-31, {from: 2027-01-01, to: 2027-01-02}],
  allowed_alphanames: [MyShop, 0], required_words: [стоп], forbidden_words: [спам]}
price: {currency: BYN, per_part: 0.026, per_prefix: {"37529": 0.03}}
test_phones: ["375291234567", +375291234567]
countries: [by, RU]
lock: smsby.lock.json
""",
    "campaign": """\
version: 1
campaign: sale
alphaname: MyShop
schedule_time: 2026-12-01T10:00:00
timezone: Europe/Minsk
revision: 2
mailings:
  - name: vip
    recipients: {file: vip.csv, phone: phone, encoding: cp1251, delimiter: ";"}
    text: Hello
    via: single
    smart_encoding: true
    on_invalid: drop
    expect_recipients: {min: 1, max: 5}
    max_late: 30m
    countries: [BY]
  - name: staff
    recipients: ["375291234567", +375291234567, 0291234567, {phone: 375291234567, name: Анна, n: 5, b: true, text: own}]
    text: Hello
  - name: crm
    recipients: {sql: select 1, url_env: CRM, order_by: "id, city desc", freshness: {sql: select 2, max_age: 24h}}
    text_file: a.j2
  - name: files
    recipients: {parquet: "*.parquet", phone: tel}
    text: Hello
  - name: list
    list: Newsletter
    text: Hello
""",
}
_ODD = st.sampled_from(
    [None, True, 0, 1, -1, 1.0, 0.5, 10**9, "", "x", "1\n", "by", "2026-12-01T10:00", "x" * 50, *map(
        Plain, ("1", "01", "-1", "1.5", "1e3", "true", "True", "+375291234567", "нет", "09:00", "24h", "x y"))]
)  # fmt: skip


def _both(name: str, document: YamlMap) -> tuple[bool, bool]:
    """What the gate says of a document, and what jsonschema does."""
    plain = copy.deepcopy(document)
    gate = _gate(name)
    assert gate is not None
    passed = gate(document)
    type_scalars(plain, load_schema(name), load_schema(name))
    is_valid = not _errors(name, plain)
    if passed:
        assert _typed(document) == _typed(plain)
    return passed, is_valid


def _typed(node: Any) -> Any:
    """The document with the kind of every scalar, as 1 equals 1.0 and True."""
    if isinstance(node, dict):
        return {key: _typed(value) for key, value in node.items()}
    return [_typed(value) for value in node] if isinstance(node, list) else (type(node), node)


def _read(folder: Path, text: str) -> YamlMap:
    path = folder / "document.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path, path.name)


def _places(node: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
    return [place for key in keys for place in ((node, key), *_places(node[key]))]


@pytest.mark.parametrize("name", ["project", "campaign"])
def test_our_schemas_have_a_gate(name: str, tmp_path: Path) -> None:
    """Otherwise every command would pay for jsonschema, and the tests below would prove nothing."""
    assert _both(name, _read(tmp_path, _FULL[name])) == (True, True)


@pytest.mark.parametrize("path", [*BROKEN, *_SAMPLES], ids=lambda path: path.stem)
def test_files_are_judged_alike(path: Path) -> None:
    """Those of the sample project, and every broken one."""
    name = "project" if path.name == "smsby.yaml" else "campaign"
    passed, is_valid = _both(name, read_yaml(path, path.name))
    assert passed is is_valid is (path in _SAMPLES)


@settings(max_examples=500, deadline=None)
@given(st.data(), st.sampled_from(["project", "campaign"]))
def test_documents_that_were_changed_are_judged_alike(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, name: str
) -> None:
    """Values replaced, keys renamed, dropped and added, anywhere: valid is what jsonschema calls so, no more and no less."""
    document = _documents(tmp_path_factory, name)
    for _ in range(data.draw(st.integers(1, 3))):
        places = _places(document)
        node, key = places[data.draw(st.integers(0, len(places) - 1))]
        change = data.draw(st.sampled_from(["value", "drop", "add", "borrow", "map", "list"]))
        if change == "value":
            node[key] = data.draw(_ODD)
        elif change == "drop":
            del node[key]
        elif change == "add" and isinstance(node, dict):
            names = ["list", "text", "text_file", "file", "sql", "nope", "phone", "min"]
            node[data.draw(st.sampled_from(names))] = data.draw(_ODD)
        elif change == "borrow":
            other, name_there = places[data.draw(st.integers(0, len(places) - 1))]
            if name_there in other if isinstance(other, dict) else name_there < len(other):
                node[key] = copy.deepcopy(other[name_there])
        elif change == "map":
            node[key] = YamlMap((1, 1))
        elif change == "list":
            node[key] = YamlList((1, 1))
        if not _places(document):
            break
    passed, is_valid = _both(name, document)
    assert passed is is_valid


def _documents(factory: pytest.TempPathFactory, name: str) -> YamlMap:
    return _read(factory.mktemp("gate"), _FULL[name])


_scalar = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 1.0, 2.5, "", "a", "ab", "ё\n"])
)
_instance = st.recursive(
    _scalar,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=5,
)
_type = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])
_schema = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.one_of(_type, st.lists(_type, min_size=1, max_size=3, unique=True)),
            "required": st.lists(st.sampled_from("abc"), max_size=2),
            "minProperties": st.integers(0, 2),
            "minItems": st.integers(0, 2),
            "minLength": st.integers(0, 2),
            "maxLength": st.integers(0, 2),
            "pattern": st.sampled_from(["^a$", "b", "^$"]),
            "minimum": st.integers(-2, 2),
            "maximum": st.integers(-2, 2),
            "exclusiveMinimum": st.integers(-2, 2),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
            "additionalProperties": st.one_of(st.booleans(), inner),
            "propertyNames": st.one_of(inner, st.just({"enum": ["a", "b"]})),
            "items": inner,
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "enum": st.lists(st.sampled_from(["a", "ab", "1"]), min_size=1),
            "const": st.sampled_from(["a", 1, 0]),
        },
    ),
    max_leaves=5,
)


def _nodes(value: Any) -> Any:
    """Plain lists and mappings as YAML's."""
    if isinstance(value, dict):
        made = YamlMap((1, 1))
        made.update({key: _nodes(inner) for key, inner in value.items()})
        return made
    if isinstance(value, list):
        items = YamlList((1, 1))
        items.extend(map(_nodes, value))
        return items
    return value


@settings(max_examples=500, deadline=None)
@given(_schema, _instance)
def test_any_schema_is_understood_as_jsonschema_does(schema: dict[str, Any], instance: Any) -> None:
    """Keyword by keyword, so that a later schema can use any that the gate knows. Only `$` is ours: the end of a text."""
    assert make_gate(schema)(_nodes(instance)) is Draft202012Validator(schema).is_valid(_nodes(instance))


@pytest.mark.parametrize(
    "schema", [{"uniqueItems": True}, {"items": {"format": "date"}}, {"enum": [1]}, {"const": True}]
)
def test_what_it_does_not_know_makes_no_gate(schema: dict[str, Any]) -> None:
    """Then jsonschema judges: nothing is passed over in silence."""
    with pytest.raises(UnknownKeyword):
        make_gate(schema)
