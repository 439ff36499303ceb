"""The sentence of a collision names the other mailing and the command that records it."""

from __future__ import annotations

import pytest

from smsby_deploy.plan.collision_reasons import find_collision
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.smsby.parsers import RemoteMailing
from tests.plan.situations import NOW, view_of


def _view(*names: str, later: bool = False) -> RemoteView:
    return view_of(
        "shop",
        [
            RemoteMailing(
                id=number, name=name, d_create=None, d_schedule=int(NOW.timestamp()) + 3600 if later else None,
                parts=None, count_phones=None, status="NEW", cost=None, alphaname=None,
            )
            for number, name in enumerate(names, 11)
        ],
    )  # fmt: skip


def _collision(remote: RemoteView | None) -> str:
    return find_collision("sale/vip", 1, ["aaaaaaaaaa"], remote, NOW)


@pytest.mark.parametrize(
    "names", [(), ("sale/vip shop#aaaaaaaaaa",), ("sale/vip shop~2#cccccccccc",), ("news",)]
)
def test_find_collision_is_empty_without_another_mailing(names: tuple[str, ...]) -> None:
    """The planned fingerprint, another revision or a foreign mailing is no collision; offline none is known."""
    assert _collision(_view(*names)) == ""
    assert _collision(None) == ""


def test_find_collision_names_the_ids_to_import() -> None:
    """The import command has all ids and can be copied."""
    message = _collision(_view("sale/vip shop#bbbbbbbbbb", "sale/vip shop#cccccccccc"))
    assert "another fingerprint (#bbbbbbbbbb)" in message
    assert "`smsby-deploy import sale/vip --message-id 11 --message-id 12`" in message
    assert "or raise `revision`" in message


def test_find_collision_with_a_scheduled_mailing() -> None:
    """What is not gone must be deleted first; a truncated name does not say whether it is gone."""
    message = _collision(_view("sale/vip shop#bbbbbbbbbb", later=True))
    assert (
        "delete `sale/vip shop#bbbbbbbbbb` (id 11) in the account at sms.by before 2026-11-23 13:00"
        in message
    )
    assert "revision" not in message
    truncated = _view("spring-sale/vip shop#aa", later=True)
    message = find_collision("spring-sale/vip", 1, ["aaaaaaaaaa"], truncated, NOW)
    assert "import spring-sale/vip --message-id N` (then a raised `revision` sends it again)" in message


def test_find_collision_of_many_gives_a_placeholder() -> None:
    """More than five ids are replaced by a placeholder."""
    message = _collision(_view(*(f"sale/vip shop#{index:010x}" for index in range(6))))
    assert "import sale/vip --message-id N`" in message
