"""Each recipient gets the text of their language or variant as if it were the only one, and all problems are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.sources import TextsByLanguage, TextsByVariant, TextSource, Variant
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.waves_and_variants import assign_variants
from smsby_deploy.texts.compiler import compile_text, compile_texts
from smsby_deploy.texts.template import RenderedBatch, Template
from tests.texts.rendering import MAILING, make_batch, make_source

_TEXTS = {
    "ru": "{{ name }}, скидка {{ sum }}%",
    "be": "{{ name }}, зніжка{% if sum %} {{ sum }}%{% endif %}",
    "en": "Discount",
}
_AT = Location("sale.yaml", 6, 11)
_COLUMN_AT = Location("sale.yaml", 7, 15)


def _source(default: str | None = None, texts: Mapping[str, str] = _TEXTS) -> TextsByLanguage:
    sources = {language: make_source(text) for language, text in texts.items()}
    return TextsByLanguage("lang", sources, default, _AT, _COLUMN_AT)


def _render(template: Template, rows: Sequence[Mapping[str, str]], own: str | None = None) -> RenderedBatch:
    return template.render_batch(make_batch(rows, own), MAILING)


def _row(language: str, name: str = "Ann", total: str = "5") -> dict[str, str]:
    return {"lang": language, "name": name, "sum": total}


def _places(problems: Sequence[Problem]) -> list[tuple[str, str]]:
    return [(problem.code, str(problem.location)) for problem in problems]


_values = st.sampled_from(["", "5", " x ", "#N/A", "*|A|*"])
_rows = st.builds(_row, st.sampled_from(["ru", "RU ", "be", "en", "de", ""]), _values, _values)


@given(st.lists(_rows, min_size=1, max_size=12), st.sampled_from([None, "ru"]))
def test_split_batch_reads_as_row_by_row(rows: list[dict[str, str]], default: str | None) -> None:
    """Splitting a batch changes no text, problem or place, compared with each text alone."""
    template = compile_texts(_source(default))
    rendered = _render(template, rows)
    for index, row in enumerate(rows):
        language = row["lang"].strip().lower()
        language = language if language in _TEXTS else default or ""
        batch = make_batch(rows)
        alone = batch.only(bytearray(int(place == index) for place in range(len(rows))))
        here = [
            one for one in rendered.problems if f"list.csv:{index + 3}" in f"{one.message} {one.location}"
        ]
        if not language:
            assert rendered.texts[index] == ""
            assert _places(here) == [("LANGUAGE", f"list.csv:{index + 3}:1")]
            continue
        one = compile_text(make_source(_TEXTS[language])).render_batch(alone, MAILING)
        assert rendered.texts[index] == one.texts[0]
        assert here == one.problems
    assert sum(template.languages.values()) == sum(
        bool(default) or row["lang"].strip().lower() in _TEXTS for row in rows
    )


def test_own_text_needs_no_language() -> None:
    """A recipient's own text takes precedence over all languages."""
    template = compile_texts(_source())
    rendered = _render(template, [_row("de")], own=" Own ")
    assert (rendered.texts, list(rendered.problems)) == (["Own"], [])
    assert set(template.languages.values()) == {0}


def test_default_language_is_noted() -> None:
    """A note counts the recipients who get the default language and names the first, if there are any."""
    template = compile_texts(_source("ru"))
    rendered = _render(template, [_row("be"), _row(""), _row("de", "Kim")])
    assert rendered.texts == ["Ann, зніжка 5%", "Ann, скидка 5%", "Kim, скидка 5%"]
    (note,) = template.find_problems(MAILING)
    assert (note.severity, note.code, note.location) == (Severity.NOTE, "LANGUAGE", _AT)
    assert note.message.startswith("2 recipients")
    assert note.message.endswith("list.csv:4")
    assert template.languages == {"ru": 2, "be": 1, "en": 0}
    template = compile_texts(_source("ru"))
    _render(template, [_row("be")])
    assert not list(template.find_problems(MAILING))


def test_column_that_does_not_exist() -> None:
    """A missing column is one error even with a default, so that a typo does not send all recipients the default."""
    template = compile_texts(_source())
    rows = [{"name": "Ann", "sum": "5"}] * 3
    problems = [*_render(template, rows).problems, *_render(template, rows).problems]
    assert _places(problems) == [("LANGUAGE", str(_COLUMN_AT))]
    template = compile_texts(_source("ru"))
    assert not _render(template, rows).problems
    (error,) = template.find_problems(MAILING)
    assert (error.severity, error.location) == (Severity.ERROR, _COLUMN_AT)


def test_each_text_is_compiled() -> None:
    """Problems of every text are reported, and their inputs and variables are joined."""
    texts = {"ru": "{{ a }} {% if", "be": "{{ b }", "en": "{{ c }}"}
    with pytest.raises(FilesInvalid) as caught:
        compile_texts(_source(texts=texts))
    assert len(caught.value.problems) == 2
    template = compile_texts(_source(texts={"ru": "{{ a }}", "be": "{{ b }}"}))
    assert template.variables == {"a", "b"}
    assert template.is_personal
    assert [text.source for text in template.texts] == [make_source("{{ a }}"), make_source("{{ b }}")]


@pytest.mark.parametrize(("language", "text"), [("be", "be"), ("BE", "be"), ("de", "ru"), ("", "ru")])
def test_pick_returns_the_text_of_a_row(language: str, text: str) -> None:
    """`pick` returns the text that a batch with the row would get."""
    picked = compile_texts(_source("ru")).pick({"lang": language})
    assert isinstance(picked, type(compile_text(TextSource("x", _AT))))
    assert picked.source.text == _TEXTS[text]
    assert compile_texts(_source()).pick({"lang": "de"}) is None


_PLACE = Location("sale.yaml", 4, 5)
_PHONES = [f"37529123456{number}" for number in range(8)]


def _in_variants(a: str, b: str) -> TextsByVariant:
    languages = {"ru": TextSource(b, _PLACE), "be": TextSource(f"{b} be", _PLACE)}
    by_language = TextsByLanguage("language", languages, "ru", _PLACE, _PLACE)
    variants = (
        Variant("a", 40, TextSource(a, _PLACE)),
        Variant("b", 50, by_language),
        Variant("none", 10, None),
    )
    return TextsByVariant(variants, b"key", _PLACE)


def _batch(source: TextsByVariant) -> Batch:
    """Return phones outside the control group, every second one with Belarusian."""
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
    """Each recipient gets the text of their variant, even one with languages, and `pick` finds the same text."""
    source = _in_variants("A {{ name }}", "B {{ name }}")
    template, batch = compile_texts(source), _batch(source)
    rendered = template.render_batch(batch, MAILING)
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
                                   MAILING).texts == [text]  # fmt: skip
    assert sum(template.languages.values()) == names.count("b")


def test_variant_templates_report_all_that_do_not_compile() -> None:
    """Problems of all variants are reported, not only those of the first."""
    with pytest.raises(FilesInvalid) as error:
        compile_texts(_in_variants("A {{ name", "B {% if %}"))
    assert len(error.value.problems) == 3
