"""suppression: opt-outs of every format and spelling, and files that cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.config.declarations import RecipientsFile
from smsby_deploy.recipients.suppression import hash_opt_outs, load_suppression
from tests.recipients.mailings import AT


def _source(path: Path, **changes: Any) -> RecipientsFile:
    return RecipientsFile(path, path.name, "phone", AT)._replace(**changes)


def test_load_suppression_formats(tmp_path: Path) -> None:
    """CSV as Excel writes it, with its own settings, JSONL and .txt; any country; every spelling."""
    (tmp_path / "a.csv").write_bytes("Phone;Имя\r\n+375 29 111-11-11;Анна\r\n\r\n".encode("cp1251"))
    (tmp_path / "b.txt").write_text(
        "\ufeff375292222222\r\n\r\nno number\r\n+7 916 123-45-67\r\n", encoding="utf-16"
    )
    (tmp_path / "c.jsonl").write_text('{"tel": 80333333333}\n')
    (tmp_path / "d.csv").write_text("x|phone\n,|375444444444\n")
    files = [
        _source(tmp_path / "a.csv"),
        _source(tmp_path / "b.txt"),
        _source(tmp_path / "c.jsonl", phone="tel"),
        _source(tmp_path / "d.csv", delimiter="|"),
    ]
    suppressed, problems = load_suppression(files)
    for phone in ("375291111111", "375292222222", "79161234567", "375333333333", "375444444444"):
        assert phone in suppressed
    assert len(suppressed) == 5
    assert [(problem.location.file, problem.location.line) for problem in problems] == [("b.txt", 3)]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [("a.csv", b"tel\n375291234567\n", 1), ("a.csv", b"phone,x\n375291234567\n", 2), ("a.txt", b"12\n\x98\n", 2),
     ("a.csv", b"", 1), ("a.csv", b"PK\x03\x04", 1)],
)  # fmt: skip
def test_load_suppression_unreadable_file(name: str, content: bytes, line: int, tmp_path: Path) -> None:
    """A recipient who opted out could be in it: it is never skipped."""
    (tmp_path / name).write_bytes(content)
    _, problems = load_suppression([_source(tmp_path / name)])
    assert [(p.severity, p.code, p.location.line) for p in problems][-1] == ("error", "SUPPRESS_FILE", line)


def test_hash_opt_outs(tmp_path: Path) -> None:
    """The hash changes with the content of a file, and each time if a file cannot be read."""
    path = tmp_path / "a.csv"
    path.write_text("phone\n375291111111\n")
    before = hash_opt_outs([_source(path)])
    assert hash_opt_outs([_source(path)]) == before
    path.write_text("phone\n375292222222\n")
    assert hash_opt_outs([_source(path)]) != before
    path.unlink()
    assert hash_opt_outs([_source(path)]) != hash_opt_outs([_source(path)])
