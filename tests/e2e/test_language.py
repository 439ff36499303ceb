"""`language: ru` translates what reviewers read, and changes nothing that programs read."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.e2e.conftest import Shop

_CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: {file: vip.csv}
    text: "{{ name }}, %s"
  - {name: big, recipients: ["+375291234567", "+375297654321"], text: Hi, expect_recipients: {max: 1}}
"""
_MACHINE = ("json", "github", "sarif", "junit", "codeclimate")
_VARYING = re.compile(r'"(?:id|created_at|digest|smsby\.yaml)": ?"[^"]*"')


@pytest.fixture
def russian(shop: Shop) -> Shop:
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text("utf-8") + "language: ru\n")
    shop.write("sale.yaml", _CAMPAIGN % "sale today")
    shop.write("vip.csv", "phone,name\n375291111111,Anna\n375292222222,Boris\n")
    return shop


def test_reviewers_read_russian(russian: Shop) -> None:
    """The comment, both pages, the status and the result of an apply are in Russian, from one run to the next."""
    comment = russian.run("plan", "--format", "markdown", "--page", "plan.html").out
    assert (russian.root / "plan.html").stat().st_mode & 0o777 == 0o600  # the page with the texts
    assert "⛔ Заблокировано: 1, готово: 1 · " in comment
    assert "ограничение: expect\\_recipients: 2 получателя, ожидается не больше 1" in comment
    page = (russian.root / "plan.html").read_text("utf-8")
    assert '<html lang="ru">' in page
    assert "2 получателя, ожидается не больше 1" in page
    applied = russian.run("apply", "--auto-approve", "--comment", "result.md")
    assert applied.code == 4
    result = (russian.root / "result.md").read_text("utf-8")
    assert "| отправлена | sale/vip | 2 |" in result
    assert "ограничение: expect\\_recipients: 2 получателя" in result
    assert "Устраните причину и запустите ещё раз:" in result
    assert "отправлено: 1, пропущено: 1; 2 получателя" in applied.out
    assert "дальше: git add smsby.lock.json" in applied.out
    russian.write("sale.yaml", _CAMPAIGN % "sale tomorrow")
    comment = russian.run("plan", "sale/vip", "--format", "markdown").out
    assert "изменилась: её текст, отправитель или время не те, что были отправлены" in comment
    assert "увеличьте <code>revision</code> до 2" in comment
    assert "доставлено " in russian.run("status", "--format", "markdown").out
    assert "Доставка SMS: " in russian.run("status", "--format", "html").out


def test_programs_read_the_same_in_every_language(russian: Shop) -> None:
    """The language of the project changes no machine format, exit code or plan file."""
    seen: dict[str, list[tuple[int, str]]] = {}
    english = (russian.root / "smsby.yaml").read_text("utf-8").replace("language: ru\n", "")
    for language in ("ru", "en"):
        russian.write("smsby.yaml", f"{english}language: {language}\n")
        done = [russian.run("plan", "--format", form) for form in _MACHINE]
        done += [russian.run("plan"), russian.run("validate"), russian.run("status", "--format", "json")]
        seen[language] = [(one.code, _VARYING.sub("", one.out)) for one in done]
    assert seen["ru"] == seen["en"]


def test_results_of_an_apply_are_the_same_in_every_language(russian: Shop) -> None:
    """The codes and outcomes in the JSON of an apply are the same in every language."""
    result: dict[str, Any] = json.loads(russian.run("apply", "--auto-approve", "--format", "json").out)
    outcomes = {one["address"]: (one["outcome"], one["error"]) for one in result["mailings"]}
    reason = "guardrail: expect_recipients: 2 recipients, expected at most 1"
    assert outcomes == {"sale/vip": ("sent", None), "sale/big": ("skipped", reason)}


def test_comment_of_a_refused_plan_is_russian(russian: Shop) -> None:
    """The comment of an apply without a result is in Russian, too: the plan is stale, or there is none."""
    assert russian.run("plan", "sale/vip", "--out", "plan.json").code == 0
    russian.write("vip.csv", "phone,name\n375291111111,Anna\n")
    assert russian.run("apply", "plan.json", "--comment", "result.md").code == 5
    result = (russian.root / "result.md").read_text("utf-8")
    assert "план устарел: с тех пор изменился файл vip.csv" in result
    assert russian.run("apply", "none.json", "--comment", "result.md").code == 5
    assert "нет файла плана none.json" in (russian.root / "result.md").read_text("utf-8")
