"""The rescue file: its content, and which files are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.apply.rescue import read_rescue, write_rescue
from smsby_deploy.errors import UsageError
from smsby_deploy.lock.journal import ResultNotSaved
from smsby_deploy.lock.records import Lock
from tests.lock.examples import entry

_LOCK = Lock("shop", 1, "375291234567", {"a/b": entry()})  # a lineage that looks like a phone number
_EVENT: dict[str, Any] = {
    "event": "result",
    "chunks": [["a/b", 0]],
    "changes": {"state": "accepted", "uuid": "u"},
}


def test_write_rescue_saves_the_result_beside_the_lock(tmp_path: Path) -> None:
    """The error names the rescue file, which has the chunk's fingerprint and its outcome."""
    error = write_rescue(ResultNotSaved("No space left", _EVENT), _LOCK, tmp_path / "smsby.lock.json")
    (file,) = tmp_path.iterdir()
    assert str(file) in error.message
    assert f"`smsby-deploy lock rescue {file}`" in error.hint
    assert read_rescue(file)["results"] == [
        {"chunks": [["a/b", 0, "0000000000"]], "changes": {"state": "accepted", "uuid": "u"}}
    ]


def test_write_rescue_prints_what_no_disk_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If no disk accepts the file, the hint has its content unmasked: a masked digest could not be rescued."""

    def refuse(*args: object, **options: object) -> None:
        raise OSError("No space left")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    error = write_rescue(ResultNotSaved("No space left", _EVENT), _LOCK, tmp_path / "smsby.lock.json")
    file = tmp_path / "FILE"
    file.write_text(next(line for line in error.hint.splitlines() if line.startswith("{")))
    assert read_rescue(file)["lineage"] == "375291234567"


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format": "smsby-rescue"}', b"\xff"])
def test_read_rescue_refuses_other_files(tmp_path: Path, content: bytes) -> None:
    """A file that is not a rescue file is wrong usage."""
    (tmp_path / "FILE").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_rescue(tmp_path / "FILE")
    assert not re.search("codec|char 0", caught.value.message)  # words of Python
