"""Warnings about rendered texts: double spaces, two links, missing facts of advertising.

Each is reported once, for the first text that has it. Texts are searched only if the template or a column could cause
one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import contains

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.sources import AS_WRITTEN
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.texts.analysis import RenderError
from smsby_deploy.texts.template import TextTemplate
from smsby_deploy.wording import sentence

BY_ADVERTISING = "by-advertising"
_SERVICE = "service"  # the label `kind` of a campaign that is not advertising
_GAP = "  "
_LINK = r"(?i)https?://|(?<![/\w.])www\."
# Both are documented in docs/texts.md. A sender is named by its legal form, its taxpayer number or a name in quotes.
_SENDER = (
    r"(?i)\b(?:ООО|ОДО|ОАО|ЗАО|ПАО|АО|ЧТУП|ЧПУП|ЧУП|ЧП|УП|ИП|ТАА|АДТ|ААТ|ЗАТ|ПУП|LLC|JSC|Ltd)\b"
    r"|\bУН[ПН](?:\b|\d)|«[^»\n]{2,}»|“[^”\n]{2,}”|\"[^\"\n]{2,}\""
)
_REFUSAL = (
    r"(?i)\b(?:отказ|отпис|откаж|отключ|адмо[вў]|адп[іи]с|адключ|стоп\b|stop\b|unsubscribe|opt[ -]?out|"
    r"не (?:получать|присылать|хотите)|не (?:атрымліваць|дасылаць))"
)


class RenderedLint:
    """Collects warnings about the rendered texts of one mailing as they stream by.

    `has_gap` and `has_link`: a text may have two spaces in a row, or two links.
    """

    def __init__(self, mailing: Mailing, texts: Sequence[TextTemplate], require: Sequence[str]) -> None:
        self._mailing = mailing
        self._texts = texts
        self._found: dict[str, Problem] = {}
        self._is_read = False
        sources = [source for text in texts for source in text.sources.values()]
        has_tags = any(map(_has_conditions, texts))
        links = sum(len(re.findall(_LINK, source)) for source in sources)
        self.has_gap = any(map(_may_have_gap, texts))
        self.has_link = links > 1 or bool(links and has_tags)
        self._lacks: dict[str, str] = {}
        if BY_ADVERTISING in require and mailing.kind != _SERVICE:
            named = "" if mailing.alphaname.isdigit() else f"|{re.escape(mailing.alphaname)}"
            self._lacks = {"sender": _SENDER + named, "refusal": _REFUSAL}

    def note_values(self, joined: str) -> None:
        """Update `has_gap` and `has_link` from the joined values of a column."""
        self.has_gap = self.has_gap or _GAP in joined
        # Single characters are found several times faster, and are rare.
        self.has_link = (
            self.has_link or ("/" in joined and "://" in joined) or ("." in joined and "www." in joined)
        )

    def check(self, batch: Batch, texts: Sequence[str], file: str) -> None:
        self._is_read = True
        self._check(texts, batch, file)

    def find_problems(self) -> Iterator[Problem]:
        """Yield the warnings, including those about a text that all recipients share."""
        if not self._is_read:
            for text in self._texts:
                try:
                    self._check([text.render_once()] if not text.is_personal else [], None, "")
                except RenderError:
                    continue  # reported when it was compiled
        yield from self._found.values()

    def _check(self, texts: Sequence[str], batch: Batch | None, file: str) -> None:
        if self.has_gap and "DOUBLE_SPACE" not in self._found:
            index = _find(_GAP, texts)
            if index >= 0:
                place, message = self._place_gap(batch, index, texts[index], file)
                self._warn("DOUBLE_SPACE", message, place)
        if self.has_link and "TWO_LINKS" not in self._found and _may_have_two(texts):
            index = next((i for i, text in enumerate(texts) if len(re.findall(_LINK, text)) > 1), -1)
            if index >= 0:
                where = self._where(batch, index, file)
                message = sentence(
                    "two links in one text{where}: keep one; recipients would not know which to open",
                    where=where,
                )
                self._warn("TWO_LINKS", message, self._place_link())
        for name, pattern in list(self._lacks.items()):
            index = next((i for i, text in enumerate(texts) if text and not re.search(pattern, text)), -1)
            if index >= 0:
                del self._lacks[name]
                message = _explain_lack(name, self._where(batch, index, file))
                self._warn("ADVERTISING", message, self._begin(), key=name)

    def _warn(self, code: str, message: str, place: Location, *, key: str = "") -> None:
        self._found[key or code] = Problem(Severity.WARNING, code, message, self._mailing.address, place)

    def _place_gap(self, batch: Batch | None, index: int, text: str, file: str) -> tuple[Location, str]:
        """Find the source of two spaces in a row: a value, the template, or an empty tag."""
        literal = next(filter(None, (one.find_literal(_GAP) for one in self._texts)), None)
        if batch is None:
            return literal or self._begin(), sentence("two spaces in a row: remove one")
        row = Location(file, batch.lines[index])
        if batch.texts[index] is not None:
            return row, sentence("two spaces in a row in the recipient's text: remove one")
        values = batch.variables_of(index)
        name = next((name for name, value in values.items() if _GAP in value and value in text), None)
        if name is not None:
            return row, sentence(
                "the column '{name}' contains two spaces in a row: correct it in the data", name=name
            )
        if literal is not None:
            return literal, sentence("two spaces in a row: remove one")
        message = sentence(
            "two spaces in a row where a tag is empty ({row}): move one of them into the tag", row=row
        )
        return self._begin(), message

    def _place_link(self) -> Location:
        """Return the place of the second literal link, or else of the text."""
        for text in self._texts:
            for name, source in text.sources.items():
                links = list(re.finditer(_LINK, source))
                if len(links) > 1:
                    return text.locate(name, links[1].start())
        return self._begin()

    def _begin(self) -> Location:
        return self._texts[0].source.location if self._texts else self._mailing.location

    def _where(self, batch: Batch | None, index: int, file: str) -> str:
        return "" if batch is None else sentence(" ({place})", place=Location(file, batch.lines[index]))


def _may_have_gap(text: TextTemplate) -> bool:
    """Whether a text may have two spaces in a row even if no value has."""
    if text.find_literal(_GAP):
        return True
    if not _has_conditions(text):
        return False
    # Smart encoding turns other characters into spaces.
    return text.vectorized is None or text.vectorized.may_leave_gap or text.source.rewrite != AS_WRITTEN


def _has_conditions(text: TextTemplate) -> bool:
    return any("{%" in source or " if " in source for source in text.sources.values())


def _may_have_two(texts: Sequence[str]) -> bool:
    """Whether a text may have two links; much faster than the pattern."""
    return max(map(str.count, texts, repeat("://")), default=0) > 1 or _find("www.", texts) >= 0


def _find(what: str, texts: Sequence[str]) -> int:
    """Return the index of the first text that contains `what`, or -1, which is the usual case."""
    if not any(map(contains, texts, repeat(what))):
        return -1
    return next(i for i, text in enumerate(texts) if what in text)


def _explain_lack(name: str, where: str) -> str:
    if name == "sender":
        return sentence(
            "advertising must name its sender, but this text does not{where}: add the name in quotes, with "
            "its legal form, or as the alphaname spells it",
            where=where,
        )
    return sentence(
        "advertising must say how to refuse further messages, but this text does not{where}: add, for example, "
        "«Отказ: СТОП на 1234»",
        where=where,
    )
