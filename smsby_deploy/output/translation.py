"""The language of what reviewers read: sentences, numbers, money and times.

English is what the code says; other languages come from the gettext catalogs in locale/. They are read as text (.po), so
there is no compiled copy that could be outdated. Machine formats are never translated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Self

from smsby_deploy.resources import catalog_file
from smsby_deploy.wording import Sentence, fill, money, sentence

if TYPE_CHECKING:
    from babel import Locale

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = "d MMMM y"  # patterns of Unicode's LDML, as Babel takes them
_MINUTES = f"{_DAY}, HH:mm"
_DAY_AND_MINUTES = f"EEE {_MINUTES}"


@dataclass(frozen=True)
class Translator:
    """English: every method returns what the code says.

    A message is an English template of `wording.sentence`, and its key in the catalogs. Amounts of money have at least
    `decimals` digits after the point.
    """

    language: str = "en"
    decimals: int = 2
    minus: ClassVar[str] = "-"

    def gettext(self, template: str, /, **values: object) -> str:
        """Return `template` in this language, with its values."""
        return str(sentence(template, **values))

    def sentence(self, text: str) -> str:
        """Return a Sentence in this language; any other text is returned unchanged."""
        return text

    def name(self, value: StrEnum) -> str:
        """Return the word for a member of an enum; its context in the catalog is the enum's name."""
        return value.value

    def count_of(self, count: int, value: StrEnum) -> str:
        """`2 sent`; the context of such words in the catalog is the enum's name and `counted`."""
        return f"{count:,} {value.value}"

    def count(self, value: int | None) -> str:
        """`1,000`; `?` if it is unknown."""
        return "?" if value is None else f"{value:,}"

    def number(self, text: str) -> str:
        """A number that is written in English, with the separators of this language."""
        return text

    def aligning(self, amounts: Iterable[Decimal | None]) -> Self:
        """Return this language, with the decimals of the most exact of `amounts`."""
        needed = (len(money(one).partition(".")[2]) for one in amounts if one is not None)
        return replace(self, decimals=max(needed, default=self.decimals))

    def money(self, amount: Decimal | None) -> str:
        """An amount of money; `?` if it is unknown."""
        return "?" if amount is None else money(amount, self.decimals)

    def signed(self, amount: Decimal) -> str:
        """`amount` with its sign: `+9.88`, `-0.364`, `0.00`."""
        sign = self.minus if amount < 0 else "+" if amount else ""
        return f"{sign}{self.money(abs(amount))}"

    def share(self, part: int, whole: int) -> str:
        """A percentage, rounded down, so that 100.0% means all; `-` if `whole` is 0."""
        if not whole:
            return "-"
        tenths = part * 1000 // whole
        return f"{tenths // 10}.{tenths % 10}%"

    def day(self, day: date, *, has_year: bool = True) -> str:
        """A day in a calendar."""
        text = f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}"
        return f"{text} {day.year}" if has_year else text

    def day_and_time(self, moment: datetime) -> str:
        """A time with its day of the week, in its own zone."""
        clock = f"{moment:%H:%M}" + (f":{moment:%S}" if moment.second else "")
        return f"{self.day(moment)} {clock}"

    def span(self, span: timedelta) -> str:
        """A span from now, in its two largest units.

        For example `in 2 d 3 h`, `in 5 min`, `now`, `4 h 10 min ago`.
        """
        minutes = abs(int(span.total_seconds())) // 60
        units = [
            (days := minutes // 1440, self.gettext("{count} d", count=days)),
            (hours := minutes // 60 % 24, self.gettext("{count} h", count=hours)),
            (rest := minutes % 60, self.gettext("{count} min", count=rest)),
        ]
        while units and not units[0][0]:
            units.pop(0)
        text = " ".join(unit for count, unit in units[:2] if count)
        if not text:
            return self.gettext("now")
        if span > timedelta(0):
            return self.gettext("in {span}", span=text)
        return self.gettext("{span} ago", span=text)


ENGLISH = Translator()


@dataclass(frozen=True)
class _Catalog(Translator):
    """Another language, with the messages of its catalog by (context, English)."""

    minus: ClassVar[str] = "−"
    locale: Locale = field(kw_only=True)
    messages: Mapping[tuple[str | None, str], str] = field(kw_only=True)

    def gettext(self, template: str, /, **values: object) -> str:
        return fill(self.messages.get((None, template), template), values, self._show)

    def sentence(self, text: str) -> str:
        return (
            self.gettext(text.template, **text.values)
            if isinstance(text, Sentence) and text.template
            else text
        )

    def name(self, value: StrEnum) -> str:
        return self.messages.get((type(value).__name__, value.value), value.value)

    def count_of(self, count: int, value: StrEnum) -> str:
        word = self.messages.get((f"{type(value).__name__} counted", value.value), self.name(value))
        return f"{word}: {self.count(count)}"

    def count(self, value: int | None) -> str:
        from babel.numbers import format_decimal

        return "?" if value is None else format_decimal(value, locale=self.locale)

    def money(self, amount: Decimal | None) -> str:
        from babel.numbers import format_decimal

        if amount is None:
            return "?"
        pattern = f"#,##0.{'0' * self.decimals}#######"
        text: str = format_decimal(amount, pattern, self.locale, decimal_quantization=False)
        return text.replace("-", self.minus)

    def number(self, text: str) -> str:
        from babel.numbers import get_decimal_symbol, get_group_symbol

        return text.translate(
            {
                ord(","): get_group_symbol(self.locale),
                ord("."): get_decimal_symbol(self.locale),
                ord("-"): self.minus,
            }
        )

    def share(self, part: int, whole: int) -> str:
        from babel.numbers import format_percent

        if not whole:
            return "–"
        return format_percent(Decimal(part * 1000 // whole) / 1000, "0.0\u00a0%", self.locale)

    def day(self, day: date, *, has_year: bool = True) -> str:
        from babel.dates import format_date

        return format_date(day, "EEE d MMM y" if has_year else "EEE d MMM", self.locale)

    def day_and_time(self, moment: datetime) -> str:
        return self._date(moment, _DAY_AND_MINUTES)

    def _date(self, moment: datetime, pattern: str) -> str:
        from babel.dates import format_datetime

        return format_datetime(moment, pattern, tzinfo=moment.tzinfo, locale=self.locale)

    def _show(self, value: object, form: str) -> str:
        if isinstance(value, int) and "|" in form:
            return self._noun(value, form)
        if isinstance(value, int) and form == ",":
            return self.count(value)
        if isinstance(value, datetime):
            zone = "" if value.tzinfo is None else " x" if value.utcoffset() else " 'UTC'"
            return self._date(value, _MINUTES + zone)
        if isinstance(value, date):
            return self._date(datetime.combine(value, time()), _DAY)
        if isinstance(value, Decimal):
            return self.money(value)
        if isinstance(value, float):
            return self.number(format(value, form))
        if isinstance(value, StrEnum):
            return self.name(value)
        return self.sentence(value) if isinstance(value, str) else format(value, form)

    def _noun(self, value: int, form: str) -> str:
        """A count and its noun, in the form that the language's plural rule selects."""
        forms = form.removeprefix("|").split("|")
        tags = _PLURALS[self.language]
        word = forms[min(tags.index(self.locale.plural_form(value)), len(forms) - 1)]
        return word if form.startswith("|") else f"{self.count(value)} {word}"


# The order of the forms of a noun in a message, by the rules of Unicode.
_PLURALS = {"ru": ("one", "few", "many", "other")}


@cache
def translator(language: str) -> Translator:
    """Return the translator for `language`, `en` or one that has a catalog."""
    if language == ENGLISH.language:
        return ENGLISH

    from babel import Locale
    from babel.messages.pofile import read_po

    path = catalog_file(language)
    with path.open("rb") as file:
        catalog = read_po(file, locale=language)
    messages = {(one.context, str(one.id)): str(one.string) for one in catalog if one.id and one.string}
    return _Catalog(language, locale=Locale.parse(language), messages=messages)
