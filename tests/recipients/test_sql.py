"""Recipients in a database: exact texts, the same order every time, and nothing written or disclosed."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from smsby_deploy.apply.bulk_sender import ChunkMessage, PlannedMessages
from smsby_deploy.apply.mailing_run import FilesChanged
from smsby_deploy.apply.opt_out_watch import OptOutWatch
from smsby_deploy.clock import SystemClock
from smsby_deploy.config.project_loader import LoadedProject, load_project
from smsby_deploy.config.sources import Freshness, RecipientsQuery
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.measure import measure_mailing
from smsby_deploy.plan.planner import make_plan
from smsby_deploy.problems import Problem
from smsby_deploy.recipients import database as database_module
from smsby_deploy.recipients import sql as sql_module
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.rows import Block, RecipientsError, SourceFacts, block_of_rows
from smsby_deploy.recipients.sql import OrderCheck, read_query
from tests.databases import PASSWORD, Database
from tests.peak import measure_peak

CLIENTS = (
    "create table clients (id integer primary key, phone text, name text)",
    "insert into clients values (1, '+375 29 111-11-11', 'Анна'), (2, '375332222222', 'Борис'), (3, '80293333333', null)",
)
CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients:
      sql: |
        select id, phone, name
        from clients
      url_env: CRM_URL
      order_by: id
    text: "{{ name | default('Hi', true) }}, hello"
"""


def _project(folder: Path, url: str | None, campaign: str = CAMPAIGN, settings: str = "") -> LoadedProject:
    folder.mkdir(exist_ok=True)
    api = "api: {recipients_per_request: 2}\n"
    (folder / "smsby.yaml").write_text(f"version: 1\nproject: shop\n{api}{settings}", "utf-8")
    (folder / "sale.yaml").write_text(campaign, "utf-8")
    loaded = load_project(folder, {} if url is None else {"CRM_URL": url})
    assert not loaded.problems
    return loaded


def _query(
    database: Database, folder: Path, sql: str = "select * from clients", **changes: Any
) -> RecipientsQuery:
    query = _project(folder / "shop", database.url).project.mailings[0].audience
    assert isinstance(query, RecipientsQuery)
    return query._replace(sql=query.sql._replace(text=sql, content=None), **changes)


def _rows(query: RecipientsQuery, size: int = 1000) -> list[list[str]]:
    with _blocks_of(size):
        return [row for block in read_query(query, SourceFacts()) for row in block.cells]


def _snapshot(query: RecipientsQuery, size: int = 1000) -> str | None:
    facts = SourceFacts()
    with _blocks_of(size):
        for _ in read_query(query, facts):
            assert facts.snapshot is None  # it is of the whole result
    return facts.snapshot


def _blocks_of(rows: int) -> AbstractContextManager[object]:
    return patch.object(sql_module, "BLOCK_ROWS", rows)


def _problems(loaded: LoadedProject) -> tuple[Problem, ...]:
    return measure_mailing(loaded.project, loaded.project.mailings[0], PhoneSet()).problems


def test_query_rows_are_text_in_order(database: Database, tmp_path: Path) -> None:
    """Null is empty, and `order_by` decides the order, whatever order the query has."""
    database.run(*CLIENTS)
    query = _query(database, tmp_path, order_by="id desc")
    assert _rows(query, 2) == [
        ["3", "80293333333", ""],
        ["2", "375332222222", "Борис"],
        ["1", "+375 29 111-11-11", "Анна"],
    ]
    with _blocks_of(2):
        blocks = list(read_query(query, SourceFacts()))
    assert [(block.columns, list(block.lines)) for block in blocks] == [
        (("id", "phone", "name"), [1, 2]),
        (("id", "phone", "name"), [3]),
    ]


def test_query_values_of_postgresql(postgres: Database, tmp_path: Path) -> None:
    """Decimals keep their digits, booleans are words, an integral float has no point, and times are ISO 8601."""
    sql = """select 1 as id, 375291111111::bigint as a, 12.50::numeric(8,2) as b, true as c, 375291111111::float8 as d,
      0.1::float8 as e, date '2026-12-01' as f, timestamp '2026-12-01 10:00' as g,
      '0dfe1c7a-3a3f-4a43-9f4c-0123456789ab'::uuid as h, '50%: a:b' as i,
      '1.50'::jsonb as j, '{"p": 19.90}'::json -> 'p' as k"""
    assert _rows(_query(postgres, tmp_path, sql)) == [
        ["1", "375291111111", "12.50", "true", "375291111111", "0.1", "2026-12-01", "2026-12-01T10:00:00",
         "0dfe1c7a-3a3f-4a43-9f4c-0123456789ab", "50%: a:b", "1.50", "19.90"]
    ]  # fmt: skip
    late = "select n as id, case when n = 3 then array[n] end as tags from generate_series(1, 4) as n"
    with pytest.raises(
        RecipientsError, match=r"\(list\) in the column tags of the query; leave the column out"
    ) as caught:
        _rows(_query(postgres, tmp_path, late))
    assert caught.value.line == 3


def test_query_phone_of_single_precision_is_an_error(postgres: Database, tmp_path: Path) -> None:
    """A phone in a `real` column is an error: its seven digits would be completed to another subscriber's."""
    sql = """select 1 as id, 19.99::real as a, 375291234567::real as phone, '-infinity'::real as b, 0::real as c
      union all select 2, null, null, null, null"""
    assert _rows(_query(postgres, tmp_path, sql)) == [
        ["1", "19.99", "3.75291250e+11", "-inf", "0"],
        ["2", "", "", "", ""],
    ]


def test_query_text_runs_as_written(database: Database, tmp_path: Path) -> None:
    """An order, a limit and a semicolon in the query are allowed; percent signs and colons are not parameters."""
    database.run(*CLIENTS)
    sql = "with p as (select * from clients)\nselect id, ':x' as x from p where phone like '%1%' order by name limit 1; "
    assert _rows(_query(database, tmp_path, sql)) == [["1", ":x"]]


def test_query_snapshot_covers_the_result_only(database: Database, tmp_path: Path) -> None:
    """The snapshot changes with a value, a row or a column name, but not with the blocks."""
    database.run(*CLIENTS)
    query = _query(database, tmp_path)
    first = _snapshot(query)
    assert first is not None
    assert _snapshot(query, 1) == first
    assert (
        _snapshot(query._replace(sql=query.sql._replace(text="select id, phone, name as who from clients")))
        != first
    )
    database.run("update clients set name = 'Вера' where id = 3")
    second = _snapshot(query)
    database.run("insert into clients values (4, '375294444444', 'Глеб')")
    assert len({first, second, _snapshot(query)}) == 3


def test_query_with_its_snapshot_keeps_the_truth_of_values(database: Database, tmp_path: Path) -> None:
    """An apply renders `{% if vip %}` as the plan did, though it reads the result from a file."""
    database.run(*CLIENTS)
    query = _query(database, tmp_path, "select id, phone, id - 2 as vip from clients")
    pinned = query._replace(snapshot=_snapshot(query))
    for one in (query, pinned):
        with _blocks_of(2):
            blocks = list(read_query(one, SourceFacts()))
        assert [(cell, bool(cell)) for block in blocks for cell in block.values[2]] == [
            ("-1", True), ("0", False), ("1", True),
        ]  # fmt: skip


def test_query_with_another_snapshot_gives_no_row(database: Database, tmp_path: Path) -> None:
    """With a plan's snapshot the same result is returned in full, and another result not at all."""
    database.run(*CLIENTS)
    query = _query(database, tmp_path)
    pinned = query._replace(snapshot=_snapshot(query))
    assert _rows(pinned, 2) == _rows(query)
    database.run("update clients set name = 'Вера' where id = 3")
    blocks = read_query(pinned, SourceFacts())
    with _blocks_of(1), pytest.raises(RecipientsError, match="has changed since the plan"):
        next(blocks)


def test_query_changed_after_the_plan_sends_nothing(database: Database, tmp_path: Path) -> None:
    """If the result changed after the plan, nothing is sent, not even a first chunk that is as planned."""
    database.run(*CLIENTS)
    loaded = _project(tmp_path / "shop", database.url)
    lock = Lock("shop")
    plan = make_plan(loaded, select=(), client=None, account=None, lock=lock, clock=SystemClock(), new_id="x")
    mailing, action = loaded.project.mailings[0].pinned(plan.inputs), plan.actions[0]

    def stream() -> Iterator[ChunkMessage]:
        clock = SystemClock()
        watch = OptOutWatch(loaded.project, clock)
        return PlannedMessages(loaded.project, mailing, action, clock.now(), watch).stream()

    assert [message.recipients for message in stream()] == [2, 1]
    database.run("update clients set name = 'Вера' where id = 3")
    with pytest.raises(FilesChanged, match="changed since"):
        next(stream())
    database.run("drop table clients")
    with pytest.raises(FilesChanged, match=r"no recipients left for chunk 1 of 2: database error: .*clients"):
        next(stream())


def test_query_order_with_ties_is_an_error(database: Database, tmp_path: Path) -> None:
    """Rows with equal order are an error, even across blocks, unless they are equal in every column."""
    database.run(*CLIENTS)
    same = "select 1 as g, 'a' as name union all select 1, 'a'"
    assert len(_rows(_query(database, tmp_path, same, order_by="g"))) == 2
    for size in (1, 10):
        with pytest.raises(RecipientsError, match="add a column") as caught:
            _rows(_query(database, tmp_path, "select id, 1 as g from clients", order_by="g"), size)
        assert (caught.value.line, caught.value.code) == (1, "ORDER")


def test_query_cannot_write(database: Database, tmp_path: Path) -> None:
    """A query cannot write, neither as a statement nor through a function that it calls."""
    database.run(*CLIENTS)
    attempts = ["delete from clients", "select 1 as id) x; delete from clients; --"]
    if database.kind == "postgresql":
        database.run("create sequence counter")
        attempts += [
            "with gone as (delete from clients returning *) select * from gone",
            "select nextval('counter') as id",
        ]
    for attempt in attempts:
        with pytest.raises(RecipientsError) as caught:
            _rows(_query(database, tmp_path, attempt))
        assert caught.value.code == "SQL"
    query = _query(database, tmp_path)
    for attempt in ("delete from clients", "commit; delete from clients; select '2026-12-01'"):
        fresh = Freshness(query.sql._replace(text=attempt), timedelta(hours=1), "UTC")
        with pytest.raises(RecipientsError) as caught:
            _rows(query._replace(freshness=fresh))
        assert caught.value.code == "SQL"
    assert database.one("select count(*) from clients") == 3


def test_query_does_not_create_a_sqlite_database(tmp_path: Path) -> None:
    """A missing SQLite database is not created, as SQLite itself would do."""
    missing = tmp_path / "none.db"
    with pytest.raises(RecipientsError, match="named by CRM_URL does not exist"):
        _rows(_query(Database("sqlite", f"sqlite:///{missing}"), tmp_path))
    assert not missing.exists()


def test_query_error_has_its_line(postgres: Database, sqlite: Database, tmp_path: Path) -> None:
    """An error has the line that PostgreSQL reports, or the start of the query, and the database's message."""
    broken = CAMPAIGN.replace("phone, name", "phone,\n          nme")
    for database, line in ((postgres, 8), (sqlite, 6)):
        database.run(*CLIENTS)
        (problem,) = _problems(_project(tmp_path / database.kind, database.url, broken))
        assert (problem.code, problem.location.file, problem.location.line) == ("SQL", "sale.yaml", line)
        assert "nme" in problem.message
    unordered = CAMPAIGN.replace("order_by: id", "order_by: city")
    (problem,) = _problems(_project(tmp_path / "order", postgres.url, unordered))
    assert (problem.location.line, 'column "city" does not exist' in problem.message) == (6, True)


def test_query_row_problem_names_the_row(database: Database, tmp_path: Path) -> None:
    """A problem of a row is placed at the query, which a user can open, and does not show the phone."""
    database.run(*CLIENTS, "insert into clients values (4, '1234567890123', 'x')")
    campaign = CAMPAIGN.replace("default('Hi', true)", "upper")
    problems = _problems(_project(tmp_path / "shop", database.url, campaign))
    assert [(p.code, p.location.file, p.location.line) for p in problems] == [
        ("PHONE", "sale.yaml", 6),
        ("TEMPLATE", "sale.yaml", 11),
    ]
    assert problems[0].message.startswith("row 4 of the query: ")
    assert problems[1].message.endswith("(row 3 of the query)")
    assert "1234567890123" not in problems[0].message


def test_query_column_problems(database: Database, tmp_path: Path) -> None:
    """A missing phone column lists the existing columns, and a duplicate name is an error."""
    database.run(*CLIENTS)
    (problem,) = _problems(_project(tmp_path / "a", database.url, CAMPAIGN.replace("phone, name", "name")))
    assert (problem.location.line, problem.message) == (6, "no column 'phone'; columns: id, name")
    twice = CAMPAIGN.replace("phone, name", "phone, name, phone")
    (problem,) = _problems(_project(tmp_path / "b", database.url, twice))
    assert problem.message == "duplicate column names: phone"


def test_query_without_rows_is_an_empty_audience(database: Database, tmp_path: Path) -> None:
    """An empty result is an error, and never means all recipients."""
    database.run(CLIENTS[0])
    (problem,) = _problems(_project(tmp_path / "shop", database.url))
    assert (problem.code, problem.location.line) == ("EMPTY_AUDIENCE", 6)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://shop:{password}@127.0.0.1:1/crm",
        "postgresql://shop:{password}@127.0.0.1:port/crm",
        "postgresql://shop:{password}@/crm?host=/nowhere/{password}",
        "nodatabase://shop:{password}@127.0.0.1/crm",
        "mssql+pyodbc://shop:{password}@127.0.0.1/crm",
        "postgresql://shop:pass@{password}@127.0.0.1/crm",
        "postgresql://us/er:{password}@127.0.0.1/crm",
        "postgresql+psycopg://shop@/crm?host=/nowhere/{password}&password={password}",
        "postgresql+psycopg_async://shop:{password}@127.0.0.1:1/crm",
        "{password}",
    ],
)
def test_connection_errors_show_no_url_or_password(url: str, tmp_path: Path) -> None:
    """An error of the URL names the variable or has the driver's message, but shows no URL or password."""
    address = url.format(password=PASSWORD)
    (problem,) = _problems(_project(tmp_path, address))
    assert problem.code in ("SQL", "EXTRA")
    assert PASSWORD not in repr(problem)
    assert address not in repr(problem)
    assert PASSWORD not in repr(_project(tmp_path, address).project)


def test_connection_setting_the_driver_rejects(sqlite: Database, tmp_path: Path) -> None:
    """Any exception of a driver that rejects a setting is reported as a connection error."""
    (problem,) = _problems(_project(tmp_path, f"{sqlite.url}?timeout=long"))
    assert (problem.code, problem.location.line) == ("SQL", 6)
    assert "the driver does not accept the URL in CRM_URL" in problem.message


def test_connection_error_hides_a_wrong_password(postgres: Database, tmp_path: Path) -> None:
    """The server's message about a wrong password is shown without the password."""
    wrong = postgres.url.replace(PASSWORD, "another-word")
    (problem,) = _problems(_project(tmp_path, wrong))
    assert "password authentication failed" in problem.message
    assert "another-word" not in problem.message


@pytest.mark.parametrize("column", ["phone", "name"])
def test_query_error_shows_no_value(column: str, postgres: Database, tmp_path: Path) -> None:
    """A value that PostgreSQL could not convert is hidden in its message, and a name of the query stays readable."""
    postgres.run(*CLIENTS)
    with pytest.raises(RecipientsError, match="integer") as caught:
        _rows(_query(postgres, tmp_path, "select id, COLUMN::integer from clients".replace("COLUMN", column)))
    assert "375332222222" not in str(caught.value)
    assert "Борис" not in str(caught.value)


def test_query_that_takes_too_long_ends(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query that takes too long is ended, so that a campaign file cannot hold up a plan for hours."""
    monkeypatch.setattr(database_module, "_STATEMENT_SECONDS", 1)
    seconds = itertools.count()
    monkeypatch.setattr(SystemClock, "monotonic", lambda self: next(seconds))
    endless = "with recursive n(id) as (select 1 union all select id + 1 from n) select max(id) as id from n"
    with pytest.raises(RecipientsError, match="took longer than 1 seconds") as caught:
        _rows(_query(database, tmp_path, endless))
    assert caught.value.code == "SQL"
    monkeypatch.setattr(database_module, "_STATEMENT_SECONDS", 10**9)
    with pytest.raises(RecipientsError, match="took longer than 1 seconds"):  # not run again for a minute
        _rows(_query(database, tmp_path, endless))


def test_query_whose_rows_never_end_is_ended(
    postgres: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query whose rows never end is ended, although PostgreSQL limits each fetch separately."""
    monkeypatch.setattr(database_module, "_STATEMENT_SECONDS", 60)
    seconds = itertools.count()
    monkeypatch.setattr(SystemClock, "monotonic", lambda self: next(seconds))
    endless = "with recursive n(id) as (select 1 union all select id + 1 from n) select * from n"
    query = _query(postgres, tmp_path, endless, order_by=None)
    with pytest.raises(RecipientsError, match="took longer than 60 seconds"):
        _rows(query, 10)


@pytest.mark.parametrize(
    "statement",
    [
        "attach database 'file:{file}?mode=rwc' as other",
        "vacuum into '{file}'",
        "select 1; attach database '{file}' as other",
        "pragma query_only = off",
    ],
)
def test_freshness_creates_no_file(statement: str, sqlite: Database, tmp_path: Path) -> None:
    """The query for freshness is limited like the other one: SQLite attaches no file."""
    sqlite.run(*CLIENTS)
    made = tmp_path / "made.db"
    query = _query(sqlite, tmp_path)
    fresh = Freshness(query.sql._replace(text=statement.format(file=made)), timedelta(hours=1), "UTC")
    with pytest.raises(RecipientsError):
        _rows(query._replace(freshness=fresh))
    assert not made.exists()


def test_connection_names_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing environment variable or package is named, with what to do."""
    (problem,) = _problems(_project(tmp_path, None))
    assert (problem.code, problem.location.file, problem.location.line) == ("SQL", "sale.yaml", 6)
    assert "CRM_URL is not set" in problem.message
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    (problem,) = _problems(_project(tmp_path, "sqlite:///crm.db"))
    assert problem.code == "EXTRA"
    assert "pip install 'smsby-deploy[sql]'" in problem.message


def test_freshness_accepts_dates_and_times(database: Database, tmp_path: Path) -> None:
    """A time without a zone is in the mailing's zone; null, or a value of another kind, is an error."""
    database.run(*CLIENTS)
    query = _query(database, tmp_path)
    place = query.sql._replace(text="")

    def newest(sql: str) -> datetime | None:
        facts = SourceFacts()
        fresh = Freshness(place._replace(text=sql), SystemClock().now() - SystemClock().now(), "Europe/Minsk")
        list(read_query(query._replace(freshness=fresh), facts))
        return facts.newest

    assert newest("select '2026-11-01T12:00:00'") == datetime(2026, 11, 1, 9, tzinfo=UTC)
    assert newest("select '2026-11-01 12:00:00+00:00';") == datetime(2026, 11, 1, 12, tzinfo=UTC)
    if database.kind == "postgresql":
        assert newest("select date '2026-11-01'") == datetime(2026, 10, 31, 21, tzinfo=UTC)
        assert newest("select timestamptz '2026-11-01 12:00+03'") == datetime(2026, 11, 1, 9, tzinfo=UTC)
    for sql in (
        "select null",
        "select 'soon'",
        "select 5",
        "select '0001-01-01'",
        "select id from clients where id > 9",
    ):
        with pytest.raises(RecipientsError, match="one date or time") as caught:
            newest(sql)
        assert caught.value.code == "FRESHNESS"


@pytest.mark.slow
def test_query_memory_does_not_grow(database: Database, tmp_path: Path) -> None:
    """Ten times the rows take hardly more memory, as rows come through a cursor and none is kept."""
    numbers = {
        "postgresql": "select 375290000000 + g as phone, repeat('x', 200) as name from generate_series(1, {}) g",
        "sqlite": "with recursive n(g) as (select 1 union all select g + 1 from n where g < {}) "
        "select 375290000000 + g as phone, printf('%.200c', 'x') as name from n",
    }
    found = []
    for count in (10_000, 100_000):
        campaign = CAMPAIGN.replace(
            "select id, phone, name\n        from clients", numbers[database.kind].format(count)
        )
        folder = tmp_path / str(count)
        _project(folder, None, campaign.replace("order_by: id", "order_by: phone"))
        (folder / "smsby.yaml").write_text(
            "version: 1\nproject: shop\n", "utf-8"
        )  # chunks of a thousand: each is kept
        clients, kilobytes = measure_peak(folder, database.url)
        assert clients == count
        found.append(kilobytes)
    assert found[1] - found[0] < 6_000  # the rows alone would take 30,000


def test_documented_database_campaigns_load(tmp_path: Path) -> None:
    """Each example in docs/databases.md loads, except that the Parquet one lacks its files."""
    page = (Path(__file__).parents[2] / "docs/databases.md").read_text("utf-8")
    query, opt_outs, parquet = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    _project(tmp_path, None, query, opt_outs)
    (tmp_path / "lists/export").mkdir(parents=True)
    (tmp_path / "lists/export/a.parquet").touch()
    _project(tmp_path, None, parquet)


def _block(*rows: list[str], first: int = 1) -> Block:
    return block_of_rows(("city", "name"), range(first, first + len(rows)), rows)


def test_order_check_finds_a_tie_between_batches() -> None:
    """A tie between two batches has the number of the earlier row."""
    check = OrderCheck(("city", "name"), "city")
    check.check(_block(["Брест", "Анна"], ["Минск", "Олег"]))
    with pytest.raises(RecipientsError, match="tied with the next row in `order_by: city`") as found:
        check.check(_block(["Минск", "Пётр"], first=3))
    assert (found.value.line, found.value.code) == (2, "ORDER")


@pytest.mark.parametrize("order_by", [None, "city desc, name", "id"])
def test_order_check_accepts_what_is_ordered_or_not_known(order_by: str | None) -> None:
    """Rows are accepted without an order, ordered by all columns, or by a column that is not among them."""
    OrderCheck(("city", "name"), order_by).check(_block(["Минск", "Олег"], ["Минск", "Пётр"]))


def test_order_check_accepts_equal_rows() -> None:
    """Equal rows are accepted in any order, since it makes no difference."""
    OrderCheck(("city", "name"), "city").check(_block(["Минск", "Олег"], ["Минск", "Олег"]))
