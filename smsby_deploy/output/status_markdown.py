"""The status report as Markdown for a comment."""

from __future__ import annotations

from smsby_deploy.output.markdown import Piece, escape, fit, message_markdown, table_row
from smsby_deploy.output.status_text import (
    ahead_line,
    resolve_line,
    running_line,
    schedule_line,
    status_totals_line,
)
from smsby_deploy.output.translation import ENGLISH, Translator
from smsby_deploy.status.status_report import MailingStatus, OtherKind, StatusReport

_OWN_WORDS = {kind.value: kind for kind in OtherKind}


def status_markdown(report: StatusReport, currency: str | None = None, t: Translator = ENGLISH) -> str:
    """The totals, a table and the differences, short enough for a comment.

    Texts from sms.by are escaped.
    """
    if not report.mailings:
        return f"{t.gettext('The lock records no mailings.')}\n"
    t = t.aligning(mailing.cost for mailing in report.mailings)
    ahead = t.sentence(ahead_line(report))
    pieces = [
        Piece(f"**{escape(status_totals_line(report, currency, t))}**{ahead and f', {ahead}'}\n\n"),
        Piece(table_row(_columns(t))),
        Piece("|---|---|---|" + "---:|" * 7 + "\n"),
    ]
    for mailing in report.mailings:
        pieces.append(Piece(_row(mailing, report, t), 2, "mailing"))
    differences = [
        Piece(f"- ⚠️ **{escape(mailing.name)}** {escape(t.sentence(difference.text))}\n", 1, "difference")
        for mailing in report.mailings
        for difference in mailing.details.differences
    ]
    differences += [
        Piece(f"- {symbol} **{escape(mailing.name)}** {message_markdown(note, t)}\n", 1, "note")
        for mailing in report.mailings
        for symbol, notes in (("💬", mailing.decisions), ("⚠️", mailing.warnings))
        for note in notes
    ]
    for line in filter(None, (report.running and running_line(report), resolve_line(report))):
        differences.append(Piece(f"- {message_markdown(line, t)}\n"))
    if differences:
        pieces += [Piece("\n"), *differences]
    return fit(pieces, rest=t.gettext("`status --format json` shows everything."), t=t)


def _columns(t: Translator) -> list[str]:
    kinds = (kind[0].upper() + kind[1:] for key, kind in delivery_names(t).items() if key != "later")
    return [
        t.gettext("State"),
        t.gettext("Mailing"),
        t.gettext("When"),
        t.gettext("Recipients"),
        *kinds,
        t.gettext("Cost"),
    ]


def delivery_names(t: Translator) -> dict[str, str]:
    """The words for the kinds of recipients, in the order of reports."""
    return {
        "delivered": t.gettext("delivered"),
        "undelivered": t.gettext("undelivered"),
        "sent": t.gettext("sent"),
        "pending": t.gettext("pending"),
        "later": t.gettext("in later waves"),
        "other": t.gettext("other"),
    }


def status_word(word: str, t: Translator) -> str:
    """The word for a count of `other`: ours in this language, those of sms.by verbatim."""
    return t.name(_OWN_WORDS[word]) if word in _OWN_WORDS else word


def _row(mailing: MailingStatus, report: StatusReport, t: Translator) -> str:
    counts = mailing.by_kind
    del counts["other"], counts["later"]
    other = ", ".join(
        f"{t.count(count)} {escape(status_word(name, t))}" for name, count in sorted(mailing.other.items())
    )
    return table_row(
        [
            t.name(mailing.state),
            escape(mailing.name),
            escape(schedule_line(mailing, report, t)),
            t.count(mailing.recipients),
            *map(t.count, counts.values()),
            other or "0",
            t.money(mailing.cost),
        ]
    )
