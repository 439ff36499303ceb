"""The tests of a mailing: what passes, what fails, and what a failure shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.mailing_test_results import MailingTestResult, TestOutcome
from smsby_deploy.plan.planner import measure_files
from smsby_deploy.plan.validation import validate_project
from tests.plan.examples import NOON
from tests.plan.tested_mailing import run_tests


def why(results: list[MailingTestResult]) -> str:
    """Return why the only test failed, or an empty text if it passed."""
    (result,) = results
    return "; ".join(result.failures)


@pytest.mark.parametrize(
    ("test", "failure"),
    [
        ("{row: {name: Анна, city: Минск}, text: 'Анна из города Минск, привет', parts: 1}", ""),
        ("{row: {name: Анна, city: ''}, text: ' Анна, привет '}", ""),
        ("{row: {name: Анна, city: ~}, text: 'Анна, привет'}", ""),
        ("{row: {name: Анна, city: ''}, text: 'Анна, пока'}", "expected “Анна, пока”, got “Анна, привет”"),
        ("{row: {name: Анна, city: ''}, parts: 2}", "expected 2 parts, got 1"),
        ("{row: {name: Анна, city: ''}, max_parts: 1, contains: [Анна], matches: '^Анна, п'}", ""),
        ("{row: {name: Анна, city: ''}, contains: [Анна, Олег]}", "“Олег” is not in “Анна, привет”"),
        ("{row: {name: Анна, city: ''}, matches: '^привет'}", "^привет is not found in “Анна, привет”"),
        ("{row: {name: '', city: ''}, error: TEMPLATE}", ""),
        ("{row: {name: '#N/A', city: ''}, error: NOT_A_VALUE}", ""),
        ("{row: {name: '{name}', city: ''}, error: PLACEHOLDER}", ""),
        ("{row: {name: Анна, city: '', phone: '12'}, error: PHONE}", ""),
        (
            "{row: {name: Анна, city: ''}, error: TEMPLATE}",
            "expected the error TEMPLATE, but the text is “Анна, привет”",
        ),
    ],
)
def test_row_is_rendered_and_compared(tmp_path: Path, test: str, failure: str) -> None:
    """A row's text is compared without outer white space, and nothing of the row is masked."""
    assert why(run_tests(tmp_path, test)) == failure


@pytest.mark.parametrize("rest", ["text: 'Анна, привет'", "error: TEMPLATE"])
def test_row_must_have_every_variable(tmp_path: Path, rest: str) -> None:
    """A row with a misspelled name never passes, even if it expects an error."""
    failure = why(run_tests(tmp_path, f"{{row: {{name: Анна, ctiy: Минск}}, {rest}}}"))
    assert failure == 'the row has no city: add it; an empty value is written as city: ""'
    failure = why(run_tests(tmp_path, "{row: {}, parts: 1}", text="{{ phone }} {{ phone | default(1) }}"))
    assert failure.startswith("the row has no phone")


def test_row_is_typed_as_recipients_are(tmp_path: Path) -> None:
    """A bare false or 0 in a row is false, and columns have the names that templates use."""
    text = "{% if vip %}VIP{% else %}нет{% endif %} {{ first_name }}"
    assert why(run_tests(tmp_path, "{row: {vip: false, first name: Анна}, text: нет Анна}", text=text)) == ""


def test_own_text_in_a_row_takes_precedence(tmp_path: Path) -> None:
    """A row's own text takes precedence, as for recipients in the campaign file; for a list `text` is a variable."""
    inline = "recipients: [{phone: '375291111111', name: Анна}]"
    test = "{row: {name: Анна, text: свой}, text: свой}"
    assert why(run_tests(tmp_path, test, text="{{ name }}", source=inline)) == ""
    assert why(run_tests(tmp_path, test, text="{{ text }}")) == ""
    assert (
        why(run_tests(tmp_path, test, text="", source="recipients: [{phone: '375291111111', text: a}]")) == ""
    )


def test_row_gets_the_text_in_its_language(tmp_path: Path) -> None:
    """A row with a language gets its text and needs only its variables; a language without a text is an error."""
    more = "    text: {ru: 'Привет, {{ name }}', be: 'Вітаем, {{ city }}'}\n    language: lang\n"
    source = "recipients: [{phone: '375291111111', name: Анна, city: Мінск, lang: be}]"
    tests = (
        "{row: {name: Анна, lang: ru}, text: 'Привет, Анна'}\n{row: {city: Мінск, lang: be}, text: 'Вітаем, Мінск'}\n"
        "{row: {name: a, city: b, lang: pl}, error: LANGUAGE}\n{line: 5, contains: [Вітаем]}"
    )
    results = run_tests(tmp_path, tests, text="", source=source, more=more)
    assert [one.failures for one in results] == [(), (), (), ()]
    failure = why(
        run_tests(tmp_path, "{row: {name: a, city: b}, parts: 1}", text="", source=source, more=more)
    )
    assert failure.startswith("the row has no lang")


def test_row_of_a_control_group_gets_no_text(tmp_path: Path) -> None:
    """A row whose phone is in the control group fails; any other gets the text of its variant."""
    more = (
        "    variants: [{name: none, share: 98, send: false}, {name: a, share: 1, text: '{{ name }}'}, "
        "{name: b, share: 1, text: B}]\n"
    )
    written = [f"375 (29) {number}" for number in range(1_000_000, 1_000_200)]
    tests = [f"{{row: {{name: A, phone: '{phone}'}}, matches: '^[AB]$'}}" for phone in written]
    results = run_tests(
        tmp_path, "\n".join([*tests, "{row: {name: A}, matches: '^[AB]$'}"]), text="", more=more
    )
    assert {one.failures for one in results[:-1]} == {
        (), ("this phone is in the control group, which gets no text",)
    }  # fmt: skip
    assert not results[-1].failures


@pytest.mark.parametrize("code", ["NOT_A_VALUE", "PLACEHOLDER", "LANGUAGE", "TOO_LONG"])
def test_line_may_expect_any_error_of_its_text(code: str, tmp_path: Path) -> None:
    """A test by line can expect any error of its text, as a row can."""
    name = {"NOT_A_VALUE": "'#N/A'", "PLACEHOLDER": "'{name}'", "TOO_LONG": "я" * 671}.get(code, "Анна")
    language = "pl" if code == "LANGUAGE" else "ru"
    source = f"recipients: [{{phone: '375291111111', name: {name}, lang: {language}}}]"
    more = "    text: {ru: '{{ name }}', be: '{{ name }}'}\n    language: lang\n"
    (result,) = run_tests(tmp_path, f"{{line: 5, error: {code}}}", text="", source=source, more=more)
    assert not result.failures


def test_line_names_a_recipient_and_is_masked(tmp_path: Path) -> None:
    """Line 1 of a CSV file is its header, and a failure shows nothing from the list."""
    assert why(run_tests(tmp_path, "{line: 2, contains: [Анна, Минск]}")) == ""
    failure = why(run_tests(tmp_path, "{line: 4, text: что-то}"))
    assert failure == "expected “что-то”, got “**** из города *****, привет”"
    assert why(run_tests(tmp_path, "{line: 9, parts: 1}")) == "no recipient in line 9 of list.csv"


def test_all_recipients_are_counted(tmp_path: Path) -> None:
    """A failure says how many recipients fail and where the first is; opt-outs do not count."""
    assert why(run_tests(tmp_path, "{all: true, max_parts: 1, matches: привет}")) == ""
    failure = why(run_tests(tmp_path, "{all: true, contains: [города]}"))
    assert failure == "1 of 3 texts fails: “города” is not in the text (list.csv:3)"
    (tmp_path / "out.txt").write_text("375292222222\n", "utf-8")
    assert why(run_tests(tmp_path, "{all: true, contains: [города]}", project="suppress: [out.txt]\n")) == ""
    failure = why(run_tests(tmp_path, "{all: true, parts: 2}", text="Привет"))
    assert failure == "3 of 3 texts fail: expected 2 parts, got 1"


def test_audience_counts_opt_outs_off(tmp_path: Path) -> None:
    """The audience is counted without opt-outs; phones may be written in any way, and failures mask them."""
    (tmp_path / "out.txt").write_text("375292222222\n", "utf-8")
    good = "audience: {min: 2, max: 2, includes: ['8 029 111-11-11'], excludes: ['375292222222', '375290000000']}"
    project = "suppress: [out.txt]\n"
    assert why(run_tests(tmp_path, good, project=project)) == ""
    bad = "audience: {min: 3, includes: ['375292222222', '375290000000', '12'], excludes: ['375291111111']}"
    assert why(run_tests(tmp_path, bad, project=project)).split("; ")[:3] == [
        "expected at least 3 recipients, got 2",
        "37529*****22 opted out",
        "37529*****00 is not among the recipients",
    ]
    assert "37529*****11 gets the mailing" in why(run_tests(tmp_path, bad, project=project))
    few = run_tests(tmp_path, "audience: {max: 1}", project=project)
    assert why(few) == "expected at most 1 recipient, got 2"


_TOP = "schedule_time: 2026-12-01T22:00\nrelease: {before: 12h, at_latest: 20m}\n"
_QUIET = "guardrails: {quiet_hours: {from: '21:00', to: '09:00'}}\n"


@pytest.mark.parametrize(
    ("test", "project", "failure"),
    [
        ("{at: 2026-12-01T09:00, action: hold, reason_code: ~}", "", ""),
        ("{at: 2026-12-01T12:00, action: create}", "", ""),
        ("{at: '2026-12-01T21:50', action: blocked, reason_code: expired}", "", ""),
        ("{at: 2026-12-01T12:00, reason_code: guardrail}", _QUIET, ""),
        ("{at: 2026-12-01T12:00, action: create}", "freeze: holidays\n", ""),
        ("{at: 2026-12-01T09:00+03:00, action: create}", "", "expected create, got hold"),
        ("{at: 2026-12-01T12:00, reason_code: expired}", "", "expected the reason expired, got create"),
    ],
)
def test_time_is_judged_as_by_a_plan(tmp_path: Path, test: str, project: str, failure: str) -> None:
    """A test of the time applies guardrails and the release window, but not what was sent, rehearsed or frozen."""
    assert why(run_tests(tmp_path, test, project=project, top=_TOP)) == failure


def test_environment_with_test_phones_skips_counts(tmp_path: Path) -> None:
    """In an environment with test phones, tests of the audience are skipped, and times are judged as in production."""
    project = "test_phones: ['375291111111']\nenvironments: {staging: {only_to: test_phones, lock: a.json}}\n"
    tests = "{audience: {min: 3}}\n{at: 2026-12-01T09:00, action: hold}\n{row: {name: a, city: ''}, parts: 1}"
    results = run_tests(tmp_path, tests, project=project, top=_TOP, environment="staging")
    assert [one.outcome for one in results] == [TestOutcome.SKIPPED, TestOutcome.SKIPPED, TestOutcome.PASSED]
    results = run_tests(tmp_path, tests, top=_TOP, environment="sandbox")
    assert {one.outcome for one in results} == {TestOutcome.PASSED}


def test_query_without_a_database_runs_rows_only(tmp_path: Path) -> None:
    """Without its database a test runs its rows only, as `validate` does."""
    source = "recipients: {sql: select 1, url_env: CRM_URL, order_by: id}"
    tests = "{row: {name: a, city: ''}, parts: 2}\n{all: true, parts: 1}"
    results = run_tests(tmp_path, tests, source=source)
    assert [one.outcome for one in results] == [TestOutcome.FAILED, TestOutcome.SKIPPED]
    assert results[1].skipped == "CRM_URL is not set"
    codes = [one.code for one in validate_project(load_project(tmp_path))]
    assert codes == ["TEST", "NOT_READ"]


def test_list_at_smsby_has_rows_and_times(tmp_path: Path) -> None:
    """A list at sms.by has tests of rows and times, but not of recipients, which only sms.by knows."""
    tests = "{row: {}, text: Привет}\n{all: true, max_parts: 1}\n{at: 2026-12-01T09:00, action: create}"
    results = run_tests(tmp_path, tests, text="Привет", source="list: Newsletter")
    assert {one.outcome for one in results} == {TestOutcome.PASSED}
    (tmp_path / "sale.yaml").write_text(
        (tmp_path / "sale.yaml").read_text("utf-8") + "      - {line: 2, parts: 1}\n", "utf-8"
    )
    (problem,) = load_project(tmp_path).problems
    assert (problem.code, str(problem.location)) == ("TEST", "sale.yaml:11:9")


def test_failure_with_a_known_cause_is_no_problem(tmp_path: Path) -> None:
    """A template that fails is reported once, and its tests count as failed."""
    results = run_tests(tmp_path, "{row: {}, parts: 1}\n{all: true, parts: 1}", text="{{ name | nope }}")
    assert {one.outcome for one in results} == {TestOutcome.FAILED}
    assert [one.code for one in validate_project(load_project(tmp_path))] == ["TEMPLATE_SYNTAX"]
    run_tests(tmp_path, "{all: true, parts: 1}", text="{{ city }}")
    assert {one.code for one in validate_project(load_project(tmp_path))} == {"TEMPLATE"}


def test_failed_test_is_an_error_of_a_plan(tmp_path: Path) -> None:
    """A failed test is an error of the plan, which then sends nothing; without tests there are no results."""
    run_tests(tmp_path, "{line: 2, parts: 2}")
    loaded = load_project(tmp_path)
    files = measure_files(loaded, select=(), lock=Lock("shop"), now=NOON, runs_tests=True)
    assert [(one.code, str(one.location)) for one in files.problems] == [("TEST", "sale.yaml:8:9")]
    assert len(files.tests) == 1
    assert measure_files(loaded, select=(), lock=Lock("shop"), now=NOON).problems == ()


def test_tests_change_nothing_that_identifies_a_send(tmp_path: Path) -> None:
    """Tests do not change the digests or fingerprints of a mailing."""
    run_tests(tmp_path, "{line: 2, parts: 1}")
    with_tests = measure_files(load_project(tmp_path), select=(), lock=Lock("shop"), runs_tests=True)
    campaign = tmp_path / "sale.yaml"
    campaign.write_text(campaign.read_text("utf-8").split("    tests:")[0], "utf-8")
    without = measure_files(load_project(tmp_path), select=(), lock=Lock("shop"))
    assert with_tests.measured[0].desired == without.measured[0].desired
