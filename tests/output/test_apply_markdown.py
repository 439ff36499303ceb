"""The result of an apply as Markdown, for a pull request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smsby_deploy.apply.result import MailingOutcome, MailingResult
from smsby_deploy.errors import LockHeld, PlanRefused, SmsbyDeployError, SmsbyUnavailable
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.output.apply_markdown import apply_markdown
from smsby_deploy.output.markdown import COMMENT_BYTES
from smsby_deploy.output.translation import translator
from smsby_deploy.wording import sentence
from tests.output.examples import apply_result as result
from tests.output.golden import check_golden


@pytest.mark.parametrize("language", ["en", "ru"])
def test_apply_markdown_is_what_was_reviewed(language: str) -> None:
    """Every outcome, why, and how to settle what is unknown; the last line awaits a command."""
    blocked = sentence("max_cost: this apply costs {cost}, the limit is {limit}", cost=9, limit=5)
    outcome = replace(
        result(
            MailingResult("sale/vip", MailingOutcome.SENT, 1_000_000),
            MailingResult("news/letter", MailingOutcome.CONFIRMED, None),
            MailingResult("sale/idle", MailingOutcome.SKIPPED, 3),
            MailingResult("sale/stuck", MailingOutcome.SKIPPED, 3, error=blocked),
            MailingResult("sale/bad", MailingOutcome.REJECTED, 4, error="<b>No|such</b> 375291234567"),
            MailingResult("sale/lost", MailingOutcome.UNKNOWN, 5, error="unknown: timed out"),
        ),
        exit_code=ExitCode.OUTCOME_UNKNOWN,
    )
    text = apply_markdown(outcome, translator(language))
    check_golden("apply.md" if language == "en" else "apply.ru.md", text)
    assert text.endswith(":\n")
    assert "375291234567" not in text
    assert "idle" not in text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            PlanRefused(sentence("there is no plan file {path}", path="plan.json")),
            "нет файла плана plan.json",
        ),
        (LockHeld("another run"), "занят другим запуском"),
        (SmsbyUnavailable("timed out"), "sms.by не ответил"),
    ],
)
def test_apply_markdown_of_an_apply_without_result(error: SmsbyDeployError, said: str) -> None:
    """It says what was refused and how to go on."""
    text = apply_markdown(error, translator("ru"))
    assert text.startswith(f"### ⛔ smsby-deploy apply: код выхода {int(error.exit_code)}\n")
    assert said in text


def test_apply_markdown_of_success_needs_no_command() -> None:
    """Nothing has to be run again."""
    text = apply_markdown(result(MailingResult("sale/vip", MailingOutcome.SENT, 2)))
    assert text.startswith("### ✅ smsby-deploy apply: done\n")
    assert not text.endswith(":\n")


def test_apply_markdown_fits_into_a_comment() -> None:
    """Rows are left out, counted; the next step stays."""
    many = (
        MailingResult(f"sale/n{number}", MailingOutcome.REJECTED, 4, error="no " * 20)
        for number in range(2_000)
    )
    text = apply_markdown(replace(result(*many), exit_code=ExitCode.FAILED))
    assert len(text.encode()) <= COMMENT_BYTES
    assert "Left out to fit into a comment: " in text
    assert "When the cause is gone" in text
