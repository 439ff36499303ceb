"""Parsers of sms.by's answers, in every shape that was seen or that PHP makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from smsby_deploy.errors import ApiError
from smsby_deploy.smsby.parsers import (
    read_alphanames,
    read_import,
    read_list_info,
    read_lists,
    read_mailings,
    read_message_state,
)
from tests.smsby.conftest import keep_all

ONE = {"list_id": "7", "name": "News"}


@pytest.mark.parametrize(
    "data",
    [
        {"0": "System", "1363": "MyShop"},
        [{"0": "System", "1363": "MyShop"}],
        {"status": "OK", "result": {"0": "System", "1363": "MyShop"}},
        [{"id": 0, "name": "System"}, {"id": "1363", "name": "MyShop"}],
        {"data": {"0": {"name": "System"}, "1363": {"name": "MyShop"}}},
    ],
)
def test_read_alphanames_in_any_shape(data: Any) -> None:
    """Every shape that was seen, or that PHP makes of it, gives the same names."""
    assert {name.id: name.name for name in read_alphanames(data)} == {0: "System", 1363: "MyShop"}


@pytest.mark.parametrize(
    "data", [[{"id": 1363, "name": "MyShop"}], {"result": [{"id": 1363, "name": "MyShop"}]}]
)
def test_read_alphanames_of_one_object(data: Any) -> None:
    """A list with one object is not taken for a wrapper around a map."""
    assert [(name.id, name.name) for name in read_alphanames(data)] == [(1363, "MyShop")]


@pytest.mark.parametrize("data", [{"status": "error"}, {"status": "OK", "message": "x"}])
@pytest.mark.parametrize("read", [read_alphanames, read_lists])
def test_answer_without_names_cannot_be_read(read: Callable[[Any], Iterator[Any]], data: Any) -> None:
    """An answer without names is unreadable, not an account without any, which would be an error in the files."""
    with pytest.raises(ApiError, match="cannot read the answer") as caught:
        list(read(data))
    assert "smsby-deploy api" in caught.value.hint


def test_read_alphanames_of_a_bare_list() -> None:
    """A bare list is read like the map whose only key is 0, as PHP writes it."""
    assert [(name.id, name.name) for name in read_alphanames(["System"])] == [(0, "System")]


@pytest.mark.parametrize(
    "data",
    [
        [ONE],
        [{"id": 7, "title": "News"}],
        {"status": "OK", "result": [ONE]},
        {"7": "News"},
        [{"7": "News"}],
        {"data": {"7": "News"}},
        {"result": {"7": {"name": "News"}}},
        {"result": [{"7": "News"}]},
    ],
)
def test_read_lists_in_any_shape(data: Any) -> None:
    """Every shape gives the same contact lists."""
    assert [(one.id, one.name) for one in read_lists(data)] == [(7, "News")]


@pytest.mark.parametrize("data", [[], {}, {"result": []}, {"status": "OK", "data": None}])
def test_read_lists_of_an_empty_answer(data: Any) -> None:
    """An account without contact lists is not an error."""
    assert list(read_lists(data)) == []


@pytest.mark.parametrize("data", [[ONE, {"name": "News"}], {"7": "News", "x": {"name": "News"}}])
def test_read_lists_never_skips_a_list(data: Any) -> None:
    """A contact list without an id is an error, since it may have the name that the caller looks for."""
    with pytest.raises(ApiError, match="without an id"):
        list(read_lists(data))


@pytest.mark.parametrize("read", [read_alphanames, read_lists])
def test_answer_with_names_may_have_more(read: Callable[[Any], Iterator[Any]]) -> None:
    """Anything that is not an id or name is ignored, and a name may be a number."""
    data = {"7": "News", "8": 2026, "status": "OK", "9": None, "10": ["x"]}
    assert [(one.id, one.name) for one in read(data)] == [(7, "News"), (8, "2026")]


@pytest.mark.parametrize(
    ("said", "cost"),
    [
        ("0", "0"),
        ("1.30", "1.30"),
        (999_999_999, "999999999"),
        (10**9, None),
        ("-0.01", None),
        ("0.000000001", "1E-9"),
        ("0.0000000001", None),
        ("free", None),
    ],
)
def test_read_list_info_reads_a_cost_that_a_mailing_may_have(said: Any, cost: str | None) -> None:
    """A cost is read only if a mailing can have it, since the lock could not store another."""
    assert read_list_info({"cost": said}).cost == (None if cost is None else Decimal(cost))


def test_read_import_reads_what_is_there() -> None:
    """An unreported count is unknown, and anything next to the rows of the log is ignored."""
    log = [{"index": "3", "error_message": "bad"}, "x", {"index": 4}, {"error_message": None}]
    report = read_import({"inserted": "2", "invalid": -1, "log": log})
    assert (report.inserted, report.updated, report.invalid) == (2, None, None)
    assert report.log == ((3, "bad"), (4, ""), (None, ""))
    assert read_import({"inserted": 2, "log": "none"}).log == ()


_SUCCESS = [(said, None) for said in (True, "1", "OK", "success", "", None)]


@pytest.mark.parametrize(("said", "status"), [*_SUCCESS, ("Draft", "Draft")])
def test_read_list_info_ignores_a_success_status(said: Any, status: str | None) -> None:
    """A `status` that only means success is not the status of the mailing."""
    assert read_list_info({"status": said, "count": 3}).status == status


def test_read_list_info_finds_time_and_sender() -> None:
    """Time and sender are read wherever confirm=0 reports them."""
    info = read_list_info({"result": {"mailing": {"d_schedule": "1645612020", "alphaname": "MyShop"}}})
    assert (info.d_schedule, info.alphaname) == (1645612020, "MyShop")
    assert read_list_info({"alphaname": {"id": 7}}).alphaname is None


@pytest.mark.parametrize(
    "written", [1796108400000, "1796108400000", "1796010112000", 10**17, -5, 1e30, "soon", None]
)
def test_time_that_no_calendar_has_is_not_read(written: object) -> None:
    """A time outside the calendar, such as one in milliseconds, is unknown, so that no calculation fails."""
    row = {"id": 1, "name": "x", "d_create": written, "d_schedule": written}
    (mailing,) = read_mailings({"status": "success", "data": [row]}, keep_all)
    state = read_message_state({"time": written})
    assert (mailing.d_create, mailing.d_schedule, state.time) == (None, None, None)
    assert read_list_info({"d_schedule": written}).d_schedule is None


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (0, 0),
        ("0", 0),
        (1558682520, 1558682520),
        ("1558682520", 1558682520),
        ("2019-05-24 10:22", 1558682520),
        ("2019-05-24 10:22:00", 1558682520),
        ("2019-05-24T07:22:00+00:00", 1558682520),
        (None, None),
        ("", None),
        ("soon", None),
        ([1], None),
    ],
)
def test_read_message_state_reads_a_time(time: object, expected: int | None) -> None:
    """A time is read as Unix seconds or as text on the account's clock, and is otherwise not reported."""
    data = {"status": "ok", "parts": "2", "message_id": "5", "alphaname": "MyShop", "time": time}
    made = read_message_state([data], ZoneInfo("Europe/Minsk"))
    assert (made.status, made.parts, made.alphaname, made.time) == ("ok", 2, "MyShop", expected)
