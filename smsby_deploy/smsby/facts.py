"""Facts that `doctor` has learned about an account, as stored in smsby.facts.json.

Every fact is known, not learnable or not asked. The file is committed and keyed by account; it has no phone, no token and
no text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from smsby_deploy.errors import FilesInvalid, SmsbyDeployError
from smsby_deploy.files import refuse_link, write_file
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.resources import is_valid, schema_validator
from smsby_deploy.wording import sentence

OLD_AFTER = timedelta(days=90)
_FORMAT, _VERSION = "smsby-facts", 1
_LARGEST = 10 << 20  # bytes; an account has 6 KB


class FactName(StrEnum):
    """Every fact, in the order in which `doctor` asks: free, with --ask, with --to."""

    TOKEN_REFUSAL = "token_refusal"
    CURRENCY = "currency"
    PRICE_ESTIMATE = "price_estimate"
    SENDERS = "senders"
    LISTS = "lists"
    CALL_STYLES = "places"  # the key in files written before it had this name
    ERROR_STYLE = "error_style"
    REFUSAL_AT_500 = "refusal_at_500"
    LIST_SIZE = "list_size"
    EMPTY_LIST = "empty_list"
    PAGING = "paging"
    CLOCK_OUT = "clock_out"
    CLOCK_IN = "clock_in"
    DUPLICATES = "duplicates"
    MODERATION = "moderation"
    UNSENT_LISTED = "unsent_listed"
    PART_TABLE = "part_table"
    REFUSED_PHONE = "refused_phone"
    LISTING_LAG = "listing_lag"
    NAME_LENGTH = "name_length"
    SCHEDULE_CLOCK = "schedule_clock"
    PRICE = "price"
    FIRST_STATUS = "first_status"
    LAST_STATUS = "last_status"
    CALLBACK = "callback"


class FactState(StrEnum):
    """Whether a fact is known. A file has no entry for a fact that was not asked."""

    KNOWN = "known"
    NOT_LEARNABLE = "not_learnable"
    NOT_ASKED = "not_asked"


class Gap(StrEnum):
    """Why a fact was not learnable."""

    NO_ROWS = "no_rows"  # the account has nothing that shows it
    NO_VALUE = "no_value"  # the answer has no such value
    REFUSED = "refused"  # sms.by answered with an error
    NO_ANSWER = "no_answer"  # no usable answer
    UNDECIDED = "undecided"  # several readings fit
    NOT_LISTED = "not_listed"  # the list did not show what was made
    NOT_YET = "not_yet"  # it did not happen while doctor waited
    NOT_SET_UP = "not_set_up"  # the project has no setting for it


class EmptyForm(StrEnum):
    """An undocumented answer of getSMSMessages that means "no mailings" in this account."""

    DOCUMENTED = "documented"
    NO_BODY = "no_body"  # 2xx without a body
    BARE_LIST = "bare_list"  # HTTP 200 and []
    NULL_DATA = "null_data"  # HTTP 200, status success, and data null or none
    OTHER_406 = "other_406"  # HTTP 406 with an error in other words
    NOT_FOUND = "not_found"  # HTTP 404 with an error


class PartTable(StrEnum):
    """The table by which sms.by counts parts."""

    SDK = "sdk"  # that of its own SDKs, by which texts are counted here, too
    GSM = "gsm"  # GSM 03.38
    OTHER = "other"


class RefusedPhone(StrEnum):
    """What happens to an invalid phone in importContacts."""

    LOGGED = "logged"
    COUNTED = "counted"  # as invalid, without an entry in the log
    ACCEPTED = "accepted"


class CallbackForm(StrEnum):
    """What sms.by sends to callback_url."""

    REPORT = "report"  # JSON that can be read as an answer of statusBulkSms
    OTHER = "other"


class AccountClock(NamedTuple):
    """The clock of textual dates: its offset from UTC in minutes, at a moment."""

    offset: int
    at: datetime

    @property
    def text(self) -> str:
        sign = "-" if self.offset < 0 else "+"
        return f"UTC{sign}{abs(self.offset) // 60:02}:{abs(self.offset) % 60:02}"


class KnownPrice(NamedTuple):
    """What a part cost, and the key of `price.per_prefix` for the phone; empty if none."""

    per_part: Decimal
    prefix: str


class ListSize(NamedTuple):
    """How many mailings getSMSMessages listed, and whether that looks like a limit."""

    length: int
    is_capped: bool

    def judge_growth(self, count: int) -> ListSize | None:
        """Judge a list that has one more mailing and a size of `count`; None if nothing is new.

        A capped list is not longer than before; any other one is.
        """
        if count <= self.length:
            return ListSize(count, True)
        return ListSize(count, False) if self.is_capped else None

    @property
    def value(self) -> dict[str, object]:
        """The value of the fact, as in the file."""
        return {"count": self.length, "capped": self.is_capped}


class NameLength(NamedTuple):
    """How many characters of a name were listed, and how many were sent."""

    listed: int
    sent: int

    @property
    def is_cut(self) -> bool:
        return self.listed < self.sent


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of one account.

    `value` is as in the file, None unless it is known; `gap` says why it was not learnable. `method` is the method of sms.by
    by which it was learned.
    """

    name: FactName
    state: FactState = FactState.NOT_ASKED
    value: Any = None
    gap: Gap | None = None
    learned_at: datetime | None = None
    method: str = ""


@dataclass(frozen=True)
class AccountFacts:
    """The facts of one account, with typed values; None or False where a fact is unknown."""

    account: str = ""
    facts: Mapping[FactName, Fact] = field(default_factory=dict)

    def get(self, name: FactName) -> Fact:
        return self.facts.get(name) or Fact(name)

    def value(self, name: FactName) -> Any:
        """Return the value as in the file; None if unknown."""
        return self.get(name).value

    @property
    def call_styles(self) -> Mapping[str, str]:
        """The `CallStyle` of each method that does not read its parameters where documented."""
        return self.value(FactName.CALL_STYLES) or {}

    @property
    def refuses_at_500(self) -> bool:
        """Whether HTTP 500 with a known text was seen to be a refusal."""
        return self.value(FactName.REFUSAL_AT_500) is True

    @property
    def list_size(self) -> ListSize | None:
        size = self.value(FactName.LIST_SIZE)
        return None if size is None else ListSize(size["count"], size["capped"])

    @property
    def empty_form(self) -> EmptyForm | None:
        form = self.value(FactName.EMPTY_LIST)
        return None if form is None else EmptyForm(form)

    @property
    def listing_lag(self) -> float | None:
        """The seconds after which an accepted mailing was listed."""
        lag: float | None = self.value(FactName.LISTING_LAG)
        return lag

    @property
    def name_length(self) -> NameLength | None:
        length = self.value(FactName.NAME_LENGTH)
        return None if length is None else NameLength(length["listed"], length["sent"])

    @property
    def part_table(self) -> PartTable | None:
        table = self.value(FactName.PART_TABLE)
        return None if table is None else PartTable(table)

    @property
    def price(self) -> KnownPrice | None:
        price = self.value(FactName.PRICE)
        return None if price is None else KnownPrice(Decimal(price["per_part"]), price["prefix"])

    def clock(self, name: FactName) -> AccountClock | None:
        """Return the clock that CLOCK_IN, CLOCK_OUT or SCHEDULE_CLOCK describes."""
        clock = self.value(name)
        return None if clock is None else AccountClock(clock["offset"], datetime.fromisoformat(clock["at"]))

    def deciding(self) -> dict[FactName, str]:
        """Return the facts that change what a plan or apply does, as text."""
        clocks = {name: self.clock(name) for name in (FactName.CLOCK_IN, FactName.SCHEDULE_CLOCK)}
        size, length = self.list_size, self.name_length
        found = {
            FactName.CALL_STYLES: ", ".join(f"{name}: {style}" for name, style in self.call_styles.items()),
            FactName.REFUSAL_AT_500: "true" if self.refuses_at_500 else "",
            FactName.LIST_SIZE: "capped" if size is not None and size.is_capped else "",
            FactName.EMPTY_LIST: self.empty_form if self.empty_form is not EmptyForm.DOCUMENTED else "",
            FactName.PART_TABLE: self.part_table if self.part_table is not PartTable.SDK else "",
            FactName.NAME_LENGTH: str(length.listed) if length is not None and length.is_cut else "",
            FactName.LISTING_LAG: f"{self.listing_lag:g} s" if self.listing_lag else "",
            FactName.PRICE: str(self.price.per_part) if self.price is not None else "",
            **{name: clock.text for name, clock in clocks.items() if clock is not None},
        }
        return {name: text for name, text in found.items() if text}

    def reconcile_seconds(self, setting: float) -> float:
        """Return how long to look for a lost request: `setting`, or twice the listing lag."""
        return max(setting, 2 * (self.listing_lag or 0.0))

    def find_old(self, now: datetime) -> list[Fact]:
        """Return the known facts that were learned more than 90 days ago."""
        known = (fact for fact in self.facts.values() if fact.state is FactState.KNOWN)
        return [fact for fact in known if fact.learned_at is not None and now - fact.learned_at > OLD_AFTER]

    def updated(self, learned: Iterable[Fact]) -> AccountFacts:
        """Return the facts, updated with those that were `learned` now.

        A known fact is kept if it was not learnable this time.
        """
        facts = dict(self.facts)
        for fact in learned:
            is_loss = fact.state is not FactState.KNOWN and self.get(fact.name).state is FactState.KNOWN
            if fact.state is not FactState.NOT_ASKED and not is_loss:
                facts[fact.name] = fact
        return replace(self, facts=facts)


NO_FACTS = AccountFacts()


def read_facts(path: Path, account: str) -> AccountFacts:
    """Return the facts of `account` in the file at `path`; raises like `read_accounts`."""
    return read_accounts(path).get(account) or AccountFacts(account)


def read_accounts(path: Path) -> dict[str, AccountFacts]:
    """Return the facts of every account in the file at `path`; it may be missing.

    Raises:
        FilesInvalid: it is not a facts file.
    """
    return {
        account: AccountFacts(
            account, {FactName(name): _read_fact(name, fact) for name, fact in one["facts"].items()}
        )
        for account, one in _read_document(path)["accounts"].items()
    }


def write_facts(path: Path, facts: AccountFacts, service: str) -> None:
    """Write the facts of one account of `service` to `path`; those of other accounts stay.

    Raises:
        FilesInvalid: what is there is not a facts file.
        SmsbyDeployError: it cannot be written.
    """
    document = _read_document(path)
    ordered = (facts.get(name) for name in FactName)
    written = {
        str(fact.name): _fact_document(fact) for fact in ordered if fact.state is not FactState.NOT_ASKED
    }
    document["accounts"][facts.account] = {"service": service, "facts": written}
    document["accounts"] = dict(sorted(document["accounts"].items()))
    _check(path, document)
    try:
        write_file(path, json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    except OSError as error:
        raise SmsbyDeployError(
            f"cannot write {path.name}: {error.strerror}", hint="fix the permissions, then run doctor again"
        ) from error


def _read_document(path: Path) -> Any:
    refuse_link(path)
    try:
        if path.stat().st_size > _LARGEST:
            raise _invalid(path, sentence("the file is too large"))
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"format": _FORMAT, "version": _VERSION, "accounts": {}}
    except OSError as error:
        raise _invalid(path, sentence("cannot read the file: {why}", why=error.strerror)) from None
    except (ValueError, RecursionError):
        raise _invalid(path, sentence("not valid JSON")) from None
    _check(path, document)
    return document


def _check(path: Path, document: Any) -> None:
    if not is_valid(schema_validator("facts"), document):
        raise _invalid(path, sentence("does not match schema/facts.schema.json"))


def _invalid(path: Path, why: str) -> FilesInvalid:
    message = sentence("{why}; restore it from git, or delete it and run `smsby-deploy doctor`", why=why)
    return FilesInvalid([Problem(Severity.ERROR, "FACTS", message, None, Location(path.name, 1))])


def _read_fact(name: str, document: Mapping[str, Any]) -> Fact:
    return Fact(
        FactName(name),
        FactState(document["state"]),
        document.get("value"),
        Gap(document["gap"]) if "gap" in document else None,
        datetime.fromisoformat(document["learned_at"]),
        document["method"],
    )


def _fact_document(fact: Fact) -> dict[str, Any]:
    assert fact.learned_at is not None
    result = {"value": fact.value} if fact.state is FactState.KNOWN else {"gap": fact.gap}
    learned_at = fact.learned_at.isoformat(timespec="seconds")
    return {"state": fact.state, **result, "learned_at": learned_at, "method": fact.method}
