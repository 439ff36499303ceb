"""Opt-outs. Suppression files are only read, never written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence

from smsby_deploy.config.declarations import RecipientsFile
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.phones import PhoneSet, normalize_opt_outs, number_phones
from smsby_deploy.recipients.rows import Block, RecipientsError, find_column, name_columns


def load_suppression(files: Sequence[RecipientsFile]) -> tuple[PhoneSet, list[Problem]]:
    """Return the phones in `files`, and the problems.

    An invalid phone is a warning, an unreadable file an error.
    """
    suppressed = PhoneSet()
    problems: list[Problem] = []
    for source in files:
        try:
            problems.extend(_add_file(source, suppressed))
        except RecipientsError as error:
            problems.append(
                Problem(
                    Severity.ERROR, "SUPPRESS_FILE", str(error), location=Location(source.name, error.line)
                )
            )
    return suppressed, problems


def hash_opt_outs(files: Sequence[RecipientsFile]) -> str:
    """Return a sha256 of the contents of `files`.

    If a file cannot be read, it differs each time.
    """
    digest = hashlib.sha256()
    for source in files:
        try:
            with source.path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError:
            digest.update(os.urandom(32))
    return digest.hexdigest()


def _add_file(source: RecipientsFile, suppressed: PhoneSet) -> Iterator[Problem]:
    from smsby_deploy.recipients.text_files import read_text_file

    for block in read_text_file(source):
        yield from _add_block(source, block, suppressed)


def _add_block(source: RecipientsFile, block: Block, suppressed: PhoneSet) -> list[Problem]:
    if block.errors:
        line, message = block.errors[0]
        raise RecipientsError(message, line)  # the row could be an opt-out
    column = find_column(block.columns, source.phone)
    if column is None:
        if not block.lines:
            return []
        names = name_columns(block.columns)
        raise RecipientsError(f"no column {source.phone!r}; {names}", block.header_line or block.lines[0])
    phones, bad = normalize_opt_outs(block.values[column])
    suppressed.add_all(number_phones(phones))
    return [
        Problem(
            Severity.WARNING, "SUPPRESS_PHONE", why, location=Location(source.name, block.lines[position])
        )
        for position, why in bad.items()
    ]
