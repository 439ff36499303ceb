"""Who opted out. Suppression files are read, never written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from smsby_deploy.audience.phone_set import PhoneSet
from smsby_deploy.audience.phones import BadPhone, normalize_phone
from smsby_deploy.audience.rows import BadRows, detect_encoding, read_rows
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.project.declarations import RecipientsFile


def load_suppression(files: Sequence[RecipientsFile]) -> tuple[PhoneSet, list[Problem]]:
    """Everybody in `files`, and the lines that are no phone numbers (warnings), or files that can't be read (errors)."""
    suppressed = PhoneSet()
    problems: list[Problem] = []
    for source in files:
        try:
            for line, raw in _phones(source):
                try:
                    suppressed.add(normalize_phone(raw))
                except BadPhone as error:
                    problems.append(
                        Problem(Severity.WARNING, "SUPPRESS_PHONE", str(error), None, source.name, line)
                    )
        except BadRows as error:
            problems.append(
                Problem(Severity.ERROR, "SUPPRESS_FILE", str(error), None, source.name, error.line)
            )
    return suppressed, problems


def _phones(source: RecipientsFile) -> Iterator[tuple[int, str]]:
    if source.path.suffix.lower() == ".txt":
        with source.path.open(encoding=source.encoding or detect_encoding(source.path)) as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.strip()
        return
    for row in read_rows(source):
        column = next((name for name in row.values if name.lower() == source.phone.lower()), None)
        if row.error or column is None:
            raise BadRows(row.error or f"it has no column {source.phone!r}", row.line)
        yield row.line, row.values[column]
