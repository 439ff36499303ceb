"""What was sent and what it cost, for readers: text, Markdown and a web page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, TextIO

from smsby_deploy.lock.records import EntryState
from smsby_deploy.output.console import Column, Row, make_console, write_sentence, write_table
from smsby_deploy.output.markdown import escape, message_html, message_markdown, table_row
from smsby_deploy.output.terminal import safe_line
from smsby_deploy.output.translation import ENGLISH, Translator
from smsby_deploy.status.usage_groups import GroupKind
from smsby_deploy.status.usage_report import MONEY, SUMS
from smsby_deploy.wording import Sentence, sentence

if TYPE_CHECKING:
    from smsby_deploy.output.status_html import Section
    from smsby_deploy.status.usage_report import Sum, UsageReport, UsageRow

_COSTS = MONEY | {"difference"}


# --- Text ------------------------------------------------------------------------------------------------------------


def write_usage(report: UsageReport, stream: TextIO, *, color: bool) -> None:
    """Write a table with a line for each group and for the totals, then notes on the figures."""
    console = make_console(stream, color=color)
    if not report.rows:
        write_sentence(console, _nothing_sent(report), "dim")
    else:
        rows = [*report.rows, *report.totals]
        figures = _columns(report, rows, ENGLISH)
        optional = {"mailings": 1} if "not sent" in figures else {}
        if "delivered" in figures:
            optional |= {"parts": 1, "difference": 1, "undelivered": 1, "delivered": 2, "not sent": 3}
        columns = (
            *(Column(one.name, may_overflow=one.kind is GroupKind.MAILING) for one in report.groupings),
            *(Column(name, is_number=True, optional=optional.get(name, 0)) for name in figures),
            Column("currency"),
        )
        lines = (
            Row((*_names(report, row, ENGLISH), *cells, row.currency or ""), "", "" if row.keys else "bold")
            for row, *cells in zip(rows, *figures.values(), strict=True)
        )
        write_table(console, columns, lines)
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


def _columns(report: UsageReport, rows: list[UsageRow], t: Translator) -> dict[str, list[str]]:
    """The columns of numbers by name, as texts.

    `?` means not recorded, `+` marks a sum with mailings missing, and `~` an estimate, which is no more exact than the rest.
    Columns of deliveries and of control groups are left out if there are none, and the number of mailings if each has its own
    row. Variants are compared by their deliveries, even if none is known yet; sms.by does not report the cost of one.
    """
    kinds = {grouping.kind for grouping in report.groupings}
    amounts = (row.sums[name] for row in (*report.rows, *rows) for name in MONEY)
    t = t.aligning(one.total for one in amounts if not one.estimated)
    columns = {"mailings": [t.count(row.mailings) for row in rows]}
    for name in SUMS:
        columns[name] = _texts([row.sums[name] for row in rows], t, is_money=name in MONEY)
        if name == "billed":
            columns["difference"] = [_difference_text(row, t) for row in rows]
    columns["share"] = [_share_text(row, t) for row in rows]
    columns["not sent"] = [t.count(row.not_sent) for row in rows]
    without = {"mailings"} if GroupKind.MAILING in kinds else set()
    compares = GroupKind.VARIANT in kinds and report.with_variants > 0
    if not (compares or any(row.delivered.total for row in rows)):
        without |= {"delivered", "undelivered", "share"}
    if not any(row.not_sent for row in rows):
        without.add("not sent")
    if GroupKind.VARIANT in kinds and not any(row.billed.total for row in report.rows):
        without |= {"billed", "difference"}
    return {name: texts for name, texts in columns.items() if name not in without}


def _texts(sums: list[Sum], t: Translator, *, is_money: bool) -> list[str]:
    totals = [one.total for one in sums]
    if is_money:
        texts = [t.money(one if one is None else round(one, t.decimals)) for one in totals]
    else:
        texts = [t.count(one if one is None else int(one)) for one in totals]
    return [
        f"{_mark(one)}{text}{'+' if one.missing and one.total is not None else ''}"
        for text, one in zip(texts, sums, strict=True)
    ]


def _difference_text(row: UsageRow, t: Translator) -> str:
    if row.difference is None:
        return "?"
    return f"{_mark(row.planned) or _mark(row.billed)}{t.signed(round(row.difference, t.decimals))}"


def _mark(one: Sum) -> str:
    return "~" if one.estimated else ""


def _share_text(row: UsageRow, t: Translator) -> str:
    """The percentage that was delivered; empty where nothing was sent."""
    if row.recipients.whole == 0:
        return ""
    if row.percent_delivered is None:
        return "?"
    return t.share(int(row.delivered.total or 0), int(row.recipients.total or 0))


def usage_notes(report: UsageReport) -> Iterator[Sentence]:
    """Notes that a reader of the figures needs."""
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
                "this includes {count:recipient|recipients} who opted out before the send",
                count=report.opted_out,
            )


# --- Titles ----------------------------------------------------------------------------------------------------------


_TITLES = {
    "mailings": sentence("mailings"),
    "recipients": sentence("recipients"),
    "parts": sentence("parts"),
    "planned": sentence("planned"),
    "billed": sentence("billed"),
    "difference": sentence("difference"),
    "delivered": sentence("delivered"),
    "undelivered": sentence("undelivered"),
    "share": sentence("delivery rate"),
    "not sent": sentence("not sent"),
}
_GROUP_TITLES = {
    GroupKind.MONTH: sentence("month"),
    GroupKind.CAMPAIGN: sentence("campaign"),
    GroupKind.MAILING: sentence("mailing"),
    GroupKind.VARIANT: sentence("variant"),
    GroupKind.PREFIX: sentence("prefix"),
    GroupKind.ENVIRONMENT: sentence("environment"),
    GroupKind.PLAN: sentence("plan"),
    GroupKind.SIGNED_BY: sentence("signed by"),
    GroupKind.APPLIED_BY: sentence("applied by"),
    GroupKind.STATE: sentence("state"),
}


def _titles(columns: Iterable[str], t: Translator, unit: str = "") -> list[str]:
    """The words for the columns of numbers; `unit` is that of money."""
    return [f"{t.sentence(_TITLES[name])}{unit if name in _COSTS else ''}" for name in columns]


def _group_titles(report: UsageReport, t: Translator) -> list[str]:
    """The words for the groupings; the name of a label stays as it is."""
    return [
        one.label if one.kind is None else t.sentence(_GROUP_TITLES[one.kind]) for one in report.groupings
    ]


def _title(report: UsageReport, t: Translator) -> str:
    return t.gettext("SMS sent and billed: {project}", project=report.project)


# --- Markdown --------------------------------------------------------------------------------------------------------


def usage_markdown(report: UsageReport, t: Translator = ENGLISH) -> str:
    """A table with a line for each group and for the totals, and notes on the figures."""
    rows = [*report.rows, *report.totals]
    columns, groups = _columns(report, rows, t), [*map(escape, _group_titles(report, t))]
    lines = [f"### {escape(_title(report, t))}\n\n"]
    if rows:
        if report.since:
            lines.append(f"{escape(_since(report, t))}\n\n")
        lines.append(table_row([*groups, *_titles(columns, t), t.gettext("currency")]))
        lines.append(table_row([*["---"] * len(groups), *["--:"] * len(columns), "---"]))
        for row, *figures in zip(rows, *columns.values(), strict=True):
            names = map(escape, _names(report, row, t))
            lines.append(table_row([*names, *figures, escape(row.currency or "")]))
    else:
        lines.append(f"{escape(t.sentence(_nothing_sent(report)))}\n")
    return "".join([*lines, *(f"\n{message_markdown(note, t)}\n" for note in usage_notes(report))])


# --- Web page --------------------------------------------------------------------------------------------------------


def usage_html(report: UsageReport, t: Translator = ENGLISH) -> str:
    """One page that loads nothing: totals, a chart of the cost, and the table."""
    from smsby_deploy.output.status_html import page_template

    return page_template("status.html.j2").render(
        language=t.language,
        gettext=t.gettext,
        title=_title(report, t),
        made_at=t.day_and_time(datetime.fromisoformat(report.made_at)),
        tiles=list(_tiles(report, t)),
        sections=list(_sections(report, t)),
        running=_since(report, t),
        notes=[("", message_html(note, t)) for note in usage_notes(report)],
        differences=[],
    )


def _tiles(report: UsageReport, t: Translator) -> Iterator[tuple[str, str]]:
    for row in report.totals:
        columns = _columns(report, [row], t)
        texts = [text for (text,) in columns.values()]
        yield from zip(_titles(columns, t, _unit(row.currency)), texts, strict=True)


def _unit(currency: str | None) -> str:
    return f", {currency}" if currency else ""


def _sections(report: UsageReport, t: Translator) -> Iterator[Section]:
    """One for each currency: amounts in different currencies cannot be compared."""
    for number, currency in enumerate(dict.fromkeys(row.currency for row in report.rows)):
        yield _section(report, currency, f"cost{number}", t)


def _section(report: UsageReport, currency: str | None, name: str, t: Translator) -> Section:
    from smsby_deploy.output.charts import bars
    from smsby_deploy.output.status_html import Section

    rows = [row for row in report.rows if row.currency == currency]
    columns, groups = _columns(report, rows, t), _group_titles(report, t)
    note = t.gettext("Planned with the project's price, and billed as sms.by reports it.")
    series = {t.gettext("planned"): [float(row.planned.total or 0) for row in rows]}
    if "billed" in columns:
        series[t.gettext("billed")] = [float(row.billed.total or 0) for row in rows]
    else:  # only variants: sms.by bills none of them by itself, so their delivery rates are compared
        note = t.gettext("The percentage of recipients of each variant who got the SMS.")
        series = {t.gettext("delivered"): [float(row.percent_delivered or 0) for row in rows]}
    chart = ""
    if any(map(any, series.values())):
        names = [" · ".join(_names(report, row, t)) for row in rows]
        chart = bars(name, names, series, colors=["--pending", "--accent"][-len(series) :], t=t)
    return Section(
        name,
        t.gettext("By {groups}", groups=", ".join(groups)) + _unit(currency),
        note,
        chart,
        (*groups, *_titles(columns, t, _unit(currency))),
        tuple(
            (*_names(report, row, t), *figures) for row, *figures in zip(rows, *columns.values(), strict=True)
        ),
        text_columns=len(report.groupings),
    )
