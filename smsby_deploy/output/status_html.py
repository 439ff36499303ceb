"""The status as one self-contained page: it fetches nothing, prints, and every chart has its table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from importlib.resources import files

from smsby_deploy.output.charts import bars, columns
from smsby_deploy.output.console import clean
from smsby_deploy.output.status_text import counts_of, share, when_words
from smsby_deploy.output.times import day_and_clock
from smsby_deploy.privacy import mask_phones
from smsby_deploy.status.delivery_counts import read_delivery_status
from smsby_deploy.status.report import StatusReport
from smsby_deploy.texts.price import aligned, money, signed

_MOST_COLUMNS = 48
_STEPS = (1, 5, 10, 30, 60, 180, 720, 1440, 10080, 43200)  # minutes a column may stand for
# Who usually serves a code; numbers are ported, so a code proves nothing.
_OPERATORS = {"375 25": "life:)", "375 29": "A1, MTS", "375 33": "MTS", "375 44": "A1"}


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a chart or none, and the table behind it; cells are text, escaped by the template.

    `numeric` says which columns are numbers.
    """

    id: str
    title: str
    note: str
    chart: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]


def status_html(report: StatusReport, *, currency: str | None, tool: str, zone: str) -> str:
    """The page. `zone` is the account's clock, in which sms.by writes its times."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(
        files("smsby_deploy.output").joinpath("status.html.j2").read_text(encoding="utf-8")
    )
    made_at = day_and_clock(datetime.fromisoformat(report.made_at)) if report.made_at else ""
    return template.render(
        project=report.project,
        made_at=made_at,
        tool=tool,
        tiles=_tiles(report, currency),
        sections=[section for section in _sections(report, currency, zone) if section.rows],
        differences=[
            (mailing.address, one.field, mask_phones(clean(one.intended)), mask_phones(clean(one.reported)))
            for mailing in report.mailings
            for one in mailing.details.differences
        ],
    )


def _sections(report: StatusReport, currency: str | None, zone: str) -> Iterable[Section]:
    if not report.mailings:
        return
    yield _funnel(report)
    yield _over_time(report, zone)
    yield _mailings(report)
    yield _prefixes(report)
    yield _reasons(report)
    yield _costs(report, currency)


def _tiles(report: StatusReport, currency: str | None) -> list[tuple[str, str]]:
    people = sum(mailing.recipients for mailing in report.mailings)
    delivered = sum(mailing.delivered for mailing in report.mailings)
    waiting = sum(mailing.sent + mailing.pending for mailing in report.mailings)
    costs = [mailing.cost for mailing in report.mailings if mailing.cost is not None]
    cost = money(sum(costs, Decimal(0))) if costs else "?"
    return [
        ("mailings", f"{len(report.mailings):,}"),
        ("people", f"{people:,}"),
        ("delivered", f"{share(delivered, people)}"),
        ("still waiting", f"{waiting:,}"),
        (f"cost, {currency}" if currency else "cost", cost),
    ]


def _funnel(report: StatusReport) -> Section:
    planned = sum(mailing.details.planned or mailing.recipients for mailing in report.mailings)
    accepted = sum(mailing.details.accepted for mailing in report.mailings)
    delivered = sum(mailing.delivered for mailing in report.mailings)
    sent = delivered + sum(mailing.sent + mailing.undelivered for mailing in report.mailings)
    steps = {"planned": planned, "accepted": accepted, "sent": sent, "delivered": delivered}
    return Section(
        "funnel",
        "From plan to phone",
        "Planned by us, accepted by sms.by, sent to the operator, delivered to the phone.",
        bars("funnel", list(steps), {"people": list(steps.values())}, colors=["--accent"]),
        ("step", "people", "of planned"),
        tuple((name, f"{count:,}", share(count, planned)) for name, count in steps.items()),
        (False, True, True),
    )


def _mailings(report: StatusReport) -> Section:
    largest = sorted(report.mailings, key=lambda mailing: -mailing.recipients)
    kinds = ("delivered", "undelivered", "sent", "pending", "other")
    return Section(
        "mailings",
        "By mailing",
        "Percent of each mailing's people, the largest mailing first.",
        bars(
            "mailings",
            [mailing.address for mailing in largest],
            {
                kind: [counts_of(mailing)[kind] * 100 / max(1, mailing.recipients) for mailing in largest]
                for kind in kinds
            },
            colors=[f"--{kind}" for kind in kinds],
            stacked=True,
        ),
        ("mailing", "state", "goes out", "people", *kinds, "share"),
        tuple(
            (
                mailing.address,
                mailing.state.value,
                when_words(mailing, report),
                f"{mailing.recipients:,}",
                *(f"{count:,}" for count in counts_of(mailing).values()),
                share(mailing.delivered, mailing.recipients),
            )
            for mailing in report.mailings
        ),
        (False, False, False, *(True,) * 7),
    )


def _over_time(report: StatusReport, zone: str) -> Section:
    minutes: Counter[datetime] = Counter()
    for mailing in report.mailings:
        for text, count in mailing.details.timeline.items():
            moment = _read_minute(text)
            if moment is not None:
                minutes[moment] += count
    buckets = _buckets(minutes)
    form = "%H:%M" if len({moment.date() for moment, _ in buckets}) <= 1 else "%d.%m %H:%M"
    rows, total = [], 0
    for moment, count in buckets:
        total += count
        rows.append((f"{moment:%Y-%m-%d %H:%M}", f"{count:,}", f"{total:,}"))
    labels = [f"{moment:{form}}" for moment, _ in buckets]
    return Section(
        "time",
        "Delivery over time",
        f"When phones confirmed, in the clock of the account ({zone}).",
        columns("time", labels, [count for _, count in buckets], color="--delivered") if buckets else "",
        ("from", "delivered", "so far"),
        tuple(row for row in rows if row[1] != "0"),
        (False, True, True),
    )


def _read_minute(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None


def _buckets(minutes: Counter[datetime]) -> list[tuple[datetime, int]]:
    """The minutes in at most 48 equal steps, empty ones included."""
    if not minutes:
        return []
    day = min(minutes).replace(hour=0, minute=0)
    span = (max(minutes) - min(minutes)).total_seconds() / 60
    step = timedelta(minutes=next((s for s in _STEPS if span / s < _MOST_COLUMNS - 1), _STEPS[-1]))
    counts: Counter[int] = Counter()
    for moment, count in minutes.items():
        counts[(moment - day) // step] += count
    first, last = min(counts), min(max(counts), min(counts) + _MOST_COLUMNS * 4)
    return [(day + index * step, counts[index]) for index in range(first, last + 1)]


def _prefixes(report: StatusReport) -> Section:
    seen: Counter[str] = Counter()
    delivered: Counter[str] = Counter()
    undelivered: Counter[str] = Counter()
    for mailing in report.mailings:
        for prefix, (done, failed, all_) in mailing.details.prefixes.items():
            delivered[prefix] += done
            undelivered[prefix] += failed
            seen[prefix] += all_
    names = [prefix for prefix, _ in seen.most_common()]
    rest = {name: seen[name] - delivered[name] - undelivered[name] for name in names}
    return Section(
        "prefixes",
        "By number prefix",
        "Who usually serves a code is told for orientation: numbers are ported between operators.",
        bars(
            "prefixes",
            names,
            {
                "delivered": [delivered[name] for name in names],
                "undelivered": [undelivered[name] for name in names],
                "not yet": [rest[name] for name in names],
            },
            colors=["--delivered", "--undelivered", "--pending"],
            stacked=True,
        ),
        ("prefix", "people", "delivered", "undelivered", "not yet", "share"),
        tuple(
            (
                f"{name} ({_OPERATORS[name]})" if name in _OPERATORS else name,
                f"{seen[name]:,}",
                f"{delivered[name]:,}",
                f"{undelivered[name]:,}",
                f"{rest[name]:,}",
                share(delivered[name], seen[name]),
            )
            for name in names
        ),
        (False, *(True,) * 5),
    )


def _reasons(report: StatusReport) -> Section:
    words: Counter[str] = Counter()
    for mailing in report.mailings:
        for word, count in mailing.details.words.items():
            known = read_delivery_status(word)
            if known == "undelivered":  # written in capitals or not, by the method that was asked
                words["UNDELIVERED"] += count
            elif known is None:
                words[word] += count
        words.update(
            {name: count for name, count in mailing.other.items() if name not in mailing.details.words}
        )
    told = [(mask_phones(clean(word)) or "(empty)", count) for word, count in words.most_common() if count]
    total = sum(count for _, count in told)
    return Section(
        "reasons",
        "Why not delivered",
        "Statuses as sms.by writes them, and people whom nothing was sent to.",
        bars("reasons", [w for w, _ in told], {"people": [c for _, c in told]}, colors=["--undelivered"]),
        ("status", "people", "share"),
        tuple((word, f"{count:,}", share(count, total)) for word, count in told),
        (False, True, True),
    )


def _costs(report: StatusReport, currency: str | None) -> Section:
    priced = [m for m in report.mailings if m.cost is not None or m.details.planned_cost is not None]
    dearest = sorted(priced, key=lambda m: -(m.cost or Decimal(0)))
    unit = f", {currency}" if currency else ""
    planned = aligned([mailing.details.planned_cost for mailing in priced])
    billed = aligned([mailing.cost for mailing in priced])
    return Section(
        "cost",
        "Cost",
        "Planned by our price, billed as sms.by lists it.",
        bars(
            "cost",
            [mailing.address for mailing in dearest],
            {
                "planned": [float(mailing.details.planned_cost or 0) for mailing in dearest],
                "billed": [float(mailing.cost or 0) for mailing in dearest],
            },
            colors=["--pending", "--accent"],
        ),
        ("mailing", "parts planned", "parts billed", f"planned{unit}", f"billed{unit}", "difference"),
        tuple(
            (
                mailing.address,
                _known(mailing.details.planned_parts),
                _known(mailing.parts),
                planned[index],
                billed[index],
                _difference(mailing.cost, mailing.details.planned_cost),
            )
            for index, mailing in enumerate(priced)
        ),
        (False, *(True,) * 5),
    )


def _difference(billed: Decimal | None, planned: Decimal | None) -> str:
    if billed is None or planned is None:
        return "?"
    return signed(billed - planned) if billed != planned else "0"


def _known(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"
