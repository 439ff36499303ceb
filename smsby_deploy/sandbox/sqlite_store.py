"""The state of the sandbox in SQLite, in a file or in memory.

It has mailings, messages, contact lists and the balance.
SQLite makes each call atomic and, with a file, durable before it is answered, without rewriting the rest of the state.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.sandbox.models import REFUSED, NewMailing, NewSms, SandboxMailing, Sms

_VERSION = 4  # of the tables; raise it when they change
_TABLES = """
create table mailing (
  id integer primary key autoincrement, uuid text, kind text, name text, alphaname_id integer, alphaname text,
  text text, created real, due real, status text, parts integer, phones integer, cost text,
  moderated_at real, hidden_calls integer default 0, hidden_until real default 0, was_listed integer default 0,
  callback_url text
);
create table sms (
  id integer primary key autoincrement, mailing integer, phone text, text text, parts integer, due real,
  outcome text, channel text
);
create index sms_of_mailing on sms (mailing);
create index sms_of_phone on sms (phone);
create table list (id integer primary key autoincrement, name text);
create table contact (list integer, key text, phone text, fields text, primary key (list, key));
create table account (name text primary key, value text);
insert into sqlite_sequence values ('mailing', 1173019), ('sms', 2197870), ('list', 3433);
"""
_STATE_TABLES = ("mailing", "sms", "list", "contact", "account")
_NOT_DRAFT = "where channel != 'refused' and mailing in (select id from mailing where status != 'DRAFT')"


# Columns of the same name.
_SUBMITTED = tuple(field.name for field in fields(NewMailing) if field.name != "sms")


class Store:
    """The tables.

    Safe to use from several threads; each change is stored completely or not at all.
    """

    def __init__(self, path: Path | None, balance: Decimal) -> None:
        """Open the file `path`, or memory if it is None. `balance` is the opening balance.

        Raises:
            SmsbyDeployError: the file is not a sandbox file of this version.
        """
        self._lock = threading.RLock()
        self._opening_balance = balance
        try:
            if path is not None and not path.exists():
                path.touch(mode=0o600)  # it will contain phones and texts
            self._base = sqlite3.connect(path or ":memory:", check_same_thread=False)
            self._base.row_factory = sqlite3.Row
            version = self._base.execute("pragma user_version").fetchone()[0]
            is_empty = not self._base.execute("select count(*) from sqlite_master").fetchone()[0]
            if is_empty:
                self._base.executescript(_TABLES)
                self._fill()
                self._base.execute(f"pragma user_version = {_VERSION}")
        except (sqlite3.Error, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise SmsbyDeployError(
                f"cannot keep sandbox data in {path}: {why}",
                hint="name a file of an earlier sandbox, or a new one in a folder that exists",
            ) from None
        if not is_empty and version != _VERSION:
            raise SmsbyDeployError(
                f"{path} was not written by this version of the sandbox",
                hint="choose another file, or delete it",
            )

    def clear(self) -> None:
        """Delete all state and restore the opening balance."""
        with self._lock, self._base:
            for table in _STATE_TABLES:
                self._base.execute(f"delete from {table}")  # noqa: S608  # our own names
        self._fill()

    def _fill(self) -> None:
        with self._lock, self._base:
            self.write("balance", str(self._opening_balance))
            # The two lists keep their ids at every reset; the ids of later lists are never used again.
            for number, name, first, count in ((3434, "Newsletter", 1, 25), (3435, "Regulars", 101, 8)):
                self._base.execute("insert into list (id, name) values (?, ?)", (number, name))
                phones = (f"37529{index:07d}" for index in range(first, first + count))
                self.put_contacts(number, [(phone, phone, {}) for phone in phones])

    def _rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._base.execute(query, values).fetchall()

    def read(self, name: str) -> str | None:
        rows = self._rows("select value from account where name = ?", name)
        return str(rows[0]["value"]) if rows else None

    def write(self, name: str, value: str) -> None:
        with self._lock, self._base:
            self._base.execute("insert or replace into account values (?, ?)", (name, value))

    @property
    def balance(self) -> Decimal:
        return Decimal(self.read("balance") or 0)

    def set_balance(self, amount: Decimal) -> None:
        self.write("balance", str(amount))

    def add(self, mailings: Iterable[NewMailing]) -> list[int]:
        """Store all mailings, or none, and charge for them except drafts. Return their ids."""
        ids = []
        with self._lock, self._base:
            for new in mailings:
                cost = sum((sms.cost for sms in new.sms), Decimal(0))
                number = self._insert_mailing(new, cost)
                self._insert_sms(number, new.sms, new.due)
                if new.status != "DRAFT":
                    self._charge(cost)
                ids.append(number)
        return ids

    def _insert_mailing(self, new: NewMailing, cost: Decimal) -> int:
        columns = {name: getattr(new, name) for name in _SUBMITTED} | {
            "parts": sum(sms.parts for sms in new.sms),
            "phones": sum(sms.channel != REFUSED for sms in new.sms),
            "cost": str(cost),
        }
        names, values = ", ".join(columns), ", ".join("?" * len(columns))
        row = self._base.execute(
            f"insert into mailing ({names}) values ({values})",  # noqa: S608  # our own names
            tuple(columns.values()),
        )
        return int(row.lastrowid or 0)

    def add_sms(self, mailing: SandboxMailing, sms: NewSms, due: float) -> int:
        """Add a message to `mailing` and charge for it. Return its id."""
        with self._lock, self._base:
            self._insert_sms(mailing.id, [sms], due)
            self._base.execute(
                "update mailing set phones = phones + 1, parts = parts + ?, cost = ? where id = ?",
                (sms.parts, str(mailing.cost + sms.cost), mailing.id),
            )
            self._charge(sms.cost)
            return int(self._rows("select max(id) as last from sms")[0]["last"])

    def _insert_sms(self, mailing: int, sms: Sequence[NewSms], due: float) -> None:
        self._base.executemany(
            "insert into sms (mailing, phone, text, parts, due, outcome, channel) values (?, ?, ?, ?, ?, ?, ?)",
            [(mailing, new.phone, new.text, new.parts, due, new.outcome, new.channel) for new in sms],
        )

    def _charge(self, cost: Decimal) -> None:
        # set_balance would commit in the middle of a change.
        amount = str(self.balance - cost)
        self._base.execute("update account set value = ? where name = 'balance'", (amount,))

    def start_draft(self, mailing: SandboxMailing, due: float) -> None:
        """Charge for a confirmed draft and make it a mailing that is sent at `due`."""
        with self._lock, self._base:
            self._charge(mailing.cost)
            self._base.execute("update mailing set status = 'NEW', due = ? where id = ?", (due, mailing.id))
            self._base.execute("update sms set due = ? where mailing = ?", (due, mailing.id))

    def moderate(self, number: int, at: float | None) -> None:
        """Approve a message from `at` on; None withdraws the approval."""
        with self._lock, self._base:
            self._base.execute("update mailing set moderated_at = ? where id = ?", (at, number))

    def delete(self, mailing: SandboxMailing) -> None:
        """Delete a mailing with its messages, and refund its cost."""
        with self._lock, self._base:
            self._base.execute("delete from sms where mailing = ?", (mailing.id,))
            self._base.execute("delete from mailing where id = ?", (mailing.id,))
            if mailing.status != "DRAFT":
                self._charge(-mailing.cost)

    def take_callbacks(self, due_before: float) -> list[tuple[str, str]]:
        """Return, once each, (uuid, URL) of finished requests with a callback.

        All their mailings were due by `due_before`.
        """
        with self._lock, self._base:
            rows = self._base.execute(
                "select uuid, max(callback_url) as url from mailing where callback_url is not null"
                " group by uuid having max(due) <= ?",
                (due_before,),
            ).fetchall()
            self._base.executemany(
                "update mailing set callback_url = null where uuid = ?", [(row["uuid"],) for row in rows]
            )
        return [(row["uuid"], row["url"]) for row in rows]

    @property
    def last_id(self) -> int:
        (row,) = self._rows("select seq from sqlite_sequence where name = 'mailing'")
        return int(row["seq"])

    def hide_after(self, number: int, calls: int, until: float) -> None:
        """Hide mailings newer than `number` from the list for `calls` calls and until `until`."""
        with self._lock, self._base:
            self._base.execute(
                "update mailing set hidden_calls = ?, hidden_until = ? where id > ?", (calls, until, number)
            )

    def cut_names_after(self, number: int, characters: int) -> None:
        """Truncate the names of mailings newer than `number`."""
        with self._lock, self._base:
            self._base.execute(
                "update mailing set name = substr(name, 1, ?) where id > ?", (characters, number)
            )

    def note_listing(self, shown: Iterable[SandboxMailing]) -> None:
        """Record that the list was requested and showed `shown`."""
        with self._lock, self._base:
            self._base.execute("update mailing set hidden_calls = hidden_calls - 1 where hidden_calls > 0")
            self._base.executemany(
                "update mailing set was_listed = 1 where id = ?",
                [(mailing.id,) for mailing in shown if not mailing.was_listed],
            )

    def find(self, number: int) -> SandboxMailing | None:
        return next(iter(self._mailings("where id = ?", number)), None)

    def mailings(self, *kinds: str) -> list[SandboxMailing]:
        """Return the mailings of these kinds, or all, the oldest first."""
        if not kinds:
            return self._mailings("order by id")
        return self._mailings(f"where kind in ({', '.join('?' * len(kinds))}) order by id", *kinds)

    def of_request(self, uuid: str) -> list[SandboxMailing]:
        return self._mailings("where uuid = ? order by id", uuid)

    def same_message(self, text: str, alphaname_id: int) -> SandboxMailing | None:
        """Return the message of createSmsMessage with this text and sender."""
        found = self._mailings("where kind = 'message' and text = ? and alphaname_id = ?", text, alphaname_id)
        return found[0] if found else None

    def _mailings(self, where: str, *values: Any) -> list[SandboxMailing]:
        rows = self._rows(f"select * from mailing {where}", *values)  # noqa: S608  # our own text
        return [
            SandboxMailing(
                **{**dict(row), "was_listed": bool(row["was_listed"]), "cost": Decimal(row["cost"])}
            )
            for row in rows
        ]

    def sms_of(self, mailing: int, first: int = 0, count: int = -1) -> list[Sms]:
        """Return messages of a mailing in their order; a `count` of -1 is all."""
        return self._sms("where mailing = ? order by id limit ? offset ?", mailing, count, first)

    def find_sms(self, number: int) -> Sms | None:
        return next(iter(self._sms("where id = ?", number)), None)

    def sent_sms(self, phone: str | None = None) -> list[Sms]:
        """Return all messages except drafts, of one phone or of all."""
        if phone is None:
            return self._sms(_NOT_DRAFT + " order by id")
        return self._sms(_NOT_DRAFT + " and phone = ? order by id", phone)

    def _sms(self, where: str, *values: Any) -> list[Sms]:
        rows = self._rows(f"select * from sms {where}", *values)  # noqa: S608  # our own text
        return [Sms(**dict(row)) for row in rows]

    def count_outcomes(self, due_before: float, mailing: int) -> dict[str, int]:
        """Count the messages of a mailing that were due by `due_before`, by outcome."""
        rows = self._rows(
            "select outcome, count(*) as number from sms"
            " where mailing = ? and due <= ? and channel != 'refused' group by outcome",
            mailing,
            due_before,
        )
        return {row["outcome"]: row["number"] for row in rows}

    def latest_phones(self, digits: str, limit: int) -> list[tuple[str, int, int]]:
        """Return (phone, number of messages, id of the last one), the latest first.

        The phones contain the given digits.
        Only the latest messages are searched: a page that polls every second must not slow down a million sends.
        """
        latest = f"select id, phone from sms {_NOT_DRAFT} and instr(phone, ?) order by id desc limit ?"  # noqa: S608
        found = f"select phone, max(id) as last from ({latest}) group by phone order by last desc limit ?"  # noqa: S608
        count = f"select count(*) from sms {_NOT_DRAFT} and phone = ?"  # noqa: S608
        with self._lock:
            return [
                (row["phone"], self._rows(count, row["phone"])[0][0], row["last"])
                for row in self._rows(found, digits, 20 * limit, limit)
            ]

    def add_list(self, name: str) -> int:
        with self._lock, self._base:
            return int(self._base.execute("insert into list (name) values (?)", (name,)).lastrowid or 0)

    def lists(self) -> dict[int, str]:
        return {row["id"]: row["name"] for row in self._rows("select id, name from list order by id")}

    def put_contacts(
        self, number: int, contacts: Iterable[tuple[str, str | None, Mapping[str, str]]]
    ) -> tuple[int, int]:
        """Add contacts (key, phone, fields) to a list, one for each key.

        Return (inserted, updated).
        """
        inserted = updated = 0
        with self._lock, self._base:
            for key, phone, fields in contacts:
                known = bool(self._rows("select 1 from contact where list = ? and key = ?", number, key))
                self._base.execute(
                    "insert or replace into contact values (?, ?, ?, ?)",
                    (number, key, phone, json.dumps(dict(fields))),
                )
                inserted, updated = inserted + (not known), updated + known
        return inserted, updated

    def phones_of_list(self, number: int) -> list[str]:
        rows = self._rows(
            "select phone from contact where list = ? and phone is not null order by rowid", number
        )
        return [row["phone"] for row in rows]

    def contacts(self, number: int) -> list[dict[str, Any]]:
        """Return the contacts of a list with their fields."""
        rows = self._rows("select phone, fields from contact where list = ? order by rowid", number)
        return [{"phone": row["phone"], **json.loads(row["fields"])} for row in rows]
