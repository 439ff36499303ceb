"""One value of each fact of an account."""

from __future__ import annotations

from typing import Any

from smsby_deploy.smsby.facts import FactName

AT = {"at": "2026-11-02T09:00:00+00:00"}
# one value of each fact, as in the file
FACT_VALUES: dict[FactName, Any] = {
    FactName.TOKEN_REFUSAL: {"status": 403, "recognized": True},
    FactName.CURRENCY: "BYN",
    FactName.PRICE_ESTIMATE: "0.026",
    FactName.SENDERS: 3,
    FactName.LISTS: 2,
    FactName.CALL_STYLES: {"statusBulkSms": "post-form", "getSubscriberLists": "get"},
    FactName.ERROR_STYLE: {"status": 404, "known": True},
    FactName.REFUSAL_AT_500: True,
    FactName.LIST_SIZE: {"count": 100, "capped": True},
    FactName.EMPTY_LIST: "bare_list",
    FactName.PAGING: {"limit": True, "offset": False},
    FactName.CLOCK_OUT: {"offset": 180, **AT},
    FactName.CLOCK_IN: {"offset": -90, **AT},
    FactName.DUPLICATES: True,
    FactName.MODERATION: False,
    FactName.UNSENT_LISTED: False,
    FactName.PART_TABLE: "gsm",
    FactName.REFUSED_PHONE: "logged",
    FactName.LISTING_LAG: 41.5,
    FactName.NAME_LENGTH: {"listed": 40, "sent": 160},
    FactName.SCHEDULE_CLOCK: {"offset": 0, **AT},
    FactName.PRICE: {"per_part": "0.03", "prefix": "37525"},
    FactName.FIRST_STATUS: "NEW",
    FactName.LAST_STATUS: "DELIVERED",
    FactName.CALLBACK: "report",
}
