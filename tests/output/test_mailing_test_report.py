"""Reports of test results: no phone is shown whole, and no line is broken."""

from __future__ import annotations

import io
import json

from junitparser import JUnitXml

from smsby_deploy.config.mailing_tests import AllSubject, MailingTest, TextExpectation
from smsby_deploy.output.mailing_test_report import (
    results_document,
    results_junit,
    results_section,
    write_tests,
)
from smsby_deploy.output.translation import ENGLISH, translator
from smsby_deploy.plan.mailing_test_results import MailingTestResult
from smsby_deploy.problems import Location

_TEST = MailingTest(1, "call +375 29 123-45-67", Location("a.yaml", 3, 5), AllSubject(), TextExpectation())
_FAILED = MailingTestResult(
    "sale/vip",
    _TEST,
    ("expected “375291234567\nx”, got “y”", "got 2"),
    expected="375291234567\nx",
    actual="375291234567 y",
)
_SKIPPED = MailingTestResult("sale/vip", _TEST, skipped="CRM_URL is not set")


def test_text_has_a_line_per_reason() -> None:
    """A reason is one line, with a sign for a line break of the text."""
    stream = io.StringIO()
    write_tests([_FAILED, _SKIPPED], stream, color=False)
    assert stream.getvalue().splitlines() == [
        "sale/vip",
        "  FAILED   test 1: call +375 29 ***-**-67 (a.yaml:3:5)",
        "           expected: 37529*****67⏎x",
        "           got:      37529*****67 y",
        "           got 2",
        "  skipped  test 1: call +375 29 ***-**-67 (a.yaml:3:5)",
        "           CRM_URL is not set",
        "1 failed, 1 skipped",
    ]
    empty = io.StringIO()
    write_tests([], empty, color=False)
    assert empty.getvalue() == "no tests\n"


def test_machine_formats_mask_phones() -> None:
    """Phones are masked wherever a text or a title is quoted."""
    document = json.dumps(results_document([_FAILED], [])) + results_junit([_FAILED])
    assert "1234567" not in document
    assert "123-45-67" not in document


def test_junit_counts_skipped_tests() -> None:
    """A skipped test is counted with its reason."""
    text = results_junit([_FAILED, _SKIPPED])
    report = JUnitXml.fromstring(text.encode())
    assert (report.tests, report.failures, report.skipped) == (2, 1, 1)
    assert '<skipped message="CRM_URL is not set" />' in text


def test_section_of_tests_is_inert() -> None:
    """A title from a file has no effect in the comment and shows no phone."""
    test = MailingTest(2, "<b>@team 375291234567", Location("a.yaml", 3), AllSubject(), TextExpectation())
    results = [MailingTestResult("sale/vip", test), MailingTestResult("sale/vip", test, ("no",))]
    section = results_section(results, ENGLISH)
    assert "<summary>Tests (1 passed, 1 failed)</summary>" in section
    assert "- ✅ **sale/vip** test 2: &lt;b&gt;@\u2060team 37529\\*\\*\\*\\*\\*67\n- ❌" in section
    assert "<summary>Тесты (прошло 1, не прошло 1)</summary>" in results_section(results, translator("ru"))
