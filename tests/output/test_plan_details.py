"""What a comment folds away."""

from __future__ import annotations

from smsby_deploy.config.mailing_tests import AllSubject, MailingTest, TextExpectation
from smsby_deploy.output.plan_details import results_section
from smsby_deploy.output.translation import ENGLISH, translator
from smsby_deploy.plan.mailing_tests import MailingTestResult
from smsby_deploy.problems import Location


def test_section_of_tests_is_inert() -> None:
    """A title from a file has no effect in the comment, and shows no phone."""
    test = MailingTest(2, "<b>@team 375291234567", Location("a.yaml", 3), AllSubject(), TextExpectation())
    results = [MailingTestResult("sale/vip", test), MailingTestResult("sale/vip", test, ("no",))]
    section = results_section(results, ENGLISH)
    assert "<summary>Tests (1 passed, 1 failed)</summary>" in section
    assert "- ✅ **sale/vip** 2 &lt;b&gt;@\u2060team 37529\\*\\*\\*\\*\\*67\n- ❌" in section
    assert "<summary>Тесты (прошло 1, не прошло 1)</summary>" in results_section(results, translator("ru"))
