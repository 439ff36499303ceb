"""Vectorized rendering and Jinja2, one text at a time, give the same texts, errors and places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from smsby_deploy.config.sources import Rewrite, TextSource
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.problems import Location
from smsby_deploy.texts import engine
from smsby_deploy.texts.compiler import compile_text
from smsby_deploy.texts.filters import TEXT_FILTERS
from smsby_deploy.texts.template import Template
from tests.texts.rendering import MAILING, make_batch

_AT = Location("sale.yaml", 6, 11)
_NAMES = ("name", "code", "Bonus", "phone", "missing")
_VALUES = st.one_of(
    st.text(st.sampled_from('аЯёzé 0129.,%{}[]|"\\\n\t\0\x1f\uffff€😀*<'), max_size=8),
    st.sampled_from([
        "", " ", "Анна", " б ", "12", "1,5", "2026-12-01", "нет", "0", "375291234567", "{{ name }}", "50%", "%s",
        "#N/A", "nan", "1.2E+11",
        "x" * 9000, "x" * 21_000,
    ]),
)  # fmt: skip
_ROWS = st.lists(st.fixed_dictionaries(dict.fromkeys((*_NAMES[:3], "имя"), _VALUES)), min_size=1, max_size=5)
_operator = st.sampled_from(["==", "!=", "<", "in", "not in", "and", "or", "~", "+", "-", "*"])
_expression = st.recursive(
    st.sampled_from([*_NAMES, "bonus", "имя", "'да'", "''", "5", "none", "true"]),
    lambda inner: st.one_of(
        st.builds(
            "{} | {}".format,
            inner,
            st.sampled_from([
                "upper", "title", "trim", "default('друг', true)", "default('')", "money('BYN')", "plural('а, б, в')",
                "date", "phone('national')", "int", "decimal", "length", "float + 1", "first", "list", "replace('а', 'бб')",
                "truncate(3)", "default(code, boolean=true)", "nothing", "wordcount",
            ]),
        ),
        st.builds("({} {} {})".format, inner, _operator, inner),
        st.builds("(not {})".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({} is defined)".format, inner),
        st.builds("{}.{}".format, inner, st.sampled_from(["upper()", "x", "strip()"])),
    ),
    max_leaves=4,
)  # fmt: skip
_template = st.recursive(
    st.one_of(
        st.sampled_from([
            "Здравствуйте, ", "Hi ", " ", "\n", "\r\n", "100%!", "%s", "%%", "{# ничего #}", "\0", '"', "ё", "{", "}",
            "{{ loop }}", "[[name]]", "{name}", "{{ name }", "{{", "}}", "{%", "%}", "{% endif %}", "{{ 5a }}", "{{ a·b }}",
            "{{ None }}", "{{ not }}",
        ]),
        st.text(max_size=3),
        st.builds("{{{{ {} }}}}".format, _expression),
        st.builds("{{{{- {} -}}}}".format, st.sampled_from(_NAMES)),
    ),
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("{{% if {} %}}{}{{% endif %}}".format, _expression, inner),
        st.builds("{{% if not {} %}}{}{{%- else %}}{}{{% endif %}}".format, st.sampled_from(_NAMES), inner, inner),
        st.builds(
            "{{% if {} %}}{}{{% elif {} %}}{}{{% else %}}{}{{% endif %}}".format,
            _expression,
            inner,
            _expression,
            inner,
            inner,
        ),
        st.builds("{{% set name = {} %}}{}".format, _expression, inner),
        st.builds("{{% for code in [1, 2] %}}{}{{% endfor %}}".format, inner),
        st.builds("{{% set x = namespace(y=1) %}}{}".format, inner),
    ),
    max_leaves=6,
)  # fmt: skip


def _compile(text: str, rewrite: Rewrite, *, vectorized: bool) -> Template:
    content = "\n" * 5 + " " * 10 + text
    with pytest.MonkeyPatch.context() as patch:
        if not vectorized:
            patch.setattr("smsby_deploy.texts.engine.vectorize", lambda tree, environment: None)
            for module in ("compiler", "template"):
                patch.setattr(f"smsby_deploy.texts.{module}.has_markup", lambda text: True)
        engine._analyze_alone.cache_clear()
        template = compile_text(TextSource(text, _AT, content, rewrite=rewrite))
        engine._analyze_alone.cache_clear()
    assert vectorized or template.vectorized is None
    return template


def _outcome(
    text: str, rows: Sequence[Mapping[str, str]], own: str | None, rewrite: Rewrite, *, vectorized: bool
) -> object:
    """Return texts, variables, problems and replaced characters of two batches, or why the text is refused."""
    try:
        template = _compile(text, rewrite, vectorized=vectorized)
    except FilesInvalid as error:
        return error.problems
    first = template.render_batch(make_batch(rows, own), MAILING)
    again = template.render_batch(make_batch(rows[::-1]), MAILING)
    problems = [*first.problems, *again.problems]
    return [*first.texts, *again.texts], problems, template.replaced, template.variables


@settings(max_examples=3 * settings().max_examples)
@given(_template, _ROWS, st.sampled_from([None, None, "своё"]), st.booleans())
@example("{{{ name }}}", [{"name": "a", "code": "b", "Bonus": "c"}], None, False)
@example("{{ name }}%", [{"name": "a", "code": "b", "Bonus": "c"}], None, True)
@example("{{ name }}", [{"name": "\uffff"}, {"name": ""}, {"name": "x" * 21_000}], None, False)
def test_vectorized_equals_row_by_row_rendering(
    text: str, rows: list[dict[str, str]], own: str | None, is_rewritten: bool
) -> None:
    """Texts, variables and located problems are the same for every template and every row."""
    rewrite = Rewrite(smart_encoding=is_rewritten, transliterate=is_rewritten)
    row_by_row = _outcome(text, rows, own, rewrite, vectorized=False)
    assert _outcome(text, rows, own, rewrite, vectorized=True) == row_by_row


@settings(max_examples=2 * settings().max_examples)
@given(_template, _ROWS)
def test_vectorized_equals_stock_jinja2(text: str, rows: list[dict[str, str]]) -> None:
    """Every text of a vectorized template is what an unmodified Jinja2 with our filters renders."""
    try:
        template = compile_text(TextSource(text, _AT, file="text.j2"))
    except FilesInvalid:
        return
    batch = make_batch(rows)
    texts = template.vectorized.render(batch) if template.vectorized is not None else None
    if texts is None:
        return
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters |= TEXT_FILTERS
    stock = environment.from_string(text)
    for values, rendered in zip(batch.variables, texts, strict=True):
        if rendered is not None:
            try:
                expected = stock.render(values).strip()
            except TemplateError as error:
                pytest.fail(f"stock Jinja2 cannot render it: {error}")
            assert rendered == expected


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("{{ name }}", ("name",)),
        ("{{ name }}, ваша скидка {{ code }}%", ("name", "code")),
        ("Здравствуйте, {{ name }}!{% if bonus %} Бонус: {{ bonus }} руб.{% endif %}", ("name", "bonus")),
        ("Hi{% if not name %}!{% else %}, {{ name }}{% if code %}: {{ code }}{% endif %}{% endif %}", ("name", "code")),
        ("{{ name | default('друг', true) }}: {{ bonus | money('BYN') }}", ("name", "bonus")),
        ("{% if code == '5' %}a{% elif not bonus %}b{% else %}{{ code | upper }}{% endif %}", ("code", "bonus")),
    ],
)  # fmt: skip
def test_vectorized_covers_usual_templates(text: str, variables: tuple[str, ...]) -> None:
    """Usual templates are vectorized; otherwise the comparisons above would compare Jinja2 with itself."""
    template = compile_text(TextSource(text, _AT, file="text.j2"))
    assert template.vectorized is not None
    assert template.vectorized.variables == variables
    batch = make_batch([{"name": "Анна", "code": "5", "bonus": "7"}] * 2)
    assert None not in (template.vectorized.render(batch) or [None])


@pytest.mark.parametrize(
    ("text", "may_leave_gap"),
    [
        ("Hi, {{ name }}!{% if code %} {{ code }}.{% endif %} Bye", False),
        ("Hi{% if code %} {{ code }}{% elif name %} x{% else %},{% endif %} {{ name }}", False),
        ("Hi {% if code %}{{ code }}{% endif %} {{ name }}", True),
        ("Hi {% if code %}a{% elif name %} b{% endif %}", True),
        ("Hi {% if code %}a {% else %}b{% endif %} {{ name }}", True),
        ("Hi  {{ name }}", True),
        ("Hi {{ name | default(' x') }}", True),
    ],
)
def test_vectorized_knows_where_tags_leave_gaps(text: str, may_leave_gap: bool) -> None:
    """Every side of a condition is checked for gaps, and the result of a filter is not known."""
    template = compile_text(TextSource(text, _AT, file="text.j2"))
    assert template.vectorized is not None
    assert template.vectorized.may_leave_gap is may_leave_gap


_spaced = st.recursive(
    st.sampled_from([" ", ".", " .", ". ", "{{ name }}", "{{ code }}"]),
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("{{% if code %}}{}{{% endif %}}".format, inner),
        st.builds("{{% if name == 'a' %}}{}{{% elif code %}}{}{{% else %}}{}{{% endif %}}".format, inner, inner, inner),
    ),
)  # fmt: skip


@given(_spaced)
def test_vectorized_text_has_a_gap_only_if_known(text: str) -> None:
    """If a text is said to have no gap, no values produce one."""
    vectorized = compile_text(TextSource(f"{text}{{{{ name }}}}", _AT, file="text.j2")).vectorized
    assert vectorized is not None
    rows = [{"name": name, "code": code} for name in ("a", "b c") for code in ("", "1")]
    texts = vectorized.render(make_batch(rows)) or []
    assert vectorized.may_leave_gap or not any("  " in (one or "") for one in texts)


@pytest.mark.parametrize(
    "text", ["{{ name.upper() }}", "{% set name = 'x' %}{{ name }}{{ code }}", "{{ name ~ code }}"]
)
def test_vectorized_leaves_the_rest_to_jinja2(text: str) -> None:
    """Methods, assignments and concatenation are left to Jinja2, with its sandbox and limits."""
    assert compile_text(TextSource(text, _AT, file="text.j2")).vectorized is None


def test_vectorized_consumes_steps_for_long_texts() -> None:
    """Long values use up the budget as without vectorization."""
    rows = [{"name": "x" * 200_000}] * 9
    row_by_row, vectorized = (
        _outcome("{{ name }}" * 3, rows, None, Rewrite(), vectorized=vectorized)
        for vectorized in (False, True)
    )
    assert vectorized == row_by_row
    assert "too much work" in repr(vectorized)
