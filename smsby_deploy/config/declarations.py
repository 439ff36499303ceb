"""A project as its files declare it: immutable and typed, with inherited settings applied.

Most declarations are named tuples: a frozen dataclass takes five times as long to define, and four times to create.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple
from zoneinfo import ZoneInfo

from smsby_deploy.clock import Window
from smsby_deploy.config.environments import Environment
from smsby_deploy.config.sources import (
    AS_WRITTEN,
    HOME_TIMEZONE,
    Audience,
    MailingText,
    OptOuts,
    RecipientsFile,
    RecipientsQuery,
    Rewrite,
    TextSource,
    Upload,
)
from smsby_deploy.digest_key import NO_KEY, DigestKey
from smsby_deploy.lock.places import PRIVATE_FOLDER, LockPlace, SharedPlace, scope_of
from smsby_deploy.problems import Location, Problem

if TYPE_CHECKING:  # loaded only for mailings with tests
    from smsby_deploy.config.mailing_tests import MailingTest

Via = Literal["bulk", "list", "single"]
HOME = "BY"  # the country whose numbers are accepted by default


class ApiSettings(NamedTuple):
    environment: Environment = Environment()
    account_timezone: str = "Europe/Minsk"
    requests_per_second: float = 5.0
    concurrency: int = 1
    recipients_per_request: int = 1000
    timeout_seconds: float = 30.0
    body: Literal["json", "form"] = "json"
    reconcile_seconds: float = 30.0
    callback_url: str = ""
    callback_path: str = ""
    facts_file: Path | None = None  # None outside a project

    @property
    def account_zone(self) -> ZoneInfo:
        return ZoneInfo(self.account_timezone)

    @property
    def reports_to(self) -> str:
        """The callback address given to sms.by: `callback_url` with the secret path, if any."""
        if not self.callback_url or not self.callback_path:
            return self.callback_url
        place, mark, query = self.callback_url.partition("?")
        return f"{place.rstrip('/')}/{self.callback_path}{mark}{query}"


class QuietHours(NamedTuple):
    """Times in the campaign's zone without sends; `start` > `end` spans midnight."""

    start: time
    end: time


class Blackout(NamedTuple):
    """Dates in the campaign's zone on which nothing is sent, both inclusive."""

    first: date
    last: date


class Expected(NamedTuple):
    """How many recipients a mailing should have, opt-outs subtracted; None is no limit."""

    least: int | None = None
    most: int | None = None


class Pressure(NamedTuple):
    """How many messages a recipient may get within a span.

    Recipients who would get more are left out if it `drops` them; otherwise the mailing is blocked. Mailings whose label
    `kind` is in `never_cap` are exempt.
    """

    messages: int
    within: timedelta
    drops: bool = False
    never_cap: tuple[str, ...] = ()


class Guardrails(NamedTuple):
    """Limits of smsby.yaml; None and () mean off. Words are valid regular expressions."""

    max_recipients: int | None = None
    max_parts: int | None = None
    max_cost: Decimal | None = None
    quiet_hours: QuietHours | None = None
    min_lead: timedelta | None = None
    expect_recipients: Expected | None = None
    budget: Decimal | None = None  # per calendar month
    blackout: tuple[Blackout, ...] = ()
    allowed_alphanames: tuple[str, ...] = ()
    required_words: tuple[str, ...] = ()
    forbidden_words: tuple[str, ...] = ()
    pressure: Pressure | None = None
    require: tuple[str, ...] = ()  # rules whose violations are warnings


class Price(NamedTuple):
    """The price of a part: the usual one, and by phone prefix, the longest prefix first."""

    currency: str
    per_part: Decimal
    per_prefix: tuple[tuple[str, Decimal], ...] = ()

    def for_phone(self, phone: str) -> Decimal:
        return next((price for prefix, price in self.per_prefix if phone.startswith(prefix)), self.per_part)


class Release(NamedTuple):
    """When an approved mailing is handed over: `before` to `at_latest` before its time."""

    before: timedelta
    at_latest: timedelta


class Wave(NamedTuple):
    """A part of a mailing, and what sms.by must report of it before the next part is sent.

    It has `size` recipients, or about `share` percent of all; the last wave, the rest, has neither. It is judged between
    `after` and `give_up`, which count from its time. `delivered` is the minimum, `undelivered` the maximum percentage of its
    messages; if one is None, it follows from the other.
    """

    size: int | None = None
    share: int | None = None
    after: timedelta = timedelta(0)
    give_up: timedelta = timedelta(0)
    delivered: int | None = None
    undelivered: int | None = None


class Waves(NamedTuple):
    """The waves of a mailing; `key` is for the hash that assigns recipients to them."""

    steps: tuple[Wave, ...]
    key: bytes

    @property
    def identity(self) -> list[list[float | None]]:
        """The properties that digests cover."""
        return [
            [
                one.size,
                one.share,
                one.after.total_seconds(),
                one.give_up.total_seconds(),
                one.delivered,
                one.undelivered,
            ]
            for one in self.steps
        ]


class ApprovalRule(NamedTuple):
    """Which mailings need `need` signatures; a condition that is None applies to all.

    With `is_without_author`, the author of the last commit of the campaign's file does not count.
    """

    need: int
    people_over: int | None = None
    labels: Mapping[str, str] = MappingProxyType({})
    cost_over: Decimal | None = None
    is_without_author: bool = False


class ApprovalPolicy(NamedTuple):
    """The signers, and how many of them a mailing needs.

    The signers are in a file in OpenSSH's allowed_signers format; `path` is absolute, `name` relative to the project folder.
    """

    path: Path
    name: str
    rules: tuple[ApprovalRule, ...]


class OwnSettings(NamedTuple):
    """The settings in a mailing's own entry, as written; None if inherited."""

    alphaname: str | None = None
    schedule_time: str | None = None
    timezone: str | None = None
    spread: timedelta | None = None
    has_waves: bool = False


class Mailing(NamedTuple):
    """The unit that is planned and sent, with the settings of campaign and project applied.

    `alphaname` is a name, or an id in digits ("0" is the system name). `schedule_time` is aware, in the campaign's
    zone; None means sent on apply. `max_late` is how long after `schedule_time` the mailing may still be sent. With
    `release`, it waits until it is handed over; if it is `fresh`, its audience may change until then. With `spread`, its
    chunks have their own times: the first is `schedule_time`, the last less than `spread` later. With `waves`, only the first
    wave is sent at its time.
    """

    campaign: str
    name: str
    file: str
    location: Location
    via: Via
    audience: Audience
    text: MailingText | None
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
    upload: Upload | None = None  # has recipients, and via is "list"
    release: Release | None = None  # like `spread`, only with a schedule_time
    is_fresh: bool = False
    own: OwnSettings = OwnSettings()
    cancelled: str | None = None  # why it is not sent
    priority: int = 0  # recipients under contact pressure get the highest first
    tests: tuple[MailingTest, ...] = ()
    spread: timedelta | None = None  # only if it is sent in bulk
    waves: Waves | None = None  # only if it is sent in bulk
    labels: Mapping[str, str] = MappingProxyType({})
    # The errors of files it names; if there are any, neither text nor audience is read.
    unreadable: tuple[Problem, ...] = ()

    def time_on_wire(self, now: datetime, of_chunk: datetime | None = None) -> datetime | None:
        """Return the schedule time to send to sms.by; None to send immediately.

        A chunk's own time, `of_chunk`, takes precedence. A mailing that is late within `max_late` is sent immediately.
        """
        time = of_chunk or self.schedule_time
        return None if time is None or (self.max_late is not None and time <= now) else time

    @property
    def address(self) -> str:
        return f"{self.campaign}/{self.name}"

    @property
    def text_sources(self) -> tuple[TextSource, ...]:
        """All its texts, in the order of the file; () if each recipient has one."""
        return self.text.sources if self.text else ()

    @property
    def text_location(self) -> Location:
        """Where its text begins; the mailing itself if each recipient has a text."""
        return self.text.location if self.text else self.location

    @property
    def time_location(self) -> Location:
        """Where its time is set; the mailing itself if it has none."""
        return self.schedule_location or self.location

    @property
    def kind(self) -> str:
        """The label `kind`, by which some rules exempt the mailing; empty without one."""
        return self.labels.get("kind", "")

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which its times are shown."""
        return ZoneInfo(self.timezone)

    @property
    def wave_steps(self) -> tuple[Wave, ...]:
        """Its waves; () if it is sent at once."""
        return () if self.waves is None else self.waves.steps

    @property
    def window(self) -> Window | None:
        """When it may be handed over to sms.by; None if the apply that approves it sends it."""
        if self.release is None or self.schedule_time is None:
            return None
        return Window.before(self.schedule_time, self.release.before, self.release.at_latest)

    def pinned(self, inputs: Mapping[str, str]) -> Mailing:
        """Return the mailing with its query limited to the result recorded in a plan's `inputs`."""
        if not isinstance(self.audience, RecipientsQuery):
            return self
        return self._replace(audience=self.audience._replace(snapshot=inputs.get(self.audience.name)))


class Campaign(NamedTuple):
    name: str
    file: str
    mailings: tuple[Mailing, ...]


class Project(NamedTuple):
    """A project. `root` is the folder with smsby.yaml; file names are relative to it, with `/`.

    `test_phones` are as written; None if test-send may send to any phone. A message without a final status `settle_after`
    its time counts as undelivered. `locations` has the places of the keys of smsby.yaml by their dotted names, e.g.
    `guardrails.max_cost`. `freeze` is the reason why nothing may be sent; empty if sending is allowed.
    """

    root: Path
    name: str
    api: ApiSettings
    guardrails: Guardrails
    price: Price | None
    suppress: tuple[OptOuts, ...]
    lock: Path
    campaigns: tuple[Campaign, ...]
    locations: Mapping[str, Location] = MappingProxyType({})
    test_phones: tuple[str, ...] | None = None
    settle_after: timedelta = timedelta(hours=72)
    rehearsed_in: LockPlace | None = None  # the lock in which mailings must have been rehearsed
    freeze: str = ""
    notify: tuple[str, ...] = ()  # environment variables with the URLs that are notified
    approvals: ApprovalPolicy | None = None
    shared_lock: SharedPlace | None = None  # the store of which `lock` is a copy
    digest_key: DigestKey = NO_KEY
    language: str = "en"  # of what reviewers read
    timezone: str = HOME_TIMEZONE  # of mailings that set none

    @property
    def environment(self) -> Environment:
        return self.api.environment

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which the times of decisions are shown."""
        return ZoneInfo(self.timezone)

    @property
    def currency(self) -> str | None:
        return self.price.currency if self.price else None

    @property
    def only_to(self) -> tuple[str, ...] | None:
        """The only phones that mailings are sent to, as written; None if they are sent to all."""
        return (self.test_phones or ()) if self.environment.is_limited else None

    @property
    def scope(self) -> str:
        """The project's name in fingerprints and remote names: `my-shop`, `my-shop~staging`."""
        return scope_of(self.name, self.environment.name)

    @property
    def lock_place(self) -> LockPlace:
        return LockPlace(self.lock, self.environment.name, self.shared_lock)

    @property
    def is_lock_committed(self) -> bool:
        """Whether the lock is a file in the repository, not one on this machine only."""
        return self.lock.parent.name != PRIVATE_FOLDER

    @property
    def phone_files(self) -> tuple[RecipientsFile, ...]:
        """The recipients files and suppression files, each once."""
        files = [m.audience for m in self.mailings if isinstance(m.audience, RecipientsFile)]
        return tuple({source.name: source for source in (*files, *self.suppression_files)}.values())

    @property
    def suppression_files(self) -> tuple[RecipientsFile, ...]:
        """The files among the opt-outs; the others are queries."""
        return tuple(one.source for one in self.suppress if isinstance(one.source, RecipientsFile))

    @property
    def mailings(self) -> tuple[Mailing, ...]:
        return tuple(mailing for campaign in self.campaigns for mailing in campaign.mailings)

    def pinned(self, inputs: Mapping[str, str]) -> Project:
        """Return the project with each query limited to the result recorded in a plan's `inputs`."""
        campaigns = (
            one._replace(mailings=tuple(mailing.pinned(inputs) for mailing in one.mailings))
            for one in self.campaigns
        )
        return self._replace(campaigns=tuple(campaigns))

    @property
    def by_address(self) -> dict[str, Mailing]:
        """The mailings by address."""
        return {mailing.address: mailing for mailing in self.mailings}
