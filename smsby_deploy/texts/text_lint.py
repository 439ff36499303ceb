"""Warnings about texts and values that probably do not mean what was intended.

HTML entities and placeholders would be sent literally, a word in two alphabets hides a wrong letter or breaks a link, and
a text such as `0` or `no` is true. Values are checked a column at a time, and individually only if the column may have
an odd one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.sources import FalseText, InlineRecipients
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.texts.encoding_lint import has_invisible, name_character
from smsby_deploy.texts.not_a_value import NOT_VALUES
from smsby_deploy.texts.rendered_lint import RenderedLint
from smsby_deploy.texts.template import Template, rows_file
from smsby_deploy.wording import sentence

_MOST_ROWS = 100  # with an odd value; then the search of a column stops
_MOST_LETTERS = 5  # named in a message
# Patterns are strings, which `re` compiles at their first use: most texts need none of them.
_ENTITY = r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});"
_CYRILLIC = "\u0400-\u052f"
_MIXED = f"[A-Za-z](?:(?<=[{_CYRILLIC}].)|(?=[{_CYRILLIC}]))"
_WORD = r"[^\W_]+"
_ACRONYM = "[A-Z]{2,}[\u0430-\u045f]+"  # SMSка: an acronym with an ending, which is in small letters
_TO_BLANK = r"[^\s\"'<>«»]"
_URL = (
    rf"(?i)(?:https?://|www\.){_TO_BLANK}+"
    rf"|\b(?:[\w-]+\.)+(?:by|ru|com|net|org|me|info|shop)\b(?:/{_TO_BLANK}*)?"
)
# Both start with a literal, which is fast.
_CYRILLIC_URLS = tuple((mark, rf"{re.escape(mark)}{_TO_BLANK}*[{_CYRILLIC}]") for mark in ("://", "www."))
_URL_START = r"(?i)(?:https?://)?(?:www\.)?"
_IS_CYRILLIC, _IS_LATIN = f"[{_CYRILLIC}]", "[A-Za-z]"
# In UTF-8: 1 for a Latin letter, 2 for the first byte of a Cyrillic one, 3 for any further byte, 4 for other first bytes.
_KINDS = bytes(
    int(chr(byte).isalpha()) if byte < 0x80 else 3 if byte < 0xC0 else 2 if 0xD0 <= byte <= 0xD4 else 4
    for byte in range(256)
)
# A tag that prints something appears as NULs, which match any part of a link.
_LINK = r"(?i)\bhttps?[:/][^\s\"'<>«»“”]+"
_LINK_END = ".,;:!?)…"
_VALID_LINK = (
    r"(?i)(?!.*%(?![0-9a-f\0]{2}))https?://"
    r"(?:(?:[\w\0](?:[\w\0-]*[\w\0])?\.)+[\w\0-]+|[\w.\0-]*\0[\w.\0-]*)(?::\d{1,5})?(?:[/?#].*)?"
)
_USUAL_LINK = r"https?://[\w-]+(?:\.[\w-]+)+(?:[/?][^\s#%\"'<>«»“”]*)?(?=\s|\Z)"
# Left by other tools, or by authors to fill in later: [имя], <имя>, {имя клиента}, %id%. PLACEHOLDER has the others.
_REST = (
    r"(?<!\[)\[[^\W\d_][^\[\]\n]{0,38}\](?!\])|</?[^\W\d_][^<>\n]{0,38}>"
    r"|(?<![{$])\{[^\W\d_][\w.]*[^\w.{}\n]+[^\s{}\n][^{}\n]{0,30}\}|%[^\W\d_]{2}%"
)
_TOO_MANY_BRACES = r"(?<=\0)\}+|\}\}+"  # {{ name }}}
_OWN_TEXT = "text "  # a recipient's own text: unlike any column, whose names have no blanks at their ends
_MARKUP = r"(?s)\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}"
_QUOTED = r"'([^'\\]*)'|\"([^\"\\]*)\""
_NEGATIVE = (
    "0", "0.0", "0.00", "0,0", "0,00", "false", "no", "n", "off", "нет", "не", "няма", "ложь", "-", "–", "—",
)  # fmt: skip
_LOOKS_FALSE = NOT_VALUES.union(*((word, word.upper(), word.capitalize()) for word in _NEGATIVE))


class Oddity(NamedTuple):
    """A part of a text that is probably wrong.

    `letters` are those of the rarer alphabet. In a link, `is_order`: its fragment comes before its query.
    """

    code: str
    offset: int
    found: str
    letters: str = ""
    is_order: bool = False


def find_oddities(text: str) -> Iterator[Oddity]:
    """Yield the HTML entities, leftover placeholders, invalid links and mixed words in `text`."""
    if "&" in text:
        from html.entities import html5

        for entity in re.finditer(_ENTITY, text):
            if entity.group()[1] == "#" or entity.group()[1:] in html5:
                yield Oddity("HTML_ENTITY", entity.start(), entity.group())
    if _may_have_rest(text):
        for rest in re.finditer(_REST, text):
            yield Oddity("PLACEHOLDER_LIKE", rest.start(), rest.group())
    if "http" in text:
        yield from _find_wrong_links(text)
    kinds = b"" if text.isascii() else _kinds_of(text)
    if b"\1" not in kinds:  # without Latin letters no alphabets can be mixed
        return
    urls = [(found.start(), found.end()) for found in re.finditer(_URL, text)]
    for start, end in urls:
        path = re.sub(_URL_START, "", text[start:end], count=1)
        if letters := _minority(path):
            yield Oddity("MIXED_ALPHABETS", start, text[start:end], letters)
    if not _may_be_mixed(kinds):
        return
    for word in re.finditer(_WORD, text):
        if any(start <= word.start() < end for start, end in urls) or re.fullmatch(_ACRONYM, word.group()):
            continue
        if re.search(_MIXED, word.group()):
            yield Oddity("MIXED_ALPHABETS", word.start(), word.group(), _minority(word.group()))


def _may_have_rest(text: str) -> bool:
    return "[" in text or "<" in text or "{" in text or "%" in text


def _find_braces(text: str) -> Iterator[Oddity]:
    """Yield the closing braces in a template without its tags that seem to belong to one."""
    for found in re.finditer(_TOO_MANY_BRACES, text):
        yield Oddity("PLACEHOLDER_LIKE", found.start(), found.group())


def _find_wrong_links(text: str) -> Iterator[Oddity]:
    for found in re.finditer(_LINK, text):
        link = found.group().rstrip(_LINK_END)
        if not re.fullmatch(_VALID_LINK, link):
            yield Oddity("LINK", found.start(), link)
        elif 0 <= link.find("#") < link.find("?"):
            yield Oddity("LINK", found.start(), link, is_order=True)


def _minority(text: str) -> str:
    """The letters of the rarer alphabet; none if there is only one alphabet."""
    cyrillic, latin = re.findall(_IS_CYRILLIC, text), re.findall(_IS_LATIN, text)
    if not (cyrillic and latin):
        return ""
    return "".join(dict.fromkeys(latin if len(latin) <= len(cyrillic) else cyrillic))


def _kinds_of(text: str) -> bytes:
    """The kinds of all bytes of `text`: searching them is several times as fast as a pattern."""
    return text.encode("utf-8", "surrogatepass").translate(_KINDS)


def _may_be_mixed(kinds: bytes) -> bool:
    """Whether a Latin and a Cyrillic letter may be neighbors."""
    return b"\1\2" in kinds or b"\3\1" in kinds


def _may_be_odd(text: str, kinds: bytes) -> bool:
    """Whether `find_oddities` may find something; `kinds` are empty for ASCII."""
    if "&" in text and re.search(_ENTITY, text):
        return True
    if _may_have_rest(text) and re.search(_REST, text):
        return True
    # Most links have the usual form; counting these is many times faster than checking each link.
    if (
        "http" in text
        and len(re.findall(_USUAL_LINK, text)) < text.count("http")
        and any(_find_wrong_links(text))
    ):
        return True
    if b"\1" not in kinds:
        return False
    if _may_be_mixed(kinds) and re.search(_MIXED, text):
        return True
    return any(mark in text and re.search(pattern, text) for mark, pattern in _CYRILLIC_URLS)


class _Found(NamedTuple):
    """The first value with an oddity, its line, and the number of rows with one."""

    oddity: Oddity
    line: int
    rows: int = 1


class TextLint:
    """Collects warnings about the texts of one mailing as its batches stream by.

    `has_invisible`: a text may have characters that take space but are invisible.
    """

    def __init__(self, mailing: Mailing, template: Template, require: Sequence[str] = ()) -> None:
        self._mailing = mailing
        self._file = rows_file(mailing)
        self._texts = template.texts
        self._tested = {name: text for text in reversed(self._texts) for name in text.tested}
        self._variables = sorted(template.variables - {"phone"})
        self._has_own_texts = not template.texts or isinstance(mailing.audience, InlineRecipients)
        self._searched: set[str] = set()  # columns with enough odd values to stop searching
        self._found: dict[tuple[str, str], _Found] = {}
        self._rendered = RenderedLint(mailing, self._texts, require)
        self._true: dict[str, int] = {}  # by variable: the first line with a true text that reads like "no"
        self.has_invisible = any(has_invisible(one) for text in self._texts for one in text.sources.values())

    def check(self, batch: Batch, texts: Sequence[str]) -> None:
        """Check a batch: its `texts`, and the values that they were rendered from."""
        if self._has_own_texts:
            self._check_column(_OWN_TEXT, [text or "" for text in batch.texts], batch, texts)
        for name in self._variables:
            column = batch.column(name)
            if column is not None:
                self._check_column(name, column, batch, texts)
        self._rendered.check(batch, texts, self._file)

    def find_problems(self) -> Iterator[Problem]:
        """Yield the warnings: those of the template, then those of the data."""
        for text in self._texts:
            for name, source in text.sources.items():
                readable = _readable(source)
                for oddity in (*find_oddities(readable), *_find_braces(readable)):
                    place = text.locate(name, oddity.offset)
                    yield self._warning(oddity.code, _explain_literal(oddity), place)
        for name, line in self._true.items():
            place = self._tested[name].locate(*self._tested[name].tested[name])
            yield self._warning("TRUTH", _explain_truth(name, Location(self._file, line)), place)
        for (name, code), found in self._found.items():
            message = _explain_value(name, found)
            yield self._warning(code, message, Location(self._file, found.line))
        yield from self._rendered.find_problems()

    def _check_column(self, name: str, column: Sequence[str], batch: Batch, texts: Sequence[str]) -> None:
        if name in self._tested and name not in self._true:
            self._check_truth(name, column, batch)
        joined = "\n".join(column)
        self._rendered.note_values(joined)
        kinds = b"" if joined.isascii() else _kinds_of(joined)
        if b"\4" in kinds and has_invisible(joined):
            self.has_invisible = True
        if name not in self._searched and _may_be_odd(joined, kinds):
            cells = batch.texts if name == _OWN_TEXT else batch.variable(name) or ()
            self._search_cells(name, cells, batch.lines, texts)

    def _search_cells(
        self, name: str, cells: Sequence[str | None], lines: Sequence[int], texts: Sequence[str]
    ) -> None:
        """Keep the first oddity of each kind in the texts, and count the rows with one."""
        for cell, line, text in zip(cells, lines, texts, strict=True):
            for oddity in find_oddities(cell) if cell else ():
                if oddity.found in text:
                    known = self._found.get((name, oddity.code))
                    found = known._replace(rows=known.rows + 1) if known else _Found(oddity, line)
                    self._found[name, oddity.code] = found
                    if found.rows >= _MOST_ROWS:
                        self._searched.add(name)

    def _check_truth(self, name: str, column: Sequence[str], batch: Batch) -> None:
        """Keep the first value that reads like "no" but is true, as every text is."""
        if not _LOOKS_FALSE.isdisjoint(map(str.strip, set(column))):
            for cell, line in zip(batch.variable(name) or (), batch.lines, strict=True):
                if type(cell) is not FalseText and cell in _LOOKS_FALSE:
                    self._true[name] = line
                    return

    def _warning(self, code: str, message: str, place: Location) -> Problem:
        return Problem(Severity.WARNING, code, message, self._mailing.address, place)


def _readable(source: str) -> str:
    """Blank out the tags of `source`, except for what they quote; no offset changes.

    A tag that prints something becomes NULs, any other tag blanks.
    """

    def blank(tag: re.Match[str]) -> str:
        written = ["\0" if tag.group().startswith("{{") else " "] * len(tag.group())
        for quoted in re.finditer(_QUOTED, "" if tag.group().startswith("{#") else tag.group()):
            written[quoted.start() + 1 : quoted.end() - 1] = quoted.group()[1:-1]
        return "".join(written)

    return re.sub(_MARKUP, blank, source) if "{" in source else source


def _name_letters(letters: str) -> str:
    more = ", …" if len(letters) > _MOST_LETTERS else ""
    return sentence(
        "Latin {letters}" if letters.isascii() else "Cyrillic {letters}",
        letters=f"{', '.join(map(name_character, letters[:_MOST_LETTERS]))}{more}",
    )


def _explain_literal(oddity: Oddity) -> str:
    if oddity.code == "HTML_ENTITY":
        return sentence("{found} would be sent literally; write the character itself", found=oddity.found)
    if oddity.found.startswith("}"):
        return sentence(
            "{found} would be sent literally; a variable has two braces on each side: {{{{ name }}}}",
            found=oddity.found,
        )
    if oddity.code == "PLACEHOLDER_LIKE":
        return sentence(
            "{found} looks like a placeholder and would be sent literally; write a variable as {{{{ name "
            "}}}}, or use other words",
            found=oddity.found,
        )
    if oddity.code == "LINK":
        which = sentence("the link {link}", link=re.sub(chr(0) + "+", "…", oddity.found))
        return _explain_link(which, oddity)
    values = {"found": oddity.found, "letters": _name_letters(oddity.letters)}
    if re.match(_URL, oddity.found):
        return sentence("the URL {found} mixes two alphabets ({letters}); write it in one", **values)
    return sentence("the word {found} mixes two alphabets ({letters}); write it in one", **values)


def _explain_link(which: str, oddity: Oddity) -> str:
    if oddity.is_order:
        return sentence(
            "{which} has # before ?, so the site gets no parameters; move ? and what follows it before #",
            which=which,
        )
    return sentence("{which} is not valid; write https://, the host and the path", which=which)


def _explain_value(name: str, found: _Found) -> str:
    """Name the column and what is odd in it, never the value: it may be a person's name."""
    oddity = found.oddity
    message: str
    where = sentence("the recipient's text" if name == _OWN_TEXT else "the column '{name}'", name=name)
    if oddity.code == "HTML_ENTITY":
        message = sentence(
            "{where} contains HTML ({found}), which would be sent literally; use plain text",
            where=where,
            found=oddity.found,
        )
    elif oddity.code == "PLACEHOLDER_LIKE":
        message = sentence(
            "{where} contains what looks like a placeholder, which would be sent literally; correct the data",
            where=where,
        )
    elif oddity.code == "LINK":
        message = _explain_link(sentence("a link in {where}", where=where), oddity)
    else:
        message = sentence(
            "a URL in {where} mixes two alphabets ({letters}); write it in one"
            if re.match(_URL, oddity.found)
            else "a word in {where} mixes two alphabets ({letters}); write it in one",
            where=where,
            letters=_name_letters(oddity.letters),
        )
    if found.rows == 1:
        return message
    return sentence(
        "{message} ({count} or more rows)" if found.rows >= _MOST_ROWS else "{message} ({count} rows)",
        message=message,
        count=found.rows,
    )


def _explain_truth(name: str, row: Location) -> str:
    return sentence(
        "{name} is tested for truth, and its text reads like no ({row}), but every text except an empty one is true; "
        "state the intent: {{% if {name} | int > 0 %}} for numbers, {{% if {name} == 'yes' %}} for words, or leave the "
        "cell empty",
        name=name,
        row=row,
    )
