"""Connections to databases: what their errors show, and which settings they get. test_sql.py has real ones."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import default
from sqlalchemy.exc import DBAPIError

from smsby_deploy.config.sources import HiddenText, RecipientsQuery, TextSource
from smsby_deploy.problems import Location
from smsby_deploy.recipients.database import explained, kind_of
from smsby_deploy.recipients.rows import RecipientsError

_AT = Location("sale.yaml", 6, 12)
_SQL = TextSource("select id from clients where citty = 1", _AT)
_URL = HiddenText("mysql://reader:secret@crm.internal/crm")
_QUERY = RecipientsQuery(_SQL, "sql:sale/vip", "CRM_URL", _URL, "id", "phone", _AT)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "Can't connect to MySQL server on 'crm.internal' (Connection refused)",
            "Can't connect to MySQL server on '…' (",
        ),
        ("Access denied for user 'reader'@'crm.internal'", "Access denied for user '…'@'…'"),
        ("Unknown column 'citty' in 'where clause'", "Unknown column 'citty' in '…'"),
    ],
)
def test_error_of_mysql_shows_no_host(said: str, shown: str) -> None:
    """Its drivers put a number before the message, in which an apostrophe begins no name."""
    with pytest.raises(RecipientsError) as caught, explained(_QUERY, _QUERY.sql):
        raise DBAPIError("", None, Exception(2003, said))
    assert str(caught.value).startswith(f"database error: {shown}")


def test_mariadb_is_recognized_behind_a_url_of_mysql() -> None:
    """Its time limit has another name, at which every query would fail."""
    dialect = default.DefaultDialect()
    assert kind_of(dialect) == "default"
    dialect.name, dialect.is_mariadb = "mysql", True  # type: ignore[attr-defined]
    assert kind_of(dialect) == "mariadb"
