"""Combinations of conditions: which sides of its conditions and defaults each text takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.config.sources import FalseText, TextSource
from smsby_deploy.problems import Location
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from smsby_deploy.texts.branches import TextBranches
from smsby_deploy.texts.compiler import compile_text
from smsby_deploy.texts.samples import MailingSamples, sample_mailing

_AT = Location("sale.yaml", 1, 1)


def _batch(columns: dict[str, list[str]], *, is_typed: bool = False) -> Batch:
    count = len(next(iter(columns.values())))
    phones = [f"37529{number:07}" for number in range(count)]
    values = list(columns.values())
    return Batch(phones, tuple(columns), values, [None] * count, range(2, count + 2), bytearray(b"\1") * count,
                 None, is_typed)  # fmt: skip


def _combinations(
    text: str, columns: dict[str, list[str]], *, traced: bool = False, is_typed: bool = False
) -> list[list[str]]:
    branches = TextBranches(compile_text(TextSource(text, _AT)))
    if traced:
        branches._render = None
    batch = _batch(columns, is_typed=is_typed)
    found = branches.signatures(batch, bytearray(b"\1") * len(batch.phones))
    return [list(map(str, branches.names_of(one))) for one in found]


@pytest.mark.parametrize("traced", [False, True], ids=["vectorized", "traced"])
def test_sides_are_named_as_the_author_wrote_them(traced: bool) -> None:
    """A chain has one side each, `else` is named by what is not true, and what was not reached is left out."""
    text = (
        "{% if a %}A{% if c == '1' %}x{% endif %}{% elif b | int > 5 %}B{% else %}C{% endif %}"
        " {{ n | default('x', true) | upper }} {{ 'p' if a and not c else 'q' }}"
    )
    columns = {
        "a": ["1", "", "", "1"],
        "b": ["1", "9", "1", "1"],
        "c": ["1", "", "", ""],
        "n": ["n", "", "n", "n"],
    }
    assert _combinations(text, columns, traced=traced) == [
        ["if a", "if c == '1'", "if not (a and not c)"],
        ["if b | int > 5", "default of n", "if not (a and not c)"],
        ["if not a and b | int <= 5", "if not (a and not c)"],
        ["if a", "if c != '1'", "if a and not c"],
    ]


def test_loops_sets_and_undefined_defaults_are_traced() -> None:
    """Loops, sets and undefined defaults, which only Jinja2 renders, are traced, and a side taken twice is one side."""
    text = "{% set x = n %}{% for i in [1, 2] %}{% if x %}y{% else %}z{% endif %}{% endfor %}{{ u | default('q') }}"
    assert _combinations(text, {"n": ["1", ""]}) == [["if x", "default of u"], ["if not x", "default of u"]]


def test_typed_false_is_another_combination_than_its_text() -> None:
    """A typed false and the text "false" are different combinations, as in the text."""
    text = "{% for i in [1] %}{% if a %}y{% else %}z{% endif %}{% endfor %}"
    values: list[str] = ["0", FalseText("0")]
    assert _combinations(text, {"a": values}, is_typed=True) == [["if a"], ["if not a"]]


_VALUES = st.sampled_from(["", "1", "7", "no", "Анна"])


@given(st.lists(st.tuples(_VALUES, _VALUES, _VALUES), min_size=1, max_size=8), st.data())
def test_both_ways_find_the_same_combinations(rows: list[tuple[str, str, str]], data: st.DataObject) -> None:
    """Rendering together and one by one find the same sides, whatever the template and the values."""
    names = st.sampled_from("abc")

    def spell_test() -> str:
        name = data.draw(names)
        return data.draw(
            st.sampled_from(
                [
                    name,
                    f"not {name}",
                    f"{name} == '1'",
                    f"{name} and {data.draw(names)}",
                    f"{name} | int(0) > 5",
                ]
            )
        )

    def spell_text(depth: int) -> str:
        kind = data.draw(st.integers(0, 4 if depth else 1))
        if kind == 0:
            return "text "
        if kind == 1:
            return f"{{{{ {data.draw(names)} | default('d', true) }}}} "
        if kind == 2:
            return f"{{{{ 'p' if {spell_test()} else {data.draw(names)} | default('e', true) }}}} "
        inner, other = spell_text(depth - 1), spell_text(depth - 1)
        if kind == 3:
            return f"{{% if {spell_test()} %}}{inner}{{% else %}}{other}{{% endif %}}"
        return f"{{% if {spell_test()} %}}{inner}{{% elif {spell_test()} %}}{other}{{% endif %}}"

    text = "x " + "".join(spell_text(2) for _ in range(3)) + "{{ a | default('z', true) }} x"
    columns = {name: [row[index] for row in rows] for index, name in enumerate("abc")}
    assert _combinations(text, columns) == _combinations(text, columns, traced=True)


def _sample(folder: Path, text: str, rows: str, more: str = "", limit: int | None = None) -> MailingSamples:
    (folder / "smsby.yaml").write_text("version: 1\nproject: shop\nsuppress: [out.txt]\n", "utf-8")
    (folder / "out.txt").write_text("375299999999\n", "utf-8")
    (folder / "list.csv").write_text(rows, "utf-8")
    (folder / "sale.yaml").write_text(
        "version: 1\ncampaign: sale\nmailings:\n  - name: vip\n    recipients: {file: list.csv}\n"
        f"    text: {text}\n{more}",
        "utf-8",
    )
    loaded = load_project(folder)
    assert not loaded.problems
    suppressed = PhoneSet()
    suppressed.add_all(number_phones(["375299999999"]))
    return sample_mailing(loaded.project, loaded.project.mailings[0], suppressed, limit=limit)


def test_each_combination_has_a_sample_with_its_recipients(tmp_path: Path) -> None:
    """Each combination has a sample, and its recipients are counted without opt-outs."""
    rows = "phone,vip\n375291111111,yes\n375292222222,\n375293333333,yes\n375299999999,gone\n"
    text = "\"{% if vip == 'yes' %}VIP{% elif vip %}?{% else %}Hi{% endif %} {{ vip | default('-', true) }}\""
    found = _sample(tmp_path, text, rows)
    assert [(one.row, one.recipients, one.why) for one in found.samples] == [
        (1, 2, ("if vip == 'yes'", "first", "most expensive", "longest")),
        (2, 1, ("if vip != 'yes' and not vip", "default of vip")),
        (3, None, ()),
    ]
    assert found.further == 0


def test_at_most_eight_samples_show_every_side(tmp_path: Path) -> None:
    """Of many combinations the eight most frequent are shown, but a rare side is not left out."""
    columns = "abcd"
    rows = [f"37529{number:07},{number % 2},{number // 2 % 2},{number // 4 % 2}," for number in range(32)]
    rows[-1] = rows[-1] + "1"
    text = '"' + "".join(f"{{% if {name} == '1' %}}{name}{{% endif %}}" for name in columns) + '!"'
    found = _sample(tmp_path, text, f"phone,{','.join(columns)}\n" + "\n".join(rows))
    assert len(found.samples) == 8
    assert found.further == 1
    assert {one for sample in found.samples for one in sample.why} >= {
        f"if {name} {sign} '1'" for name in columns for sign in ("==", "!=")
    }
    assert (
        len(_sample(tmp_path, text, f"phone,{','.join(columns)}\n" + "\n".join(rows), limit=2).samples) == 2
    )


def test_languages_are_combinations(tmp_path: Path) -> None:
    """Each language is a combination with the sides of its own text."""
    text = "{ru: 'Привет{% if n %}, {{ n }}{% endif %}!', be: 'Вітаем!'}"
    rows = "phone,lang,n\n375291111111,be,a\n375292222222,ru,b\n375293333333,ru,\n"
    found = _sample(tmp_path, text, rows, "    language: lang\n")
    assert [(one.recipients, one.why[:2]) for one in found.samples] == [
        (1, ("language be", "first")),
        (1, ("language ru", "if n")),
        (1, ("language ru", "if not n")),
    ]


def test_text_without_decisions_has_no_combinations(tmp_path: Path) -> None:
    """A text without conditions has no combinations, and nothing is counted."""
    found = _sample(tmp_path, '"Hi {{ n }}"', "phone,n\n375291111111,a\n375292222222,b\n")
    assert [(one.recipients, one.why) for one in found.samples] == [
        (None, ("first", "most expensive", "longest")),
        (None, ()),
    ]
