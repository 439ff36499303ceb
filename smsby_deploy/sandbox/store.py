"""What the sandbox keeps: mailings and messages, in SQLite (a file, or memory)."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

_TABLES = """
create table if not exists mailing (
  id integer primary key, uuid text, name text, alphaname_id integer, alphaname text, kind text,
  created real, goes_out real, scheduled integer, status text, parts integer, phones integer, cost text
);
create table if not exists sms (
  id integer primary key, mailing integer, phone text, text text, parts integer
);
create table if not exists account (name text primary key, value text);
"""
_FIRST_ID = 1173020


@dataclass(frozen=True, slots=True)
class Accepted:
    """One mailing that was taken. Times are unix seconds."""

    id: int
    uuid: str | None
    name: str
    alphaname_id: int
    alphaname: str
    kind: str
    created: float
    goes_out: float
    scheduled: bool
    status: str
    parts: int
    phones: int
    cost: Decimal


class Store:
    """Safe to use from several threads."""

    def __init__(self, path: Path | None, balance: Decimal) -> None:
        self._lock = threading.RLock()
        self._base = sqlite3.connect(path or ":memory:", check_same_thread=False)
        self._base.row_factory = sqlite3.Row
        self._base.executescript(_TABLES)
        self._base.execute("insert or ignore into account values ('balance', ?)", (str(balance),))
        self._base.commit()

    @property
    def balance(self) -> Decimal:
        with self._lock:
            row = self._base.execute("select value from account where name = 'balance'").fetchone()
        return Decimal(row["value"])

    def set_balance(self, amount: Decimal) -> None:
        with self._lock, self._base:
            self._base.execute("update account set value = ? where name = 'balance'", (str(amount),))

    def add(
        self, mailings: list[tuple[dict[str, Any], list[tuple[str, str, int]]]], charge: Decimal
    ) -> list[int]:
        """Take mailings with their (phone, text, parts) and charge for them, all or none. Returns their ids."""
        ids = []
        with self._lock, self._base:
            for fields, messages in mailings:
                last = self._base.execute("select max(id) as last from mailing").fetchone()["last"]
                number = (last or _FIRST_ID) + 1
                columns = {"id": number, **fields}
                names, marks = ", ".join(columns), ", ".join("?" * len(columns))
                self._base.execute(
                    f"insert into mailing ({names}) values ({marks})",  # noqa: S608  # the names are ours
                    list(columns.values()),
                )
                self._base.executemany(
                    "insert into sms (mailing, phone, text, parts) values (?, ?, ?, ?)",
                    [(number, *message) for message in messages],
                )
                ids.append(number)
            self.set_balance(self.balance - charge)
        return ids

    def start_draft(self, number: int, goes_out: float) -> None:
        """A confirmed draft becomes a mailing, and is paid."""
        with self._lock, self._base:
            mailing = self.find(number)
            if mailing is not None:
                self.set_balance(self.balance - mailing.cost)
            self._base.execute(
                "update mailing set status = 'NEW', goes_out = ? where id = ?", (goes_out, number)
            )

    def find(self, number: int) -> Accepted | None:
        return next(iter(self.mailings("where id = ?", number)), None)

    def mailings(self, where: str = "", *values: Any) -> list[Accepted]:
        with self._lock:
            rows = self._base.execute(f"select * from mailing {where}", values).fetchall()  # noqa: S608  # ours
        return [
            Accepted(**{**dict(row), "scheduled": bool(row["scheduled"]), "cost": Decimal(row["cost"])})
            for row in rows
        ]

    def messages(self, mailing: int) -> list[tuple[int, str, str]]:
        """(id, phone, text) of each message of a mailing."""
        with self._lock:
            rows = self._base.execute(
                "select id, phone, text from sms where mailing = ? order by id", (mailing,)
            )
            return [(row["id"], row["phone"], row["text"]) for row in rows.fetchall()]


def fate_of(phone: str) -> str:
    """What becomes of a message to `phone`: always the same, about 90 % delivered, 6 % not, the rest on its way."""
    draw = hashlib.sha256(phone.encode()).digest()[0]
    return "DELIVERED" if draw < 230 else "UNDELIVERED" if draw < 246 else "SENT"
