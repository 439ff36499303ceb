"""A project as its files declare it: frozen, typed, every name checked, nothing looked up yet.

Most are named tuples: a frozen dataclass takes five times as long to define (and there are many), four times to make.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from smsby_deploy.problems import Location

Via = Literal["bulk", "list", "single"]
HOME = "BY"  # the country whose numbers are taken without a word about countries


class ApiSettings(NamedTuple):
    url: str = "https://app.sms.by"
    account_timezone: str = "Europe/Minsk"
    requests_per_second: float = 5.0
    concurrency: int = 1
    recipients_per_request: int = 1000
    timeout_seconds: float = 30.0
    body: Literal["json", "form"] = "json"
    reconcile_seconds: float = 30.0
    callback_url: str = ""


class QuietHours(NamedTuple):
    """Local times of the campaign's zone between which nothing may go out; `start` > `end` spans midnight."""

    start: time
    end: time


class Blackout(NamedTuple):
    """Dates of the campaign's zone on which nothing may go out, both included."""

    first: date
    last: date


class Expected(NamedTuple):
    """How many recipients a mailing should have, opt-outs subtracted; None is open."""

    least: int | None = None
    most: int | None = None


class Guardrails(NamedTuple):
    """None and () mean off. `required_words` and `forbidden_words` are regular expressions that compile."""

    max_recipients: int | None = None
    max_parts: int | None = None
    max_cost: Decimal | None = None
    quiet_hours: QuietHours | None = None
    min_lead: timedelta | None = None
    expect_recipients: Expected | None = None
    budget: Decimal | None = None  # of a calendar month
    blackout: tuple[Blackout, ...] = ()
    allowed_alphanames: tuple[str, ...] = ()
    required_words: tuple[str, ...] = ()
    forbidden_words: tuple[str, ...] = ()


class Price(NamedTuple):
    """`per_prefix` are other prices of a part by the beginning of the phone, the longest prefix first."""

    currency: str
    per_part: Decimal
    per_prefix: tuple[tuple[str, Decimal], ...] = ()

    def for_phone(self, phone: str) -> Decimal:
        """What a part to `phone` costs."""
        return next((price for prefix, price in self.per_prefix if phone.startswith(prefix)), self.per_part)


class Rewrite(NamedTuple):
    """How a mailing's texts are made cheaper: plain signs for typographic ones, Latin letters for Cyrillic ones."""

    smart_encoding: bool = False
    transliterate: bool = False


AS_WRITTEN = Rewrite()


class TextSource(NamedTuple):
    """A text or template. `location` is where it begins.

    `content` is all of the campaign file that it stands in: text_places.py tells from it where each character is. `root` is
    the project's folder, from whose templates/ a text may include others.
    """

    text: str
    location: Location
    content: str | None = None
    file: str | None = None  # the project path of a text_file, else None
    root: Path | None = None
    rewrite: Rewrite = AS_WRITTEN


class InlineRecipient(NamedTuple):
    """One recipient written in the campaign file; `phone` exactly as its author wrote it."""

    phone: str
    variables: Mapping[str, str]  # without phone and text
    text: str | None
    location: Location


class InlineRecipients(NamedTuple):
    rows: tuple[InlineRecipient, ...]
    location: Location


class RecipientsFile(NamedTuple):
    """A CSV, JSONL or .txt file inside the project; `path` is absolute, `name` is relative to the project."""

    path: Path
    name: str
    phone: str
    location: Location
    encoding: str | None = None
    delimiter: str | None = None


class Freshness(NamedTuple):
    """How old the newest data of a database may be; `sql` gives its date or time, in `timezone` if it names none."""

    sql: TextSource
    max_age: timedelta
    timezone: str


@dataclass(frozen=True, slots=True)
class RecipientsQuery:
    """The rows of a query; `name`, e.g. `sql:sale/vip`, is its key among a plan's inputs.

    `url` is what the environment holds under `url_env`, None if nothing. `snapshot` is the digest that the result must
    have, None where any will do.
    """

    sql: TextSource
    name: str
    url_env: str
    url: str | None = field(repr=False)
    order_by: str
    phone: str
    location: Location
    freshness: Freshness | None = None
    snapshot: str | None = None


class RecipientsParquet(NamedTuple):
    """Parquet files inside the project, each as (absolute path, project path), by their names; `name` is how the
    campaign names them, perhaps a glob."""

    files: tuple[tuple[Path, str], ...]
    name: str
    phone: str
    location: Location


class ContactList(NamedTuple):
    """A list kept at sms.by; `ref` is its name or its id in digits."""

    ref: str
    location: Location


RowSource = RecipientsFile | RecipientsQuery | RecipientsParquet
Audience = InlineRecipients | RowSource | ContactList


class Upload(NamedTuple):
    """That a mailing's recipients are made a contact list at sms.by. `fields` are the columns that become fields of the
    contacts, None: all."""

    fields: tuple[str, ...] | None
    location: Location


class Mailing(NamedTuple):
    """What is planned and sent as one; defaults of campaign and project are already applied.

    `alphaname` is a name or an id in digits ("0" is the system name). `schedule_time` is aware, in the campaign's
    zone, or None: sent on apply. `max_late` is how long after it the mailing may still go out.
    """

    campaign: str
    name: str
    file: str
    location: Location
    via: Via
    audience: Audience
    text: TextSource | None
    alphaname: str
    alphaname_location: Location
    schedule_time: datetime | None
    schedule_location: Location | None
    timezone: str
    revision: int
    on_invalid: Literal["fail", "drop"]
    countries: tuple[str, ...] = (HOME,)
    max_late: timedelta | None = None
    expect_recipients: Expected | None = None
    rewrite: Rewrite = AS_WRITTEN
    upload: Upload | None = None  # with recipients, and via "list"

    def time_on_wire(self, now: datetime) -> datetime | None:
        """The time to send with it; None if it goes out at once, also because it is late and may be."""
        if self.schedule_time is None or (self.max_late is not None and self.schedule_time <= now):
            return None
        return self.schedule_time

    @property
    def address(self) -> str:
        return f"{self.campaign}/{self.name}"

    def pinned(self, inputs: Mapping[str, str]) -> Mailing:
        """The mailing, its query held to the result that is among a plan's `inputs`."""
        if not isinstance(self.audience, RecipientsQuery):
            return self
        return self._replace(audience=replace(self.audience, snapshot=inputs.get(self.audience.name)))


class Campaign(NamedTuple):
    name: str
    file: str
    mailings: tuple[Mailing, ...]


class Project(NamedTuple):
    """`root` is the folder that holds smsby.yaml. File names in it are relative to `root`, with `/`.

    `test_phones` are as their author wrote them; None if test-send may send to anybody.
    """

    root: Path
    name: str
    api: ApiSettings
    guardrails: Guardrails
    price: Price | None
    suppress: tuple[RecipientsFile, ...]
    lock: Path
    campaigns: tuple[Campaign, ...]
    file: str = "smsby.yaml"
    locations: Mapping[str, Location] = MappingProxyType({})  # of smsby.yaml's keys, e.g. guardrails.max_cost
    test_phones: tuple[str, ...] | None = None

    @property
    def phone_files(self) -> tuple[RecipientsFile, ...]:
        """The files of recipients and of those who opted out, each once."""
        files = [m.audience for m in self.mailings if isinstance(m.audience, RecipientsFile)]
        return tuple({source.name: source for source in (*files, *self.suppress)}.values())

    @property
    def mailings(self) -> tuple[Mailing, ...]:
        return tuple(mailing for campaign in self.campaigns for mailing in campaign.mailings)
