"""Includes and macros: read only from the project's templates/, and part of the review."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.config.sources import TextSource
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.problems import Location, Problem
from smsby_deploy.texts.compiler import compile_text
from smsby_deploy.texts.template import Template
from tests.texts.rendering import MAILING, make_batch, make_source, refusal

_AT = Location("sale.yaml", 6, 11)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "templates/parts").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    for name, text in {
        "footer.j2": "\nStop: 1234",
        "macros.j2": "{% macro hi(who) %}Hi {{ who }}{% endmacro %}",
        "city.j2": "из {{ city }}",
        "parts/deep.j2": "{% include 'footer.j2' %}",
        "self.j2": "{% include 'self.j2' %}",
        "one.j2": "{% include 'two.j2' %}",
        "two.j2": "{% include 'one.j2' %}",
        "bad.j2": "ok\n  {% if %}",
        "foreign.j2": "Dear\n{name}",
        "base.j2": "A{% block b %}B{% endblock %}C",
    }.items():
        (tmp_path / "templates" / name).write_text(text, "utf-8")
    (tmp_path / "templates/link.j2").symlink_to(tmp_path / "secret.txt")
    return tmp_path


def _compile(root: Path, text: str) -> Template:
    content = "\n" * 5 + " " * 10 + text  # as a campaign has it at _AT
    return compile_text(TextSource(text, _AT, content, root=root))


def _refused(root: Path, text: str) -> Problem:
    with pytest.raises(FilesInvalid) as caught:
        _compile(root, text)
    return caught.value.problems[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hi{% include 'footer.j2' %}", "Hi\nStop: 1234"),
        ("Hi{% include 'templates/footer.j2' %}", "Hi\nStop: 1234"),
        ("Hi{% include 'parts/deep.j2' %}", "Hi\nStop: 1234"),
        ("{% from 'macros.j2' import hi %}{{ hi('Anna') }}", "Hi Anna"),
        ("{% import 'macros.j2' as m %}{{ m.hi('Anna') }}", "Hi Anna"),
        ("{% extends 'base.j2' %}{% block b %}-{{ super() }}-{% endblock %}", "A-B-C"),
    ],
)
def test_includes_render_templates_of_the_project(root: Path, text: str, expected: str) -> None:
    """Templates are named by their path in templates/, and without a variable the text stays a bulk text."""
    template = _compile(root, text)
    assert not template.is_personal
    assert template.render_once() == expected


def test_includes_with_a_variable_make_a_text_personal(root: Path) -> None:
    """An include's variable is taken from the row and makes the text personal; its problem is in the included file."""
    template = _compile(root, "Привет {% include 'city.j2' %}")
    assert template.variables == {"city"}
    batch = make_batch([{"city": "Минск"}, {"city": ""}])
    rendered = template.render_batch(batch, MAILING)
    assert rendered.texts == ["Привет из Минск", ""]
    problem = rendered.problems[0]
    assert problem.location == ("templates/city.j2", 1, 7)
    assert problem.message.endswith("(list.csv:4)")


def test_includes_are_inputs(root: Path) -> None:
    """Included files, even nested ones, are inputs."""
    assert set(_compile(root, "Hi{% include 'parts/deep.j2' %}").inputs) == {
        "templates/parts/deep.j2",
        "templates/footer.j2",
    }


@pytest.mark.parametrize(
    "name",
    [
        "nope.j2",
        "../secret.txt",
        "/etc/passwd",
        "link.j2",
        "self.j2",
        "one.j2",
        "parts",
        "parts/../../secret.txt",
    ],
)
def test_includes_refuse_other_files_at_their_place(root: Path, name: str) -> None:
    """Missing files, files outside templates/ (even through a link) and recursive includes are refused at their place."""
    problem = _refused(root, f"Hi {{% include '{name}' %}}")
    assert problem.code == "INCLUDE"
    if name not in ("self.j2", "one.j2"):
        assert problem.location == ("sale.yaml", 6, 25)


@pytest.mark.parametrize("name", ["name", "['footer.j2', 'x']", "'footer' ~ '.j2'"])
def test_includes_refuse_computed_names(root: Path, name: str) -> None:
    """A computed name is refused, since a reviewer could not see what the data select."""
    assert _refused(root, f"{{% include {name} %}}").code == "INCLUDE"


@pytest.mark.parametrize(
    ("name", "code", "place"), [("bad.j2", "TEMPLATE_SYNTAX", (2, 9)), ("foreign.j2", "PLACEHOLDER", (2, 1))]
)
def test_includes_locate_errors_in_their_file(
    root: Path, name: str, code: str, place: tuple[int, int]
) -> None:
    """An error in an include is located in its file, where its author can fix it."""
    problem = _refused(root, f"{{% include '{name}' %}}")
    assert (problem.code, problem.location) == (code, (f"templates/{name}", *place))


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("{% include 'city.j2' %}", {"city"}),
        ("{% set city = 'Minsk' %}{% include 'city.j2' %}", set()),
        ("{% include 'city.j2' %}{% set city = 'Minsk' %}", {"city"}),
        ("{% for city in ['Minsk', 'Brest'] %}{% include 'city.j2' %}{% endfor %}", set()),
        ("{% if vip %}{% set city = 'Minsk' %}{% endif %}{% include 'city.j2' %}", {"vip", "city"}),
        ("{% set city = 'Minsk' %}{% include 'parts/city.j2' %}", set()),
        ("{% include 'parts/city.j2' %} {{ name }}", {"city", "name"}),
    ],
)
def test_includes_see_variables_set_before_them(root: Path, text: str, variables: set[str]) -> None:
    """A variable that the text sets does not make it personal."""
    (root / "templates/parts/city.j2").write_text("{% include 'city.j2' %}", "utf-8")
    assert _compile(root, text).variables == variables


def test_unknown_calls_are_located() -> None:
    """An unknown call is reported by place and name before anything is rendered."""
    problem = refusal(make_source("Hi {{ range(9) }}"))
    assert (problem.location.line, problem.location.column) == (1, 7)
    assert "unknown function range" in problem.message
