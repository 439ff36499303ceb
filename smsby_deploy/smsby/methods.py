"""Every known method of sms.by: verb, path, parameters, and what a call does.

Names, verbs and locations are those of <https://sms.by/en/api-docs/sms-messages>; the /api/v2/ ones those of its page on
mailing lists. The parameters of a GET go into the query, those of a POST into the body.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from smsby_deploy.errors import UsageError

Proof = Literal["uuid", "message_id", "sms_id", "confirmed"]
Verb = Literal["GET", "POST"]

CONTACTS_PER_IMPORT = 500
CUSTOM_FIELDS = 30

# PHP reads at most this many variables of a form and silently drops the others. The overheads are the variables that are
# not recipients, with a few to spare.
_FORM_VARIABLES = 1000
_CHUNK_OVERHEAD = 20  # a request with one message
_REQUEST_OVERHEAD = 4  # token and callback_url
_MESSAGE_OVERHEAD = 6  # alphaname_id, name, message_type, text and schedule_time
_IMPORT_OVERHEAD = 40  # token, list_id and the names of the fields
_PAGES = "limit_offset limit_rows"
_FORWARDING = "forwarding_message forwarding_time vibername_id"


class Effect(StrEnum):
    """What a call does. SENDS reaches recipients or costs money, or prepares exactly that."""

    ASKS = "asks"
    CHANGES = "changes"
    SENDS = "sends"


@dataclass(frozen=True, slots=True)
class Method:
    """One method; `proof` is what the answer to a send must contain for it to be accepted.

    A method with `only_prepares` reaches no recipient by itself, so its errors count as answers.
    """

    name: str
    verb: Verb
    path: str
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    effect: Effect = Effect.ASKS
    proof: Proof | None = None
    only_prepares: bool = False

    @property
    def location(self) -> Literal["query", "body"]:
        """Where the parameters go."""
        return "query" if self.verb == "GET" else "body"

    @property
    def sends(self) -> bool:
        """Whether a call may send, depending on its parameters."""
        return self.effect is Effect.SENDS

    def sends_with(self, params: Mapping[str, Any]) -> bool:
        """Whether a call with `params` sends: confirmSendMessageByList with confirm=0 only asks."""
        return self.sends and not (self.proof == "confirmed" and str(params.get("confirm")).strip() == "0")


def _v1(
    name: str,
    verb: Verb,
    required: str = "",
    optional: str = "",
    *,
    proof: Proof | None = None,
    only_prepares: bool = False,
) -> Method:
    effect = Effect.SENDS if proof else Effect.ASKS
    return Method(
        name,
        verb,
        f"/api/v1/{name}",
        tuple(required.split()),
        tuple(optional.split()),
        effect,
        proof,
        only_prepares,
    )


def _v2(name: str, verb: Verb, required: str = "", *, effect: Effect = Effect.ASKS) -> Method:
    return Method(name, verb, f"/api/v2/{name}", tuple(required.split()), (), effect)


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        _v1("sendBulkSms", "POST", "messages", "callback_url", proof="uuid"),
        _v1("statusBulkSms", "POST", "uuid"),
        _v1("sendQuickSMS", "POST", "message phone alphaname_id", f"show_cost {_FORWARDING}", proof="sms_id"),
        _v1("sendOtpTelegram", "POST", "message phone", proof="sms_id"),
        _v1("sendOtpWhatsApp", "POST", "message phone", proof="sms_id"),
        _v1(
            "createSmsMessage",
            "GET",
            "message",
            "name alphaname_id time",
            proof="message_id",
            only_prepares=True,
        ),
        _v1("checkSMSMessageStatus", "GET", "message_id"),
        _v1("sendSMS", "GET", "message_id phone", proof="sms_id"),
        _v1("checkSMS", "GET", "sms_id"),
        _v1("getMessagesList", "GET", "", _PAGES),
        _v1("getSmsDeliveryList", "GET", "message_id", _PAGES),
        _v1("sendSmsList", "POST", "name message d_schedule list_id alphaname_id", proof="message_id"),
        _v1("confirmSendMessageByList", "POST", "message_id confirm", proof="confirmed"),
        _v1("getSMSMessages", "GET", "", "type"),
        _v1("getAlphanames", "GET"),
        _v1("getAlphanameId", "GET", "name"),
        _v1("getBalance", "GET"),
        _v1("getLimit", "GET"),
        _v2("getSubscriberLists", "GET"),
        _v2("createSubscriberList", "POST", "name", effect=Effect.CHANGES),
        _v2("importContacts", "POST", "list_id field_names data", effect=Effect.CHANGES),
    )
}

# sms.by ignores the case of a method's name, and its own SDKs spell some differently.
_BY_LOWER = {name.lower(): method for name, method in METHODS.items()}


def find_method(name: str) -> Method:
    """Return the method called `name`, in any case.

    Raises:
        UsageError: there is none; the hint lists the known methods.
    """
    method = _BY_LOWER.get(name.lower())
    if method is None:
        near = difflib.get_close_matches(name.lower(), _BY_LOWER, n=1)
        guess = f"did you mean {_BY_LOWER[near[0]].name}? " if near else ""
        raise UsageError(f"unknown method {name!r}", hint=f"{guess}known methods: {', '.join(METHODS)}")
    return method


def check_params(method: Method, params: Mapping[str, Any]) -> None:
    """Check the parameters of a call against sms.by's documentation.

    Raises:
        UsageError: a required parameter is missing or empty, or a value is outside its documented range.
    """
    missing = [name for name in method.required if params.get(name) in (None, "", [], {})]
    if missing:
        noun = "parameter" if len(missing) == 1 else "parameters"
        raise UsageError(
            f"{method.name}: missing {noun} {', '.join(missing)}",
            hint=_parameters_of(method),
        )
    if params.get("limit_offset") not in (None, "") and params.get("limit_rows") in (None, ""):
        raise UsageError(f"{method.name}: limit_rows is required with limit_offset")
    if method.name in ("sendOtpTelegram", "sendOtpWhatsApp"):
        _check_code(method, str(params["message"]))
    elif method.name == "sendQuickSMS":
        _check_forwarding(params)
    elif method.name == "importContacts":
        _check_contacts(params)


def recipients_per_form(*, personal: bool) -> int:
    """Return how many recipients of one message of sendBulkSms PHP reads in a form."""
    return (_FORM_VARIABLES - _CHUNK_OVERHEAD) // (2 if personal else 1)


def fits_form(messages: Iterable[tuple[int, bool]]) -> bool:
    """Return whether PHP reads all of a form of sendBulkSms with these `messages`.

    Args:
        messages: of each its number of recipients, and whether each recipient has a text of their own.
    """
    variables = (_MESSAGE_OVERHEAD + count * (2 if personal else 1) for count, personal in messages)
    return _REQUEST_OVERHEAD + sum(variables) <= _FORM_VARIABLES


def contacts_per_form(fields: int) -> int:
    """Return how many contacts with `fields` custom fields PHP reads in a form."""
    return (_FORM_VARIABLES - _IMPORT_OVERHEAD) // (1 + fields)


def unknown_params(method: Method, params: Mapping[str, Any]) -> list[str]:
    """Return the names in `params` that are not documented for `method`.

    sms.by silently ignores them.
    """
    known = {*method.required, *method.optional}
    return [name for name in params if name.split("[", 1)[0] not in known]


def _parameters_of(method: Method) -> str:
    optional = f"; optional: {', '.join(method.optional)}" if method.optional else ""
    return f"{method.name} takes {', '.join(method.required) or 'nothing'}{optional}"


def _check_code(method: Method, code: str) -> None:
    if not (code.isascii() and code.isdigit() and len(code) <= 16):
        raise UsageError(f"{method.name}: message must be a code of 1 to 16 digits")


def _check_forwarding(params: Mapping[str, Any]) -> None:
    minutes = params.get("forwarding_time")
    if minutes in (None, ""):
        return
    text = str(minutes)
    if not (text.isascii() and text.isdigit() and 5 <= int(text) <= 60):
        raise UsageError("sendQuickSMS: forwarding_time must be a number of minutes from 5 to 60")


def _check_contacts(params: Mapping[str, Any]) -> None:
    names, rows = params["field_names"], params["data"]
    if not isinstance(names, list | tuple) or not isinstance(rows, list | tuple):
        raise UsageError(
            "importContacts: field_names and data must be lists", hint="pass them with --input FILE"
        )
    known = {str(name).strip().lower() for name in names}
    if not known & {"phone", "email"}:
        raise UsageError("importContacts: field_names must contain phone or email")
    if len(known - {"phone", "email"}) > CUSTOM_FIELDS:
        raise UsageError(f"importContacts: at most {CUSTOM_FIELDS} custom fields")
    if len(rows) > CONTACTS_PER_IMPORT:
        raise UsageError(f"importContacts: at most {CONTACTS_PER_IMPORT} contacts per call, got {len(rows)}")
