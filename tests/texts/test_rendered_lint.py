"""Warnings about texts as recipients would read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.plan.validation import validate_project


def _warnings(
    folder: Path, text: str, rows: str = "", project: str = "", top: str = ""
) -> list[tuple[str, str]]:
    """Return the code and place of each warning about a mailing with `text`."""
    (folder / "smsby.yaml").write_text(f"version: 1\nproject: shop\n{project}", "utf-8")
    (folder / "list.csv").write_text(f"phone,name,link,n\n375291111111,Anna,a,1\n{rows}", "utf-8")
    mailing = f"  - name: vip\n    recipients: {{file: list.csv}}\n    text: '{text}'\n"
    (folder / "sale.yaml").write_text(f"version: 1\ncampaign: sale\n{top}mailings:\n{mailing}", "utf-8")
    return [(one.code, str(one.location)) for one in validate_project(load_project(folder))]


@pytest.mark.parametrize(
    ("text", "rows", "place"),
    [
        ("Hi  you", "", "sale.yaml:6:14"),
        ("Hi {{ name }}  you", "", "sale.yaml:6:25"),
        ("Hi {{ name }}", "375292222222,Anna  B,,\n", "list.csv:3:1"),
        ("Hi {% if n %}{{ n }}{% endif %} you", "375292222222,B,,\n", "sale.yaml:6:11"),
    ],
)
def test_double_space_is_placed_where_it_comes_from(tmp_path: Path, text: str, rows: str, place: str) -> None:
    """A double space is placed at the text, the value, or the condition that causes it."""
    assert _warnings(tmp_path, text, rows) == [("DOUBLE_SPACE", place)]


@pytest.mark.parametrize(
    "text", ["Hi {{ name }} you  ", "Hi{% if n %} {{ n }}{% endif %} you", "{% set x = 1  %}Hi"]
)
def test_double_space_that_is_not_sent_is_no_warning(tmp_path: Path, text: str) -> None:
    """Spaces at the ends of a text, inside tags or as padding in a list are no warning."""
    assert _warnings(tmp_path, text, "375292222222,Anna   ,,2\n") == []


@pytest.mark.parametrize(
    ("text", "rows", "place"),
    [
        ("https://a.by or http://b.by", "", "sale.yaml:6:28"),
        ("www.a.by and https://www.b.by", "", "sale.yaml:6:25"),
        ("See https://a.by {{ link }}", "375292222222,B,https://b.by/1,\n", "sale.yaml:6:11"),
    ],
)
def test_two_links_are_found_in_one_text(tmp_path: Path, text: str, rows: str, place: str) -> None:
    """Two links in one text are a warning, even if one comes from the data."""
    assert _warnings(tmp_path, text, rows) == [("TWO_LINKS", place)]


@pytest.mark.parametrize(
    "text",
    [
        "https://www.a.by",
        "{% if n %}https://a.by{% else %}https://b.by{% endif %}",
        "https://a.by/?to=https://b.by"[:20],
    ],
)
def test_one_link_in_each_text_is_no_warning(tmp_path: Path, text: str) -> None:
    """Two links on different sides of a condition are no warning."""
    assert _warnings(tmp_path, text) == []


_REQUIRE = "guardrails: {require: [by-advertising]}\n"


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("Sale", 2),
        ("«Кветка»: скидки", 1),
        ("Kvetka: sale. STOP: 1234", 0),
        ("ООО Кветка: скидки, отказ: СТОП на 1234", 0),
        ("Скидки. УНП 190000000. Отписаться: 1234", 0),
        ("Скидки. УНН190000000. Отписаться: 1234", 0),
        ('Вас вітае "Кветка". Адмовіцца: 1234', 0),
        ("Суп и второе. Нестандартно", 2),
    ],
)
def test_advertising_names_sender_and_refusal(tmp_path: Path, text: str, missing: int) -> None:
    """A missing sender and a missing opt-out are separate warnings, only with the rule and in advertising campaigns."""
    top = "alphaname: Kvetka\n"
    assert [code for code, _ in _warnings(tmp_path, text, project=_REQUIRE, top=top)] == [
        "ADVERTISING"
    ] * missing
    assert _warnings(tmp_path, text, top=top) == []
    assert _warnings(tmp_path, text, project=_REQUIRE, top=f"{top}labels: {{kind: service}}\n") == []


def test_advertising_looks_at_every_text(tmp_path: Path) -> None:
    """A side of a condition without the required words is found."""
    text = "«Кветка»{% if n %}, отказ: СТОП{% endif %}"
    assert _warnings(tmp_path, text, project=_REQUIRE) == []
    assert _warnings(tmp_path, text, "375292222222,B,,\n", _REQUIRE) == [("ADVERTISING", "sale.yaml:6:11")]
