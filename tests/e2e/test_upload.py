"""Mailings with `upload: true` with the real command: a list of exactly the reviewed recipients, and one mailing to it."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.conftest import Result, Shop
from tests.e2e.documents import check_documents

ROWS = "phone,name\n" + "".join(f"3752911111{n:02},Name{n}\n" for n in range(5))
PHONES = [f"3752911111{n:02}" for n in range(5)]


@pytest.fixture
def sale(shop: Shop) -> Shop:
    """Five recipients to upload, two per request; stop.csv has no opt-outs yet."""
    _configure(shop)
    _campaign(shop)
    shop.write("recipients.csv", ROWS)
    shop.write("stop.csv", "phone\n")
    return shop


def _configure(shop: Shop, more: str = "", **api: object) -> None:
    settings = {"requests_per_second": 1000, "recipients_per_request": 2, "reconcile_seconds": 0.3, **api}
    shop.write(
        "smsby.yaml",
        f"version: 1\nproject: shop\napi: {json.dumps(settings)}\nprice: {{currency: BYN, per_part: 0.026}}\n"
        f"suppress: [stop.csv]\n{more}",
    )


def _campaign(shop: Shop, more: str = "", text: str = "Closed", upload: str = "true", top: str = "") -> None:
    shop.write(
        "sale.yaml",
        f"version: 1\ncampaign: sale\nalphaname: MyShop\n{top}mailings:\n"
        f"  - {{name: staff, upload: {upload}, recipients: {{file: recipients.csv}}, text: {text}{more}}}\n",
    )


def _lists(shop: Shop) -> dict[str, list[str]]:
    """Return the phones in each of our lists, by its name."""
    shown = requests.get(f"{shop.url}/_sandbox/lists", timeout=5).json()
    return {
        one["name"]: [contact["phone"] for contact in one["contacts"]]
        for one in shown
        if one["name"] not in ("Newsletter", "Regulars")
    }


def _contacts(shop: Shop) -> list[dict[str, str]]:
    shown = requests.get(f"{shop.url}/_sandbox/lists", timeout=5).json()
    found: list[dict[str, str]] = shown[-1]["contacts"]
    return found


def _calls(shop: Shop, method: str, **params: str) -> int:
    return sum(
        call["method"] == method and all(str(call["params"].get(k)) == v for k, v in params.items())
        for call in shop.calls()
    )


def _got(shop: Shop) -> dict[str, int]:
    return {phone: len(messages) for phone, messages in shop.inbox().items()}


def _apply(shop: Shop, *more: str) -> tuple[Result, dict[str, Any]]:
    result = shop.run("apply", *more, "--auto-approve", "--format", "json")
    mailing: dict[str, Any] = result.json["mailings"][0]
    return result, mailing


def _pass_a_minute(shop: Shop) -> None:
    requests.post(f"{shop.url}/_sandbox/clock", json={"advance": 60}, timeout=5).raise_for_status()


def _action(shop: Shop) -> dict[str, Any]:
    action: dict[str, Any] = shop.run("plan", "--format", "json").json["actions"][0]
    return action


def _die_before_the_confirmation(shop: Shop) -> None:
    """Crash an apply after the list and the draft are made, and before the draft is confirmed."""
    shop.fault(method="confirmSendMessageByList", mode="500", times=20, when="before")
    assert _apply(shop)[0].code == 7
    shop.clear_faults()
    assert shop.lock()["mailings"]["sale/staff"]["state"] == "draft"


def test_csv_is_uploaded_and_sent_to_as_a_list(sale: Shop) -> None:
    """The plan has the recipients and the cost, the list their columns, and the lock no phone."""
    plan = sale.run("plan", "--format", "json", "--detailed-exitcode")
    (action,) = plan.json["actions"]
    assert (plan.code, action["action"], action["via"]) == (2, "upload", "list")
    assert (action["recipients"], action["parts"], action["cost"]) == (5, 5, "0.13")
    assert (plan.json["summary"]["upload"], plan.json["summary"]["create"]) == (1, 0)
    result, mailing = _apply(sale)
    assert (result.code, mailing["outcome"], mailing["recipients"]) == (0, "sent", 5), result.err
    assert _got(sale) == dict.fromkeys(PHONES, 1)
    ((name, phones),) = _lists(sale).items()
    assert (name.split("#")[0], phones) == ("sale/staff shop", PHONES)
    assert _contacts(sale)[0] == {"phone": PHONES[0], "name": "Name0"}
    assert _calls(sale, "importContacts") == 3
    text = (sale.root / "smsby.lock.json").read_text()
    assert not any(phone in text for phone in PHONES)
    assert sale.lock()["mailings"]["sale/staff"]["chunks"][0]["upload"]["uploaded"] == 5
    assert sale.run("plan", "--detailed-exitcode").code == 0
    assert _action(sale)["action"] == "noop"
    _pass_a_minute(sale)  # its draft is due in the next full minute
    state = sale.run("status", "--format", "json").json["mailings"][0]
    assert (state["recipients"], state["delivered"] + state["undelivered"] + state["sent"]) == (5, 5)


def test_plan_of_an_upload_only_reads_and_is_used_once(sale: Shop) -> None:
    """Planning an upload changes nothing at sms.by, and its plan file is applied once."""
    assert sale.run("plan", "--out", "plan.json").code == 0
    assert _calls(sale, "createSubscriberList") == _calls(sale, "importContacts") == 0
    assert _apply(sale, "plan.json")[0].code == 0
    assert sale.run("apply", "plan.json", "--auto-approve").code == 5
    assert _got(sale) == dict.fromkeys(PHONES, 1)


def test_interrupted_upload_continues_where_it_stopped(sale: Shop) -> None:
    """An upload that stopped after two of three batches is planned as such, and the next apply sends only the third."""
    sale.fault(method="importContacts", mode="error", nth=3, times=1, when="before", status=503, text="down")
    sale.fault(method="importContacts", mode="429", nth=4, times=9, when="before", retry_after="3600")
    result, mailing = _apply(sale)
    assert (result.code, mailing["outcome"]) == (7, "skipped"), result.err
    sale.clear_faults()
    action = _action(sale)
    assert (action["action"], action["reason"].split(";")[0]) == (
        "upload",
        "4 of 5 contacts are in its list at sms.by",
    )
    before = _calls(sale, "importContacts")
    assert _apply(sale)[0].code == 0
    assert _calls(sale, "importContacts") - before == 1
    assert _calls(sale, "createSubscriberList") == 1
    assert _got(sale) == dict.fromkeys(PHONES, 1)


def test_foreign_list_is_never_written_to(sale: Shop) -> None:
    """A list with the mailing's name but another fingerprint is not written to."""
    for name in ("sale/staff", "sale/staff shop#0123456789", "staff"):
        made = _call(sale, "createSubscriberList", name=name)["result"]["list_id"]
        _call(sale, "importContacts", list_id=made, field_names=["phone"], data=[["375299999999"]])
    assert _apply(sale)[0].code == 0
    assert _got(sale) == dict.fromkeys(PHONES, 1)


def _call(shop: Shop, method: str, **params: Any) -> Any:
    url = f"{shop.url}/api/v2/{method}"
    rows = {key: value for key, value in params.items() if isinstance(value, list)}
    query = {"token": "secret-token", **{key: params[key] for key in params.keys() - rows.keys()}}
    return requests.post(url, params=query, json=rows or None, timeout=5).json()


def test_list_with_other_contacts_is_not_confirmed(sale: Shop) -> None:
    """If sms.by counts another number of contacts than reviewed, the draft stays unconfirmed and nothing is sent."""
    sale.fault(method="sendSmsList", mode="429", times=9, when="before", retry_after="3600")
    assert _apply(sale)[0].code == 7
    sale.clear_faults()
    list_id = sale.lock()["mailings"]["sale/staff"]["chunks"][0]["upload"]["list_id"]
    _call(sale, "importContacts", list_id=list_id, field_names=["phone"], data=[["375299999999"]])
    for _ in range(2):
        result, mailing = _apply(sale)
        assert (result.code, mailing["outcome"]) == (4, "skipped"), result.err
        assert "sms.by counts 6 recipients in the list, 5 were reviewed" in mailing["error"]
    assert _got(sale) == {}
    assert _calls(sale, "sendSmsList") == 2  # the rejected request, and one draft


def test_opt_outs_are_not_uploaded(sale: Shop) -> None:
    """A recipient who opted out is not in the list."""
    sale.write("stop.csv", f"phone\n{PHONES[1]}\n")
    assert _apply(sale)[0].code == 0
    assert list(_lists(sale).values()) == [[p for p in PHONES if p != PHONES[1]]]
    assert _got(sale) == {p: 1 for p in PHONES if p != PHONES[1]}


def test_upload_of_only_opt_outs_makes_no_list(sale: Shop) -> None:
    """If all recipients opted out, the mailing is complete without a list."""
    sale.write("stop.csv", "phone\n" + "\n".join(PHONES) + "\n")
    assert _apply(sale)[0].code == 0
    assert _lists(sale) == {}
    assert _action(sale)["action"] == "noop"


def test_opt_out_after_the_review_is_not_uploaded(sale: Shop) -> None:
    """An opt-out after the review is not uploaded, and the plan stays valid."""
    assert sale.run("plan", "--out", "plan.json").code == 0
    sale.write("stop.csv", f"phone\n{PHONES[2]}\n")
    result, mailing = _apply(sale, "plan.json")
    assert (result.code, mailing["recipients"]) == (0, 4), result.err
    assert _got(sale) == {p: 1 for p in PHONES if p != PHONES[2]}


def test_opt_out_after_the_upload_makes_another_list(sale: Shop) -> None:
    """After an opt-out in an uploaded list a new one is made, as contacts cannot be removed; the first is never sent to."""
    sale.fault(method="sendSmsList", mode="429", times=9, when="before", retry_after="3600")
    assert _apply(sale)[0].code == 7
    sale.clear_faults()
    sale.write("stop.csv", f"phone\n{PHONES[0]}\n")
    assert "to a new list" in _action(sale)["reason"]
    assert _apply(sale)[0].code == 0
    assert sorted(len(phones) for phones in _lists(sale).values()) == [4, 5]
    assert _got(sale) == dict.fromkeys(PHONES[1:], 1)


def test_opt_out_after_the_draft_blocks_it(sale: Shop) -> None:
    """After an opt-out a draft is not confirmed, since it cannot be changed; a raised revision is sent to the others."""
    _die_before_the_confirmation(sale)
    assert sale.run("plan", "--out", "plan.json").code == 0
    sale.write("stop.csv", f"phone\n{PHONES[0]}\n")
    action = _action(sale)
    assert (action["action"], action["reason"][:8]) == ("blocked", "changed:")
    for more in ([], ["plan.json"]):
        result, mailing = _apply(sale, *more)
        assert (result.code, mailing["outcome"]) == (4, "skipped"), result.err
        assert "opt-outs changed" in mailing["error"]
    assert _got(sale) == {}
    _campaign(sale, ", revision: 2")
    assert _apply(sale)[0].code == 0
    assert _got(sale) == dict.fromkeys(PHONES[1:], 1)


def test_existing_draft_is_confirmed(sale: Shop) -> None:
    """The draft of a crashed run is confirmed by the next apply, and no second one is made."""
    _die_before_the_confirmation(sale)
    assert _action(sale)["action"] == "confirm"
    result, mailing = _apply(sale)
    assert (result.code, mailing["outcome"], mailing["recipients"]) == (0, "confirmed", 5), result.err
    assert _got(sale) == dict.fromkeys(PHONES, 1)
    assert _calls(sale, "sendSmsList") == 1


@pytest.mark.parametrize("out", [[], [0], [1]])
def test_draft_without_a_lock_needs_the_same_recipients(sale: Shop, out: list[int]) -> None:
    """After a lost lock only the list's name proves for whom a draft is: an equal count is not enough."""
    sale.write("stop.csv", f"phone\n{PHONES[0]}\n")
    _die_before_the_confirmation(sale)
    for path in sale.root.glob("smsby.lock.json*"):
        path.unlink()
    sale.write("stop.csv", "\n".join(["phone", *(PHONES[n] for n in out)]) + "\n")
    result, mailing = _apply(sale)
    if out == [0]:
        assert (result.code, mailing["outcome"]) == (0, "confirmed"), result.err
        assert _got(sale) == dict.fromkeys(PHONES[1:], 1)
    else:
        assert (result.code, mailing["outcome"]) == (4, "skipped"), result.err
        assert "which recipients its draft is for" in mailing["error"]
        assert _got(sale) == {}


def test_lost_upload_lock_is_adopted(sale: Shop) -> None:
    """After a lost lock a sent upload is found in the remote list and adopted."""
    assert _apply(sale)[0].code == 0
    for path in sale.root.glob("smsby.lock.json*"):
        path.unlink()
    assert _action(sale)["action"] == "adopt"
    result, mailing = _apply(sale)
    assert (result.code, mailing["outcome"]) == (0, "adopted"), result.err
    assert _got(sale) == dict.fromkeys(PHONES, 1)


def test_changed_upload_after_a_lost_lock_is_a_collision(sale: Shop) -> None:
    """If the lock is lost and the text changed, the uploaded mailing is blocked as a collision."""
    assert _apply(sale)[0].code == 0
    for path in sale.root.glob("smsby.lock.json*"):
        path.unlink()
    _campaign(sale, text="Open")
    assert _action(sale)["reason"].startswith("collision")


def test_removing_upload_does_not_send_again(sale: Shop) -> None:
    """Without `upload` a sent mailing stays complete; after a lost lock it is a collision."""
    assert _apply(sale)[0].code == 0
    _campaign(sale, upload="false")
    assert _action(sale)["action"] == "noop"
    for path in sale.root.glob("smsby.lock.json*"):
        path.unlink()
    assert _action(sale)["reason"].startswith("collision")
    assert _got(sale) == dict.fromkeys(PHONES, 1)


@pytest.mark.parametrize("size", [2, 1000])
def test_draft_blocks_another_transport(sale: Shop, size: int) -> None:
    """While a draft could still be confirmed manually, its mailing is not sent by another transport."""
    _configure(sale, recipients_per_request=size)
    _die_before_the_confirmation(sale)
    _campaign(sale, upload="false")
    assert _action(sale)["reason"].startswith("changed")
    for path in sale.root.glob("smsby.lock.json*"):
        path.unlink()
    assert _action(sale)["reason"].startswith("collision")


def test_lost_upload_draft_waits_for_the_user(sale: Shop) -> None:
    """A lost sendSmsList makes the mailing unknown; after `--not-sent` the draft is made from the same list."""
    sale.fault(method="sendSmsList", mode="reset", when="before")
    result, mailing = _apply(sale)
    assert (result.code, mailing["outcome"]) == (6, "unknown"), result.err
    assert _apply(sale)[0].code == 6
    assert sale.run("lock", "resolve", "sale/staff", "--not-sent", "--reason", "looked").code == 0
    before = _calls(sale, "importContacts")
    assert _apply(sale)[0].code == 0
    assert _calls(sale, "importContacts") == before
    assert _got(sale) == dict.fromkeys(PHONES, 1)


@pytest.mark.parametrize("on_invalid", ["fail", "drop"])
def test_invalid_contacts_are_reported_by_line(shop: Shop, on_invalid: str) -> None:
    """Invalid contacts stop the send with `fail`; with `drop` the others get it, and the lock counts them."""
    _configure(shop)
    shop.write("stop.csv", "phone\n")
    shop.write("recipients.csv", ROWS + "33612345678,Zoé\n")
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text() + "countries: [BY, FR]\n")
    _campaign(shop, f", on_invalid: {on_invalid}")
    shop.settings(refuses=["336"])
    result, mailing = _apply(shop)
    assert "line 7: sms.by calls the contact invalid" in result.err
    assert "33612345678" not in result.err
    if on_invalid == "fail":
        assert (result.code, mailing["outcome"]) == (1, "rejected"), result.err
        assert "calls 1 of its 6 contacts invalid" in mailing["error"]
        assert _got(shop) == {}
        assert _action(shop)["action"] == "upload"
        shop.settings(refuses=[])
        assert _apply(shop)[0].code == 0
        assert len(_got(shop)) == 6
    else:
        assert (result.code, mailing["outcome"], mailing["recipients"]) == (0, "sent", 5), result.err
        assert _got(shop) == dict.fromkeys(PHONES, 1)


@pytest.mark.parametrize(
    ("rail", "says"),
    [("max_recipients: 4", "max_recipients"), ("max_cost: 0.12", "max_cost"), ("budget: 0.12", "budget")],
)
def test_guardrails_are_checked_before_the_upload(sale: Shop, rail: str, says: str) -> None:
    """A broken guardrail stops the mailing before the list is made."""
    _configure(sale, f"guardrails: {{{rail}}}\n")
    refused = sale.run("apply", "--auto-approve")
    assert (refused.code, says in refused.err + refused.out) == (4, True), refused.err
    assert _lists(sale) == {}


def test_cost_of_an_upload_is_counted_once(sale: Shop) -> None:
    """The planned cost and the cost reported by confirm=0 are not added up, so a limit of exactly that cost holds."""
    _configure(sale, "guardrails: {max_cost: 0.13, budget: 0.13}\n")
    assert _apply(sale)[0].code == 0


@pytest.mark.parametrize("fields", ["{fields: [name]}", "{fields: []}", "true"])
def test_upload_fields_can_be_named(sale: Shop, fields: str) -> None:
    """`fields` chooses the uploaded columns, but never `email`: contacts with the same one would be merged."""
    sale.write(
        "recipients.csv",
        "Phone,name,city,email\n375291111100,Anna,Minsk,a@b.by\n375291111101,Olga,Brest,a@b.by\n",
    )
    _campaign(sale, upload=fields)
    assert _apply(sale)[0].code == 0
    names = {"{fields: [name]}": ["name"], "{fields: []}": [], "true": ["name", "city"]}[fields]
    assert [sorted(one) for one in _contacts(sale)] == [sorted(["phone", *names])] * 2
    assert len(_got(sale)) == 2


@pytest.mark.parametrize("body", ["json", "form"])
def test_import_contacts_takes_as_many_as_fit(sale: Shop, body: str) -> None:
    """A call has 500 contacts, or fewer if PHP would read no more than 1,000 variables of the form."""
    _configure(sale, recipients_per_request=1000, body=body)
    sale.write("recipients.csv", "phone\n" + "".join(f"37529{n:07}\n" for n in range(1201)))
    assert _apply(sale)[0].code == 0
    sizes = [len(c["params"]["data"]) for c in sale.calls() if c["method"] == "importContacts"]
    assert sizes == [500, 500, 201]
    assert len(_got(sale)) == 1201
    _campaign(sale, ", revision: 2")
    sale.write("recipients.csv", "phone,name\n" + "".join(f"37529{n:07},A\n" for n in range(700)))
    assert _apply(sale)[0].code == 0
    sizes = [len(c["params"]["data"]) for c in sale.calls() if c["method"] == "importContacts"][3:]
    assert sizes == ([500, 200] if body == "json" else [480, 220])


def test_files_changed_during_the_upload_send_nothing(sale: Shop) -> None:
    """If the files change during an upload nothing is sent; once they are restored, the upload continues."""
    sale.fault(method="createSubscriberList", mode="slow", when="after", seconds=20)
    run = sale.start("apply", "--auto-approve")
    sale.wait_until(lambda: sale.has_been_called("createSubscriberList"))
    sale.write("recipients.csv", ROWS.replace(PHONES[4], "375299999999"))
    sale.clear_faults()
    done = run.finish()
    assert done.code == 5, done.err
    assert _lists(sale) == {next(iter(_lists(sale))): []}
    sale.write("recipients.csv", ROWS)
    assert _apply(sale)[0].code == 0
    assert _got(sale) == dict.fromkeys(PHONES, 1)


def test_opt_out_during_the_upload_is_honored(sale: Shop) -> None:
    """A recipient who opts out while the list is filled gets nothing."""
    sale.fault(method="importContacts", mode="slow", nth=3, when="after", seconds=20)
    run = sale.start("apply", "--auto-approve")
    sale.wait_until(lambda: _calls(sale, "importContacts") == 3)
    sale.write("stop.csv", f"phone\n{PHONES[0]}\n")
    sale.clear_faults()
    done = run.finish()
    assert done.code == 0, done.err
    assert "opt-outs have changed: creating another list" in done.err
    assert _got(sale) == dict.fromkeys(PHONES[1:], 1)


def test_opt_out_before_the_confirmation_is_honored(sale: Shop) -> None:
    """A recipient who opts out between the draft and its confirmation gets nothing."""
    sale.fault(
        method="confirmSendMessageByList", params={"confirm": "0"}, mode="slow", when="after", seconds=20
    )
    run = sale.start("apply", "--auto-approve")
    sale.wait_until(lambda: sale.has_been_called("confirmSendMessageByList"))
    sale.write("stop.csv", f"phone\n{PHONES[0]}\n")
    sale.clear_faults()
    done = run.finish()
    assert done.code == 4, done.err
    assert _got(sale) == {}


def test_signal_stops_an_upload_after_the_batch(sale: Shop) -> None:
    """A signal lets the batch in flight finish and be recorded; the next apply uploads the rest."""
    sale.fault(method="importContacts", mode="slow", nth=1, when="after", seconds=20)
    run = sale.start("apply", "--auto-approve")
    sale.wait_until(lambda: sale.has_been_called("importContacts"))
    run.signal(signal.SIGTERM)
    sale.wait_until(lambda: "stopping after the requests" in run.said())
    sale.clear_faults()
    assert run.finish().code == 1
    assert sale.lock()["mailings"]["sale/staff"]["chunks"][0]["upload"]["uploaded"] == 2
    assert _apply(sale)[0].code == 0
    assert _got(sale) == dict.fromkeys(PHONES, 1)


@pytest.mark.parametrize(
    ("mailing", "says"),
    [
        ("upload: true, list: Newsletter, text: Hi", "upload cannot be combined with list"),
        (
            'upload: true, recipients: ["375291111111"], via: bulk, text: Hi',
            "via cannot be combined with upload",
        ),
        (
            'upload: true, recipients: {file: recipients.csv}, text: "{{ name }}"',
            "use no variables and no text per recipient",
        ),
        ("upload: true, recipients: {file: recipients.csv}", "missing key text"),
        (
            'upload: true, recipients: [{phone: "375291111111", text: Own}], text: Hi',
            "use no variables and no text per recipient",
        ),
        ("upload: {fields: [nmae]}, recipients: {file: recipients.csv}, text: Hi", "no column 'nmae'"),
        ("upload: true, recipients: {file: wide.csv}, text: Hi", "31 columns would become fields"),
        (
            "upload: {fields: name}, recipients: {file: recipients.csv}, text: Hi",
            "expected a list of at most 30 columns",
        ),
        ("upload: maybe, recipients: {file: recipients.csv}, text: Hi", "upload"),
        (
            "upload: true, recipients: {file: recipients.csv}, text: Hi, schedule_time: 2027-12-01T10:00:30",
            "cannot have seconds",
        ),
    ],
)
def test_validate_reports_what_cannot_be_uploaded(sale: Shop, mailing: str, says: str) -> None:
    """A text or field that cannot be uploaded is an error in the files."""
    sale.write("sale.yaml", f"version: 1\ncampaign: sale\nmailings:\n  - {{name: staff, {mailing}}}\n")
    columns = ",".join(f"c{n}" for n in range(31))
    sale.write("wide.csv", f"phone,{columns}\n375291111111{',x' * 31}\n")
    refused = sale.run("validate")
    assert (refused.code, says in refused.out + refused.err) == (3, True), refused.out + refused.err
    assert "sale.yaml:4" in refused.out + refused.err


def test_inline_recipients_can_be_uploaded(sale: Shop) -> None:
    """Recipients in the campaign file are uploaded like those of a file."""
    sale.write(
        "sale.yaml",
        "version: 1\ncampaign: sale\nmailings:\n  - name: staff\n    upload: true\n    text: Hi\n"
        '    recipients: ["375291111100", {phone: "375291111101", name: Olga}]\n',
    )
    assert _apply(sale)[0].code == 0
    assert _contacts(sale) == [{"phone": "375291111100"}, {"phone": "375291111101", "name": "Olga"}]
    assert len(_got(sale)) == 2


def test_every_plan_format_shows_upload(sale: Shop, tmp_path: Path) -> None:
    """The action `upload` appears in text, JSON and Markdown."""
    assert "> upload" in sale.run("plan").out
    assert "🟢 upload" in sale.run("plan", "--format", "markdown").out
    for form in ("github", "junit", "sarif", "codeclimate"):
        assert sale.run("plan", "--format", form).code == 0, form


def test_upload_documents_match_their_schemas(sale: Shop) -> None:
    """Campaign, plan and lock are valid before, during and after the upload."""
    assert sale.run("plan", "--out", "plan-1.json").code == 0
    sale.fault(method="importContacts", mode="429", nth=2, times=9, when="before", retry_after="3600")
    assert _apply(sale)[0].code == 7
    sale.clear_faults()
    check_documents("lock", sale.root / "smsby.lock.json")
    assert sale.run("plan", "--out", "plan-2.json").code == 0
    assert _apply(sale)[0].code == 0
    check_documents("lock", sale.root / "smsby.lock.json")
    check_documents("plan", sale.root / "plan-1.json", sale.root / "plan-2.json")


def test_upload_made_elsewhere_can_be_imported(sale: Shop) -> None:
    """A list mailing that was made manually can be imported, and nothing is uploaded or sent any more."""
    made = _call(sale, "createSubscriberList", name="manually")["result"]["list_id"]
    _call(sale, "importContacts", list_id=made, field_names=["phone"], data=[[phone] for phone in PHONES])
    when = {"d_schedule": "2026-12-01 10:00"}
    draft = requests.post(
        f"{sale.url}/api/v1/sendSmsList",
        data={
            "token": "t",
            "name": "manually",
            "message": "Closed",
            "list_id": made,
            "alphaname_id": 1363,
            **when,
        },
        timeout=5,
    ).json()["result"]["message_id"]
    refused = sale.run("import", "sale/staff", "--message-id", str(draft))
    assert (refused.code, "draft" in refused.err) == (4, True)
    requests.post(
        f"{sale.url}/api/v1/confirmSendMessageByList",
        data={"token": "t", "message_id": draft, "confirm": 1},
        timeout=5,
    ).raise_for_status()
    imported = sale.run("import", "sale/staff", "--message-id", str(draft))
    assert imported.code == 0, imported.err
    assert _action(sale)["action"] == "noop"
    assert _apply(sale)[1]["outcome"] == "skipped"
    assert _got(sale) == dict.fromkeys(PHONES, 1)
