"""One mailing's audience as a stream of batches: cleaned, first occurrence only, never a list of all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from smsby_deploy.audience.phone_set import PhoneSet
from smsby_deploy.audience.phones import BadPhone, normalize_phone
from smsby_deploy.audience.rows import BadRows, Row, read_rows
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.project.declarations import InlineRecipients, RecipientsFile


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive recipients. `variables[i]` are the template's variables of `phones[i]`; `texts[i]` is a text of
    its own or None; `lines[i]` is its physical line."""

    phones: list[str]
    variables: list[dict[str, str]]
    texts: list[str | None]
    lines: list[int]


@dataclass(slots=True)
class AudienceReport:
    """Counted on the way: rows = invalid + duplicate + those in the batches."""

    rows: int = 0
    invalid: int = 0
    duplicate: int = 0
    problems: list[Problem] = field(default_factory=list)


def stream_audience(
    audience: InlineRecipients | RecipientsFile,
    *,
    address: str,
    campaign_file: str,
    has_text: bool,
    on_invalid: str,
    report: AudienceReport,
    batch_rows: int = 1000,
) -> Iterator[Batch]:
    """The audience before suppression. What is wrong goes to `report`; with `drop` bad rows are only counted."""
    file = audience.name if isinstance(audience, RecipientsFile) else campaign_file
    rows = _inline(audience) if isinstance(audience, InlineRecipients) else _from_file(audience, has_text)

    def complain(code: str, message: str, line: int) -> None:
        report.problems.append(Problem(Severity.ERROR, code, message, address, file, line))

    seen = PhoneSet()

    def cleaned() -> Iterator[tuple[str, dict[str, str], str | None, int]]:
        for row, raw, text in rows:
            report.rows += 1
            problem = ("ROW", row.error) if row.error else None
            phone = ""
            if problem is None:
                try:
                    phone = normalize_phone(raw)
                except BadPhone as error:
                    problem = ("PHONE", str(error))
            if problem is not None:
                report.invalid += 1
                if on_invalid != "drop":
                    complain(problem[0], problem[1] or "", row.line)
            elif not seen.add(phone):
                report.duplicate += 1
            else:
                yield phone, row.values | {"phone": phone}, text, row.line

    stream = cleaned()
    try:
        while batch := list(islice(stream, batch_rows)):
            phones, variables, texts, lines = (list(column) for column in zip(*batch, strict=True))
            yield Batch(phones, variables, texts, lines)
    except BadRows as error:
        complain("RECIPIENTS", str(error), error.line)
        return
    if not report.rows or (not len(seen) and not report.problems):
        line = audience.location.line or 1
        report.problems.append(
            Problem(
                Severity.ERROR,
                "EMPTY_AUDIENCE",
                "there is nobody in it; an empty audience never means everyone",
                address,
                audience.location.file,
                line,
                audience.location.column,
            )
        )


def _inline(audience: InlineRecipients) -> Iterator[tuple[Row, str, str | None]]:
    for item in audience.rows:
        yield Row(item.location.line or 1, dict(item.variables)), item.phone, item.text


def _from_file(source: RecipientsFile, has_text: bool) -> Iterator[tuple[Row, str, str | None]]:
    column: str | None = None
    for row in read_rows(source):
        if row.error:
            yield row, "", None
            continue
        if column is None or column not in row.values:
            column = next((name for name in row.values if name.lower() == source.phone.lower()), None)
            if column is None:
                known = ", ".join(row.values)
                raise BadRows(f"it has no column {source.phone!r}; its columns: {known}", 1)
        text = None if has_text else row.values.get("text")
        yield row, row.values[column], text
