"""Recipients from a database, by the real command: checked, planned, sent, and stale once the result changed."""

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
    """It stays offline and valid, and still checks the text's syntax; with the variable it reads the rows."""
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
    """The missing variable is named with its location, and nothing is sent."""
    for command in (("plan",), ("plan", "--offline"), ("apply", "--auto-approve"), ("render", "sale/vip")):
        refused = shop.run(*command)
        assert refused.code == 3, command
        assert (
            "sale.yaml:5:23: error SQL sale/vip: the environment variable CRM_URL is not set"
            in refused.out + refused.err
        )
    assert shop.inbox() == {}


def test_changed_query_result_makes_a_plan_stale(shop: Shop, crm: Database) -> None:
    """The plan has a digest of the result, in which a column that no text uses counts as well."""
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
    """Another mailing of the same plan is sent, and the finished one is not sent again."""
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
    """Both name their key, the figure and the limit."""
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
