"""Settings such as guardrails and prices, from smsby.yaml and campaigns, as declarations."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from smsby_deploy.clock import read_duration
from smsby_deploy.config.declarations import (
    HOME,
    ApprovalRule,
    Blackout,
    Expected,
    Guardrails,
    Pressure,
    Price,
    QuietHours,
    Release,
    Wave,
)
from smsby_deploy.config.project_files import PROJECT_FILE
from smsby_deploy.config.scalars import check_pattern
from smsby_deploy.config.sources import Rewrite
from smsby_deploy.config.yaml_nodes import YamlList, YamlMap
from smsby_deploy.problems import Location, ProblemLog
from smsby_deploy.resources import load_schema
from smsby_deploy.wording import sentence

_LONGEST_SPREAD = timedelta(days=7)
_WAVE_GIVES_UP = timedelta(days=1)
REST = "rest"  # the last wave


def check_project_name(name: str, location: Location, log: ProblemLog) -> None:
    """Report a phone number in a project's name, as the schema does for a campaign's.

    The schema of the project allows it, so that users of an earlier version can still end mailings in such a lock.
    """
    if re.match(load_schema("campaign")["properties"]["campaign"]["pattern"], name) is None:
        message = sentence(
            "project: contains a phone number, which would appear in locks, plans and names at sms.by; choose "
            "another name. In a lock with this one, `lock withdraw`, `lock abandon` and `lock resolve` still end mailings"
        )
        log.error("PROJECT_NAME", message, location)


def read_guardrails(rails: YamlMap, has_price: bool, log: ProblemLog) -> Guardrails:
    """Read the mapping `guardrails`; a limit of money without a price is an error."""

    def at(key: str) -> Location:
        return Location(PROJECT_FILE, *rails.values_at[key])

    for key in ("max_cost", "budget"):
        if key in rails and not has_price:
            _require_price(key, at(key), log)
    lead = rails.get("min_lead_minutes")
    return Guardrails(
        max_recipients=rails.get("max_recipients"),
        max_parts=rails.get("max_parts"),
        max_cost=_money(rails.get("max_cost")),
        quiet_hours=_quiet_hours(rails["quiet_hours"], at("quiet_hours"), log)
        if "quiet_hours" in rails
        else None,
        min_lead=None if lead is None else timedelta(minutes=lead),
        expect_recipients=read_expected(rails["expect_recipients"], at("expect_recipients"), log)
        if "expect_recipients" in rails
        else None,
        budget=_money(rails.get("budget")),
        blackout=_blackout(rails, log),
        allowed_alphanames=tuple(str(name) for name in rails.get("allowed_alphanames") or ()),
        required_words=_patterns(rails, "required_words", log),
        forbidden_words=_patterns(rails, "forbidden_words", log),
        pressure=_pressure(rails["pressure"]) if "pressure" in rails else None,
        require=tuple(rails.get("require") or ()),
    )


def _require_price(key: str, place: Location, log: ProblemLog) -> None:
    message = sentence("{key} requires a price; add `price:` to smsby.yaml", key=key)
    log.error("GUARDRAIL_PRICE", message, place)


def read_expected(expected: YamlMap, location: Location, log: ProblemLog) -> Expected:
    """Read `expect_recipients`; `min` above `max` is an error."""
    found = Expected(expected.get("min"), expected.get("max"))
    if found.least is not None and found.most is not None and found.least > found.most:
        log.error("GUARDRAIL", sentence("expect_recipients: min is greater than max"), location)
    return found


def read_approval_rules(rules: YamlList, has_price: bool, log: ProblemLog) -> tuple[ApprovalRule, ...]:
    """Read `approvals.rules`; `cost_over` without a price is an error."""
    found = []
    for rule in rules:
        when: YamlMap = rule.get("when") or YamlMap((1, 1))
        if "cost_over" in when and not has_price:
            _require_price("cost_over", Location(PROJECT_FILE, *when.values_at["cost_over"]), log)
        found.append(
            ApprovalRule(
                rule["need"],
                when.get("people_over"),
                dict(when.get("label") or {}),
                _money(when.get("cost_over")),
                rule.get("not_author", False),
            )
        )
    return tuple(found)


def read_release(release: YamlMap, location: Location, log: ProblemLog) -> Release:
    """Read `release`; a window that is empty is an error."""
    found = Release(read_duration(release["before"]), read_duration(release["at_latest"]))
    if found.before <= found.at_latest:
        message = sentence("release: before must be longer than at_latest, or there is no window")
        log.error("RELEASE", message, location)
    return found


def read_spread(
    over: str, start: datetime | None, account: ZoneInfo | None, location: Location, log: ProblemLog
) -> timedelta:
    """Read `spread.over`: the maximum time from `start` to the last chunk."""
    found = read_duration(over)
    if not timedelta(0) < found <= _LONGEST_SPREAD:
        message = sentence("spread: over must be at most {days}d, and more than 0", days=_LONGEST_SPREAD.days)
        log.error("SPREAD", message, location)
    elif start is not None and account is not None:
        try:
            first, last = (at.astimezone(account) for at in (start, start.astimezone(UTC) + found))
        except OverflowError:
            log.error("TIME", sentence("spread: it ends after the last day of the calendar"), location)
            return found
        # sms.by reads times without an offset, and chunks might fall into the hour that occurs twice.
        if first.utcoffset() != last.utcoffset():
            message = sentence(
                "spread: the clocks of the account's time zone ({zone}) change before it ends; let it end "
                "before the change",
                zone=account.key,
            )
            log.error("DST", message, location)
    return found


def read_waves(waves: YamlList, file: str, log: ProblemLog) -> tuple[Wave, ...]:
    """Read `waves` in `file`; the list must end with `rest`, and shares must leave some for it."""
    places = [Location(file, *mark) for mark in waves.items_at]
    found = [
        Wave() if one == REST else _read_wave(one, place, log)
        for one, place in zip(waves, places, strict=True)
    ]
    place = places[-1]
    if [one == REST for one in waves] != [False] * (len(waves) - 1) + [True]:
        log.error("WAVES", sentence("waves: the list must end with `rest`, and contain it only there"), place)
    if sum(one.share or 0 for one in found) >= 100:
        log.error(
            "WAVES", sentence("waves: the shares add up to 100 or more, so nothing is left for `rest`"), place
        )
    return tuple(found)


def _read_wave(wave: YamlMap, place: Location, log: ProblemLog) -> Wave:
    after = read_duration(wave["after"])
    give_up = read_duration(wave["give_up"]) if "give_up" in wave else after + _WAVE_GIVES_UP
    if ("people" in wave) == ("share" in wave):
        log.error("WAVES", sentence("waves: each wave before `rest` needs either `people` or `share`"), place)
    if "delivered" not in wave and "undelivered" not in wave:
        message = sentence("waves: each wave before `rest` needs `delivered`, `undelivered` or both")
        log.error("WAVES", message, place)
    if give_up <= after:
        message = sentence("waves: `give_up` must be longer than `after`, or there is no time for a verdict")
        log.error("WAVES", message, place)
    return Wave(
        wave.get("people"), wave.get("share"), after, give_up, wave.get("delivered"), wave.get("undelivered")
    )


def _pressure(node: YamlMap) -> Pressure:
    return Pressure(
        node["messages"],
        read_duration(node["within"]),
        node.get("on_excess") == "drop",
        tuple(map(str, node.get("never_cap") or ())),
    )


def _quiet_hours(hours: YamlMap, location: Location, log: ProblemLog) -> QuietHours:
    if hours["from"] == hours["to"]:
        log.error("GUARDRAIL", sentence("quiet_hours: from and to are equal, so no hour is quiet"), location)
    return QuietHours(time.fromisoformat(hours["from"]), time.fromisoformat(hours["to"]))


def _blackout(rails: YamlMap, log: ProblemLog) -> tuple[Blackout, ...]:
    if "blackout" not in rails:
        return ()
    dates = rails["blackout"]
    found = []
    for item, mark in zip(dates, dates.items_at, strict=True):
        first, last = (item["from"], item["to"]) if isinstance(item, YamlMap) else (item, item)
        place, shown = Location(PROJECT_FILE, *mark), first if first == last else f"{first} – {last}"
        try:
            days = Blackout(date.fromisoformat(first), date.fromisoformat(last))
        except ValueError:
            log.error("TIME", sentence("no such date: {date}", date=shown), place)
            continue
        if days.first > days.last:
            log.error("GUARDRAIL", sentence("blackout: from is later than to"), place)
        found.append(days)
    return tuple(found)


def _patterns(rails: YamlMap, key: str, log: ProblemLog) -> tuple[str, ...]:
    """Return the regular expressions under `key`; one that does not compile is an error."""
    if key not in rails:
        return ()
    patterns = rails[key]
    return tuple(
        pattern
        for pattern, mark in zip(patterns, patterns.items_at, strict=True)
        if check_pattern(pattern, key, "GUARDRAIL", Location(PROJECT_FILE, *mark), log)
    )


def _money(amount: Any) -> Decimal | None:
    return None if amount is None else Decimal(str(amount))


def read_price(node: YamlMap) -> Price:
    """Read `price`; prefixes are sorted longest first, so the first match applies."""
    prefixes = node.get("per_prefix") or {}
    longest_first = sorted(prefixes, key=lambda prefix: (-len(prefix), prefix))
    prices = tuple((prefix, Decimal(str(prefixes[prefix]))) for prefix in longest_first)
    return Price(node["currency"], Decimal(str(node["per_part"])), prices)


def read_rewrite(mailing: YamlMap) -> Rewrite:
    """Read the settings that make the texts of a mailing cheaper."""
    return Rewrite(mailing.get("smart_encoding", False), mailing.get("transliterate", False))


def read_countries(codes: list[str], location: Location, log: ProblemLog) -> tuple[str, ...]:
    """Return the country codes in capitals, without repeats; an unknown one is an error."""
    countries = tuple(dict.fromkeys(code.upper() for code in codes))
    if countries == (HOME,):
        return countries
    from phonenumbers import SUPPORTED_REGIONS

    unknown = [code for code in countries if code not in SUPPORTED_REGIONS]
    if unknown:
        message = sentence(
            "unknown country code {codes} (ISO 3166); the code of the United Kingdom is GB"
            if "UK" in unknown
            else "unknown country code {codes} (ISO 3166)",
            codes=", ".join(unknown),
        )
        log.error("COUNTRY", message, location)
    return countries


def key_locations(node: YamlMap, prefix: str = "") -> dict[str, Location]:
    """Return the place of the value of each key of smsby.yaml, by its dotted name."""
    found = {}
    for key, value in node.items():
        found[prefix + key] = Location(PROJECT_FILE, *node.values_at[key])
        if isinstance(value, YamlMap):
            found |= key_locations(value, f"{prefix}{key}.")
    return found
