"""The guardrails of smsby.yaml as typed values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from smsby_deploy.config.declarations import Blackout, Expected, Guardrails, QuietHours
from smsby_deploy.config.problem_log import ProblemLog
from smsby_deploy.config.project_files import PROJECT_FILE
from smsby_deploy.config.yaml_nodes import YamlMap
from smsby_deploy.problems import Location


def read_guardrails(
    rails: YamlMap, locations: Mapping[str, Location], has_price: bool, log: ProblemLog
) -> Guardrails:
    """Read the mapping `guardrails`; `locations` places each key, e.g. `guardrails.max_cost`."""

    def at(key: str) -> Location:
        return locations[f"guardrails.{key}"]

    for key in ("max_cost", "budget"):
        if key in rails and not has_price:
            log.error("GUARDRAIL_PRICE", f"{key} requires a price; add `price:` to smsby.yaml", at(key))
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
    )


def read_expected(expected: YamlMap, location: Location, log: ProblemLog) -> Expected:
    """Read the mapping `expect_recipients` of a mailing or of the guardrails."""
    found = Expected(expected.get("min"), expected.get("max"))
    if found.least is not None and found.most is not None and found.least > found.most:
        log.error("GUARDRAIL", "expect_recipients: min is greater than max", location)
    return found


def _quiet_hours(hours: YamlMap, location: Location, log: ProblemLog) -> QuietHours:
    if hours["from"] == hours["to"]:
        log.error("GUARDRAIL", "quiet_hours: from and to are equal, so no hour is quiet", location)
    return QuietHours(time.fromisoformat(hours["from"]), time.fromisoformat(hours["to"]))


def _blackout(rails: YamlMap, log: ProblemLog) -> tuple[Blackout, ...]:
    if "blackout" not in rails:
        return ()
    dates = rails["blackout"]
    found = []
    for item, mark in zip(dates, dates.items_at, strict=True):
        first, last = (item["from"], item["to"]) if isinstance(item, YamlMap) else (item, item)
        place = Location(PROJECT_FILE, *mark)
        try:
            days = Blackout(date.fromisoformat(first), date.fromisoformat(last))
        except ValueError:
            log.error("TIME", f"no such date: {first if first == last else f'{first} to {last}'}", place)
            continue
        if days.first > days.last:
            log.error("GUARDRAIL", "blackout: from is later than to", place)
        found.append(days)
    return tuple(found)


def _patterns(rails: YamlMap, key: str, log: ProblemLog) -> tuple[str, ...]:
    """Return the regular expressions under `key`; one that does not compile is an error and left out."""
    if key not in rails:
        return ()
    patterns = rails[key]
    valid = []
    for pattern, mark in zip(patterns, patterns.items_at, strict=True):
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            message = f"{key}: not a valid regular expression: {error}"
            log.error("GUARDRAIL", message, Location(PROJECT_FILE, *mark))
        else:
            valid.append(pattern)
    return tuple(valid)


def _money(amount: Any) -> Decimal | None:
    return None if amount is None else Decimal(str(amount))
