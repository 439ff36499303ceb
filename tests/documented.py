"""What <https://sms.by/en/api-docs/sms-messages> documents: 14 methods, with place, type and presence of each parameter.

Copied from the page, independently of both tables of the package: the client's and the sandbox's.
"""

from __future__ import annotations

from typing import NamedTuple

_PAGE = """
POST sendBulkSms: token query string Yes; callback_url query string Yes; messages query array Yes
POST statusBulkSms: token query string Yes; uuid query string Yes
POST sendQuickSMS: token query string Yes; message query string Yes; phone query string Yes; alphaname_id query - Yes;
 show_cost query integer No; forwarding_message formData integer No; forwarding_time formData integer No;
 vibername_id formData integer No
POST sendOtpTelegram: token query string Yes; message query string Yes; phone query string Yes
POST sendOtpWhatsApp: token query string Yes; message query string Yes; phone query string Yes
GET createSmsMessage: token query string Yes; name query string No; message query string Yes; alphaname_id query integer No;
 time query string No
GET checkSMSMessageStatus: token query string Yes; message_id query string Yes
GET sendSMS: token query string Yes; message_id query integer Yes; phone query string Yes
GET checkSMS: token query string Yes; sms_id query integer Yes
GET getMessagesList: token query string Yes; limit_offset query integer No; limit_rows query integer No
GET getSmsDeliveryList: token query string Yes; message_id query integer Yes; limit_offset query integer No;
 limit_rows query integer No
POST sendSmsList: token formData string Yes; name formData string Yes; message formData string Yes;
 d_schedule formData string Yes; list_id formData integer Yes; alphaname_id formData integer Yes
POST confirmSendMessageByList: token formData string Yes; message_id formData integer Yes; confirm formData integer Yes
GET getSMSMessages: token query string Yes; type query string No
"""


class Documented(NamedTuple):
    """One row of the page. `place` is query or form; only sendBulkSms is shown as one nested object instead."""

    method: str
    verb: str
    name: str
    place: str
    type: str
    is_required: bool


def _read_page() -> list[Documented]:
    rows = []
    for line in _PAGE.replace("\n ", " ").strip().splitlines():
        head, parameters = line.split(": ")
        verb, method = head.split()
        for parameter in parameters.split("; "):
            name, place, kind, required = parameter.split()
            place = "body" if method == "sendBulkSms" else {"formData": "form"}.get(place, place)
            rows.append(Documented(method, verb, name, place, kind, required == "Yes"))
    return rows


DOCUMENT = _read_page()
