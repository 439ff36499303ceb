"""What the files say may not be exceeded: guardrails, expected recipients, how late is too late, countries."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from smsby_deploy.config.declarations import Blackout, Expected, Guardrails, QuietHours
from smsby_deploy.config.yaml_nodes import YamlList, YamlMap
from smsby_deploy.problems import Location

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

Complain = Callable[[str, str, Location], None]  # code, message, place


def read_guardrails(
    rails: YamlMap, locations: Mapping[str, Location], has_price: bool, complain: Complain
) -> Guardrails:
    """The guardrails of smsby.yaml; `locations` tells where `guardrails.KEY` stands."""

    def at(key: str) -> Location:
        return locations[f"guardrails.{key}"]

    for key in ("max_cost", "budget"):
        if key in rails and not has_price:
            message = f"{key} can't be held without a price: add `price:` to smsby.yaml"
            complain("GUARDRAIL_PRICE", message, at(key))
    lead, quiet = rails.get("min_lead_minutes"), rails.get("quiet_hours")
    expected = rails.get("expect_recipients")
    if quiet and quiet["from"] == quiet["to"]:
        complain("GUARDRAIL", "quiet_hours: from and to are the same, so no hour is quiet", at("quiet_hours"))
    return Guardrails(
        max_recipients=rails.get("max_recipients"),
        max_parts=rails.get("max_parts"),
        max_cost=_money(rails.get("max_cost")),
        quiet_hours=QuietHours(time.fromisoformat(quiet["from"]), time.fromisoformat(quiet["to"]))
        if quiet
        else None,
        min_lead=None if lead is None else timedelta(minutes=lead),
        expect_recipients=read_expected(expected, at("expect_recipients"), complain) if expected else None,
        budget=_money(rails.get("budget")),
        blackout=_blackout(rails.get("blackout") or YamlList((1, 1)), at, complain),
        allowed_alphanames=tuple(str(name) for name in rails.get("allowed_alphanames") or ()),
        required_words=_patterns(rails, "required_words", at, complain),
        forbidden_words=_patterns(rails, "forbidden_words", at, complain),
    )


def read_expected(expected: YamlMap, location: Location, complain: Complain) -> Expected:
    """`{min, max}` of a mailing's recipients."""
    found = Expected(expected.get("min"), expected.get("max"))
    if found.least is not None and found.most is not None and found.least > found.most:
        complain("GUARDRAIL", "expect_recipients: min is above max, so no number fits", location)
    return found


def read_duration(text: str) -> timedelta:
    """`30m`, `2h` or `1d`, as the schema lets it pass."""
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def read_countries(codes: list[str], location: Location, complain: Complain) -> tuple[str, ...]:
    """Country codes in capitals, each once."""
    countries = tuple(dict.fromkeys(code.upper() for code in codes))
    if countries == ("BY",):
        return countries
    from phonenumbers import SUPPORTED_REGIONS

    unknown = [code for code in countries if code not in SUPPORTED_REGIONS]
    if unknown:
        hint = "; Britain is GB" if "UK" in unknown else ""
        complain("COUNTRY", f"there is no country {', '.join(unknown)} (ISO 3166){hint}", location)
    return countries


def _patterns(rails: YamlMap, key: str, at: Callable[[str], Location], complain: Complain) -> tuple[str, ...]:
    """The regular expressions of `key`, those that are none left out."""
    patterns = rails.get(key) or YamlList((1, 1))
    valid = []
    for pattern, mark in zip(patterns, patterns.items_at, strict=True):
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            place = Location(at(key).file, *mark)
            complain("GUARDRAIL", f"{key}: it is not a regular expression: {error}", place)
        else:
            valid.append(pattern)
    return tuple(valid)


def _blackout(dates: YamlList, at: Callable[[str], Location], complain: Complain) -> tuple[Blackout, ...]:
    found = []
    for item, mark in zip(dates, dates.items_at, strict=True):
        first, last = (item["from"], item["to"]) if isinstance(item, YamlMap) else (item, item)
        place = Location(at("blackout").file, *mark)
        try:
            days = Blackout(date.fromisoformat(first), date.fromisoformat(last))
        except ValueError:
            complain(
                "TIME", f"there is no such date: {first if first == last else f'{first} to {last}'}", place
            )
            continue
        if days.first > days.last:
            complain("GUARDRAIL", "blackout: from is after to, so no day is in it", place)
        found.append(days)
    return tuple(found)


def _money(amount: Any) -> Decimal | None:
    return None if amount is None else Decimal(str(amount))
