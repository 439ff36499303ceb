"""Recipients in Parquet files: values as text, all files of a glob in order, problems at their row."""

from __future__ import annotations

import sys
from base64 import b64encode
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest
from pyarrow.parquet import ParquetWriter, write_table
from pyarrow.parquet.encryption import CryptoFactory, EncryptionConfiguration, KmsClient, KmsConnectionConfig

from smsby_deploy.config.declarations import Project
from smsby_deploy.config.project_loader import LoadedProject, load_project
from smsby_deploy.config.sources import RecipientsParquet
from smsby_deploy.plan.measure import measure_mailing
from smsby_deploy.plan.staleness import hash_inputs
from smsby_deploy.problems import Problem
from smsby_deploy.recipients import parquet
from smsby_deploy.recipients.parquet import read_parquet
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.texts.samples import sample_mailing
from tests.peak import measure_peak

CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: {parquet: lists/*.parquet}
    text: "{{ name }}, hello"
"""


def _write(folder: Path, file: str, /, **columns: Any) -> None:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(pa.table(columns), path, row_group_size=2)


def _load(folder: Path, campaign: str = CAMPAIGN) -> LoadedProject:
    (folder / "smsby.yaml").write_text("version: 1\nproject: shop\n", "utf-8")
    (folder / "sale.yaml").write_text(campaign, "utf-8")
    return load_project(folder)


def _project(folder: Path, campaign: str = CAMPAIGN) -> Project:
    loaded = _load(folder, campaign)
    assert not loaded.problems
    return loaded.project


def _problems(folder: Path, campaign: str = CAMPAIGN) -> tuple[Problem, ...]:
    project = _project(folder, campaign)
    return measure_mailing(project, project.mailings[0], PhoneSet()).problems


def test_parquet_glob_reads_files_by_name(tmp_path: Path) -> None:
    """The files of a glob are read by name and in batches, even with different columns, and each is an input of the plan."""
    _write(tmp_path, "lists/b.parquet", name=["Вера"], phone=["375293333333"])
    _write(
        tmp_path, "lists/a.parquet", phone=[375291111111, 375292222222, 375294444444], name=["A", "B", None]
    )
    project = _project(tmp_path)
    source = project.mailings[0].audience
    assert isinstance(source, RecipientsParquet)
    with patch.object(parquet, "BLOCK_ROWS", 2):
        blocks = list(read_parquet(source))
    assert [(block.columns, list(block.lines), block.cells) for block in blocks] == [
        (("phone", "name"), [1, 2], [["375291111111", "A"], ["375292222222", "B"]]),
        (("phone", "name"), [3], [["375294444444", ""]]),
        (("name", "phone"), [4], [["Вера", "375293333333"]]),
    ]
    assert set(hash_inputs(project, project.mailings)) == {
        "smsby.yaml", "sale.yaml", "lists/a.parquet", "lists/b.parquet"
    }  # fmt: skip


def test_parquet_values(tmp_path: Path) -> None:
    """An integral float has no point, a gap is empty, and times have microseconds, as data frames write them."""
    when = pa.array([datetime(2026, 12, 1, 10, tzinfo=UTC)], pa.timestamp("ns", "UTC"))
    _write(
        tmp_path, "lists/a.parquet", phone=[375291111111.0], gap=[float("nan")], price=[Decimal("12.50")],
        when=when, word=pa.array(["x"]).dictionary_encode(), yes=[True], tags=[["a"]], raw=[b"x"],
        at=pa.array([3600 * 10**9 + 1], pa.time64("ns")), seen=pa.array([b"x"], pa.binary_view()),
        a=[{"b": 1}], **{"a.b": ["z"]},
    )  # fmt: skip
    source = _project(tmp_path).mailings[0].audience
    assert isinstance(source, RecipientsParquet)
    (block,) = read_parquet(source)
    assert dict(zip(block.columns, block.cells[0], strict=True)) == {
        "phone": "375291111111", "gap": "", "price": "12.50", "when": "2026-12-01T10:00:00+00:00", "word": "x",
        "yes": "true", "at": "01:00:00", "a.b": "z",
    }  # fmt: skip


def test_parquet_floats_print_what_was_stored(tmp_path: Path) -> None:
    """A price is printed as it was stored, and a phone that has lost digits is an error, not another subscriber."""
    prices = {"price": pa.array([19.99], pa.float32()), "half": pa.array([19.98], pa.float16())}
    _write(tmp_path, "lists/a.parquet", phone=["375291111111"], name=["A"], **prices)
    source = _project(tmp_path).mailings[0].audience
    assert isinstance(source, RecipientsParquet)
    (block,) = read_parquet(source)
    assert block.cells == [["375291111111", "A", "19.99", "19.98"]]
    _write(tmp_path, "lists/a.parquet", phone=pa.array([375291234567.0]).cast(pa.float32()), name=["A"])
    assert [(one.code, "rounded" in one.message) for one in _problems(tmp_path)] == [("PHONE", True)]


def test_parquet_problem_names_file_and_row(tmp_path: Path) -> None:
    """An invalid phone or a text that cannot be rendered is placed at its row, even in the second file."""
    _write(tmp_path, "lists/a.parquet", phone=["375291111111", "375292222222"], name=["A", "B"])
    _write(tmp_path, "lists/b.parquet", phone=["375293333333", "12"], name=[None, "D"])
    phone, text = _problems(tmp_path)
    assert (phone.code, phone.location.file, phone.location.line) == ("PHONE", "lists/b.parquet", 2)
    assert (text.code, text.location.file, text.location.line) == ("TEMPLATE", "sale.yaml", 6)
    assert text.message.endswith("(lists/b.parquet:1)")
    _write(tmp_path, "lists/a.parquet", phone=["375291111111"], name=["A"])
    phone, text = _problems(tmp_path)
    assert (phone.location.file, phone.location.line) == ("lists/b.parquet", 2)
    assert text.message.endswith("(lists/b.parquet:1)")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("0", "TRUTH"),
        ("я" * 671, "TOO_LONG"),
        ("{x}", "PLACEHOLDER"),
        ("a — " + "b" * 99, "EXPENSIVE_CHARACTER"),
    ],
)
def test_parquet_row_within_a_message_is_that_of_its_file(value: str, code: str, tmp_path: Path) -> None:
    """A row within a message is replaced by that of its file, whatever else the message says."""
    _write(tmp_path, "lists/a.parquet", phone=["375291111111", "375292222222"], name=["A", "B"])
    _write(tmp_path, "lists/b.parquet", phone=["375293333333"], name=[value])
    campaign = CAMPAIGN.replace("{{ name }}", "{% if name %}{{ name }}{% endif %}")
    messages = [one.message for one in _problems(tmp_path, campaign) if one.code == code]
    assert len(messages) == 1
    assert "lists/b.parquet:1)" in messages[0]


def test_parquet_sample_problems_are_placed(tmp_path: Path) -> None:
    """`render` shows the rows that it can, and reports the rest."""
    _write(tmp_path, "lists/a.parquet", phone=["375291111111", "12"], name=["A", "B"])
    project = _project(tmp_path)
    found = sample_mailing(project, project.mailings[0], PhoneSet())
    assert [sample.text for sample in found.samples] == ["A, hello"]
    assert [(problem.location.file, problem.location.line) for problem in found.problems] == [
        ("lists/a.parquet", 2)
    ]


def test_parquet_unreadable_files(tmp_path: Path) -> None:
    """Text, a truncated file, a missing phone column, no usable columns and duplicate names are errors."""
    _write(tmp_path, "lists/a.parquet", phone=["375291111111"], name=["A"])
    good = (tmp_path / "lists/a.parquet").read_bytes()
    for content in (b"phone,name\n", b"", good[:-9], good[:40] + bytes(len(good) - 52) + good[-12:]):
        (tmp_path / "lists/b.parquet").write_bytes(content)
        (problem,) = _problems(tmp_path)
        assert (problem.code, problem.location.file) == ("RECIPIENTS", "lists/b.parquet")
        assert "cannot read the file as Parquet" in problem.message
    _write(tmp_path, "lists/b.parquet", tel=["375291111111"])
    assert [problem.message for problem in _problems(tmp_path)] == ["no column 'phone'; columns: tel"]
    _write(tmp_path, "lists/b.parquet", phone=[["375291111111"]])
    assert [problem.message for problem in _problems(tmp_path)] == [
        "no columns of text, numbers, dates or booleans"
    ]
    twice = pa.table([["375291111111"], ["375292222222"], ["B"]], names=["phone", "phone", "name"])
    write_table(twice, tmp_path / "lists/b.parquet")
    assert [problem.message for problem in _problems(tmp_path)] == ["duplicate column names: phone"]
    _write(tmp_path, "lists/b.parquet", phone=["375291111111"], name=["A"], Name=["B"])
    assert [problem.message for problem in _problems(tmp_path)] == ["duplicate column names: Name, name"]


def test_parquet_error_of_a_value_names_row_and_column(tmp_path: Path) -> None:
    """An unreadable value is an error with its row and column, and columns without a name are left out."""
    names = ["phone", "name", "", ""]
    table = pa.table([["375291111111", "375292222222"], ["A", "B\0"], ["x", "x"], ["y", "y"]], names=names)
    (tmp_path / "lists").mkdir()
    write_table(table, tmp_path / "lists/b.parquet")
    (problem,) = _problems(tmp_path)
    assert problem.message == "unsupported type of value (text with a NUL character) in name; correct it"
    assert (problem.location.file, problem.location.line) == ("lists/b.parquet", 2)


def test_parquet_with_encrypted_columns_is_refused(tmp_path: Path) -> None:
    """A file with encrypted columns is refused, since pyarrow would end the whole process at one."""
    factory = CryptoFactory(lambda _: _OpenKeys())
    config = EncryptionConfiguration(footer_key="f", column_keys={"c": ["name"]}, plaintext_footer=True)
    properties = factory.file_encryption_properties(KmsConnectionConfig(), config)
    table = pa.table([["375291111111"], ["A"]], names=["phone", "name"])
    (tmp_path / "lists").mkdir()
    with ParquetWriter(
        tmp_path / "lists/a.parquet", table.schema, encryption_properties=properties
    ) as writer:
        writer.write_table(table)
    (problem,) = _problems(tmp_path)
    assert problem.message == "its columns are encrypted; write the file without encryption"


class _OpenKeys(KmsClient):  # type: ignore[misc]  # pyarrow has no types
    """Keys that are not secret."""

    def wrap_key(self, key: bytes, _master: str) -> bytes:
        return b64encode(key)


def test_parquet_paths_outside_the_project(tmp_path: Path) -> None:
    """A glob without a match, one that leaves the project, and a link out of it are errors."""
    root = tmp_path / "shop"
    root.mkdir()

    def code(parquet: str) -> list[str]:
        return [
            problem.code for problem in _load(root, CAMPAIGN.replace("lists/*.parquet", parquet)).problems
        ]

    assert code("lists/*.parquet") == ["FILE_MISSING"]
    assert code("lists/a.parquet") == ["FILE_MISSING"]
    _write(tmp_path, "out/a.parquet", phone=["375291111111"])
    (root / "lists").symlink_to(tmp_path / "out")
    for name in (
        "lists/*.parquet",
        "lists/a.parquet",
        "../out/a.parquet",
        "../out/*",
        "../none/*",
        f"{tmp_path}/out/*",
    ):
        assert set(code(name)) == {"PATH_OUTSIDE"}, name


def test_parquet_directory_is_an_error(tmp_path: Path) -> None:
    """A directory named like a Parquet file, as Spark writes it, is an error."""
    (tmp_path / "lists/a.parquet").mkdir(parents=True)
    (problem,) = _load(tmp_path, CAMPAIGN.replace("*", "a")).problems
    assert (problem.code, problem.message) == (
        "FILE_MISSING",
        "lists/a.parquet is a directory, expected a file",
    )


def test_parquet_names_the_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If pyarrow is missing, the error has the command that installs it."""
    _write(tmp_path, "lists/a.parquet", phone=["375291111111"], name=["A"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (problem,) = _problems(tmp_path)
    assert (problem.code, problem.location.file, problem.location.line) == ("EXTRA", "sale.yaml", 5)
    assert "pip install 'smsby-deploy[parquet]'" in problem.message


@pytest.mark.slow
def test_parquet_memory_does_not_grow(tmp_path: Path) -> None:
    """Ten times the rows in one row group take hardly more memory, as a few pages are read at a time."""
    found = []
    for count in (20_000, 200_000):
        folder = tmp_path / str(count)
        (folder / "lists").mkdir(parents=True)
        phones = [str(375290000000 + number) for number in range(count)]
        names = [f"{number:0200}" for number in range(count)]
        write_table(
            pa.table({"phone": phones, "name": names}), folder / "lists/all.parquet", row_group_size=count
        )
        _project(folder)
        recipients, kilobytes = measure_peak(folder)
        assert recipients == count
        found.append(kilobytes)
    # The rows alone would take 60,000, the largest dictionary takes 8,000.
    assert found[1] - found[0] < 12_000
