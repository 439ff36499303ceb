"""docs/api.md agrees with the code."""

from __future__ import annotations

import re
from pathlib import Path

from smsby_deploy.cli.main import group
from smsby_deploy.errors import ApiError
from smsby_deploy.smsby.methods import METHODS, Method
from smsby_deploy.smsby.response import error_kind

TEXT = (Path(__file__).resolve().parents[2] / "docs/api.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if re.match(r"^\| `\w+` \|", line)
]


def _parameters_of(method: Method) -> str:
    """Return parameters as in the table: by place, the query first and without its name, optional ones in italics."""
    groups: dict[str, list[str]] = {str(method.token): []}
    for one in method.parameters:
        name = one.name if one.name in method.required else f"*{one.name}*"
        groups.setdefault(str(one.place), []).append(name)
    shown = [
        ("" if place == "query" else f"{place}: ") + (", ".join(names) or "(the token)")
        for place, names in groups.items()
        if names or place != "query"
    ]
    return "; ".join(shown)


def test_the_table_lists_every_method_as_it_is_called() -> None:
    """Methods are in the same order, with verb, path, parameters in their places and what they do."""
    expected = [
        [
            f"`{method.name}`",
            f"{method.verb} {method.path}",
            _parameters_of(method),
            method.effect.value,
        ]
        for method in METHODS.values()
    ]
    assert [row[:4] for row in ROWS] == expected


def test_every_error_in_the_table_is_known_to_the_code() -> None:
    """The error texts of sms.by quoted in the table are recognized by smsby/response.py."""
    texts = [text for row in ROWS for text in re.findall(r"`([^`]+)`", row[5])]
    assert len(texts) > 10
    assert [text for text in texts if error_kind(text) is ApiError] == []


def test_every_command_in_the_table_exists() -> None:
    """Each method names an existing command that calls it."""
    commands = [name for row in ROWS for name in re.findall(r"`([^`]+)`", row[6])]
    assert len(commands) >= len(METHODS)
    for name in commands:
        assert group.get_command(None, name) is not None, name  # type: ignore[arg-type]
