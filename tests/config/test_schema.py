"""schema: documents are valid or not, and every violation is reported at its place."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsby_deploy.config import schema as schema_module
from smsby_deploy.config.schema import check_document, drop_invalid
from smsby_deploy.config.settings import check_project_name
from smsby_deploy.config.yaml_nodes import YamlList, YamlMap, read_yaml
from smsby_deploy.output.translation import translator
from smsby_deploy.problems import Location, ProblemLog
from smsby_deploy.resources import sample_project

_BROKEN = sorted((Path(__file__).resolve().parent / "broken").glob("*.yaml"))
_SAMPLES = sorted(sample_project().glob("*.yaml"))
_FULL = {
    "project": """\
version: 1
project: shop
api: {url: "https://app.sms.by", account_timezone: Europe/Minsk, requests_per_second: 0.5, concurrency: 64,
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
    recipients: {sql: select 1, url_env: CRM_URL, order_by: "id, city desc", freshness: {sql: select 2, max_age: 24h}}
    text_file: a.j2
  - name: files
    recipients: {parquet: "*.parquet", phone: tel}
    text: Hello
  - name: list
    list: Newsletter
    text: Hello
""",
}
_VALUES = st.sampled_from(
    [None, True, 0, 1, -1, 1.0, 0.5, 10**9, 10**30, float("inf"), "", "x", "1\n", "by", "2026-12-01T10:00", "x" * 50, "1",
     "01", "-1", "1.5", "1e3", "true", "True", "+375291234567", "нет", "09:00", "24h", "x y", "\ud800"]
)  # fmt: skip


def _read(folder: Path, text: str) -> YamlMap:
    path = folder / "document.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path, path.name)


def _places(node: Any) -> list[tuple[Any, Any]]:
    """Yield every (container, key) of a document."""
    keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
    return [place for key in keys for place in ((node, key), *_places(node[key]))]


@pytest.mark.parametrize("name", ["project", "campaign"])
def test_schema_accepts_every_key(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document with every key is valid, and jsonschema is not needed to check it."""
    monkeypatch.setattr(schema_module, "_errors", None)
    assert check_document(name, _read(tmp_path, _FULL[name]), "document.yaml") == []


@pytest.mark.parametrize("path", [*_BROKEN, *_SAMPLES], ids=lambda path: path.stem)
def test_schema_judges_files(path: Path) -> None:
    """The sample project is valid, and every broken file has a problem with a line and a column."""
    name = "project" if path.name == "smsby.yaml" else "campaign"
    problems = check_document(name, read_yaml(path, path.name), path.name)
    assert bool(problems) is (path in _BROKEN)
    assert all(problem.location.line and problem.location.column for problem in problems)


def test_schema_explains_the_first_thousand_errors(tmp_path: Path) -> None:
    """A file with half a million violations is explained quickly in little memory, and not read any further."""
    text = "version: 1\ncampaign: sale\nmailings: [" + "[]," * 3000 + "]\n"
    document = _read(tmp_path, text)
    problems = check_document("campaign", document, "document.yaml")
    assert len(problems) == 1001
    assert problems[-1].message == "more errors follow; correct these first"
    assert not drop_invalid("campaign", document)


def test_invalid_settings_of_a_mailing_are_dropped_alone(tmp_path: Path) -> None:
    """An invalid setting does not hide problems in the recipients and the text, unless the mailing has no usable ones."""
    text = (
        "version: 1\ncampaign: sale\nmailings:\n"
        "  - {name: a, recipients: [x], text: hi, revision: 0, via: fast, schedule_time: soon, spread: {over: 1h},\n"
        "    audience: fresh}\n"
        "  - {name: b, recipients: 5, text: hi, revision: 0}\n"
    )
    document = _read(tmp_path, text)
    assert len(check_document("campaign", document, "document.yaml")) == 5
    assert drop_invalid("campaign", document)
    assert document["mailings"] == [{"name": "a", "recipients": ["x"], "text": "hi"}]


@pytest.mark.parametrize("name", ["project", "campaign"])
@pytest.mark.parametrize(
    "value",
    ["нет", "\u0663", "\u0662\u0660\u0662\u0666-12-01T10:00", "x\u00a0y", "\ufeffx", "\u2028", "\u0130"],
)
def test_patterns_mean_the_same_in_every_editor(name: str, value: str, tmp_path: Path) -> None:
    r"""Letters and digits of other scripts, which `\w` and `\d` match only in Python, get the same verdict everywhere."""
    places = _places(_read(tmp_path, _FULL[name]))
    for number in range(len(places)):
        document = _read(tmp_path, _FULL[name])
        check_document(name, document, "document.yaml")
        node, key = _places(document)[number]
        node[key] = value
        is_accepted = schema_module._is_surely_valid(name, document)
        assert is_accepted is not bool(list(schema_module._errors(name, document))), key


@settings(max_examples=4 * settings().max_examples)
@given(st.data(), st.sampled_from(["project", "campaign"]))
def test_both_validators_agree(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, name: str
) -> None:
    """The fast validator accepts a document exactly if jsonschema finds no error.

    A number that JSON cannot hold is the exception: jsonschema alone decides about it.
    """
    document = _read(tmp_path_factory.mktemp("schema"), _FULL[name])
    check_document(name, document, "document.yaml")
    for _ in range(data.draw(st.integers(1, 3))):
        places = _places(document)
        if not places:
            break
        node, key = places[data.draw(st.integers(0, len(places) - 1))]
        change = data.draw(st.sampled_from(["value", "drop", "add", "borrow", "map", "list"]))
        if change == "value":
            node[key] = data.draw(_VALUES)
        elif change == "drop":
            del node[key]
        elif change == "add" and isinstance(node, dict):
            names = ["list", "text", "text_file", "file", "sql", "nope", "phone", "min"]
            node[data.draw(st.sampled_from(names))] = data.draw(_VALUES)
        elif change == "borrow":
            other, key_there = places[data.draw(st.integers(0, len(places) - 1))]
            if key_there in other if isinstance(other, dict) else key_there < len(other):
                node[key] = copy.deepcopy(other[key_there])
        elif change == "map":
            node[key] = YamlMap((1, 1))
        elif change == "list":
            node[key] = YamlList((1, 1))
    is_accepted, errors = (
        schema_module._is_surely_valid(name, document),
        list(schema_module._errors(name, document)),
    )
    assert not (is_accepted and errors)
    assert is_accepted or errors or "inf" in repr(document)


@pytest.mark.parametrize(
    ("changes", "line", "column", "message"),
    [
        ({"revision: 2": "revision: two"}, 6, 11, "revision: expected an integer, got text"),
        ({"revision: 2": "revision: [2]"}, 6, 11, "revision: expected an integer, got a list"),
        ({"revision: 2": "revision: {}"}, 6, 11, "revision: expected an integer, got a mapping"),
        ({"revision: 2": "revision: 0"}, 6, 11, "revision: must be at least 1"),
        ({"revision: 2": "revision: 1000000"}, 6, 11, "revision: must be at most 999,999"),
        ({"revision: 2": "revision:"}, 6, 10, "revision: expected an integer, got nothing"),
        ({"revision: 2": "revison: 2"}, 6, 1, "unknown key revison; did you mean revision?"),
        ({"revision: 2": "Revision: 2"}, 6, 1, "unknown key Revision; did you mean revision?"),
        (
            {"revision: 2": "token: abc"}, 6, 1,
            "unknown key token; the token is read only from the environment: never write it into a file",
        ),
        ({"text: Hello": "text: true"}, 0, 0, ""),
        (
            {"text: Hello": "text: null"}, 10, 11,
            "mailings.0.text: expected text or a mapping, got nothing; for the word itself, put it in quotes",
        ),
        ({"version: 1\n": "version: 2\n"}, 1, 10, "version: expected 1"),
        ({"version: 1\n": ""}, 1, 1, "missing key version"),
        ({"    text: Hello\n    via": "    text: ''\n    via"}, 10, 11, "mailings.0.text: must not be empty"),
        ({"via: single": "via: singel"}, 11, 10, "mailings.0.via: expected one of bulk, single; did you mean single?"),
        (
            {"campaign: sale": "campaign: Sale"}, 2, 11,
            "campaign: expected lowercase letters, digits and hyphens, at most 40 characters, not starting with a hyphen, "
            "and no phone number",
        ),
        (
            {"revision: 2": f"labels: {{{', '.join(f'k{n}: a' for n in range(21))}}}"}, 6, 9,
            "labels: must have at most 20 entries",
        ),
        (
            {"delimiter: \";\"": "delimiter: tab"}, 9, 76,
            "mailings.0.recipients.delimiter: must have at most 1 character",
        ),
        ({"phone: 375291234567, ": ""}, 18, 61, "missing key phone in mailings.1.recipients.3"),
    ],
)  # fmt: skip
def test_schema_problem_messages(
    changes: dict[str, str], line: int, column: int, message: str, tmp_path: Path
) -> None:
    """A message names the key, what is expected and the kind of the value, at its line and column."""
    text = _FULL["campaign"]
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    problems = check_document("campaign", _read(tmp_path, text), "document.yaml")
    found = [(problem.location.line, problem.location.column, problem.message) for problem in problems]
    assert found == ([(line, column, message)] if message else [])


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "waves: [some, rest]",
            "mailings.0.waves.0: нужна волна, например {people: 200, after: 45m, delivered: 90}, или rest",
        ),
        ("revision: [1]", "revision: ожидается целое число, а здесь список"),
        (
            "text: ~",
            "mailings.0.text: ожидается текст или набор ключей, а здесь пусто; если нужно само это слово, возьмите его в "
            "кавычки",
        ),
        ("via: singel", "mailings.0.via: возможные значения: bulk, single; может быть, single?"),
        ("revison: 2", "неизвестный ключ revison; может быть, revision?"),
        (
            "recipients: list.csv",
            "mailings.0.recipients: ожидается список или набор ключей, а здесь текст; для файла напишите "
            "{file: list.csv}",
        ),
    ],
)
def test_violations_can_be_said_in_russian(written: str, said: str, tmp_path: Path) -> None:
    """The schema's own sentences, the value found instead and the nearest word are translated."""
    key = written.partition(":")[0]
    lines = {"name": "name: vip", "recipients": "recipients: []", "text": "text: Hi", key: written}
    mailing = [line for name, line in lines.items() if name not in ("revision", "revison")]
    top = "".join(f"{line}\n" for name, line in lines.items() if name in ("revision", "revison"))
    path = tmp_path / "sale.yaml"
    path.write_text(
        f"version: 1\ncampaign: sale\n{top}mailings:\n  - " + "\n    ".join(mailing) + "\n", encoding="utf-8"
    )
    problems = check_document("campaign", read_yaml(path, "sale.yaml"), "sale.yaml")
    assert said in [translator("ru").sentence(problem.message) for problem in problems]


@pytest.mark.parametrize(
    ("name", "is_valid"),
    [
        ("375291234567", False),
        ("for-80291234567", False),
        ("a37529-123-45-67b", False),
        ("291234567", False),
        ("promo-29-11-2026-10", True),
        ("promo-202611301015", True),
        ("order-1291234567", True),
    ],
)
def test_name_is_no_phone_number(name: str, is_valid: bool, tmp_path: Path) -> None:
    """The name of a project, campaign, mailing or variant, which the lock has, may not be a phone number."""
    variants = f"[{{name: {name!r}, share: 50, text: a}}, {{name: b, share: 50, text: b}}]"
    campaign = (
        _FULL["campaign"]
        .replace("campaign: sale", f"campaign: {name!r}")
        .replace("name: vip", f"name: {name!r}")
    )
    campaign = campaign.replace(
        "    text: Hello\n    via: single", f"    variants: {variants}\n    via: single"
    )
    problems = check_document("campaign", _read(tmp_path, campaign), "document.yaml")
    log = ProblemLog()
    check_project_name(name, Location("smsby.yaml"), log)
    places = [problem.message.partition(":")[0] for problem in (*problems, *log.distinct())]
    assert sorted(places) == (
        [] if is_valid else ["campaign", "mailings.0.name", "mailings.0.variants.0.name", "project"]
    )
