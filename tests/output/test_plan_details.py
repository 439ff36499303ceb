"""What a comment folds away."""

from __future__ import annotations

from smsby_deploy.config.mailing_tests import AllSubject, MailingTest, TextExpectation
from smsby_deploy.output.plan_details import chunks_section, results_section
from smsby_deploy.output.translation import ENGLISH, translator
from smsby_deploy.plan.desired import ChunkPlan
from smsby_deploy.plan.mailing_test_results import MailingTestResult
from smsby_deploy.plan.model import ActionKind
from smsby_deploy.problems import Location
from tests.output.examples import action


def test_section_of_tests_is_inert() -> None:
    """A title from a file has no effect in the comment, and shows no phone."""
    test = MailingTest(2, "<b>@team 375291234567", Location("a.yaml", 3), AllSubject(), TextExpectation())
    results = [MailingTestResult("sale/vip", test), MailingTestResult("sale/vip", test, ("no",))]
    section = results_section(results, ENGLISH)
    assert "<summary>Tests (1 passed, 1 failed)</summary>" in section
    assert "- ✅ **sale/vip** 2 &lt;b&gt;@\u2060team 37529\\*\\*\\*\\*\\*67\n- ❌" in section
    assert "<summary>Тесты (прошло 1, не прошло 1)</summary>" in results_section(results, translator("ru"))


def test_section_of_chunks_has_waves_and_variants() -> None:
    """Each in a column of its own, where the mailing has some."""
    chunks = (ChunkPlan("aaaaaaaaaa", 2, "d", wave=1, variant="b"), ChunkPlan("bbbbbbbbbb", 10, "d", wave=2))
    shown = chunks_section(action("sale/vip", ActionKind.CREATE, chunks=chunks), ENGLISH)
    assert "| chunk | fingerprint | recipients | wave | variant |" in shown
    assert "| 1 | <code>aaaaaaaaaa</code> | 2 | 1 | b |" in shown
    plain = chunks_section(
        action("sale/vip", ActionKind.CREATE, chunks=(ChunkPlan("aaaaaaaaaa", 2, "d"),)), ENGLISH
    )
    assert "| chunk | fingerprint | recipients |\n|---:|---|---:|\n" in plain
