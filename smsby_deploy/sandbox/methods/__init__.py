"""The methods of sms.by by their documented names, and how each must be called.

The places of the parameters were copied from sms.by's pages, separately from the client's own table: tests compare the
two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from smsby_deploy.sandbox.account import Account
from smsby_deploy.sandbox.methods import bulk, codes, listing, lists, single
from smsby_deploy.sandbox.protocol import PLACES, Params, Refusal, incorrect_arguments, merge_places
from smsby_deploy.sandbox.sandbox_settings import ANY_STYLE


@dataclass(frozen=True, slots=True)
class ServedMethod:
    """One method with its documented verb, version, and places of each parameter.

    A later place in `places` wins. The `required` parameters may be empty, but not missing.
    """

    run: Callable[[Account, Params], Any]
    verb: str
    version: str
    places: Mapping[str, tuple[str, ...]]
    required: tuple[str, ...]

    def read(self, verb: str, path: str, sent: Mapping[str, Params], style: str | None) -> Params:
        """Return the parameters that a call has in the right places.

        Args:
            sent: the parameters in the query, in the form and in the JSON.
            style: one of CALL_STYLES of settings.py; None is as documented.

        Raises:
            Refusal: the verb or the version is wrong.
        """
        if style == ANY_STYLE:
            return merge_places(sent)
        allowed = self.verb if style is None else style.partition("-")[0].upper()
        if f"/{self.version}/" not in path:
            raise Refusal("Page not found", 404, keeps_status=True)
        if verb != allowed:
            raise Refusal(f"The {verb} method is not supported for this route", 405, keeps_status=True)
        moved = None if style is None else (style.rpartition("-")[2].replace("get", "query"),)
        return {
            name: sent[place][name]
            for name, places in self.places.items()
            for place in moved or places
            if name in sent[place]
        }

    def require(self, params: Params) -> None:
        """Raise a Refusal if a required parameter was left out."""
        if any(name not in params for name in self.required):
            raise incorrect_arguments()


def _served(
    run: Callable[[Account, Params], Any],
    verb: str,
    *,
    query: str = "",
    form: str = "",
    anywhere: str = "",
    version: str = "v1",
) -> ServedMethod:
    """Return a method.

    `?` marks an optional parameter, or one whose absence has its own error.
    """
    groups = ((query, ("query",)), (form, ("form",)), (anywhere, PLACES))
    words = [(word, places) for names, places in groups for word in names.split()]
    return ServedMethod(
        run,
        verb,
        version,
        {word.rstrip("?"): places for word, places in words},
        tuple(word for word, _ in words if not word.endswith("?") and word != "token"),
    )


METHODS: Mapping[str, ServedMethod] = {
    # Documented in the query, and shown as one nested object: JSON, or a form with PHP brackets.
    "sendBulkSms": _served(bulk.send_bulk_sms, "POST", anywhere="token callback_url messages"),
    "statusBulkSms": _served(bulk.status_bulk_sms, "POST", query="token uuid"),
    "sendQuickSMS": _served(
        single.send_quick_sms,
        "POST",
        query="token message phone alphaname_id? show_cost?",
        form="forwarding_message? forwarding_time? vibername_id?",
    ),
    "sendOtpTelegram": _served(single.send_otp_telegram, "POST", query="token message phone"),
    "sendOtpWhatsApp": _served(single.send_otp_whatsapp, "POST", query="token message phone"),
    "createSmsMessage": _served(
        single.create_sms_message, "GET", query="token message name? alphaname_id? time?"
    ),
    "checkSMSMessageStatus": _served(single.check_sms_message_status, "GET", query="token message_id"),
    "sendSMS": _served(single.send_sms, "GET", query="token message_id phone"),
    "checkSMS": _served(single.check_sms, "GET", query="token sms_id"),
    "getMessagesList": _served(listing.get_messages_list, "GET", query="token limit_offset? limit_rows?"),
    "getSmsDeliveryList": _served(
        listing.get_sms_delivery_list, "GET", query="token message_id limit_offset? limit_rows?"
    ),
    "sendSmsList": _served(
        lists.send_sms_list, "POST", form="token name message d_schedule list_id alphaname_id?"
    ),
    "confirmSendMessageByList": _served(
        lists.confirm_send_message_by_list, "POST", form="token message_id confirm"
    ),
    "getSMSMessages": _served(listing.get_sms_messages, "GET", query="token type?"),
    "getSubscriberLists": _served(lists.get_subscriber_lists, "POST", form="token", version="v2"),
    "createSubscriberList": _served(lists.create_subscriber_list, "POST", query="token name", version="v2"),
    # The rows are documented in the query, too, which 500 contacts would make too long.
    "importContacts": _served(
        lists.import_contacts, "POST", query="token list_id", anywhere="field_names data", version="v2"
    ),
    "getAlphanames": _served(listing.get_alphanames, "GET", query="token"),
    "getAlphanameId": _served(listing.get_alphaname_id, "GET", query="token name"),
    "getAlphanameCategory": _served(listing.get_alphaname_category, "GET", query="token"),
    "getBalance": _served(listing.get_balance, "GET", query="token"),
    "getLimit": _served(listing.get_limit, "GET", query="token"),
    "createPasswordObject": _served(codes.create_password_object, "GET", query="token type_id len"),
    "getPasswordObjects": _served(codes.get_password_objects, "GET", query="token"),
    "getPasswordObject": _served(codes.get_password_object, "GET", query="token id"),
    "editPasswordObject": _served(codes.edit_password_object, "GET", query="token id type_id len"),
    "deletePasswordObject": _served(codes.delete_password_object, "GET", query="token id"),
    "sendSmsMessageWithCode": _served(
        codes.send_sms_message_with_code, "GET", query="token message password_object_id phone alphaname_id?"
    ),
    "flashCall": _served(codes.flash_call, "POST", form="token phone code? attempt? time_valid?"),
    "confirmFlashCall": _served(codes.confirm_flash_call, "POST", form="token phone code fclid"),
}
_BY_LOWER_CASE = {name.lower(): name for name in METHODS}


def documented_name(name: str) -> str | None:
    """Return the documented spelling of a method; sms.by ignores its case."""
    return _BY_LOWER_CASE.get(name.lower())
