"""Limits: a template that would never end, or fill the memory, is an error within seconds."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from smsby_deploy.config.sources import TextSource
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.problems import Location
from smsby_deploy.texts import limits, vectorized
from smsby_deploy.texts.compiler import compile_text
from smsby_deploy.texts.jinja_environment import TextEnvironment
from tests.texts.rendering import MAILING, make_batch

_MEGABYTES = 64
_AT = Location("text.j2", 1, 1)
_LOOP = "{% for a in 'x' * 10000 %}"
_MACRO = "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% else %}a{% endif %}{% endmacro %}"


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'a' * 10**9 }}", "{{ 'a' * 1000000000 }}", "{{ 1000000000 * 'a' }}", "{{ [0] * 1000000000 }}",
        "{{ 'a' | center(1000000000) }}", "{{ 'a'.ljust(1000000000) }}", "{{ '%1000000000d' % 1 }}",
        "{{ '%.1000000000f' % 1 }}", "{{ '%*d' % (1000000000, 1) }}", "{{ '%1000000000s' | format('a') }}",
        "{{ '{:1000000000}'.format(1) }}", "{{ 'a'.zfill(1000000000) }}", "{{ 'a'.expandtabs(1000000000) }}",
        "{{ 'aaaaaaaaaa'.replace('a', 'b' * 9999) }}", "{{ ('a' * 9999) | replace('', 'b' * 9999) }}",
        "{{ ('a' * 9999) | join('b' * 9999) }}", "{{ 2.5 | round(1000000000, 'ceil') }}", "{{ 9 ** 9 ** 9 }}",
        "{{ range(1000000000) }}", "{% for i in range(1000000000) %}x{% endfor %}",
        "{{ 'a' | batch(1000000000, 'b') | list }}", "{{ [1] | slice(1000000000) | list }}",
        "{{ 'a' | indent(1000000000) }}", "{{ {'a': 1} | tojson(indent=1000000000) }}",
        f"{_LOOP}{_LOOP}{_LOOP}x{{% endfor %}}{{% endfor %}}{{% endfor %}}",
        f"{_LOOP}{{{{ 'y' * 9999 }}}}{{% endfor %}}",
        f"{{% set x %}}{_LOOP}{'text ' * 200}{{% endfor %}}{{% endset %}}{{{{ x }}}}",
        f"{_MACRO}{{{{ f(40) }}}}", f"{_MACRO}{{{{ f(-1) }}}}",
        "{% macro f(x) %}{{ f([x, x]) }}{% endmacro %}{{ f('a') }}",
        "{% macro f(x) %}{{ f(x ~ x) }}{% endmacro %}{{ f('aaaa') }}",
        "{% macro f(x) %}{{ f(x + x) }}{% endmacro %}{{ f([1]) }}",
        "{% macro f(x) %}{{ f({'a': x, 'b': x}) }}{% endmacro %}{{ f('a') }}",
        "{% macro f(x) %}{{ f(x * x) }}{% endmacro %}{{ f(99999) }}",
        "{% for s in ['aaaaaaaaaaaa'] recursive %}{{ loop([s, s]) }}{% endfor %}",
        "{% block a %}{{ self.a() }}{% endblock %}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "{{ " + "-" * 20000 + "1 }}", "{{ 1" + " + 1" * 5000 + " }}",
        "{{ a" + ".a" * 5000 + " }}", "{{ a" + "|upper" * 3000 + " }}",
        "{% if 1 %}" * 3000 + "x" + "{% endif %}" * 3000, "{{ " + "9" * 50000 + " }}", "x" * 1_000_000,
    ],
)  # fmt: skip
def test_limits_stop_a_runaway_template(text: str) -> None:
    """A runaway template is refused when it is compiled or rendered, and needs little memory before that."""
    tracemalloc.start()
    try:
        batch = make_batch([{"name": "x", "a": "b"}])
        try:
            problems = (
                compile_text(TextSource(text, _AT, file="text.j2")).render_batch(batch, MAILING).problems
            )
        except FilesInvalid as error:
            problems = list(error.problems)
        assert problems
        assert tracemalloc.get_traced_memory()[1] < _MEGABYTES * 2**20
    finally:
        tracemalloc.stop()


def test_limits_allow_a_template_of_many_variables() -> None:
    """A template of the maximum length is rendered at once, though searching it for each variable would take minutes."""
    text = "{{ name }}" * 9_000
    template = compile_text(TextSource(text, _AT, file="text.j2"))
    batch = make_batch([{"name": "x"}])
    assert template.render_batch(batch, MAILING).texts == ["x" * 9_000]


def test_limits_ignore_the_length_of_data() -> None:
    """Only values that a template makes are limited, since a long value of the data only costs parts."""
    batch = make_batch([{"name": "x" * 20_000}])
    template = compile_text(TextSource("{{ name }}", _AT, file="text.j2"))
    assert not template.render_batch(batch, MAILING).problems


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("{{ name }}{% for a in 'x' * 9999 %}{% for b in 'x' * 9999 %}{{ name }}{% endfor %}{% endfor %}", 1),
        ("{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(name) }}", 1),
        ("{% for a in 'x' * 4000 %}{% if name %}{% endif %}{% endfor %}{{ name }}", 2),
    ],
)
def test_limits_report_a_runaway_once(text: str, rows: int) -> None:
    """After the first failure the other texts of a long list are not tried, which would take hours."""
    batch = make_batch([{"name": "x"}] * 5000)
    rendered = compile_text(TextSource(text, _AT, file="text.j2")).render_batch(batch, MAILING)
    assert len(rendered.problems) == 1
    assert len(rendered.texts) == 5000
    assert sum(bool(text) for text in rendered.texts) >= rows - 1


@pytest.mark.parametrize(
    ("piece", "share"),
    [
        ("{% if name|int == 1 %}{% endif %}", 1), ("{% if name in ['1', '2'] %}{% endif %}", 10),
        ("{% if name is eq 'x' %}{% endif %}", 10), ("{% if name is defined %}{% endif %}", 10),
        ("{% if name.upper() %}{% endif %}", 10), ("{% if name[0] %}{% endif %}", 10),
        ("{% if name ~ name %}{% endif %}", 10), ("{% set x = name[1:] %}", 10), ("{% set x = name|int + 1 %}", 10),
    ],
)  # fmt: skip
def test_limits_count_conditions_of_a_long_text(
    piece: str, share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two thousand conditions for each of twenty thousand recipients are refused, and a few hundred are accepted.

    A tenth of them with a tenth of the budget is compiled in a tenth of the time.
    """
    for module, name in ((limits, "_FIRST_STEPS"), (limits, "_STEPS_PER_TEXT"), (vectorized, "MOST_CALLS")):
        monkeypatch.setattr(module, name, getattr(module, name) // share)
    batch = make_batch([{"name": "1"}] * 200)
    problems = []
    for count in (200, 2000):
        template = compile_text(TextSource("{{ name }}" + piece * (count // share), _AT, file="text.j2"))
        problems.append(template.render_batch(batch, MAILING).problems)
    assert [[one.message.partition(":")[0] for one in found] for found in problems] == [
        [],
        ["the template does too much work"],
    ]


def test_limits_leave_comparisons_of_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of comparisons of texts are cheap and accepted."""
    monkeypatch.setattr(vectorized, "compare", None)
    text = "".join(f"{{% if name == '{n}' %}}{n}{{% elif name != name %}}x{{% endif %}}" for n in range(600))
    template = compile_text(TextSource(text, _AT, file="text.j2"))
    rendered = template.render_batch(make_batch([{"name": "17"}] * 200), MAILING)
    assert (set(rendered.texts), list(rendered.problems)) == ({"17"}, [])


@pytest.mark.parametrize(
    "work",
    [
        "x | sort", "x | unique | list", "x.split('b')", "x | upper", "x ~ x[:9]", "x[:4000] + x[:4000]",
        "[x[:4000], x[:4000]]", "('%%' ~ x[:9000]) % ()",
    ],
)  # fmt: skip
def test_limits_charge_for_the_length_of_values(work: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop over long values is refused by their length: ten thousand times ten thousand characters would take minutes."""
    rounds = []
    check_printed = TextEnvironment.check_printed

    def count(environment: TextEnvironment, value: Any) -> Any:
        result = check_printed(environment, value)
        rounds.append(value)
        return result

    monkeypatch.setattr(TextEnvironment, "check_printed", count)
    loop = f"{{% for a in 'y' * 9999 %}}{{% if {work} %}}{{{{ a }}}}{{% endif %}}{{% endfor %}}"
    text = f"{{% set x = 'ab' * 4990 %}}{loop}{{{{ name }}}}"
    batch = make_batch([{"name": "x"}])
    template = compile_text(TextSource(text, _AT, file="text.j2"))
    (problem,) = template.render_batch(batch, MAILING).problems
    assert "too much work" in problem.message
    assert len(rounds) < 250


def test_limits_allow_an_ordinary_loop_in_every_text() -> None:
    """However long the list, each text adds enough steps for a loop."""
    text = "{% for word in name.split(',') %}{{ loop.index }}. {{ word }}\n{% endfor %}"
    batch = make_batch([{"name": "a,b,c,d,e"}] * 5000)
    template = compile_text(TextSource(text, _AT, file="text.j2"))
    assert not template.render_batch(batch, MAILING).problems
