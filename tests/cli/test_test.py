"""`test`: formats, exit codes, and accepted texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from junitparser import JUnitXml

from smsby_deploy.cli.main import run
from smsby_deploy.sandbox.pytest_plugin import SandboxHandle

_TESTS = """\
    tests:
      - {row: {name: Анна}, text: "Hello Anna"}  # the first
      - {line: 5, contains: [Hello]}
      - {all: true, max_parts: 1}
"""


@pytest.fixture
def tested(shop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project with three tests, the first of which fails."""
    with (shop / "sale.yaml").open("a", encoding="utf-8") as file:
        file.write(_TESTS)
    monkeypatch.chdir(shop)
    return shop


def test_test_names_each_test(tested: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A failed test is exit code 3, with the expected and the actual text one below the other."""
    assert run(["test"]) == 3
    assert capsys.readouterr().out.splitlines() == [
        "sale/vip",
        "  FAILED   test 1: row {name: Анна} (sale.yaml:8:9)",
        "           expected: Hello Anna",
        "           got:      Hello Анна",
        "  passed   test 2: line 5 (sale.yaml:9:9)",
        "  passed   test 3: all recipients (sale.yaml:10:9)",
        "2 passed, 1 failed",
    ]


def test_test_json_is_one_document(tested: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The document has the outcome and place of each test."""
    assert run(["test", "sale/*", "--format", "json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["summary"] == {"passed": 2, "failed": 1, "skipped": 0}
    first = document["tests"][0]
    assert (first["address"], first["outcome"], first["line"]) == ("sale/vip", "failed", 8)
    assert (first["expected"], first["actual"]) == ("Hello Anna", "Hello Анна")


def test_test_junit_has_a_case_per_test(tested: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JUnit has a case for each test, which CI services count."""
    assert run(["test", "--format", "junit"]) == 3
    report = JUnitXml.fromstring(capsys.readouterr().out.encode())
    assert (report.tests, report.failures) == (3, 1)
    names = [case.name for suite in report for case in suite]
    assert names == ["vip 1 row {name: Анна}", "vip 2 line 5", "vip 3 all recipients"]


def test_test_github_annotates_what_failed(tested: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each failed test is one annotation at its line."""
    assert run(["test", "--format", "github"]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("::error file=sale.yaml,line=8,col=9,title=TEST::sale/vip: test 1 (row")


def test_test_accepts_actual_texts(tested: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Accepting texts keeps the file's comments and layout, and a second run changes nothing."""
    before = (tested / "sale.yaml").read_text("utf-8")
    assert run(["test", "--accept"]) == 0
    captured = capsys.readouterr()
    assert captured.err.splitlines() == ["sale.yaml:8:35: accepted the text of test 1"]
    assert captured.out.endswith("3 passed\n")
    after = (tested / "sale.yaml").read_text("utf-8")
    assert after == before.replace('"Hello Anna"}', '"Hello Анна"}')
    assert run(["test", "--accept"]) == 0
    assert (tested / "sale.yaml").read_text("utf-8") == after


def test_test_says_what_it_cannot_rewrite(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An actual text behind an alias cannot be written, and the output says so."""
    with (shop / "sale.yaml").open("a", encoding="utf-8") as file:
        file.write("    tests:\n      - {row: {name: &a A}, text: *a}\n")
    assert run(["-C", str(shop), "test", "--accept"]) == 3
    assert "warning: sale.yaml:8:35: cannot be rewritten; change it manually" in capsys.readouterr().err


def test_test_runs_nothing_where_there_is_none(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without tests the exit code is 0, and a selection that matches nothing is wrong usage."""
    assert run(["-C", str(shop), "test"]) == 0
    assert capsys.readouterr().out == "no tests\n"
    assert run(["-C", str(shop), "test", "sale/nope"]) == 64


def test_test_reports_what_keeps_tests_from_running(tested: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A cause that prevents tests from running is on stderr with its place, and the tests fail."""
    broken = (tested / "sale.yaml").read_text("utf-8").replace("{{ name }}", "{{ name | nope }}")
    (tested / "sale.yaml").write_text(broken, "utf-8")
    assert run(["test"]) == 3
    captured = capsys.readouterr()
    assert captured.out.endswith("3 failed\n")
    assert "TEMPLATE_SYNTAX" in captured.err


def test_plan_and_validate_fail_with_a_test(tested: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """plan and validate run the tests, so that a pull request needs no further command, and the comment lists them."""
    assert run(["validate"]) == 3
    assert "sale.yaml:8:9: error TEST sale/vip: test 1" in capsys.readouterr().out
    assert run(["plan", "--offline", "--format", "markdown"]) == 3
    out = capsys.readouterr().out
    assert "<summary>Tests (2 passed, 1 failed)</summary>" in out
    assert "- ✅ **sale/vip** test 2: line 5" in out


def test_no_format_shows_what_came_from_a_list(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A failure of a recipient's text never shows the text, whatever is expected and wherever it is reported."""
    (shop / "list.csv").write_text("phone,name\n375291234567,Аполлинария\n375297654321,\n", "utf-8")
    (shop / "sale.yaml").write_text(
        """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: {file: list.csv}
    text: "{{ name | default('Друг', true) | upper }}, привет"
    tests:
      - {line: 2, text: x}
      - {line: 2, contains: [x]}
      - {line: 2, matches: x, parts: 2}
      - {line: 2, error: TEMPLATE}
      - {all: true, contains: [x]}
      - {audience: {excludes: ["375291234567"]}}
""",
        "utf-8",
    )
    for command in (
        ["test"],
        *(["test", "--format", form] for form in ("json", "junit", "github")),
        ["validate"],
        ["plan", "--offline", "--format", "markdown"],
    ):
        assert run(["-C", str(shop), *command]) == 3
        captured = capsys.readouterr()
        said = captured.out + captured.err
        assert "аполл" not in said.casefold(), command
        assert "1234567" not in said, command
        assert "***, привет" in said.replace("\\*", "*"), command  # the author's own words stay


_COUNTED = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: ["375291111111", "375292222222"]
    text: Hello
    tests: [{audience: {min: 2}}]
"""


def test_apply_without_a_plan_sends_nothing_if_a_test_fails(
    shop: Path, smsby_sandbox: SandboxHandle, capsys: pytest.CaptureFixture[str]
) -> None:
    """An apply without a plan file runs the tests, but --due and a reviewed plan do not repeat them."""
    (shop / "sale.yaml").write_text(_COUNTED.replace("min: 2", "min: 3"), "utf-8")
    assert run(["-C", str(shop), "apply", "--auto-approve"]) == 3
    assert "TEST sale/vip: test 1 (audience): expected at least 3" in capsys.readouterr().err
    assert not (shop / "smsby.lock.json").exists()


def test_late_opt_out_does_not_stop_a_reviewed_plan(shop: Path, smsby_sandbox: SandboxHandle) -> None:
    """A late opt-out does not fail the tests of a reviewed plan, and is honored."""
    (shop / "smsby.yaml").write_text("version: 1\nproject: shop\nsuppress: [out.txt]\n", "utf-8")
    (shop / "out.txt").write_text("375293333333\n", "utf-8")
    (shop / "sale.yaml").write_text(_COUNTED, "utf-8")
    plan = str(shop / "plan.json")
    assert run(["-C", str(shop), "plan", "--out", plan]) == 0
    (shop / "out.txt").write_text("375292222222\n", "utf-8")
    assert run(["-C", str(shop), "validate"]) == 3
    assert run(["-C", str(shop), "apply", plan]) == 0
