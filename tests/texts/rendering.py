"""Rendering for tests: batches of each recipient's variables, and single texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from smsby_deploy.config.sources import RecipientsFile, TextSource
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.problems import Location, Problem
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.texts.compiler import compile_text
from tests.recipients.mailings import AT, make_mailing

MAILING = make_mailing(RecipientsFile(Path("list.csv"), "list.csv", "phone", AT))  # a/b


def make_batch(
    rows: Sequence[Mapping[str, str]], own: str | None = None, phone: str = "375291234567"
) -> Batch:
    """Return a batch of `rows`, which have the same names, starting at line 3."""
    names = tuple(name for name in rows[0] if name != "phone")
    values = [[row[name] for row in rows] for name in names]
    not_suppressed = bytearray(b"\1") * len(rows)
    return Batch(
        [phone] * len(rows), names, values, [own] * len(rows), range(3, 3 + len(rows)), not_suppressed
    )


def make_source(text: str) -> TextSource:
    """Return a template in the file text.j2."""
    return TextSource(text, Location("text.j2", 1, 1), file="text.j2")


def render_one(text: str, own: str | None = None, **variables: str) -> tuple[str, list[Problem]]:
    """Return the text of one recipient, at line 3, and its problems."""
    rendered = compile_text(make_source(text)).render_batch(make_batch([variables], own), MAILING)
    return rendered.texts[0], list(rendered.problems)


def refusal(source: TextSource) -> Problem:
    """Return the first problem for which `source` is refused."""
    with pytest.raises(FilesInvalid) as caught:
        compile_text(source)
    return caught.value.problems[0]
