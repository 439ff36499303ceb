"""Texts by variant: each recipient gets the text of their variant, and all problems are found."""

from __future__ import annotations

import pytest

from smsby_deploy.config.sources import TextsByLanguage, TextsByVariant, TextSource, Variant
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.problems import Location
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.waves_and_variants import assign_variants
from smsby_deploy.texts.compiler import compile_texts

_AT = Location("sale.yaml", 4, 5)
_PHONES = [f"37529123456{number}" for number in range(8)]


def _source(a: str, b: str) -> TextsByVariant:
    languages = {"ru": TextSource(b, _AT), "be": TextSource(f"{b} be", _AT)}
    by_language = TextsByLanguage("language", languages, "ru", _AT, _AT)
    variants = (
        Variant("a", 40, TextSource(a, _AT)),
        Variant("b", 50, by_language),
        Variant("none", 10, None),
    )
    return TextsByVariant(variants, b"key", _AT)


def _batch(source: TextsByVariant) -> Batch:
    """All phones outside of the control group, each second one Belarusian."""
    pairs = zip(_PHONES, assign_variants(source, _PHONES), strict=True)
    phones = [phone for phone, name in pairs if name != "none"]
    values = [[f"N{phone[-1]}" for phone in phones], ["be" if int(p[-1]) % 2 else "ru" for p in phones]]
    return Batch(
        phones,
        ("name", "language"),
        values,
        [None] * len(phones),
        range(len(phones)),
        bytearray([1] * len(phones)),
    )


def test_variant_templates_render_each_recipient() -> None:
    """Also a variant with a text for each language; `pick` finds the same text."""
    source = _source("A {{ name }}", "B {{ name }}")
    template, batch = compile_texts(source), _batch(source)
    rendered = template.render_batch(batch, rows_file="list.csv", address="sale/vip")
    names = assign_variants(source, batch.phones)
    assert len(set(names)) == 2
    expected = [
        f"A N{phone[-1]}" if name == "a" else f"B N{phone[-1]}{' be' if int(phone[-1]) % 2 else ''}"
        for phone, name in zip(batch.phones, names, strict=True)
    ]
    assert (rendered.texts, list(rendered.problems)) == (expected, [])
    for row, text in zip(batch.variables, expected, strict=True):
        picked = template.pick(row)
        assert picked is not None
        assert picked.render_batch(batch.only(bytearray(p == row["phone"] for p in batch.phones)),
                                   rows_file="", address="").texts == [text]  # fmt: skip
    assert sum(template.languages.values()) == names.count("b")


def test_variant_templates_report_all_that_do_not_compile() -> None:
    """Not only those of the first."""
    with pytest.raises(FilesInvalid) as error:
        compile_texts(_source("A {{ name", "B {% if %}"))
    assert len(error.value.problems) == 3
