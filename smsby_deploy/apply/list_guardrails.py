"""The guardrails of a mailing to a list kept at sms.by.

Only sms.by knows the recipients, so the figures of confirm=0 are checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.plan.budget import check_budget
from smsby_deploy.plan.guardrails import check_recipients, key_needing_cost, key_needing_recipients
from smsby_deploy.plan.model import ReasonCode, with_code
from smsby_deploy.smsby.parsers import ListInfo
from smsby_deploy.texts.compiler import compile_texts
from smsby_deploy.texts.cost import cost_of
from smsby_deploy.texts.parts import measure_text
from smsby_deploy.wording import sentence

_WAY_OUT = sentence("check the list at sms.by, or raise `revision` to make a new one")


@dataclass(frozen=True, slots=True)
class ExpectedList:
    """An uploaded list as it was reviewed.

    Attributes:
        recipients: how many contacts it must have.
        cost: its planned cost.
        objection: why its draft must no longer be confirmed; empty if it may be.
        must_be_counted: whether only a count from sms.by proves that it has no other contacts.
    """

    recipients: int
    cost: Decimal
    objection: str
    must_be_counted: bool


class ListGuardrails:
    """Checks drafts against the review and the guardrails.

    Keeps the sum of what the confirmed lists cost.

    Args:
        planned_cost: the planned cost of this apply, uploaded lists included.
        spent: what was spent of the month's budget before this apply.
    """

    def __init__(self, project: Project, *, planned_cost: Decimal, spent: Decimal) -> None:
        self._guardrails = project.guardrails
        self._price = project.price
        self._cost = planned_cost
        self._spent = spent

    def objection(self, mailing: Mailing, info: ListInfo, expected: ExpectedList | None) -> str:
        """Return why the figures of a draft forbid its confirmation; empty if they do not."""
        difference = "" if expected is None else _difference(info, expected)
        if difference:
            return difference
        breach = self._breach(mailing, info, expected)
        return with_code(ReasonCode.GUARDRAIL, breach) if breach else ""

    def estimate_cost(
        self, mailing: Mailing, info: ListInfo, expected: ExpectedList | None
    ) -> Decimal | None:
        """Return the cost that sms.by reports, otherwise an estimate; None if unknown.

        The estimate multiplies the parts, or the recipients, by the project's price.
        """
        if info.cost is not None:
            return info.cost
        if expected is not None and info.recipients == expected.recipients and expected.cost:
            return expected.cost
        parts = count_list_parts(mailing, info.recipients) if info.parts is None else info.parts
        return None if parts is None else cost_of(parts, self._price)

    def count_confirmed(self, cost: Decimal | None, expected: ExpectedList | None) -> None:
        """Count a confirmed list, so that the next one is checked against the sum."""
        self._cost += _unplanned(cost or Decimal(0), expected)

    def _breach(self, mailing: Mailing, info: ListInfo, expected: ExpectedList | None) -> str:
        """Return the guardrail that is breached, or cannot be checked for lack of figures."""
        if info.recipients == 0:
            return sentence(
                "an empty audience never means all recipients: sms.by reports 0 recipients in the list, at "
                "least 1 is required"
            )
        for breach in check_recipients(self._guardrails, mailing, info.recipients):
            return breach.message
        cost = self.estimate_cost(mailing, info, expected)
        if info.recipients is None and (key := key_needing_recipients(self._guardrails, mailing)):
            return sentence("{key}: sms.by does not report how many recipients the list has", key=key)
        if cost is None and (key := key_needing_cost(self._guardrails)):
            return sentence("{key}: sms.by does not report what the list costs", key=key)
        return self._cost_breach(_unplanned(cost, expected)) if cost else ""

    def _cost_breach(self, unplanned: Decimal) -> str:
        total, limit = self._cost + unplanned, self._guardrails.max_cost
        budget = check_budget(self._guardrails, total, self._spent)
        if budget is not None:
            return budget.message
        if limit is not None and total > limit:
            return sentence(
                "max_cost: with this list the apply costs {cost}, the limit is {limit}",
                cost=total,
                limit=limit,
            )
        return ""


def count_list_parts(mailing: Mailing, recipients: int | None) -> int | None:
    """Return the parts of the text for this many recipients; None if the number is unknown."""
    if recipients is None or mailing.text is None:
        return None
    return recipients * measure_text(compile_texts(mailing.text).render_once()).parts


def _unplanned(cost: Decimal, expected: ExpectedList | None) -> Decimal:
    """Return the part of `cost` that was not planned; that of an uploaded list was."""
    return cost if expected is None else cost - expected.cost


def _difference(info: ListInfo, expected: ExpectedList) -> str:
    """Return how the list at sms.by differs from the reviewed one; empty if it does not."""
    if info.recipients == expected.recipients:
        return ""
    if info.recipients is None:
        if not expected.must_be_counted:
            return ""
        why = sentence(
            "this run did not make the list, and sms.by does not report how many recipients it has: {way_out}",
            way_out=_WAY_OUT,
        )
        return with_code(ReasonCode.UNKNOWN, why)
    return sentence(
        "sms.by counts {count:recipient|recipients} in the list, {reviewed:,} {reviewed:|was|were} reviewed: {way_out}",
        count=info.recipients,
        reviewed=expected.recipients,
        way_out=_WAY_OUT,
    )
