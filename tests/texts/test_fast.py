"""The fast path of long lists against the plain one, which it must equal in every text, error and digest."""

from __future__ import annotations

import hashlib
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsby_deploy.config.declarations import Rewrite, TextSource
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.plan.fingerprint import row_line, row_lines
from smsby_deploy.problems import Location
from smsby_deploy.texts.batch import measure_batch
from smsby_deploy.texts.cost_report import gsm_parts
from smsby_deploy.texts.encoding_lint import may_be_expensive
from smsby_deploy.texts.parts import Encoding, TextTooLong, measure_text
from smsby_deploy.texts.template import RenderedBatch, compile_text
from tests.texts.batches import make_batch

_AT = Location("sale.yaml", 6, 11)
_NAMES = ("name", "code", "Bonus", "phone", "nobody")
_VALUES = st.one_of(
    st.text(st.sampled_from('аЯёzé 0129.,%{}[]|"\\\n\t\0\x1f€😀*<'), max_size=8),
    st.sampled_from(["", " ", "Анна", "12", "1,5", "2026-12-01", "нет", "0", "375291234567", "x" * 9000]),
)
_ROWS = st.lists(st.fixed_dictionaries(dict.fromkeys(_NAMES[:3], _VALUES)), min_size=1, max_size=5)

_value = st.recursive(
    st.sampled_from([*_NAMES, "bonus", "'да'", "''", "5", "none", "true"]),
    lambda inner: st.one_of(
        st.builds(
            "{} | {}".format,
            inner,
            st.sampled_from([
                "upper", "title", "trim", "default('друг', true)", "default('')", "money('BYN')", "plural('а, б, в')",
                "date", "phone('national')", "int", "length", "float + 1", "first", "list", "replace('а', 'бб')",
                "truncate(3)", "default(code, boolean=true)", "nothing", "wordcount",
            ]),
        ),
        st.builds("({} {} {})".format, inner, st.sampled_from(["==", "!=", "<", "in", "and", "or", "~", "+"]), inner),
        st.builds("(not {})".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({} is defined)".format, inner),
        st.builds("{}.{}".format, inner, st.sampled_from(["upper()", "x", "strip()"])),
    ),
    max_leaves=4,
)  # fmt: skip
_template = st.recursive(
    st.one_of(
        st.sampled_from(
            ["Здравствуйте, ", "Hi ", " ", "\n", "100%!", "{# ничего #}", "\0", '"', "ё", "{{ loop }}"]
        ),
        st.builds("{{{{ {} }}}}".format, _value),
        st.builds("{{{{- {} -}}}}".format, st.sampled_from(_NAMES)),
    ),
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("{{% if {} %}}{}{{% endif %}}".format, _value, inner),
        st.builds(
            "{{% if {} %}}{}{{% elif {} %}}{}{{% else %}}{}{{% endif %}}".format,
            _value,
            inner,
            _value,
            inner,
            inner,
        ),
        st.builds("{{% set name = {} %}}{}".format, _value, inner),
        st.builds("{{% for code in [1, 2] %}}{}{{% endfor %}}".format, inner),
        st.builds("{{% set x = namespace(y=1) %}}{}".format, inner),
    ),
    max_leaves=6,
)


def _render(
    text: str, rows: list[dict[str, str]], own: str | None, rewrite: Rewrite, *, fast: bool
) -> RenderedBatch:
    template = compile_text(TextSource(text, _AT, file="text.j2", rewrite=rewrite))
    if not fast:
        template.fast = None
    first = template.render_batch(make_batch(rows, own), rows_file="list.csv", address="a/b")
    again = template.render_batch(make_batch(rows[::-1]), rows_file="list.csv", address="a/b")
    return RenderedBatch([*first.texts, *again.texts], [*first.problems, *again.problems], again.replaced)


@settings(max_examples=400, deadline=None)
@given(_template, _ROWS, st.sampled_from([None, None, "своё"]), st.booleans())
def test_the_fast_path_is_the_plain_one(
    text: str, rows: list[dict[str, str]], own: str | None, rewritten: bool
) -> None:
    """The same texts, and the same problems at the same places, whatever the template and the rows."""
    rewrite = Rewrite(smart_encoding=rewritten, transliterate=rewritten)
    try:
        plain = _render(text, rows, own, rewrite, fast=False)
    except FilesInvalid as error:
        with pytest.raises(FilesInvalid) as found:
            _render(text, rows, own, rewrite, fast=True)
        assert found.value.problems == error.problems
        return
    assert _render(text, rows, own, rewrite, fast=True) == plain


@pytest.mark.parametrize(
    "text",
    [
        "{{ name }}",
        "Здравствуйте, {{ name }}!{% if bonus %} Бонус: {{ bonus }} руб.{% endif %}",
        "{{ name | default('друг', true) }}: {{ bonus | money('BYN') }}",
        "{% if code == '5' %}a{% elif not bonus %}b{% else %}{{ code | upper }}{% endif %}",
    ],
)
def test_the_usual_templates_are_fast(text: str) -> None:
    """Otherwise the test above would hold the plain way to itself."""
    template = compile_text(TextSource(text, _AT, file="text.j2"))
    assert template.fast is not None
    batch = make_batch([{"name": "Анна", "code": "5", "bonus": "7"}] * 2)
    assert None not in (template.fast.render(batch) or [None])


@pytest.mark.parametrize(
    "text", ["{{ name.upper() }}", "{% set name = 'x' %}{{ name }}", "{{ name ~ code }}"]
)
def test_what_only_jinja_does_is_left_to_it(text: str) -> None:
    """Its sandbox and its budget are not rebuilt."""
    assert compile_text(TextSource(text, _AT, file="text.j2")).fast is None


def test_a_long_text_takes_from_the_budget() -> None:
    """Long values end a template as they do without the fast path."""
    rows = [{"name": "x" * 200_000}] * 9
    plain, fast = (_render("{{ name }}" * 3, rows, None, Rewrite(), fast=fast) for fast in (False, True))
    assert fast == plain
    assert any("repeats too much" in problem.message for problem in fast.problems)


@given(
    st.lists(
        st.text(st.sampled_from("abАбéё€😀—\n[^~`\f "), max_size=300).map(lambda text: text * 2), max_size=6
    )
)
def test_measured_together_is_measured_one_by_one(texts: list[str]) -> None:
    """What is told of a batch is the sum of what is told of its texts, and hides nothing that a reviewer is told."""
    together = measure_batch(texts)
    if together is None:
        return
    assert all(texts)  # what failed has no parts
    sizes = [measure_text(text) for text in texts]
    assert together.parts == sum(size.parts for size in sizes)
    assert together.longest == max((size.parts for size in sizes), default=0)
    assert together.latin == sum(size.encoding is Encoding.GSM7 for size in sizes)
    for text, size in zip(texts, sizes, strict=True):
        assert gsm_parts(text, size) == size.parts
        assert size.encoding is Encoding.GSM7 or not may_be_expensive(text)


@pytest.mark.parametrize(("letter", "others"), list(product("aЯ", [["Анна", "Ян Яя"], ["Anna"], []])))
def test_usual_texts_of_every_length_are_measured_together(letter: str, others: list[str]) -> None:
    """Up to three parts; the tables agree at each length."""
    for length in range(2, 700):
        text = letter * length
        try:
            size = measure_text(text)
        except TextTooLong:
            size = None
        together = measure_batch([*others, text])
        if size is not None and size.parts <= 3:
            assert together is not None
            assert together.parts == size.parts + len(others)
        else:
            assert together is None


@given(st.lists(st.tuples(st.from_regex(r"375[0-9]{9}", fullmatch=True), _VALUES), max_size=5))
def test_hashed_together_is_hashed_one_by_one(rows: list[tuple[str, str]]) -> None:
    """The bytes, and so the digests that locks hold, are those of the single rows."""
    phones, texts = [phone for phone, _ in rows], [text for _, text in rows]
    assert row_lines(phones, texts) == b"".join(row_line(phone, text) for phone, text in rows)
    assert row_lines(phones, None) == b"".join(row_line(phone, None) for phone in phones)


def test_a_digest_stays_what_it_was() -> None:
    """Locks that people have hold digests of these bytes."""
    lines = row_lines(["375291234567", "375331234567"], ['Анна, "код" \\ 5', "Hi\n"])
    assert (
        hashlib.sha256(lines).hexdigest()
        == "1388d4608a8d9fef7ee3acd7e72ab037303cea435724c8b1c683e4f070b8ba42"
    )
