"""yaml_errors: what is said of a file that is not valid YAML."""

from __future__ import annotations

import pytest

from smsby_deploy.config.yaml_nodes import parse_yaml
from smsby_deploy.errors import FilesInvalid


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a:\n  b: 1\n\tc: 2\n", (3, 1), "indented with a tab"),
        ("a:\n\t- b\n", (2, 1), "indented with a tab"),
        ('file: "C:\\Users\\vip.csv"\n', (1, 12), "\\ begins an escape"),
        ('file: "lists\\promo.csv"\n', (1, 13), "\\ begins an escape"),
        ("a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> x\n", (2, 1), "git conflict markers"),
        ("a: b: c\n", (1, 5), "a second `: `"),
        ("a: 'b\n", (1, 4), "the quotes opened here"),
    ],
)
def test_yaml_error_says_what_to_write(text: str, place: tuple[int, int], message: str) -> None:
    """A tab, a path of Windows, a conflict of git and quotes are named as such, at their place."""
    with pytest.raises(FilesInvalid) as caught:
        parse_yaml(text, "sale.yaml")
    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.location == ("sale.yaml", *place)
