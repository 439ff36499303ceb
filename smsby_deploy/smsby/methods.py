"""Every method of sms.by that the tool knows: verb, path, parameters, what a call does.

Requests are built only from this table (transport.py). Names, verbs and places are those of
<https://sms.by/en/api-docs/sms-messages>; the /api/v2/ ones those of its page on mailing lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

from smsby_deploy.errors import UsageError
from smsby_deploy.smsby.parameters import CallStyle, Parameter, Place, ValueForm, Verb
from smsby_deploy.wording import did_you_mean

Proof = Literal["uuid", "message_id", "sms_id", "confirmed"]

CONTACTS_PER_IMPORT = 500
CUSTOM_FIELDS = 30

# PHP reads at most this many variables of a form and silently drops the others. The overheads are the variables that are
# not recipients, with a few to spare.
_FORM_VARIABLES = 1000
_CHUNK_OVERHEAD = 20  # a request with one message
_REQUEST_OVERHEAD = 4  # token and callback_url
_MESSAGE_OVERHEAD = 6  # alphaname_id, name, message_type, text and schedule_time
_IMPORT_OVERHEAD = 40  # the names of the fields, and what else the body may hold


class Effect(StrEnum):
    """What a call does; SENDS reaches recipients, costs money, or prepares exactly that."""

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
    token: Place
    parameters: tuple[Parameter, ...] = ()
    effect: Effect = Effect.ASKS
    proof: Proof | None = None
    only_prepares: bool = False

    @property
    def required(self) -> tuple[str, ...]:
        """The names of the parameters that a caller must pass."""
        return tuple(one.name for one in self.parameters if one.is_required and one.default is None)

    @property
    def optional(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.parameters if not one.is_required or one.default is not None)

    @property
    def sends(self) -> bool:
        """Whether a call may send, depending on its parameters."""
        return self.effect is Effect.SENDS

    def sends_with(self, params: Mapping[str, Any]) -> bool:
        """Whether a call with `params` sends: confirmSendMessageByList with confirm=0 only asks."""
        return self.sends and not (self.proof == "confirmed" and str(params.get("confirm")).strip() == "0")

    def place_of(self, name: str) -> Place:
        """Return where a parameter goes; one that is not documented goes where the token does."""
        head = name.split("[", 1)[0]
        return next((one.place for one in self.parameters if one.name == head), self.token)

    def by(self, style: CallStyle | None) -> Method:
        """Return this method in another call style; None means as documented."""
        if style is None:
            return self
        moved = tuple(replace(one, place=style.place) for one in self.parameters)
        return replace(self, verb=style.verb, token=style.place, parameters=moved)


def _in(place: Place, names: str, form: ValueForm = ValueForm.TEXT) -> tuple[Parameter, ...]:
    """Return the parameters called `names`; a name that ends in `?` is optional."""
    return tuple(
        Parameter(name.rstrip("?"), place, form, is_required=not name.endswith("?")) for name in names.split()
    )


def _query(names: str, form: ValueForm = ValueForm.TEXT) -> tuple[Parameter, ...]:
    return _in(Place.QUERY, names, form)


def _form(names: str, form: ValueForm = ValueForm.TEXT) -> tuple[Parameter, ...]:
    return _in(Place.FORM, names, form)


def _v1(
    name: str,
    verb: Verb,
    *parameters: tuple[Parameter, ...],
    token: Place = Place.QUERY,
    proof: Proof | None = None,
    only_prepares: bool = False,
) -> Method:
    effect = Effect.SENDS if proof else Effect.ASKS
    path = f"/api/v1/{name}"
    return Method(name, verb, path, token, sum(parameters, ()), effect, proof, only_prepares)


def _v2(
    name: str, *parameters: tuple[Parameter, ...], token: Place = Place.QUERY, effect: Effect = Effect.ASKS
) -> Method:
    return Method(name, "POST", f"/api/v2/{name}", token, sum(parameters, ()), effect)


_MESSAGE_FORMS = {
    "alphaname_id": ValueForm.NUMBER,
    "message_type": ValueForm.MESSAGE_TYPE,
    "schedule_time": ValueForm.SECOND,
}
_CALLBACK = (Parameter("callback_url", Place.BODY, default=""),)
_PAGES = _query("limit_offset? limit_rows?", ValueForm.NUMBER)

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        # The document lists the three parameters of sendBulkSms as query, and shows them as one nested object.
        _v1("sendBulkSms", "POST", _in(Place.BODY, "messages"), _CALLBACK, token=Place.BODY, proof="uuid"),
        _v1("statusBulkSms", "POST", _query("uuid")),
        _v1(
            "sendQuickSMS",
            "POST",
            _query("message phone alphaname_id"),
            _query("show_cost?", ValueForm.SWITCH),
            _form("forwarding_message?", ValueForm.SWITCH),
            _form("forwarding_time?", ValueForm.MINUTES),
            _form("vibername_id?", ValueForm.NUMBER),
            proof="sms_id",
        ),
        _v1("sendOtpTelegram", "POST", _query("message", ValueForm.CODE), _query("phone"), proof="sms_id"),
        _v1("sendOtpWhatsApp", "POST", _query("message", ValueForm.CODE), _query("phone"), proof="sms_id"),
        _v1(
            "createSmsMessage",
            "GET",
            _query("message name?"),
            _query("alphaname_id?", ValueForm.NUMBER),
            _query("time?", ValueForm.MINUTE),
            proof="message_id",
            only_prepares=True,
        ),
        _v1("checkSMSMessageStatus", "GET", _query("message_id")),
        _v1("sendSMS", "GET", _query("message_id", ValueForm.NUMBER), _query("phone"), proof="sms_id"),
        _v1("checkSMS", "GET", _query("sms_id", ValueForm.NUMBER)),
        _v1("getMessagesList", "GET", _PAGES),
        _v1("getSmsDeliveryList", "GET", _query("message_id", ValueForm.NUMBER), _PAGES),
        _v1(
            "sendSmsList",
            "POST",
            _form("name message"),
            _form("d_schedule", ValueForm.MINUTE),
            _form("list_id alphaname_id", ValueForm.NUMBER),
            token=Place.FORM,
            proof="message_id",
        ),
        _v1(
            "confirmSendMessageByList",
            "POST",
            _form("message_id", ValueForm.NUMBER),
            _form("confirm", ValueForm.SWITCH),
            token=Place.FORM,
            proof="confirmed",
        ),
        _v1("getSMSMessages", "GET", _query("type?", ValueForm.KIND)),
        _v1("getAlphanames", "GET"),
        _v1("getAlphanameId", "GET", _query("name")),
        _v1("getBalance", "GET"),
        _v1("getLimit", "GET"),
        _v2("getSubscriberLists", token=Place.FORM),
        _v2("createSubscriberList", _query("name"), effect=Effect.CHANGES),
        # The document has all of these in the query, which 500 contacts would make too long.
        _v2(
            "importContacts",
            _query("list_id", ValueForm.NUMBER),
            _in(Place.BODY, "field_names data"),
            effect=Effect.CHANGES,
        ),
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
        hint = f"{did_you_mean(name, METHODS)} known methods: {', '.join(METHODS)}".lstrip()
        raise UsageError(f"unknown method {name!r}", hint=hint)
    return method


def check_params(method: Method, params: Mapping[str, Any]) -> None:
    """Check the parameters of a call against sms.by's documentation.

    Raises:
        UsageError: a required parameter is missing or empty, or a value is outside its documented range.
    """
    missing = [name for name in method.required if params.get(name) in (None, "", [], {})]
    if missing:
        noun = "parameter" if len(missing) == 1 else "parameters"
        raise UsageError(f"{method.name}: missing {noun} {', '.join(missing)}", hint=_parameters_of(method))
    for one in method.parameters:
        value = params.get(one.name)
        if value not in (None, "", [], {}) and not one.form.allows(value):
            raise UsageError(f"{method.name}: {one.name} must be {one.form.value}")
    if params.get("limit_offset") not in (None, "") and params.get("limit_rows") in (None, ""):
        raise UsageError(f"{method.name}: limit_rows is required with limit_offset")
    if method.name == "importContacts":
        _check_contacts(params)
    elif method.name == "sendBulkSms" and not isinstance(params["messages"], bytes):
        _check_messages(params["messages"])


def complete_params(method: Method, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return `params` with the defaults of required ones, such as an empty callback_url."""
    defaults = {one.name: one.default for one in method.parameters if one.default is not None}
    return {**defaults, **params}


def recipients_per_form(*, personal: bool) -> int:
    """Return how many recipients of one message of sendBulkSms PHP reads in a form."""
    return (_FORM_VARIABLES - _CHUNK_OVERHEAD) // (2 if personal else 1)


def fits_form(messages: Iterable[tuple[int, bool]]) -> bool:
    """Return whether PHP reads all of a form of sendBulkSms with these `messages`.

    Args:
        messages: for each, its number of recipients, and whether each recipient has their own text.
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
    known = {one.name for one in method.parameters}
    return [name for name in params if name.split("[", 1)[0] not in known]


def _parameters_of(method: Method) -> str:
    optional = f"; optional: {', '.join(method.optional)}" if method.optional else ""
    return f"{method.name} takes {', '.join(method.required) or 'nothing'}{optional}"


def _check_messages(messages: Any) -> None:
    """Check messages of sendBulkSms that a user wrote; those of the tool are bytes."""
    if not isinstance(messages, list) or not all(isinstance(one, Mapping) for one in messages):
        raise UsageError("sendBulkSms: messages must be a list of objects", hint="pass it with --input FILE")
    for number, message in enumerate(messages, 1):
        for key, form in _MESSAGE_FORMS.items():
            value = message.get(key)
            if value not in (None, "") and not form.allows(value):
                raise UsageError(f"sendBulkSms: message {number}: {key} must be {form.value}")
        rows = message.get("delivery_list")
        if not isinstance(rows, list) or not rows:
            raise UsageError(f"sendBulkSms: message {number}: delivery_list must be a list of recipients")
        is_personal = message.get("message_type") == "personal"
        if any(isinstance(row, Mapping) is not is_personal for row in rows):
            wanted = "objects with phone and text" if is_personal else "phones"
            kind = "personal" if is_personal else "bulk"
            raise UsageError(f"sendBulkSms: message {number}: a {kind} delivery_list has {wanted}")


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
