"""The sample request in the documentation of sms.by: one personal and one bulk mailing."""

from __future__ import annotations

import requests

from tests.e2e.conftest import Shop

CAMPAIGN = """\
version: 1
campaign: sample
schedule_time: 2030-12-31T23:59:59
mailings:
  - name: one
    alphaname: 1363
    recipients:
      - {phone: "375299999999", text: personal message 1}
      - {phone: "375298888888", text: personal message 2}
  - name: two
    alphaname: 1364
    recipients: ["375297777777", "375295555555"]
    text: message text 2
"""


def test_campaign_yields_the_documented_request(shop: Shop) -> None:
    """A campaign sends the documented request body, except for the names of the mailings."""
    config = (
        (shop.root / "smsby.yaml")
        .read_text()
        .replace("recipients_per_request: 2", "recipients_per_request: 9")
    )
    shop.write("smsby.yaml", config)
    shop.write("sample.yaml", CAMPAIGN)
    done = shop.run("apply", "--auto-approve")
    assert done.code == 0, done.err
    calls = requests.get(f"{shop.url}/_sandbox/requests", timeout=5).json()
    (body,) = [call["params"] for call in calls if call["method"] == "sendBulkSms"]
    names = [message.pop("name") for message in body["messages"]]
    assert [name.split()[0] for name in names] == ["sample/one", "sample/two"]
    assert body == {
        "callback_url": "",
        "messages": [
            {
                "alphaname_id": "1363",
                "message_type": "personal",
                "schedule_time": "2030-12-31T23:59:59",
                "delivery_list": [
                    {"phone": "375299999999", "text": "personal message 1"},
                    {"phone": "375298888888", "text": "personal message 2"},
                ],
            },
            {
                "alphaname_id": "1364",
                "message_type": "bulk",
                "text": "message text 2",
                "schedule_time": "2030-12-31T23:59:59",
                "delivery_list": ["375297777777", "375295555555"],
            },
        ],
    }
