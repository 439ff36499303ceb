"""The methods of sms.by by their documented names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from smsby_deploy.sandbox.account import Account
from smsby_deploy.sandbox.methods import bulk, listing, lists, single
from smsby_deploy.sandbox.protocol import Params

Method = Callable[[Account, Params], Any]

METHODS: Mapping[str, Method] = {
    "sendBulkSms": bulk.send_bulk_sms,
    "statusBulkSms": bulk.status_bulk_sms,
    "sendQuickSMS": single.send_quick_sms,
    "sendOtpTelegram": single.send_otp_telegram,
    "sendOtpWhatsApp": single.send_otp_whatsapp,
    "createSmsMessage": single.create_sms_message,
    "checkSMSMessageStatus": single.check_sms_message_status,
    "sendSMS": single.send_sms,
    "checkSMS": single.check_sms,
    "getMessagesList": listing.get_messages_list,
    "getSmsDeliveryList": listing.get_sms_delivery_list,
    "getSMSMessages": listing.get_sms_messages,
    "sendSmsList": lists.send_sms_list,
    "confirmSendMessageByList": lists.confirm_send_message_by_list,
    "getSubscriberLists": lists.get_subscriber_lists,
    "createSubscriberList": lists.create_subscriber_list,
    "importContacts": lists.import_contacts,
    "getAlphanames": listing.get_alphanames,
    "getAlphanameId": listing.get_alphaname_id,
    "getBalance": listing.get_balance,
    "getLimit": listing.get_limit,
}
_BY_LOWER_CASE = {name.lower(): name for name in METHODS}


def documented_name(name: str) -> str | None:
    """Return the documented spelling of a method; sms.by ignores its case."""
    return _BY_LOWER_CASE.get(name.lower())
