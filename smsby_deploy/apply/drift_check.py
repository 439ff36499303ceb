"""Compares a message or draft, as sms.by reports it, with the review before it is sent.

A message is compared before its first sendSMS, a draft before its confirmation. Values that no answer reports are not
compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from smsby_deploy.apply.context import ApplyContext, Event
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.plan.drift import (
    CLOCK_DIFFERENCE,
    DriftField,
    IntendedValues,
    ReportedValues,
    compare_values,
)
from smsby_deploy.wording import join_sentences, sentence


class DriftCheck:
    """Compares what sms.by reports with what was reviewed."""

    def __init__(self, context: ApplyContext) -> None:
        self._context = context
        self._warned: set[str] = set()

    def objection(
        self,
        what: str,
        mailing: Mailing,
        answers: Sequence[ReportedValues],
        *,
        parts: int | None,
        recipients: int | None = None,
    ) -> str:
        """Return why `what`, a message or a draft, must not be sent; empty if it may be.

        A harmless difference is only a warning.

        Args:
            answers: what each answer of sms.by reports about it.
            parts: the reviewed number of parts; None if unknown.
            recipients: how many recipients it must have; None if unknown.
        """
        intended = replace(self._intended(mailing, answers), parts=parts)
        found = dict.fromkeys(
            difference for answer in answers for difference in compare_values(intended, recipients, answer)
        )
        for difference in found:
            if difference.is_harmless:
                self._warn(mailing.address, f"{what}: {difference.text}")
        serious = [difference for difference in found if not difference.is_harmless]
        if not serious:
            return ""
        values = join_sentences([difference.text for difference in serious])
        ways = join_sentences(list(dict.fromkeys(_way_out(difference.field) for difference in serious)))
        return sentence("{what} is not as reviewed: {values}; {ways}", what=what, values=values, ways=ways)

    def _warn(self, address: str, text: str) -> None:
        """Warn once, even if several answers report the same difference."""
        line = f"{address}: {text}"
        if line not in self._warned:
            self._warned.add(line)
            self._context.say(Event("REMOTE_DIFFERS", line, (address,), is_warning=True))

    def _intended(self, mailing: Mailing, answers: Sequence[ReportedValues]) -> IntendedValues:
        """Return what was reviewed.

        For a mailing sent at once, or late if that is allowed, any time that is not in the future is right.
        """
        now = self._context.clock.now().astimezone(self._context.project.api.account_zone)
        action = self._context.action_of(mailing)
        is_as_written = all(answer.alphaname in (None, "", action.alphaname) for answer in answers)
        return IntendedValues(
            mailing.address,
            mailing.time_on_wire(now),
            action.alphaname if is_as_written else self._context.names.sender_name(action.alphaname),
            mailing.time_location,
            at_once_until=now + CLOCK_DIFFERENCE,
        )


def _way_out(field: DriftField) -> str:
    """Return what a user can do about a difference in `field`."""
    match field:
        case DriftField.TIME:
            return sentence("check `api.account_timezone`")
        case DriftField.RECIPIENTS:
            return sentence("check the list at sms.by")
        case DriftField.SENDER:
            return sentence("check the sender at sms.by")
        case DriftField.PARTS:
            return sentence("shorten the text: each part is billed")
        case DriftField.COST | DriftField.LISTED | DriftField.NAME:  # `status` and `import` compare them
            return sentence("check the mailing at sms.by")
