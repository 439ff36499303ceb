"""The Python API as described in docs/python.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import smsby_deploy
from smsby_deploy.errors import Refused
from smsby_deploy.texts import pattern_search
from tests.e2e.conftest import Shop

ROOT = Path(__file__).resolve().parents[2]


def test_example_of_the_python_docs_runs(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example of the docs plans, sends and reports in a sandbox, and binds the lock to it."""
    shop.write("shop/smsby.yaml", "version: 1\nproject: shop\n")
    shop.write(
        "shop/sale.yaml",
        'version: 1\ncampaign: sale\nmailings:\n  - {name: a, recipients: ["375291234567"], text: Hello}\n',
    )
    monkeypatch.chdir(shop.root)
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text("utf-8"), re.DOTALL)
    exec(compile(example.replace("http://127.0.0.1:8025", shop.url), "docs/python.md", "exec"), {})  # noqa: S102
    planned, applied, reported = capsys.readouterr().out.splitlines()
    assert planned == "create sale/a 1"
    assert applied == "0 ['sent']"
    assert reported in {"['sending']", "['final']"}
    assert len(shop.inbox()["375291234567"]) == 1
    elsewhere = shop.url.replace("127.0.0.1", "localhost")
    with pytest.raises(
        Refused, match=f"the lock records what {shop.url} accepted, but this run uses {elsewhere}"
    ):
        exec(compile(example.replace("http://127.0.0.1:8025", elsewhere), "docs/python.md", "exec"), {})  # noqa: S102


def test_each_run_of_a_program_has_its_own_time_for_patterns(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time that patterns took in an earlier plan or apply of the process does not count in a later one."""
    shop.write("shop/smsby.yaml", "version: 1\nproject: shop\nguardrails: {forbidden_words: ['(a|b)+x']}\n")
    campaign = (
        'version: 1\ncampaign: sale\nmailings:\n  - {name: a, recipients: ["375291234567"], text: abc}\n'
    )
    shop.write("shop/sale.yaml", campaign)
    monkeypatch.chdir(shop.root)
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text("utf-8"), re.DOTALL)
    verbs = ("plan = make_plan(", "result = apply_plan(")
    for verb in verbs:
        assert verb in example
        example = example.replace(verb, f"spend()\n{verb}")
    program = compile(example.replace("http://127.0.0.1:8025", shop.url), "docs/python.md", "exec")
    exec(program, {"spend": lambda: pattern_search._slow.update({"(a|b)+x": "is slow"})})  # noqa: S102
    assert len(shop.inbox()["375291234567"]) == 1


def test_python_api_has_what_it_offers() -> None:
    """Every name in __all__ exists, and there is no other public attribute."""
    for name in smsby_deploy.__all__:
        assert callable(getattr(smsby_deploy, name))
    with pytest.raises(AttributeError):
        smsby_deploy.nothing  # noqa: B018
