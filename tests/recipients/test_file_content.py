"""file_content: pinned lists are the reviewed ones, and encrypted ones are decrypted in memory only."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from smsby_deploy.config.sources import HiddenText, Pin, RecipientsFile
from smsby_deploy.problems import Location
from smsby_deploy.recipients.file_content import find_content
from smsby_deploy.recipients.list_files import read_list_file
from smsby_deploy.recipients.rows import RecipientsError, SourceFacts

pyrage = pytest.importorskip("pyrage")

_AT = Location("sale.yaml", 5, 17)
_PIN_AT = Location("sale.yaml", 5, 40)
_LIST = "phone,name\n375291111111,Анна\n"


def _source(path: Path, sha256: str = "", copy: Path | None = None, identity: str = "") -> RecipientsFile:
    return RecipientsFile(
        path, f"lists/{path.name}", "phone", _AT,
        pin=Pin(sha256, _PIN_AT, copy) if sha256 else None, identity=HiddenText(identity) if identity else None,
    )  # fmt: skip


def _cells(source: RecipientsFile, facts: SourceFacts | None = None) -> list[list[str]]:
    return [row for block in read_list_file(source, facts or SourceFacts()) for row in block.cells]


def _refusal(source: RecipientsFile) -> RecipientsError:
    with pytest.raises(RecipientsError) as caught:
        _cells(source)
    return caught.value


def test_pinned_list_is_the_reviewed_one(tmp_path: Path) -> None:
    """Changed content is an error at the pin, which does not show the new digest."""
    path = tmp_path / "vip.csv"
    path.write_text(_LIST, encoding="utf-8")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert _cells(_source(path, digest)) == [["375291111111", "Анна"]]
    path.write_text(_LIST + "375292222222,Bob\n", encoding="utf-8")
    error = _refusal(_source(path, digest))
    assert (error.code, error.location) == ("PIN", _PIN_AT)
    assert "smsby-deploy pin lists/vip.csv" in str(error)
    assert hashlib.sha256(path.read_bytes()).hexdigest()[:8] not in str(error)


def test_older_list_is_found_by_its_digest(tmp_path: Path) -> None:
    """A comparison with the base reads the older list by the digest that the base pinned."""
    old, new = _LIST.encode(), f"{_LIST}375292222222,Bob\n".encode()
    digest = hashlib.sha256(old).hexdigest()
    path, copy = tmp_path / "vip.csv", tmp_path / digest
    path.write_bytes(new)
    copy.write_bytes(old)
    assert len(_cells(_source(path, digest, copy))) == 1
    copy.write_bytes(new)
    assert _refusal(_source(path, digest, copy)).code == "PIN"


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("vip.csv.age", _LIST.encode("cp1251"), [["375291111111", "Анна"]]),
        ("vip.jsonl.AGE", b'{"phone": "375291111111"}\n', [["375291111111"]]),
        ("vip.txt.age", b"375291111111\n", [["375291111111"]]),
    ],
)
def test_encrypted_list_is_read_by_its_inner_name(
    name: str, content: bytes, rows: list[list[str]], tmp_path: Path
) -> None:
    """An encrypted list is read by its inner name with an age identity; encodings are guessed, and no file is written."""
    identity, other = (pyrage.x25519.Identity.generate() for _ in range(2))
    path = tmp_path / name
    path.write_bytes(pyrage.encrypt(content, [identity.to_public()]))
    source = _source(path, identity=f"# created: now\n{other}\n{identity}\n")
    assert _cells(source, facts := SourceFacts()) == rows
    assert facts.guessed_encoding == ("cp1251" if "csv" in name else None)
    assert list(tmp_path.iterdir()) == [path]
    assert str(identity) not in repr(source)


def test_list_that_cannot_be_decrypted(tmp_path: Path) -> None:
    """A missing, wrong or unusable identity and a damaged list are each reported, without any secret."""
    identity = pyrage.x25519.Identity.generate()
    path = tmp_path / "vip.csv.age"
    path.write_bytes(pyrage.encrypt(_LIST.encode(), [identity.to_public()]))
    other = str(pyrage.x25519.Identity.generate())
    for secret, why in (
        ("", "set SMSBY_AGE"),
        (other, "not encrypted for"),
        ("not a key", "no age identity"),
    ):
        error = _refusal(_source(path, identity=secret))
        assert (error.code, error.location) == ("AGE", _AT)
        assert why in str(error)
        assert not secret or secret not in str(error)
    path.write_bytes(path.read_bytes()[:-3])
    assert _refusal(_source(path, identity=str(identity))).code == "AGE"


def test_list_that_is_elsewhere(tmp_path: Path) -> None:
    """If a list is in another folder, the variable with that folder is named."""
    source = _source(tmp_path / "vip.csv", "0" * 64)._replace(is_elsewhere=True, folder_env="LISTS")
    with pytest.raises(RecipientsError, match="LISTS is not set") as caught:
        find_content(source)
    assert caught.value.code == "FILE_MISSING"
    assert source.unset_variable == "LISTS"
