"""The tests under `tests` of a mailing, as typed declarations.

This module is imported only for mailings with tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from unicodedata import normalize
from zoneinfo import ZoneInfo

from smsby_deploy.config.recipient_sources import read_inline_recipients
from smsby_deploy.config.scalars import check_pattern, read_time
from smsby_deploy.config.yaml_nodes import YamlList, YamlMap
from smsby_deploy.problems import Location, ProblemLog
from smsby_deploy.wording import sentence, shorten

_LONGEST_TITLE = 60  # characters of a row in a title


class RowSubject(NamedTuple):
    """A row that the author made up, with values like those of an inline recipient."""

    values: Mapping[str, str]


class LineSubject(NamedTuple):
    """A recipient of the mailing, by the physical line in its file."""

    line: int


class AllSubject(NamedTuple):
    """All recipients who get the mailing."""


class AudienceSubject(NamedTuple):
    """The number of recipients without opt-outs, and which phones are or are not among them."""

    least: int | None
    most: int | None
    includes: tuple[str, ...]
    excludes: tuple[str, ...]


class ClockSubject(NamedTuple):
    """What a plan made at a time would do with the mailing if nothing had been sent before."""

    at: datetime
    action: str | None
    reason_code: str | None
    has_reason_code: bool


Subject = RowSubject | LineSubject | AllSubject | AudienceSubject | ClockSubject


class TextExpectation(NamedTuple):
    """The expectations of a text; None and () mean none. `matches` is a valid pattern."""

    text: str | None = None
    parts: int | None = None
    max_parts: int | None = None
    contains: tuple[str, ...] = ()
    matches: str | None = None
    error: str | None = None


class MailingTest(NamedTuple):
    """One entry of `tests`, counted from 1; `text_location` is that of its expected text."""

    number: int
    title: str
    location: Location
    subject: Subject
    expected: TextExpectation
    text_location: Location | None = None


def read_tests(
    nodes: YamlList, file: str, *, zone: ZoneInfo | None, is_list: bool, log: ProblemLog
) -> tuple[MailingTest, ...]:
    """Return the tests in `nodes`, which match the schema; those with an error are left out.

    `zone` is the mailing's, None if it is not valid. `is_list`: sms.by keeps the recipients.
    """
    found = []
    for number, (node, mark) in enumerate(zip(nodes, nodes.items_at, strict=True), 1):
        place = Location(file, *mark)
        subject = _read_subject(node, file, zone, log)
        if is_list and isinstance(subject, LineSubject | AudienceSubject):
            log.error(
                "TEST", sentence("sms.by keeps the recipients of this mailing: use row, all or at"), place
            )
            continue
        if subject is None or not _has_valid_pattern(node, file, log):
            continue
        found.append(
            MailingTest(
                number,
                _title(node, subject),
                place,
                subject,
                _read_expectation(node),
                Location(file, *node.values_at["text"]) if "text" in node else None,
            )
        )
    return tuple(found)


def _read_subject(node: YamlMap, file: str, zone: ZoneInfo | None, log: ProblemLog) -> Subject | None:
    if "row" in node:
        rows = YamlList(node["row"].mark)
        rows.append(node["row"])
        rows.items_at.append(node["row"].mark)
        (row,) = read_inline_recipients(rows, Location(file, *rows.mark)).rows
        return RowSubject(row)
    if "line" in node:
        return LineSubject(node["line"])
    if "all" in node:
        return AllSubject()
    if "audience" in node:
        audience = node["audience"]
        includes, excludes = (tuple(map(str, audience.get(key) or ())) for key in ("includes", "excludes"))
        return AudienceSubject(audience.get("min"), audience.get("max"), includes, excludes)
    place = Location(file, *node.values_at["at"])
    at = None if zone is None else read_time(node["at"], zone, place, log)
    if at is None:
        return None
    return ClockSubject(at, node.get("action"), node.get("reason_code"), "reason_code" in node)


def _read_expectation(node: YamlMap) -> TextExpectation:
    return TextExpectation(
        normalize("NFC", node["text"].strip()) if "text" in node else None,
        node.get("parts"),
        node.get("max_parts"),
        tuple(normalize("NFC", part) for part in node.get("contains") or ()),
        node.get("matches"),
        node.get("error"),
    )


def _has_valid_pattern(node: YamlMap, file: str, log: ProblemLog) -> bool:
    if "matches" not in node:
        return True
    place = Location(file, *node.values_at["matches"])
    return check_pattern(node["matches"], "matches", "TEST", place, log)


def _title(node: YamlMap, subject: Subject) -> str:
    """Return the name that the author gave a test, otherwise its subject."""
    if "name" in node:
        return str(node["name"])
    match subject:
        case RowSubject(values):
            row = ", ".join(f"{name}: " + (str(value) or '""') for name, value in values.items())
            return sentence("row {row}", row=f"{{{shorten(row, _LONGEST_TITLE)}}}")
        case LineSubject(line):
            return sentence("line {line}", line=line)
        case AllSubject():
            return sentence("all recipients")
        case AudienceSubject():
            return sentence("audience")
        case ClockSubject(at):
            return sentence("at {time}", time=f"{at:%Y-%m-%d %H:%M}")
