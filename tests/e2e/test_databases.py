"""Recipients from a database with the real command: checked, planned, sent, and stale after a changed result."""

from __future__ import annotations

import pytest

from tests.databases import PASSWORD, Database
from tests.e2e.conftest import Shop

CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: {sql: "select id, phone, name from customers", url_env: CRM_URL, order_by: id}
    text: "{{ name }}, hello"
"""


@pytest.fixture
def crm(database: Database, shop: Shop) -> Database:
    """Three recipients in a database, and a campaign for them."""
    database.run(
        "create table customers (id integer primary key, phone text, name text, seen text)",
        "insert into customers values (1, '375291111111', 'Anna', '2026-10-30T12:00:00'), "
        "(2, '+375 33 222-22-22', 'Boris', '2026-11-01T12:00:00'), (3, '375293333333', 'Vera', '2026-10-31T12:00:00')",
    )
    shop.write("sale.yaml", CAMPAIGN)
    return database


def test_validate_without_database_reports_what_it_skips(shop: Shop, crm: Database) -> None:
    """Without its variable validate stays offline and names what it skips; with the variable it reads the rows."""
    offline = shop.run("validate")
    assert offline.code == 0
    assert "sale.yaml:5:23: note NOT_READ sale/vip: CRM_URL is not set" in offline.out
    shop.write("sale.yaml", CAMPAIGN.replace("{{ name }}", "{{ name"))
    assert "error TEMPLATE_SYNTAX" in shop.run("validate").out
    shop.write("sale.yaml", CAMPAIGN.replace("{{ name }}", "{{ nme }}"))
    read = shop.run("validate", env={"CRM_URL": crm.url})
    assert read.code == 3
    assert "(row 1 of the query)" in read.out
    assert PASSWORD not in read.out + read.err


def test_plan_and_apply_require_the_database_variable(shop: Shop, crm: Database) -> None:
    """plan and apply report a missing database variable with its location, and send nothing."""
    for command in (("plan",), ("plan", "--offline"), ("apply", "--auto-approve"), ("render", "sale/vip")):
        refused = shop.run(*command)
        assert refused.code == 3, command
        assert (
            "sale.yaml:5:23: error SQL sale/vip: the environment variable CRM_URL is not set"
            in refused.out + refused.err
        )
    assert shop.inbox() == {}


def test_changed_query_result_makes_a_plan_stale(shop: Shop, crm: Database) -> None:
    """A changed query result makes a plan stale, even in a column that no text uses."""
    env = {"CRM_URL": crm.url}
    assert shop.run("plan", "--out", "plan.json", env=env).code == 0
    plan = (shop.root / "plan.json").read_text("utf-8")
    assert '"sql:sale/vip": "' in plan
    assert PASSWORD not in plan
    crm.run("update customers set id = 4 where id = 3")
    stale = shop.run("apply", "plan.json", "--auto-approve", env=env)
    assert stale.code == 5
    assert "sql:sale/vip has changed since" in stale.err
    assert shop.inbox() == {}
    crm.run("update customers set id = 3 where id = 4")
    assert shop.run("apply", "plan.json", "--auto-approve", env=env).code == 0
    texts = {phone: [message["text"] for message in messages] for phone, messages in shop.inbox().items()}
    assert texts == {
        "375291111111": ["Anna, hello"],
        "375332222222": ["Boris, hello"],
        "375293333333": ["Vera, hello"],
    }


def test_database_of_a_sent_mailing_may_change(shop: Shop, crm: Database) -> None:
    """After a database changed, its finished mailing is not sent again, and another mailing of the plan is sent."""
    env = {"CRM_URL": crm.url}
    assert shop.run("apply", "--auto-approve", env=env).code == 0
    shop.write("sale.yaml", f'{CAMPAIGN}  - {{name: staff, recipients: ["375297777777"], text: Closed}}\n')
    assert shop.run("plan", "--out", "plan.json", env=env).code == 0
    crm.run("insert into customers values (4, '375294444444', 'Gleb', null)")
    assert shop.run("apply", "plan.json", "--auto-approve", env=env).code == 0
    assert {phone: len(messages) for phone, messages in shop.inbox().items()} == {
        "375291111111": 1, "375332222222": 1, "375293333333": 1, "375297777777": 1,
    }  # fmt: skip


def test_old_data_and_an_unexpected_count_block(shop: Shop, crm: Database) -> None:
    """Old data and an unexpected count block a mailing, each with its key, the figure and the limit."""
    freshness = 'freshness: {sql: "select max(seen) from customers", max_age: 30d}'
    campaign = CAMPAIGN.replace("order_by: id", f"order_by: id, {freshness}")
    shop.write("sale.yaml", campaign)
    env = {"CRM_URL": crm.url}
    crm.run("update customers set seen = '2020-01-01'")
    blocked = shop.run("plan", env=env)
    assert blocked.code == 4
    assert "freshness: its newest data is from 2020-01-01 00:00 Europe/Minsk" in " ".join(blocked.out.split())
    assert shop.run("apply", "--auto-approve", env=env).code == 4
    crm.run("update customers set seen = '2999-01-01' where id = 1")
    assert shop.run("plan", env=env).code == 0
    shop.write("sale.yaml", f"{campaign}    expect_recipients: {{min: 4}}\n")
    few = shop.run("plan", env=env)
    assert few.code == 4
    assert "expect_recipients: 3 recipients" in " ".join(few.out.split())
    assert shop.inbox() == {}


_OPT_OUTS = """\
suppress:
  - sql: select phone from gone
    url_env: CRM_URL
    order_by: reason
    freshness: {sql: select max(seen) from gone, max_age: 30d}
"""


@pytest.fixture
def opt_outs(crm: Database, shop: Shop) -> Database:
    """An opt-out of one of the three recipients, in the same database."""
    crm.run(
        "create table gone (phone text, reason text, seen text)",
        "insert into gone values ('+375 (33) 222-22-22', 'stop', '2999-01-01'), ('375331111111', 'stop', '2026-01-01')",
    )
    project = (shop.root / "smsby.yaml").read_text("utf-8")
    shop.write("smsby.yaml", project + _OPT_OUTS.replace("select phone", "select phone, reason"))
    return crm


@pytest.mark.parametrize("transport", ["", "    via: single\n", "    upload: true\n"])
def test_opt_outs_of_a_database_get_nothing(shop: Shop, opt_outs: Database, transport: str) -> None:
    """Opt-outs in a database get nothing by any transport; one added after the review makes no plan stale."""
    env = {"CRM_URL": opt_outs.url}
    shop.write("sale.yaml", CAMPAIGN.replace("{{ name }}, hello", "hello") + transport)
    planned = shop.run("plan", "--out", "plan.json", "--format", "json", env=env)
    assert planned.code == 0, planned.out + planned.err
    assert planned.json["actions"][0]["audience"]["suppressed"] == 1
    opt_outs.run("insert into gone values ('375293333333', 'sms', '2999-01-02')")
    applied = shop.run("apply", "plan.json", env=env)
    assert applied.code == 0, applied.out + applied.err
    assert "1 recipient opted out since this plan was made" in applied.err
    assert list(shop.inbox()) == ["375291111111"]
    assert PASSWORD not in applied.out + applied.err


def test_opt_out_of_a_database_that_is_no_phone(shop: Shop, opt_outs: Database) -> None:
    """A database opt-out that is no phone stops the reviewed plan (3, with its row); `on_invalid: drop` counts it."""
    env = {"CRM_URL": opt_outs.url}
    assert shop.run("plan", "--out", "plan.json", env=env).code == 0
    opt_outs.run("insert into gone values ('ask Anna', 'zzz', '2999-01-02')")
    refused = shop.run("apply", "plan.json", env=env)
    assert refused.code == 3
    assert "error SUPPRESS_PHONE row 3 of the query: " in refused.err
    assert shop.inbox() == {}
    project = (shop.root / "smsby.yaml").read_text("utf-8")
    shop.write("smsby.yaml", project + "    on_invalid: drop\n")
    assert "1 line dropped: not a phone number" in shop.run("plan", env=env).out
    dropped = shop.run("apply", "--auto-approve", env=env)
    assert dropped.code == 0, dropped.out + dropped.err
    assert sorted(shop.inbox()) == ["375291111111", "375293333333"]


def test_old_opt_outs_block_what_subtracts_them(shop: Shop, opt_outs: Database) -> None:
    """Opt-outs that are too old block a mailing to recipients in plan and apply, but not one to a list at sms.by."""
    env = {"CRM_URL": opt_outs.url}
    shop.write("sale.yaml", f"{CAMPAIGN}  - {{name: letter, list: Newsletter, text: Hello}}\n")
    assert shop.run("plan", "--out", "plan.json", env=env).code == 0
    opt_outs.run("update gone set seen = '2020-01-01'")
    planned = shop.run("plan", "--format", "json", env=env)
    assert planned.code == 4
    vip, letter = planned.json["actions"]
    assert (vip["action"], vip["reason_code"], letter["action"]) == ("blocked", "guardrail", "create")
    expected = "freshness: the newest opt-out of smsby.yaml:"
    assert expected in vip["reason"]
    assert "is from 2020-01-01 00:00 Europe/Minsk" in vip["reason"]
    applied = shop.run("apply", "plan.json", env=env)
    assert applied.code == 4, applied.out + applied.err
    assert "375291111111" not in shop.inbox()
    opt_outs.run("update gone set seen = 'yesterday'")
    unread = shop.run("plan", env=env)
    assert unread.code == 3
    assert "error FRESHNESS freshness: expected one date or time from its query" in unread.out
