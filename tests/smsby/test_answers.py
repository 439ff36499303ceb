"""Names of the account in every shape that was seen or that PHP makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from smsby_deploy.smsby.parsers import read_alphanames, read_list_info, read_lists
from smsby_deploy.smsby.response import Answer

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
def test_alphanames_are_read_in_any_shape(data: Any) -> None:
    assert {name.id: name.name for name in read_alphanames(data)} == {0: "System", 1363: "MyShop"}


def test_a_bare_list_of_alphanames_is_a_map_that_php_wrote_as_a_list() -> None:
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
def test_contact_lists_are_read_in_any_shape(data: Any) -> None:
    assert [(one.id, one.name) for one in read_lists(data)] == [(7, "News")]


@pytest.mark.parametrize("data", [[], {}, {"result": []}, {"status": "OK", "data": None}])
def test_no_contact_list_is_none(data: Any) -> None:
    assert list(read_lists(data)) == []


@pytest.mark.parametrize(("said", "status"), [(True, None), ("1", None), ("OK", None), ("Draft", "Draft")])
def test_a_status_that_says_success_is_none_of_the_mailing(said: Any, status: str | None) -> None:
    assert read_list_info({"status": said, "count": 3}).status == status


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("x", "the same message exists, <hidden>"),  # any token will do for the sandbox
        ("exists, x", "the same message <hidden>"),
        ("an-eight-digit-one", "the same message exists, x"),
    ],
)
def test_a_token_is_hidden_and_words_that_hold_a_short_one_stay(token: str, shown: str) -> None:
    """A text that sms.by is known by must stay what it is."""
    answer = Answer(400, {"error": "the same message exists, x"}, readable=True, token=token)
    assert answer.error == shown
