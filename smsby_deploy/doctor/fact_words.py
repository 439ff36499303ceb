"""What `doctor` says about each fact: what was asked, and what follows from the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from smsby_deploy.smsby.facts import AccountClock, Fact, FactName, FactState, Gap
from smsby_deploy.wording import sentence

_Say = Callable[[Any], str]


class _Sentences(NamedTuple):
    """`asked` is a noun phrase; the others take the value as in the file."""

    asked: str
    learned: _Say
    meaning: _Say


def asked(name: FactName) -> str:
    """Return the question about a fact, as a noun phrase."""
    return _WORDS[name].asked


def learned(fact: Fact) -> str:
    """Return what was learned about a fact, or why nothing was."""
    if fact.state is FactState.KNOWN:
        return _WORDS[fact.name].learned(fact.value)
    if fact.gap is None:
        return sentence("not asked")
    return sentence("not learnable: {why}", why=_GAPS[fact.gap])


def meaning(fact: Fact) -> str:
    """Return what a fact means for a project whose settings it does not contradict."""
    if fact.state is FactState.KNOWN:
        return _WORDS[fact.name].meaning(fact.value)
    return sentence("what docs/api-facts.md assumes still applies")


def _clock(value: Mapping[str, Any]) -> str:
    return AccountClock(value["offset"], datetime.fromisoformat(value["at"])).text


def _always(text: str) -> _Say:
    return lambda value: text


def _either(yes: str, no: str) -> _Say:
    return lambda value: yes if value else no


_GAPS = {
    Gap.NO_ROWS: sentence("nothing in the account shows it"),
    Gap.NO_VALUE: sentence("the answer has no such value"),
    Gap.REFUSED: sentence("sms.by answered with an error"),
    Gap.NO_ANSWER: sentence("no usable answer"),
    Gap.UNDECIDED: sentence("several readings fit the answer"),
    Gap.NOT_LISTED: sentence("sms.by did not list what was made"),
    Gap.NOT_YET: sentence("it did not happen while doctor waited"),
    Gap.NOT_SET_UP: sentence("api.callback_url is not set"),
}
_EMPTY = {
    "documented": sentence("as documented"),
    "no_body": sentence("by an answer without a body"),
    "bare_list": sentence("by an empty list"),
    "null_data": sentence("by success without data"),
    "other_406": sentence("by HTTP 406 with another wording"),
    "not_found": sentence("by HTTP 404"),
}
_TABLES = {"sdk": sentence("as in sms.by's SDKs"), "gsm": sentence("as in GSM 03.38")}
_NO_PHONES = {
    "logged": sentence("invalid, with its row"),
    "counted": sentence("invalid, without its row"),
}
# Whether limit_rows and limit_offset are followed.
_PAGING = {
    (True, True): sentence("limit_rows and limit_offset are followed"),
    (True, False): sentence("limit_rows is followed, limit_offset is not"),
    (False, True): sentence("limit_rows is not followed, limit_offset is"),
    (False, False): sentence("limit_rows and limit_offset are not followed"),
}
_AGREES = _always(sentence("agrees with api.account_timezone"))
_WORDS = {
    FactName.TOKEN_REFUSAL: _Sentences(
        sentence("how a wrong token is refused"),
        lambda value: sentence(
            "HTTP {status}, recognized" if value["recognized"] else "HTTP {status}, not recognized",
            status=value["status"],
        ),
        _either(sentence("a token that expires stops an apply"), ""),
    ),
    FactName.CURRENCY: _Sentences(
        sentence("currency of the balance"),
        str,
        _always(sentence("price.currency and the balance can be compared")),
    ),
    FactName.PRICE_ESTIMATE: _Sentences(
        sentence("price: balance divided by limit"),
        lambda value: sentence("about {price} a part", price=Decimal(value)),
        _always(sentence("nothing depends on an estimate; --to learns the exact price")),
    ),
    FactName.SENDERS: _Sentences(
        sentence("sender names"),
        lambda value: sentence("{count:name|names}", count=value),
        _always(sentence("the files name senders of the account")),
    ),
    FactName.LISTS: _Sentences(
        sentence("contact lists"),
        lambda value: sentence("{count:list|lists}", count=value),
        _always(sentence("the files name lists of the account")),
    ),
    FactName.CALL_STYLES: _Sentences(
        sentence("where the parameters of a POST are read"),
        lambda value: (
            ", ".join(f"{name}: {style}" for name, style in value.items()) or sentence("where documented")
        ),
        _either(sentence("these methods are called like that"), sentence("requests follow the document")),
    ),
    FactName.ERROR_STYLE: _Sentences(
        sentence("what an error looks like"),
        lambda value: sentence(
            "HTTP {status} with a known text" if value["known"] else "HTTP {status} with an unknown text",
            status=value["status"],
        ),
        _always(sentence("the text of an error is always shown, a hint only for known ones")),
    ),
    FactName.REFUSAL_AT_500: _Sentences(
        sentence("whether HTTP 500 is a refusal"),
        _either(sentence("yes, with a known text"), sentence("no refusal was seen with HTTP 500")),
        _either(
            sentence("a send refused like that counts as rejected"),
            sentence("a send with HTTP 500 is an unknown outcome"),
        ),
    ),
    FactName.LIST_SIZE: _Sentences(
        sentence("size of getSMSMessages"),
        lambda value: sentence(
            "{count:mailing|mailings}, which looks like a limit"
            if value["capped"]
            else "{count:mailing|mailings}",
            count=value["count"],
        ),
        _always(sentence("the list shows what was sent")),
    ),
    FactName.EMPTY_LIST: _Sentences(
        sentence('what "no mailings" looks like'),
        lambda value: _EMPTY[value],
        lambda value: (
            sentence("understood")
            if value == "documented"
            else sentence("understood in this account from now on")
        ),
    ),
    FactName.PAGING: _Sentences(
        sentence("paging of getMessagesList"),
        lambda value: _PAGING[value["limit"], value["offset"]],
        _always(sentence("pages are read until one is empty or repeats, so both work")),
    ),
    FactName.CLOCK_OUT: _Sentences(sentence("clock of dates in answers"), _clock, _AGREES),
    FactName.CLOCK_IN: _Sentences(sentence("clock of `time` in createSmsMessage"), _clock, _AGREES),
    FactName.DUPLICATES: _Sentences(
        sentence("the same message again"),
        _either(sentence("refused"), sentence("made a second time")),
        _either(
            sentence("`via: single` uses the message that exists"),
            sentence("a lost answer of `via: single` leaves two messages"),
        ),
    ),
    FactName.MODERATION: _Sentences(
        sentence("moderation of a new text"),
        _either(sentence("it waits for approval"), sentence("approved at once")),
        _either(
            sentence("`via: single` waits for the approval, or is resumed after it"),
            sentence("`via: single` sends at once"),
        ),
    ),
    FactName.UNSENT_LISTED: _Sentences(
        sentence("whether unsent messages are listed"),
        _either(sentence("yes"), sentence("no")),
        _always(sentence("both are handled: a listed message does not prove delivery")),
    ),
    FactName.PART_TABLE: _Sentences(
        sentence("how 4 to 6 parts, ~ and € are counted"),
        lambda value: _TABLES.get(value) or sentence("by neither table"),
        _always(sentence("parts and cost of a plan are what is billed")),
    ),
    FactName.REFUSED_PHONE: _Sentences(
        sentence("an invalid phone in importContacts"),
        lambda value: _NO_PHONES.get(value) or sentence("accepted as a contact"),
        lambda value: (
            sentence("an upload reports it")
            if value != "accepted"
            else sentence("an upload does not show it; the phones in the files are checked beforehand")
        ),
    ),
    FactName.LISTING_LAG: _Sentences(
        sentence("time until a mailing is listed"),
        lambda value: sentence("{seconds:g} s", seconds=float(value)),
        _always(sentence("a lost request is found within api.reconcile_seconds")),
    ),
    FactName.NAME_LENGTH: _Sentences(
        sentence("length of a listed name"),
        lambda value: sentence("{listed} of {sent} characters", **value),
        _always(sentence("every mailing is recognized by its name")),
    ),
    FactName.SCHEDULE_CLOCK: _Sentences(sentence("clock of schedule_time in sendBulkSms"), _clock, _AGREES),
    FactName.PRICE: _Sentences(
        sentence("exact price"),
        lambda value: sentence("{price} a part", price=Decimal(value["per_part"])),
        _always(sentence("agrees with price, if that is set")),
    ),
    FactName.FIRST_STATUS: _Sentences(
        sentence("first status of an SMS"), str, _always(sentence("`status` shows it as pending or sent"))
    ),
    FactName.LAST_STATUS: _Sentences(
        sentence("last status of an SMS"),
        str,
        _always(sentence("`status --watch` ends when every SMS has one")),
    ),
    FactName.CALLBACK: _Sentences(
        sentence("callback"),
        lambda value: sentence("can be read") if value == "report" else sentence("in an unknown form"),
        lambda value: (
            sentence("`status` uses it")
            if value == "report"
            else sentence("it is stored, and `status` asks sms.by")
        ),
    ),
}
