"""Checks single values of the files: time zones, times, and regular expressions."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from re import _parser as re_parser  # type: ignore[attr-defined]  # the only parser of its patterns
from typing import Any
from zoneinfo import ZoneInfo

from smsby_deploy.clock import find_zone
from smsby_deploy.problems import Location, ProblemLog
from smsby_deploy.wording import sentence


def read_zone(name: str, location: Location, log: ProblemLog) -> ZoneInfo | None:
    """Return the time zone `name`; None, and an error, if there is none."""
    zone = find_zone(name)
    if zone is None:
        message = sentence(
            "unknown time zone {name}; use a name with an area such as Europe/Minsk, or UTC", name=name
        )
        log.error("TIMEZONE", message, location)
    return zone


def read_time(text: str, zone: ZoneInfo, location: Location, log: ProblemLog) -> datetime | None:
    """Return the instant `text`, in `zone` or by its own offset; None, and an error, if wrong."""
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is not None:
            return when.astimezone(zone)
        local = when.replace(tzinfo=zone)
        if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != when:
            message = sentence(
                "{time} does not exist in {zone}: clocks are set forward", time=text, zone=zone.key
            )
            log.error("DST", message, location)
            return None
        if _is_ambiguous(local):
            message = sentence(
                "{time} is ambiguous in {zone}: clocks are set back; add a UTC offset",
                time=text,
                zone=zone.key,
            )
            log.error("DST", message, location)
            return None
    except (ValueError, OverflowError):
        log.error("TIME", sentence("no such time: {time}", time=text), location)
        return None
    return local


def check_in_account_zone(
    schedule: datetime, account: ZoneInfo | None, location: Location, log: ProblemLog
) -> None:
    """Report a time that is ambiguous or impossible in the zone in which sms.by reads it."""
    try:
        local = None if account is None else schedule.astimezone(account)
    except OverflowError:
        log.error("TIME", sentence("no such time: {time}", time=schedule.isoformat()), location)
        return
    if account is not None and local is not None and _is_ambiguous(local):
        message = sentence(
            "ambiguous in the account's time zone ({zone}), in which sms.by reads it", zone=account.key
        )
        log.error("DST", message, location)


def _is_ambiguous(local: datetime) -> bool:
    """Whether the clocks of its zone show this local time twice, because they are set back."""
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def check_pattern(pattern: str, key: str, code: str, location: Location, log: ProblemLog) -> bool:
    """Return whether the regular expression under `key` can be used; if not, it is an error."""
    fault = _find_fault(pattern)
    if fault is not None:
        message = sentence("{key}: not a valid regular expression: {fault}", key=key, fault=fault)
        log.error(code, message, location)
    return fault is None


def _find_fault(pattern: str) -> str | None:
    """Return why `pattern` cannot be used as a regular expression; None if it can."""
    try:
        re.compile(pattern)
        if has_nested_repeats(pattern):
            return sentence("it nests unlimited repeats, as in (a+)+, and may take forever")
    except (re.error, RecursionError, OverflowError) as error:
        return str(error)
    return None


def has_nested_repeats(pattern: str) -> bool:
    """Whether a valid pattern nests unlimited repeats, as in `(a+)+`.

    Some texts make such a pattern take time that doubles with each character.
    """
    return _repeats_nested(re_parser.parse(pattern), is_inside=False)


@cache
def is_quick(pattern: str) -> bool:
    """Whether a pattern repeats at most single characters, so that no text makes it slow."""
    return sum(map(_count_repeats, re_parser.parse(pattern))) <= 1


def _count_repeats(parsed: Any) -> int:
    """Count the repeats; a repeat of more than one character counts as two."""
    if _is_repeat(parsed):
        _, most, repeated = parsed[1]
        is_single = len(repeated) == 1 and repeated[0][0] in (re_parser.LITERAL, re_parser.IN, re_parser.ANY)
        return int(most > 1) if is_single else 2
    if not isinstance(parsed, tuple | list | re_parser.SubPattern):
        return 0
    return sum(map(_count_repeats, parsed))


def _is_repeat(parsed: Any) -> bool:
    return isinstance(parsed, tuple) and parsed[:1] in ((re_parser.MAX_REPEAT,), (re_parser.MIN_REPEAT,))


def _repeats_nested(parsed: Any, *, is_inside: bool) -> bool:
    """Search the tree of Python's own regular expression parser."""
    if _is_repeat(parsed):
        least, most, repeated = parsed[1]
        if is_inside and least != most > 1:
            return True
        return _repeats_nested(repeated, is_inside=is_inside or most == re_parser.MAXREPEAT)
    if not isinstance(parsed, tuple | list | re_parser.SubPattern):
        return False
    return any(_repeats_nested(part, is_inside=is_inside) for part in parsed)
