"""What was sent and what it cost, for readers: text, Markdown and a web page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TextIO

from smsby_deploy.lock.records import EntryState
from smsby_deploy.output.console import Column, Row, make_console, table_lines, write_sentence
from smsby_deploy.output.markdown import escape, table_row
from smsby_deploy.output.messages import message_html, message_markdown
from smsby_deploy.output.terminal import safe_line
from smsby_deploy.output.translation import ENGLISH, Translator
from smsby_deploy.status.usage_groups import GroupKind
from smsby_deploy.wording import Sentence, sentence

if TYPE_CHECKING:
    from smsby_deploy.output.status_html import Section
    from smsby_deploy.status.usage_groups import Grouping
    from smsby_deploy.status.usage_report import Sum, UsageReport, UsageRow

_COSTS = ("planned", "billed", "difference")
_HEADS = ("mailings", "recipients", "parts", *_COSTS)
_DELIVERY_HEADS = ("delivered", "undelivered", "share")
_NOT_SENT = "not sent"


# --- Text ------------------------------------------------------------------------------------------------------------


def write_usage(report: UsageReport, stream: TextIO, *, color: bool) -> None:
    """A table with a line for each group and for the totals, then what the figures lack."""
    console = make_console(stream, color=color)
    if not report.rows:
        write_sentence(console, _nothing_sent(report), "dim")
    else:
        rows = [*report.rows, *report.totals]
        heads = _heads(report, rows)
        optional = {"parts", "difference", "undelivered"} if "delivered" in heads else set()
        columns = (
            *(Column(one.name) for one in report.groupings),
            *(Column(name, is_number=True, is_optional=name in optional) for name in heads),
            Column("currency"),
        )
        cells = zip(rows, *_figures(rows, heads, ENGLISH), strict=True)
        first = len(report.rows)
        lines = (
            Row(
                (*_names(report, row, ENGLISH), *figures, row.currency or ""),
                "",
                "bold" if index >= first else "",
            )
            for index, (row, *figures) in enumerate(cells)
        )
        for line in table_lines(columns, list(lines), console.width):
            console.print(line, soft_wrap=True)
    for note in usage_notes(report):
        write_sentence(console, note, "dim")


def _nothing_sent(report: UsageReport) -> Sentence:
    if report.since is None:
        return sentence("nothing was sent")
    return sentence("nothing was sent since {since}", since=datetime.fromisoformat(report.since))


def _since(report: UsageReport, t: Translator) -> str:
    if report.since is None:
        return ""
    return t.gettext("Since {since}.", since=datetime.fromisoformat(report.since))


def _names(report: UsageReport, row: UsageRow, t: Translator) -> Iterator[str]:
    """The cells of the groups; those of a total are `all`."""
    if not row.keys:
        yield from [t.gettext("all"), *[""] * (len(report.groupings) - 1)]
        return
    for grouping, key in zip(report.groupings, row.keys, strict=True):
        if key is None:
            yield t.gettext("not recorded")
        elif grouping.kind is GroupKind.STATE:
            yield t.name(EntryState(key))
        else:
            yield safe_line(key) or t.gettext("(none)")


def _heads(report: UsageReport, rows: list[UsageRow]) -> tuple[str, ...]:
    """The columns of numbers.

    Those of deliveries and of control groups are left out if there are none, and the number of mailings where each has a
    row. Variants are compared by their deliveries, even if none is known yet; sms.by does not report what one costs.
    """
    kinds = {grouping.kind for grouping in report.groupings}
    compares = GroupKind.VARIANT in kinds and report.with_variants > 0
    deliveries = _DELIVERY_HEADS if compares or any(row.delivered.total for row in rows) else ()
    heads = (*_HEADS, *deliveries, *((_NOT_SENT,) if any(row.not_sent for row in rows) else ()))
    without = {"mailings"} if GroupKind.MAILING in kinds else set()
    if GroupKind.VARIANT in kinds and not any(row.billed.total for row in report.rows):
        without |= {"billed", "difference"}
    return tuple(head for head in heads if head not in without)


def _figures(rows: list[UsageRow], heads: Sequence[str], t: Translator) -> tuple[list[str], ...]:
    """The columns of numbers, each as text.

    `?` was not recorded, `+` marks a sum that lacks mailings, and `~` an estimate.
    """
    differences = [_difference(row) for row in rows]
    signs = ["+" if one is not None and one > 0 else "" for one in differences]
    columns = {
        "mailings": [t.count(row.mailings) for row in rows],
        "recipients": [_count_text(row.recipients, t) for row in rows],
        "parts": [_count_text(row.parts, t) for row in rows],
        "planned": _money_texts([row.planned for row in rows], t),
        "billed": _money_texts([row.billed for row in rows], t),
        "difference": [
            f"{_mark(row.planned) or _mark(row.billed) if text != '?' else ''}{sign}{text}"
            for row, sign, text in zip(rows, signs, t.aligned(differences), strict=True)
        ],
        "delivered": [_count_text(row.delivered, t) for row in rows],
        "undelivered": [_count_text(row.undelivered, t) for row in rows],
        "share": [_share_text(row, t) for row in rows],
        _NOT_SENT: [t.count(row.not_sent) for row in rows],
    }
    return tuple(columns[head] for head in heads)


def _share_text(row: UsageRow, t: Translator) -> str:
    """The percentage that was delivered; empty where nothing was sent."""
    if row.recipients.total == 0 and not row.recipients.missing:
        return ""
    if row.percent_delivered is None:
        return "?"
    return t.share(int(row.delivered.total or 0), int(row.recipients.total or 0))


def _mark(one: Sum) -> str:
    return "~" if one.estimated else ""


def _count_text(one: Sum, t: Translator) -> str:
    return "?" if one.total is None else f"{_mark(one)}{t.count(int(one.total))}{'+' if one.missing else ''}"


def _money_texts(sums: list[Sum], t: Translator) -> list[str]:
    texts = t.aligned([one.total for one in sums])
    return [
        f"{_mark(one)}{text}+" if one.missing and one.total is not None else f"{_mark(one)}{text}"
        for text, one in zip(texts, sums, strict=True)
    ]


def _difference(row: UsageRow) -> Decimal | None:
    """Billed minus planned, only where both have all mailings."""
    if row.planned.missing or row.billed.missing or row.planned.total is None or row.billed.total is None:
        return None
    return row.billed.total - row.planned.total


def usage_notes(report: UsageReport) -> Iterator[Sentence]:
    """What a reader of the figures must know."""
    kinds = {grouping.kind for grouping in report.groupings}
    planned = sum(row.planned.missing for row in report.totals)
    billed = sum(row.billed.missing for row in report.totals)
    if planned:
        yield sentence("not recorded (? or +): the planned cost of {count:mailing|mailings}", count=planned)
    if billed:
        yield sentence("not recorded (? or +): the billed cost of {count:mailing|mailings}", count=billed)
    if any(one.estimated for row in report.rows for one in (row.parts, row.planned, row.billed)):
        yield sentence(
            "estimated by recipients (~): parts and cost of a mailing that was sent in part or in several months"
        )
    if report.unknown:
        yield sentence(
            "{count:mailing|mailings} with an unknown outcome: only what was certainly accepted is counted",
            count=report.unknown,
        )
    if GroupKind.VARIANT in kinds and report.with_variants:
        yield sentence(
            "by variant, cost is as planned, because sms.by does not report it by variant; nothing was sent to control groups"
        )
    shows_deliveries = kinds & {GroupKind.MAILING, GroupKind.VARIANT} or any(
        row.delivered.total for row in report.totals
    )
    if shows_deliveries and any(row.delivered.missing for row in report.totals):
        yield sentence("deliveries of a mailing are known once `smsby-deploy status` shows it as final")
    if report.with_variants and GroupKind.VARIANT not in kinds:
        yield sentence(
            "{count:mailing|mailings} with variants: `--by mailing,variant` compares them",
            count=report.with_variants,
        )
    if report.signed and GroupKind.SIGNED_BY not in kinds:
        yield sentence(
            "{count:mailing|mailings} with signatures: `--by mailing,plan,signed_by,applied_by,state` shows them",
            count=report.signed,
        )
    if GroupKind.PREFIX in kinds:
        yield sentence(
            "by prefix, recipients and cost are as planned; numbers are ported, so a prefix does not identify an operator"
        )
        if report.opted_out:
            yield sentence(
                "{count:recipient|recipients} in it opted out before the send", count=report.opted_out
            )


# --- Titles ----------------------------------------------------------------------------------------------------------


def _titles(heads: Sequence[str], t: Translator, unit: str = "") -> list[str]:
    """The words for the columns of numbers; `unit` is that of money."""
    words = {
        "mailings": t.gettext("mailings"),
        "recipients": t.gettext("recipients"),
        "parts": t.gettext("parts"),
        "planned": t.gettext("planned"),
        "billed": t.gettext("billed"),
        "difference": t.gettext("difference"),
        "delivered": t.gettext("delivered"),
        "undelivered": t.gettext("undelivered"),
        "share": t.gettext("delivery rate"),
        _NOT_SENT: t.gettext("not sent"),
    }
    return [f"{words[head]}{unit if head in _COSTS else ''}" for head in heads]


def _group_title(grouping: Grouping, t: Translator) -> str:
    """The word for a grouping; the name of a label stays as it is."""
    words = {
        GroupKind.MONTH: t.gettext("month"),
        GroupKind.CAMPAIGN: t.gettext("campaign"),
        GroupKind.MAILING: t.gettext("mailing"),
        GroupKind.VARIANT: t.gettext("variant"),
        GroupKind.PREFIX: t.gettext("prefix"),
        GroupKind.ENVIRONMENT: t.gettext("environment"),
        GroupKind.PLAN: t.gettext("plan"),
        GroupKind.SIGNED_BY: t.gettext("signed by"),
        GroupKind.APPLIED_BY: t.gettext("applied by"),
        GroupKind.STATE: t.gettext("state"),
    }
    return grouping.label if grouping.kind is None else words[grouping.kind]


def _title(report: UsageReport, t: Translator) -> str:
    return t.gettext("SMS sent and billed: {project}", project=report.project)


# --- Markdown --------------------------------------------------------------------------------------------------------


def usage_markdown(report: UsageReport, language: Translator = ENGLISH) -> str:
    """A table with a line for each group and for the totals, and what the figures lack."""
    t, rows = language, [*report.rows, *report.totals]
    heads = _heads(report, rows)
    groups = [escape(_group_title(one, t)) for one in report.groupings]
    lines = [f"### {escape(_title(report, t))}\n\n"]
    if rows:
        if report.since:
            lines.append(f"{escape(_since(report, t))}\n\n")
        lines.append(table_row([*groups, *_titles(heads, t), t.gettext("currency")]))
        lines.append(table_row([*["---"] * len(groups), *["--:"] * len(heads), "---"]))
        for row, *figures in zip(rows, *_figures(rows, heads, t), strict=True):
            cells = [escape(name) for name in _names(report, row, t)]
            lines.append(table_row([*cells, *figures, escape(row.currency or "")]))
    else:
        lines.append(f"{escape(t.sentence(_nothing_sent(report)))}\n")
    return "".join([*lines, *(f"\n{message_markdown(note, t)}\n" for note in usage_notes(report))])


# --- Web page --------------------------------------------------------------------------------------------------------


def usage_html(report: UsageReport, *, tool: str, language: Translator = ENGLISH) -> str:
    """One page that loads nothing: totals, a chart of the cost, and the table."""
    from smsby_deploy.output.status_html import page_template

    t = language
    return page_template("status.html.j2").render(
        language=t.language,
        gettext=t.gettext,
        title=_title(report, t),
        made_at=t.day_and_time(datetime.fromisoformat(report.made_at)),
        tool=tool,
        tiles=list(_tiles(report, t)),
        sections=list(_sections(report, t)),
        running=_since(report, t),
        notes=[("", message_html(note, t)) for note in usage_notes(report)],
        differences=[],
    )


def _tiles(report: UsageReport, t: Translator) -> Iterator[tuple[str, str]]:
    for row in report.totals:
        heads = _heads(report, [row])
        texts = [column[0] for column in _figures([row], heads, t)]
        yield from zip(_titles(heads, t, _unit(row.currency)), texts, strict=True)


def _unit(currency: str | None) -> str:
    return f", {currency}" if currency else ""


def _sections(report: UsageReport, t: Translator) -> Iterator[Section]:
    """One for each currency: amounts of two cannot be compared."""
    for number, currency in enumerate(dict.fromkeys(row.currency for row in report.rows)):
        yield _section(report, currency, f"cost{number}", t)


def _section(report: UsageReport, currency: str | None, name: str, t: Translator) -> Section:
    from smsby_deploy.output.status_html import Section

    rows = [row for row in report.rows if row.currency == currency]
    names = [" · ".join(_names(report, row, t)) for row in rows]
    heads, groups = _heads(report, rows), [_group_title(one, t) for one in report.groupings]
    note = t.gettext("Planned with the project's price, and billed as sms.by reports it.")
    series = {t.gettext("planned"): [float(row.planned.total or 0) for row in rows]}
    if "billed" in heads:
        series[t.gettext("billed")] = [float(row.billed.total or 0) for row in rows]
    else:  # only variants: sms.by bills none of them by itself, so their delivery rates are compared
        note = t.gettext("The percentage of recipients of each variant who got the SMS.")
        series = {t.gettext("delivered"): [float(row.percent_delivered or 0) for row in rows]}
    cells = zip(rows, *_figures(rows, heads, t), strict=True)
    return Section(
        name,
        t.gettext("By {groups}", groups=", ".join(groups)) + _unit(currency),
        note,
        _chart(name, names, series, t) if any(map(any, series.values())) else "",
        (*groups, *_titles(heads, t, _unit(currency))),
        tuple((*_names(report, row, t), *figures) for row, *figures in cells),
        text_columns=len(report.groupings),
    )


def _chart(name: str, names: Sequence[str], series: Mapping[str, Sequence[float]], t: Translator) -> str:
    from smsby_deploy.output.charts import bars

    colors = ["--pending", "--accent"][-len(series) :]
    return bars(name, names, series, colors=colors, language=t)
