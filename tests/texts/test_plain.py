"""Texts that are taken apart without Jinja2 are what Jinja2 makes of them."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smsby_deploy.config.declarations import Rewrite, TextSource
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.problems import Location
from smsby_deploy.texts import engine
from smsby_deploy.texts.plain import parse_plain
from smsby_deploy.texts.template import RenderedBatch, compile_text
from tests.texts.batches import make_batch

_AT = Location("sale.yaml", 6, 11)
_VALUES = st.sampled_from(["Анна", "", " ", "{{ name }}", "50%", "%s", "\0", "x" * 21_000, " б "])
_PIECES = st.lists(
    st.one_of(
        st.sampled_from([
            "{{ name }}", "{{name}}", "{{\n code\t}}", "{{ phone }}", "{{ nobody }}", "{{ имя }}", "{{ not }}", "{{ true }}",
            "{{ loop }}", "{{ None }}", "{{ 5 }}", "{{ 5a }}", "{{- name }}", "{{ name -}}", "{{ name }", "{{ }}", "{{",
            "}}", "{", "}", "{%", "%}", "{# x #}", "%", "%s", "%%", "[[name]]", "{name}", "Привет, ", "\n", " ", "\r\n",
            "{{ a·b }}", "{{ name | upper }}", "\0", "{% if name %}x{% endif %}", "{% if not code %}", "{%if имя%}",
            "{% if nobody %}", "{% else %}", "{% endif %}", "{%- endif %}", "{% if true %}", "{% if not %}",
            "{% elif code %}",
        ]),
        st.text(max_size=3),
    ),
    max_size=6,
).map("".join)  # fmt: skip
_TEXT = st.recursive(
    _PIECES,
    lambda inner: st.builds(
        "{{% if {} %}}{}{{% else %}}{}{{% endif %}}{}".format,
        st.sampled_from(["name", "not code", "nobody"]),
        inner,
        inner,
        inner,
    ),
    max_leaves=4,
)


def _render(text: str, rows: list[dict[str, str]], own: str | None, rewrite: Rewrite) -> RenderedBatch:
    content = "\n" * 5 + " " * 10 + text
    template = compile_text(TextSource(text, _AT, content, rewrite=rewrite))
    assert template.is_personal == bool(template.variables)
    if not template.is_personal:
        return RenderedBatch([template.render_once()])
    rendered = template.render_batch(make_batch(rows, own), rows_file="list.csv", address="a/b")
    return RenderedBatch([*rendered.texts, *sorted(template.variables)], rendered.problems, rendered.replaced)


@settings(max_examples=600, deadline=None)
@given(
    _TEXT,
    st.lists(st.fixed_dictionaries(dict.fromkeys(("name", "code", "имя"), _VALUES)), min_size=1, max_size=4),
    st.sampled_from([None, None, "своё"]),
    st.booleans(),
    st.booleans(),
)
@example("{{{ name }}}", [{"name": "a", "code": "b", "имя": "c"}], None, False, False)
@example("{{ name }}%", [{"name": "a", "code": "b", "имя": "c"}], None, True, False)
def test_a_plain_text_is_what_jinja_makes_of_it(
    text: str, rows: list[dict[str, str]], own: str | None, are_many: bool, rewritten: bool
) -> None:
    """The same texts, variables and problems at the same places, whatever the text and the rows, many or few."""
    rows *= 200 if are_many else 1
    rewrite = Rewrite(smart_encoding=rewritten, transliterate=rewritten)

    def outcome() -> object:
        try:
            return _render(text, rows, own, rewrite)
        except FilesInvalid as error:
            return error.problems

    ours = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("smsby_deploy.texts.template.parse_plain", lambda text: None)
        patch.setattr("smsby_deploy.texts.engine.vectorize", lambda tree, environment: None)
        engine._parse_alone.cache_clear()
        theirs = outcome()
        engine._parse_alone.cache_clear()
    assert ours == theirs


@pytest.mark.parametrize(
    ("text", "names"),
    [("Магазин закрыт.", ()), ("{{ name }}, ваша скидка {{ discount }}%", ("name", "discount")), ("{{ a }}{{a}}", ("a",)),
     ("Hi{% if not name %}!{% else %}, {{ name }}{% if bonus %}: {{ bonus }}{% endif %}{% endif %}", ("name", "bonus"))],
)  # fmt: skip
def test_the_usual_texts_are_plain(text: str, names: tuple[str, ...]) -> None:
    """Otherwise the test above would hold Jinja2 to itself."""
    parsed = parse_plain(text)
    assert parsed is not None
    assert parsed.fast is not None
    assert parsed.fast.names == names
