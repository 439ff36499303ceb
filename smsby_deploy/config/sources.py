"""Where the recipients and texts of a mailing come from, as its files declare them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from smsby_deploy.problems import Location


class Rewrite(NamedTuple):
    """How the texts of a mailing are rewritten to cost less.

    Plain punctuation replaces typographic punctuation, Latin letters replace Cyrillic ones.
    """

    smart_encoding: bool = False
    transliterate: bool = False


AS_WRITTEN = Rewrite()


class FalseText(str):
    """The text of a false value, such as `false`, `0` or `0.00`; it prints like any text."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False


HOME_TIMEZONE = "Europe/Minsk"


class TextSource(NamedTuple):
    """A text, template or query, and the place where it begins.

    `content` is the whole campaign file that contains it, in which yaml_places.py finds the place of each character.
    `root` is the project folder, whose templates/ a text may include.
    """

    text: str
    location: Location
    content: str | None = None
    file: str | None = None  # the project path of a text_file
    root: Path | None = None
    rewrite: Rewrite = AS_WRITTEN
    timezone: str = HOME_TIMEZONE  # in which the filter `date` shows times

    @property
    def sources(self) -> tuple[TextSource, ...]:
        """All texts of the mailing, in the order of the file."""
        return (self,)

    def identity(self, rewrite: Callable[[str], str]) -> str:
        """Return the text in the form that digests cover: stripped and rewritten by `rewrite`."""
        return rewrite(self.text.strip())


class TextsByLanguage(NamedTuple):
    """The texts of one mailing by language; each recipient gets the one in their language.

    `column` has the language of each row, a key of `texts`. A row with another language, or none, gets the text of
    `default`, or is an error if that is None. `location` is that of the texts, `column_location` that of the column's name.
    """

    column: str
    texts: Mapping[str, TextSource]
    default: str | None
    location: Location
    column_location: Location

    @property
    def sources(self) -> tuple[TextSource, ...]:
        return tuple(self.texts.values())

    def identity(self, rewrite: Callable[[str], str]) -> dict[str, Any]:
        texts = {language: source.identity(rewrite) for language, source in self.texts.items()}
        return {"language": self.column, "default": self.default, "texts": texts}


class Variant(NamedTuple):
    """A share of the recipients, in percent, and the text they get.

    Without a text they are a control group and get nothing.
    """

    name: str
    share: int
    text: TextSource | TextsByLanguage | None


class TextsByVariant(NamedTuple):
    """The texts of one mailing by variant; a keyed hash of the phone decides who gets which.

    `location` is that of the variants. `key` is the same for all mailings of a campaign.
    """

    variants: tuple[Variant, ...]
    key: bytes
    location: Location

    @property
    def sources(self) -> tuple[TextSource, ...]:
        return tuple(source for one in self.variants if one.text for source in one.text.sources)

    @property
    def control(self) -> str:
        """The name of the control group, `a+b` if there are several; empty if there is none."""
        return "+".join(one.name for one in self.variants if one.text is None)

    def identity(self, rewrite: Callable[[str], str]) -> list[dict[str, Any]]:
        return [
            {"variant": name, "share": share, "text": text and text.identity(rewrite)}
            for name, share, text in self.variants
        ]


MailingText = TextSource | TextsByLanguage | TextsByVariant


class InlineRecipients(NamedTuple):
    """Recipients written in the campaign file, exactly as written.

    A row has the variables of one recipient, with `phone` and, if any, their own `text`. `marks` are the places of the rows.
    """

    rows: Sequence[Mapping[str, str]]
    location: Location
    marks: Sequence[tuple[int, int]] = ()


AGE_IDENTITY = "SMSBY_AGE_IDENTITY"  # the variable with the age identities that decrypt lists
_ENCRYPTED = ".age"


class HiddenText(str):
    """A secret; its repr does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<hidden>"


class Pin(NamedTuple):
    """The digest that a list must have.

    `copy` is where an older version of it may be kept, named after its digest.
    """

    sha256: str
    location: Location
    copy: Path | None = None


class RecipientsFile(NamedTuple):
    """A CSV, JSONL or .txt file, perhaps encrypted with age.

    `path` is absolute, `name` relative to the project folder. A pinned list missing from the project is in the folder that
    the variable `folder_env` names; if that is not set, the list `is_elsewhere`. A list in that folder that is not pinned is
    `to_pin`, and never read as recipients. `identity` has the age identities that decrypt it.
    """

    path: Path
    name: str
    phone: str
    location: Location
    encoding: str | None = None
    delimiter: str | None = None
    is_opt_outs: bool = False  # may have comment lines (#), and phones without a header
    pin: Pin | None = None
    folder_env: str | None = None
    is_elsewhere: bool = False
    to_pin: Path | None = None
    identity: HiddenText | None = None

    @property
    def is_encrypted(self) -> bool:
        return self.name.lower().endswith(_ENCRYPTED)

    @property
    def suffix(self) -> str:
        """The suffix that says how it is written, in lower case; `.csv` of `vip.csv.age`."""
        name = self.name[: -len(_ENCRYPTED)] if self.is_encrypted else self.name
        return Path(name).suffix.lower()

    @property
    def unset_variable(self) -> str | None:
        """The variable that must be set before it can be read; None if it can be read."""
        if self.is_elsewhere:
            return self.folder_env
        return AGE_IDENTITY if self.is_encrypted and self.identity is None else None


class Freshness(NamedTuple):
    """How old the newest data may be; `sql` returns its time, in `timezone` by default."""

    sql: TextSource
    max_age: timedelta
    timezone: str


class RecipientsQuery(NamedTuple):
    """The rows of a query; `name`, e.g. `sql:sale/vip`, is its key in a plan's inputs.

    `url` is the value of the environment variable `url_env`, None if it is not set. `order_by` is None if the order does not
    matter; with `may_tie` it only numbers the rows. `snapshot` is the digest that the result must have, None if any result
    is accepted.
    """

    sql: TextSource
    name: str
    url_env: str
    url: HiddenText | None
    order_by: str | None
    phone: str
    location: Location
    freshness: Freshness | None = None
    snapshot: str | None = None
    may_tie: bool = False

    @property
    def unset_variable(self) -> str | None:
        """The variable without which it cannot be read here; None if it is set."""
        return self.url_env if self.url is None else None


class RecipientsParquet(NamedTuple):
    """Parquet files as (absolute path, project path), sorted; `name` is the path or glob."""

    files: tuple[tuple[Path, str], ...]
    name: str
    phone: str
    location: Location


class OptOuts(NamedTuple):
    """One entry of `suppress`; `on_invalid`: lines that are not phones fail, or are dropped."""

    source: RecipientsFile | RecipientsQuery
    on_invalid: Literal["fail", "drop"] = "fail"


class ContactList(NamedTuple):
    """A contact list kept at sms.by; `ref` is its name, or its id in digits."""

    ref: str
    location: Location


RowSource = RecipientsFile | RecipientsQuery | RecipientsParquet
Audience = InlineRecipients | RowSource | ContactList


def unset_variable_of(audience: Audience) -> str | None:
    """Return the variable that must be set to read the recipients; None if nothing is missing."""
    return audience.unset_variable if isinstance(audience, RecipientsFile | RecipientsQuery) else None


class Upload(NamedTuple):
    """The recipients are uploaded as a contact list at sms.by.

    `fields` are the columns that become fields of the contacts; None means all.
    """

    fields: tuple[str, ...] | None
    location: Location
