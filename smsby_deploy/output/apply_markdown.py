"""The result of an apply as Markdown, for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsby_deploy.apply.result import ApplyResult, MailingOutcome
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.output.apply_text import outcome_of, summary_line
from smsby_deploy.output.markdown import Piece, code, escape, fit, table_row
from smsby_deploy.output.translation import ENGLISH, Translator

if TYPE_CHECKING:
    from smsby_deploy.errors import SmsbyDeployError


def apply_markdown(outcome: ApplyResult | SmsbyDeployError, language: Translator = ENGLISH) -> str:
    """What was sent and, unless everything was, how to go on.

    A failure ends with a colon: only the pipeline knows the command that runs it again, and appends it.
    `outcome` is the error of an apply that ended without a result.
    """
    t, exit_code = language, outcome.exit_code
    if exit_code in (ExitCode.DONE, ExitCode.CHANGES_TO_APPLY):
        title = f"### ✅ {t.gettext('smsby-deploy apply: done')}\n"
    else:
        title = f"### ⛔ {t.gettext('smsby-deploy apply: exit code {code}', code=int(exit_code))}\n"
    pieces = [Piece(title)]
    if isinstance(outcome, ApplyResult):
        pieces += _mailings(outcome, t)
    else:
        pieces.append(Piece(f"\n{escape(t.sentence(outcome.message))}\n"))
    unknown = _unknown(outcome, t) if isinstance(outcome, ApplyResult) else ""
    pieces.append(Piece(f"{unknown}{_next_step(exit_code, t)}"))
    return fit(pieces, rest=t.gettext("the log of the run shows everything"), language=t)


def _mailings(result: ApplyResult, t: Translator) -> list[Piece]:
    """The totals, and a table of the mailings with which something happened or should have."""
    scheduled, rows = result.scheduled, []
    for one in result.mailings:
        why = one.error or one.waits
        if one.outcome is not MailingOutcome.SKIPPED or why:
            cells = [t.name(outcome_of(one, scheduled)), escape(one.address), t.count(one.recipients)]
            rows.append(table_row([*cells, code(t.sentence(why)) if why else ""]))
    pieces = [Piece(f"\n{escape(summary_line(result, t))}\n")]
    if rows:
        titles = [t.gettext("outcome"), t.gettext("mailing"), t.gettext("recipients"), t.gettext("reason")]
        pieces.append(Piece(f"\n{table_row(titles)}|---|---|---:|---|\n"))
        pieces += [Piece(row, 1, "mailing") for row in rows]
    return pieces


def _unknown(result: ApplyResult, t: Translator) -> str:
    """How a person settles what may stay unknown."""
    unknown = [one.address for one in result.mailings if one.outcome is MailingOutcome.UNKNOWN]
    if not unknown:
        return ""
    lead = t.gettext("If it stays unknown, look in the account at sms.by and record what you found:")
    commands = "".join(
        f"smsby-deploy lock resolve {address} --sent --reason …  # --not-sent\n" for address in unknown
    )
    return f"\n{lead}\n\n```sh\n{commands}```\n"


def _next_step(exit_code: ExitCode, t: Translator) -> str:
    match exit_code:
        case ExitCode.DONE | ExitCode.CHANGES_TO_APPLY:
            return ""
        case ExitCode.REFUSED:
            why = t.gettext(
                "Refused or blocked; what is not was sent. When the cause is gone, run this again:"
            )
        case ExitCode.PLAN_REFUSED:
            why = t.gettext(
                "Nothing of the plan was sent: the branch or the lock is not what was reviewed, or there is no plan. "
                "Make a new plan of the branch and have it approved:"
            )
        case ExitCode.OUTCOME_UNKNOWN:
            why = t.gettext(
                "Some outcome is unknown, or a mailing was sent in part. **Do not send it by other means.** The next "
                "run looks for it at sms.by, and sends only to those who certainly got nothing:"
            )
        case ExitCode.UNREACHABLE:
            why = t.gettext("sms.by was not reached, or refused the token. Check both, then run this again:")
        case ExitCode.LOCK_HELD:
            why = t.gettext("Another run held the lock. When it has ended, run this again:")
        case _:
            why = t.gettext("When the cause is gone, run this again:")
    return f"\n{why}\n"
