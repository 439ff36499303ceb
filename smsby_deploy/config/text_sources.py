"""The texts of a mailing as declared: one, or one per language, inline or in files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

from smsby_deploy.config.project_files import resolve_inside
from smsby_deploy.config.settings import read_rewrite
from smsby_deploy.config.sources import MailingText, TextsByLanguage, TextsByVariant, TextSource, Variant
from smsby_deploy.config.yaml_nodes import Mark, YamlList, YamlLocator, YamlMap
from smsby_deploy.problems import Location, Problem, ProblemLog, Severity
from smsby_deploy.wording import sentence

_DEFAULT = "default"
_WHOLE = 100  # percent
_NUMBER_OR_TRUTH = re.compile(r"true|false|[-+\d.,]+", re.IGNORECASE)


class TextReader:
    """Reads the texts of the mailings in one campaign.

    `content` is the text of the campaign `file`. Problems go to `log`. `variant_key` and the phone decide which variant a
    recipient gets.
    """

    def __init__(self, root: Path, file: str, content: str, log: ProblemLog, variant_key: bytes) -> None:
        self._root = root
        self._variant_key = variant_key
        self._file = file
        self._content = content
        locator = YamlLocator(file, content)
        self._at, self._at_key = locator.at, locator.at_key
        self._log = log

    @cached_property
    def _may_have_comments(self) -> bool:
        # Checked once: a file may have thousands of mailings. The single character is found a hundred times faster.
        return "#" in self._content and (" #" in self._content or "\t#" in self._content)

    def read(self, node: YamlMap, mark: Mark, timezone: str) -> MailingText | None:
        """Return the text of the mailing `node` at `mark`, which shows times in `timezone`.

        None if it is not valid, or if the recipients have their own texts.
        """
        if "variants" in node:
            return self._by_variant(node, timezone)
        return self._one(node, node, mark, timezone)

    def _one(
        self, node: YamlMap, mailing: YamlMap, mark: Mark, timezone: str
    ) -> TextSource | TextsByLanguage | None:
        """Return the text of `node`, which is the `mailing` itself or one of its variants."""
        key = "text" if "text" in node else "text_file"
        if key not in node:
            self._require_own_texts(node, mark)
        elif isinstance(node[key], YamlMap):
            return self._by_language(node, key, mailing, timezone)
        if "language" in mailing:
            message = sentence("language requires a text for each language: text: {{ru: …, be: …}}")
            self._log.error("LANGUAGE", message, self._at_key(mailing, "language"))
        return self._source(node, key, mailing, timezone) if key in node else None

    def _by_variant(self, node: YamlMap, timezone: str) -> TextsByVariant | None:
        """Return the texts of the variants; None if one of them cannot be read."""
        items, place = node["variants"], self._at_key(node, "variants")
        for problem in _variant_problems(node):
            self._log.error("VARIANTS", problem, place)
        variants = []
        for item, mark in zip(items, items.items_at, strict=True):
            is_sent, has_text = item.get("send", True), "text" in item or "text_file" in item
            if is_sent and not has_text:
                message = sentence(
                    "a variant requires a text (or text_file), or send: false for a control group"
                )
                self._log.error("VARIANTS", message, self._at(mark))
                is_sent = False  # the other variants are checked anyway
            elif not is_sent and has_text:
                message = sentence(
                    "a variant with send: false is a control group, so its text would not be sent"
                )
                self._log.error("VARIANTS", message, self._at(mark))
            elif "text" in item and "text_file" in item:
                message = sentence("expected either text or text_file, not both")
                self._log.error("VARIANTS", message, self._at(mark))
            text = self._one(item, node, mark, timezone) if is_sent else None
            if is_sent and text is None:
                return None
            variants.append(Variant(item["name"], item["share"], text))
        return TextsByVariant(tuple(variants), self._variant_key, place)

    def warn_of_comments(self, node: YamlMap, address: str) -> None:
        """Warn of unquoted texts that are cut off by a comment."""
        if not self._may_have_comments:
            return
        from smsby_deploy.config.yaml_places import find_comment, lines_near_comments

        near = lines_near_comments(self._content)
        for text, mark in _plain_texts(node, near):
            place = find_comment(self._content, mark, text) if mark[0] in near else None
            if place is not None:
                message = sentence(
                    "a space and # begin a comment, so the text ends before them; put the text in quotes"
                )
                found = Problem(Severity.WARNING, "COMMENT_IN_TEXT", message, address, self._at(place))
                self._log.extend([found])

    def _by_language(
        self, node: YamlMap, key: str, mailing: YamlMap, timezone: str
    ) -> TextsByLanguage | None:
        """Return the texts under `key` of `node` by language; None if one of them cannot be read.

        If anything else is wrong, the texts are still returned, so that they are checked as well.
        """
        texts, place = node[key], self._at(node.values_at[key])
        languages = [language for language in texts if language != _DEFAULT]
        if not languages:
            self._log.error(
                "LANGUAGE", sentence("{key} has no language: write {key}: {{ru: …, be: …}}", key=key), place
            )
            return None
        if len({language.casefold() for language in languages}) < len(languages):
            self._log.error("LANGUAGE", sentence("two languages differ only in case; remove one"), place)
        default = texts.get(_DEFAULT)
        if default is not None and default not in languages:
            message = sentence(
                "{key}.default: expected one of {languages}", key=key, languages=", ".join(languages)
            )
            self._log.error("LANGUAGE", message, self._at(texts.values_at[_DEFAULT]))
            default = languages[0]
        if "language" not in mailing:
            message = sentence(
                "{key} has several languages: add language: COLUMN, the column with each recipient's language",
                key=key,
            )
            self._log.error("LANGUAGE", message, place)
        sources = {language: self._source(texts, language, mailing, timezone, key) for language in languages}
        read = {language: source for language, source in sources.items() if source is not None}
        if len(read) < len(languages):
            return None
        column_at = self._at(mailing.values_at["language"]) if "language" in mailing else place
        return TextsByLanguage(mailing.get("language", "language"), read, default, place, column_at)

    def _source(
        self, holder: YamlMap, name: str, mailing: YamlMap, timezone: str, key: str | None = None
    ) -> TextSource | None:
        """Return the text under `name` of `holder`; `key` is the mailing's key, if different."""
        written, place = str(holder[name]), self._at(holder.values_at[name])
        source = TextSource(written, place, root=self._root, rewrite=read_rewrite(mailing), timezone=timezone)
        if (key or name) != "text_file":
            return source._replace(content=self._content)
        path = resolve_inside(self._root, written, place, self._log)
        if path is None:
            return None
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            self._log.error("ENCODING", sentence("not UTF-8; save the file as UTF-8"), Location(written, 1))
            # Use the text anyway, so that the rest of the mailing is checked.
            text = path.read_text(encoding="utf-8-sig", errors="replace")
        except OSError as error:
            message = sentence("cannot read the file: {why}", why=error.strerror)
            self._log.error("FILE_MISSING", message, Location(written, 1))
            return None
        return source._replace(text=text, location=Location(written, 1, 1), file=written)

    def _require_own_texts(self, node: YamlMap, mark: Mark) -> None:
        """Report a mailing without a text, unless each of its recipients may have one."""
        if node.get("upload", False) is not False:
            message = sentence(
                "missing key text (or text_file): all recipients of an upload get the same text"
            )
            self._log.error("SCHEMA", message, self._at(mark))
        elif "list" in node or not _may_have_own_texts(node["recipients"]):
            message = sentence("missing key text (or text_file, or a text for each recipient)")
            self._log.error("SCHEMA", message, self._at(mark))


def _variant_problems(node: YamlMap) -> Iterator[str]:
    """Yield the problems of the variants of a mailing as a whole."""
    variants, recipients = node["variants"], node.get("recipients")
    if "list" in node or node.get("upload", False) is not False or node.get("via") == "single":
        yield sentence("variants cannot be combined with list, upload or via: single")
    if "text" in node or "text_file" in node:
        yield sentence("variants have their own texts: remove the text of the mailing")
    if isinstance(recipients, YamlList) and any(
        isinstance(row, YamlMap) and "text" in row for row in recipients
    ):
        yield sentence("variants cannot be combined with recipients' own texts")
    if (total := sum(one["share"] for one in variants)) != _WHOLE:
        yield sentence(
            "the shares of the variants add up to {total}, expected {whole}", total=total, whole=_WHOLE
        )
    if len({one["name"] for one in variants}) < len(variants):
        yield sentence("two variants have the same name")
    if not any(one.get("send", True) for one in variants):
        yield sentence("no variant is sent")


def _plain_texts(node: YamlMap, near: Set[int]) -> Iterator[tuple[str, Mark]]:
    """Yield the unquoted texts, with places, of a mailing and of recipients on `near` lines."""
    for holder in (node, *node.get("variants", ())):
        if "text" in holder.untyped:
            yield str(holder["text"]), holder.values_at["text"]
        texts = holder.get("text")
        languages = texts if isinstance(texts, YamlMap) else YamlMap((1, 1))
        for language in languages.untyped:
            yield str(languages[language]), languages.values_at[language]
    recipients = node.get("recipients")
    if isinstance(recipients, YamlList):
        for row in _rows_near(recipients, near):
            for name in row.untyped:
                if name != "phone" and _NUMBER_OR_TRUTH.fullmatch(row[name]) is None:
                    yield row[name], row.values_at[name]


def _rows_near(recipients: YamlList, near: Set[int]) -> Iterator[YamlMap]:
    """Yield recipients with a line in `near`; only theirs need places, which is fast."""
    lines = [line for line, _ in recipients.items_at]
    for row, first, next_row in zip_longest(recipients, lines, lines[1:]):
        is_near = next_row is None or not near.isdisjoint(range(first, next_row + 1))
        if is_near and isinstance(row, YamlMap):
            yield row


def _may_have_own_texts(recipients: YamlMap | YamlList) -> bool:
    """Whether every recipient may have its own text: a file or query may have a column `text`."""
    if isinstance(recipients, YamlMap):
        return True
    return all(isinstance(row, YamlMap) and "text" in row for row in recipients)
