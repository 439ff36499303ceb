"""sources: what digests of texts cover, and how a list of recipients is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.config.sources import (
    FalseText,
    HiddenText,
    InlineRecipients,
    RecipientsFile,
    RecipientsQuery,
    TextsByLanguage,
    TextsByVariant,
    TextSource,
    Variant,
    unset_variable_of,
)
from smsby_deploy.problems import Location

_AT = Location("sale.yaml", 1, 1)


def _by_language(default: str | None = "ru") -> TextsByLanguage:
    texts = {"ru": TextSource(" A ", _AT), "be": TextSource("B", _AT)}
    return TextsByLanguage("lang", texts, default, _AT, _AT)


def _file(name: str, **changes: object) -> RecipientsFile:
    return RecipientsFile(Path("/shop") / name, name, "phone", _AT)._replace(**changes)


def test_identity_covers_who_gets_which_text() -> None:
    """The identity of texts covers column, default and shares, and the texts as they are sent."""
    assert TextSource(" Hi ", _AT).identity(str.upper) == "HI"
    by_language = {"language": "lang", "default": "ru", "texts": {"ru": "A", "be": "B"}}
    assert _by_language().identity(str) == by_language
    assert _by_language(None).identity(str) != by_language
    variants = TextsByVariant((Variant("a", 90, _by_language()), Variant("none", 10, None)), b"key", _AT)
    assert variants.identity(str) == [
        {"variant": "a", "share": 90, "text": by_language},
        {"variant": "none", "share": 10, "text": None},
    ]
    assert variants._replace(key=b"other").identity(str) == variants.identity(str)
    assert [source.text for source in variants.sources] == [" A ", "B"]
    assert variants.control == "none"


@pytest.mark.parametrize(
    ("name", "suffix", "is_encrypted"),
    [("vip.csv", ".csv", False), ("VIP.CSV.AGE", ".csv", True), ("a.jsonl.age", ".jsonl", True), ("a.age", "", True)],
)  # fmt: skip
def test_suffix_of_an_encrypted_list_is_that_inside(name: str, suffix: str, is_encrypted: bool) -> None:
    """The suffix of an encrypted list is the one before `.age`, which says nothing about its format."""
    assert (_file(name).suffix, _file(name).is_encrypted) == (suffix, is_encrypted)


def test_unset_variable_is_what_a_list_needs_here() -> None:
    """An unset folder of pinned lists is reported before an unset identity, since without it there is nothing to decrypt."""
    query = RecipientsQuery(TextSource("select 1", _AT), "sql:sale/vip", "DB", None, None, "phone", _AT)
    encrypted = _file("vip.csv.age")
    found = [
        _file("vip.csv"),
        encrypted,
        encrypted._replace(identity=HiddenText("AGE-SECRET-KEY-1")),
        encrypted._replace(folder_env="LISTS", is_elsewhere=True),
        query,
        InlineRecipients((), _AT),
    ]
    assert [unset_variable_of(one) for one in found] == [
        None, "SMSBY_AGE_IDENTITY", None, "LISTS", "DB", None,
    ]  # fmt: skip


def test_secrets_of_a_source_are_in_no_repr() -> None:
    """The secrets of a source are not in its repr, which tracebacks and debuggers show."""
    source = _file("a.age", identity=HiddenText("AGE-SECRET-KEY-1"))
    url = HiddenText("postgresql://u:pass@h/d")
    query = RecipientsQuery(TextSource("", _AT), "sql:a/b", "DB", url, None, "phone", _AT)
    assert "SECRET" not in repr(source)
    assert "pass" not in repr(query)


def test_false_text_is_false_and_prints_as_text() -> None:
    """A false text prints as text and is false in a condition, as in its own type."""
    assert not FalseText("0.00")
    assert f"{FalseText('0.00')}" == "0.00"
