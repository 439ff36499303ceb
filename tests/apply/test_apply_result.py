"""The result of an apply: totals, next steps, and the result of a refused apply."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from smsby_deploy.apply.apply_result import (
    MailingOutcome,
    MailingResult,
    NextStep,
    refused_result,
)
from smsby_deploy.errors import Refused
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.plan.model import ActionKind
from tests.output import examples
from tests.output.examples import apply_result as result


def test_next_steps_after_a_good_run() -> None:
    """After a good run the next steps are to commit the lock and then watch the delivery."""
    steps = result(MailingResult("sale/vip", MailingOutcome.SENT, 2)).next_steps
    assert steps == (NextStep.COMMIT_LOCK, NextStep.WATCH_STATUS)


def test_next_steps_are_none_if_nothing_happened() -> None:
    """A mailing that was already complete has no next steps."""
    assert result(MailingResult("sale/old", MailingOutcome.SKIPPED, 3)).next_steps == ()


def test_next_steps_put_an_unknown_outcome_first() -> None:
    """The first next step is to resolve an unknown outcome, before any new plan."""
    lost = result(MailingResult("sale/lost", MailingOutcome.UNKNOWN, 5, error="timed out"))
    assert lost.next_steps == (NextStep.RESOLVE_UNKNOWN, NextStep.COMMIT_LOCK)
    assert lost.first_unknown == "sale/lost"


def test_next_steps_commit_a_partly_sent_mailing() -> None:
    """After a partly sent mailing the next step is to commit the lock, which alone has the recipients who got it."""
    part = MailingResult("sale/vip", MailingOutcome.PARTIAL, 4, ["uuid"], error="sent to 1 of 4 recipients")
    assert result(part).next_steps == (NextStep.COMMIT_LOCK, NextStep.CONTINUE)


def test_sent_totals_of_a_resumed_mailing() -> None:
    """`recipients` counts the whole mailing; `recipients_now` and the cost are those of this run."""
    whole = result(MailingResult("sale/vip", MailingOutcome.SENT, 4))
    resumed = examples.action("sale/vip", ActionKind.RESUME, recipients=3)
    sent = replace(whole, plan=examples.plan(resumed)).sent
    assert sent is not None
    assert (sent.recipients, sent.recipients_now, sent.cost) == (4, 3, Decimal("0.520"))


def test_sent_totals_after_a_late_opt_out() -> None:
    """After a late opt-out, all recipients of the smaller mailing count as sent now."""
    whole = result(MailingResult("sale/vip", MailingOutcome.SENT, 4))
    planned = examples.action("sale/vip", ActionKind.CREATE, recipients=5)
    sent = replace(whole, plan=examples.plan(planned)).sent
    assert sent is not None
    assert (sent.recipients, sent.recipients_now) == (4, 4)


def test_sent_totals_count_unpriced_lists() -> None:
    """The cost of a contact list is counted as unpriced, since only sms.by knows it."""
    sent = result(
        MailingResult("sale/vip", MailingOutcome.SENT, 4),
        MailingResult("news/letter", MailingOutcome.CONFIRMED, None),
    ).sent
    assert sent is not None
    assert (sent.cost, sent.unpriced_lists, sent.uncounted_lists) == (Decimal("0.520"), 1, 1)
    assert result(MailingResult("sale/old", MailingOutcome.SKIPPED, 3)).sent is None


def test_refused_result_gives_each_mailing_a_reason() -> None:
    """In a refused result a blocked mailing keeps its reason, one to be sent gets the refusal, and a noop has no reason."""
    plan = examples.plan(
        examples.action("sale/vip", ActionKind.CREATE),
        examples.action("sale/stuck", ActionKind.BLOCKED, "changed: the text differs"),
        examples.action("sale/old", ActionKind.NOOP),
    )
    refused = refused_result(plan, Refused("max_cost: too much"))
    assert [mailing.error for mailing in refused.mailings] == [
        "max_cost: too much",
        "changed: the text differs",
        None,
    ]
    assert refused.exit_code is ExitCode.REFUSED
    assert refused.count(MailingOutcome.SKIPPED) == 3
