"""script/check_words.py: which words it finds, and where."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_FILE = Path(__file__).parents[1] / "script" / "check_words.py"
_SPEC = importlib.util.spec_from_file_location("check_words", _FILE)
assert _SPEC is not None and _SPEC.loader is not None
check_words = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(check_words)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("edit it by hand", [(1, 9)]),
        ("one\nedit it by\n    # hand", [(2, 9)]),
        ("def test_nobody_gets_it", [(1, 10)]),
        ("TOLD, and told", [(1, 1), (1, 11)]),
        ("understands, untold standing, retold", []),
        ("an integer that a user entered manually", []),
        ('"not told apart": 3', []),
    ],
)
def test_find_words_reports_each_place(text: str, expected: list[tuple[int, int]]) -> None:
    """Words are found in any case, in identifiers and across lines, but not inside other words or allowed phrases."""
    assert [(hit.line, hit.column) for hit in check_words.find_words(text, "a.md")] == expected


def test_main_fails_on_a_hit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hit is printed with its place and makes the exit code 1; a clean file makes it 0."""
    monkeypatch.setattr(check_words, "_ROOT", tmp_path)
    file = tmp_path / "a.py"
    file.write_text("# by hand\n")
    assert check_words.main([str(file)]) == 1
    assert capsys.readouterr().out == 'a.py:1:3: "by hand": manually\n'
    file.write_text("# manually\n")
    assert check_words.main([str(file)]) == 0
