"""The sentences of a finding: what was asked, what was learned, and what it means for a project."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from smsby_deploy.smsby.facts import AccountClock, Fact, FactName, FactState, Gap
from smsby_deploy.wording import counted

_Say = Callable[[Any], str]


class _Sentences(NamedTuple):
    """`asked` is a noun phrase; the others take the value as in the file."""

    asked: str
    learned: _Say
    meaning: _Say


def _clock(value: Mapping[str, Any]) -> str:
    return AccountClock(value["offset"], datetime.fromisoformat(value["at"])).text


def _always(text: str) -> _Say:
    return lambda value: text


def _either(yes: str, no: str) -> _Say:
    return lambda value: yes if value else no


_GAPS = {
    Gap.NO_ROWS: "the account has nothing that shows it",
    Gap.NO_VALUE: "the answer has no such value",
    Gap.REFUSED: "sms.by answered with an error",
    Gap.NO_ANSWER: "no usable answer",
    Gap.UNDECIDED: "several readings fit the answer",
    Gap.NOT_LISTED: "sms.by did not list what was made",
    Gap.NOT_YET: "it did not happen while doctor waited",
    Gap.NOT_SET_UP: "api.callback_url is not set",
}
_EMPTY = {
    "documented": "as documented",
    "no_body": "by an answer without a body",
    "bare_list": "by an empty list",
    "null_data": "by success without data",
    "other_406": "by HTTP 406 in other words",
    "not_found": "by HTTP 404",
}
_WORDS = {
    FactName.TOKEN_REFUSAL: _Sentences(
        "how a wrong token is refused",
        lambda value: f"HTTP {value['status']}, {'recognized' if value['recognized'] else 'not recognized'}",
        _either("a token that expires stops an apply", ""),
    ),
    FactName.CURRENCY: _Sentences(
        "currency of the balance", str, _always("price.currency and the balance can be compared")
    ),
    FactName.PRICE_ESTIMATE: _Sentences(
        "price: balance divided by limit",
        lambda value: f"about {value} a part",
        _always("nothing depends on an estimate; --to learns the exact price"),
    ),
    FactName.SENDERS: _Sentences(
        "sender names", lambda value: counted(value, "name"), _always("the files name senders of the account")
    ),
    FactName.LISTS: _Sentences(
        "contact lists", lambda value: counted(value, "list"), _always("the files name lists of the account")
    ),
    FactName.CALL_STYLES: _Sentences(
        "where the parameters of a POST are read",
        lambda value: ", ".join(f"{name} by {style}" for name, style in value.items()) or "where documented",
        lambda value: "these methods are called like that" if value else "requests follow the document",
    ),
    FactName.ERROR_STYLE: _Sentences(
        "how an error looks",
        lambda value: f"HTTP {value['status']} with {'a known' if value['known'] else 'an unknown'} text",
        _always("every error has its text; an unknown one has no hint"),
    ),
    FactName.REFUSAL_AT_500: _Sentences(
        "whether HTTP 500 refuses",
        _either("yes, with a known text", "no refusal was seen with HTTP 500"),
        _either("a send refused like that counts as rejected", "a send with HTTP 500 is an unknown outcome"),
    ),
    FactName.LIST_SIZE: _Sentences(
        "size of getSMSMessages",
        lambda value: (
            f"{counted(value['count'], 'mailing')}{', which looks like a limit' if value['capped'] else ''}"
        ),
        _always("the list shows what was sent"),
    ),
    FactName.EMPTY_LIST: _Sentences(
        'how "no mailings" looks',
        lambda value: _EMPTY[value],
        lambda value: "understood" if value == "documented" else "understood in this account from now on",
    ),
    FactName.PAGING: _Sentences(
        "paging of getMessagesList",
        lambda value: " and ".join(
            f"{name} {'is' if value[key] else 'is not'} followed"
            for key, name in (("limit", "limit_rows"), ("offset", "limit_offset"))
        ),
        _always("pages are read until one is empty or repeats, so both work"),
    ),
    FactName.CLOCK_OUT: _Sentences(
        "clock of dates in answers", _clock, _always("agrees with api.account_timezone")
    ),
    FactName.CLOCK_IN: _Sentences(
        "clock of `time` in createSmsMessage", _clock, _always("agrees with api.account_timezone")
    ),
    FactName.DUPLICATES: _Sentences(
        "the same message again",
        _either("refused", "made a second time"),
        _either(
            "`via: single` uses the message that exists", "a lost answer of `via: single` leaves two messages"
        ),
    ),
    FactName.MODERATION: _Sentences(
        "moderation of a new text",
        _either("it waits for approval", "approved at once"),
        _either(
            "`via: single` waits for the approval, or is resumed after it", "`via: single` sends at once"
        ),
    ),
    FactName.UNSENT_LISTED: _Sentences(
        "whether unsent messages are listed",
        _either("yes", "no"),
        _always("either is understood: a listed message proves no delivery"),
    ),
    FactName.PART_TABLE: _Sentences(
        "parts at 4 to 6 parts, and of ~ and €",
        lambda value: {"sdk": "as in sms.by's SDKs", "gsm": "as in GSM 03.38"}.get(value, "by neither table"),
        _always("parts and cost of a plan are what is billed"),
    ),
    FactName.REFUSED_PHONE: _Sentences(
        "a phone that is none, in importContacts",
        lambda value: {"logged": "invalid, with its row", "counted": "invalid, without its row"}.get(
            value, "accepted"
        ),
        lambda value: (
            "an upload reports it"
            if value != "accepted"
            else "an upload does not notice it; the phones in the files are checked before"
        ),
    ),
    FactName.LISTING_LAG: _Sentences(
        "time until a mailing is listed",
        lambda value: f"{value:g} s",
        _always("a lost request is found within api.reconcile_seconds"),
    ),
    FactName.NAME_LENGTH: _Sentences(
        "length of a listed name",
        lambda value: f"{value['listed']} of {value['sent']} characters",
        _always("every mailing is recognized by its name"),
    ),
    FactName.SCHEDULE_CLOCK: _Sentences(
        "clock of schedule_time in sendBulkSms", _clock, _always("agrees with api.account_timezone")
    ),
    FactName.PRICE: _Sentences(
        "exact price",
        lambda value: f"{value['per_part']} a part",
        _always("agrees with price, if that is set"),
    ),
    FactName.FIRST_STATUS: _Sentences(
        "first status of an SMS", str, _always("`status` shows it as pending or sent")
    ),
    FactName.LAST_STATUS: _Sentences(
        "last status of an SMS", str, _always("`status --watch` ends when every SMS has one")
    ),
    FactName.CALLBACK: _Sentences(
        "callback",
        lambda value: "can be read" if value == "report" else "in an unknown form",
        lambda value: "`status` uses it" if value == "report" else "it is stored, and `status` asks sms.by",
    ),
}


def asked(name: FactName) -> str:
    """Return what was asked, as a noun phrase."""
    return _WORDS[name].asked


def learned(fact: Fact) -> str:
    """Return what was learned, or why nothing was."""
    if fact.state is FactState.KNOWN:
        return _WORDS[fact.name].learned(fact.value)
    return "not asked" if fact.gap is None else f"not learnable: {_GAPS[fact.gap]}"


def meaning(fact: Fact) -> str:
    """Return what it means for a project whose settings it does not contradict."""
    if fact.state is FactState.KNOWN:
        return _WORDS[fact.name].meaning(fact.value)
    return "what docs/api-facts.md assumes still applies"
