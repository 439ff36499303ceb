"""Absurd values, which would crash or hang a program, are errors in the files."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow.parquet import write_table

from smsby_deploy.cli.main import run
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.response import read_decimal
from tests.smsby.conftest import FakeServer, Reply

_DIGITS = "9" * 5000


def _plan(folder: Path, settings: str = "", mailing: str = "", recipients: str = "['375291234567']") -> int:
    (folder / "smsby.yaml").write_text(f"version: 1\nproject: shop\n{settings}", "utf-8")
    (folder / "sale.yaml").write_text(
        "version: 1\ncampaign: sale\nmailings:\n"
        f"  - name: vip\n    recipients: {recipients}\n{mailing or '    text: Hello'}\n",
        "utf-8",
    )
    return run(["-C", str(folder), "plan", "--offline"])


@pytest.mark.parametrize("number", [_DIGITS, "1e999999999", "999999999999999999", "-1"])
@pytest.mark.parametrize(
    "settings",
    [
        "api: {timeout_seconds: N}",
        "api: {requests_per_second: N}",
        "api: {reconcile_seconds: N}",
        "api: {recipients_per_request: N}",
        "api: {concurrency: N}",
        "price: {currency: BYN, per_part: N}",
        "guardrails: {min_lead_minutes: N}",
        "guardrails: {max_parts: N}",
        "guardrails: {max_cost: N}\nprice: {currency: BYN, per_part: 1}",
        "guardrails: {budget: N}\nprice: {currency: BYN, per_part: 1}",
        "max_late: Nd",
        "status: {settle_after: Nd}",
    ],
)
def test_enormous_number_in_the_settings(
    settings: str, number: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An enormous number in the settings is an error with its place."""
    assert _plan(tmp_path, settings.replace("N", number)) == 3
    assert "smsby.yaml:3:" in "".join(capsys.readouterr())


@pytest.mark.parametrize("mailing", ["revision: N", "max_late: Nd", "schedule_time: N", "alphaname: N"])
def test_enormous_number_in_a_mailing(mailing: str, tmp_path: Path) -> None:
    """An enormous number as a sender is a name like any other."""
    code = _plan(tmp_path, mailing=f"    text: Hello\n    {mailing.replace('N', _DIGITS)}")
    assert code == (0 if "alphaname" in mailing else 3)


@pytest.mark.parametrize("number", [_DIGITS, "1e100000000", "1e-100000000", "9" * 400 + "." + "9" * 400])
@pytest.mark.parametrize("filter", ["int", "decimal", "money", "int + 1", "decimal * 2", "decimal | money"])
def test_enormous_number_in_a_row(filter: str, number: str, tmp_path: Path) -> None:
    """Whatever is computed with an enormous number in a row, the result is not sent as a text."""
    for name, row in (
        ("vip.csv", f"phone,n\n375291234567,{number}\n"),
        ("vip.jsonl", f'{{"phone": "375291234567", "n": {number}}}'),
    ):
        (tmp_path / name).write_text(row, "utf-8")
        text = f"    text: '{{{{ n | {filter} }}}}'"
        assert _plan(tmp_path, mailing=text, recipients=f"{{file: {name}}}") in (0, 3)


def test_enormous_decimal_in_parquet(tmp_path: Path) -> None:
    amounts = pa.array([Decimal("9" * 76)], pa.decimal256(76, 0))
    write_table(pa.table({"phone": ["375291234567"], "n": amounts}), tmp_path / "vip.parquet")
    assert _plan(tmp_path, mailing="    text: '{{ n | money }}'", recipients="{parquet: vip.parquet}") == 3


@pytest.mark.parametrize("path", ['"a\\0b.csv"', '"a\\x00b.csv"', '"a\\u0000b"', "a" * 300, "a" * 5000])
@pytest.mark.parametrize("place", ["file", "include", "text_file", "suppress", "lock", "campaigns"])
def test_path_that_no_file_can_have(place: str, path: str, tmp_path: Path) -> None:
    """A path with a NUL is not read at all, and one that is too long does not exist."""
    if place == "file":
        assert _plan(tmp_path, recipients=f"{{file: {path}}}") == 3
    elif place == "include":
        included = path.strip('"').replace("\\0", "\\x00")
        assert _plan(tmp_path, mailing=f"    text: '{{% include \"{included}\" %}}'") == 3
    elif place == "text_file":
        assert _plan(tmp_path, mailing=f"    text_file: {path}") == 3
    elif "\\" in path or place == "suppress":
        assert _plan(tmp_path, f"{place}: " + (path if place == "lock" else f"[{path}]")) == 3
    else:
        assert _plan(tmp_path, f"{place}: " + (path if place == "lock" else f"[{path}]")) in (0, 3)


@pytest.mark.parametrize("character", ["\x1b", "\n", "\x9b", "\u202e", "\u2028"])
@pytest.mark.parametrize(
    "place", ["campaign", "folder", "file", "parquet", "include", "text_file", "suppress", "lock"]
)
def test_file_name_with_a_control_character(
    place: str, character: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file name with a control character makes no plan that apply would refuse, and is shown escaped with its place."""
    name = f"a{character}b.csv"
    (tmp_path / name).write_text("phone\n375291234567\n", "utf-8")
    write_table(pa.table({"phone": ["375291234567"]}), tmp_path / f"a{character}b.parquet")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / name).write_text("Hello", "utf-8")
    quoted = json.dumps(name)
    if place in ("campaign", "folder"):
        other = tmp_path / ("d" if place == "campaign" else f"d{character}")
        other.mkdir()
        campaign = other / (f"a{character}b.yaml" if place == "campaign" else "b.yaml")
        campaign.write_text("version: 1\ncampaign: other\nmailings: []\n", "utf-8")
    arguments = {
        "file": {"recipients": f"{{file: {quoted}}}"},
        "parquet": {"recipients": '{parquet: "*.parquet"}'},
        "include": {"mailing": "    text: " + json.dumps(f"{{% include '{name}' %}}")},
        "text_file": {"mailing": f"    text_file: {quoted}"},
        "suppress": {"settings": f"suppress: [{quoted}]"},
        "lock": {"settings": f"lock: {quoted}"},
    }
    assert _plan(tmp_path, **arguments.get(place, {})) == 3
    shown = "".join(capsys.readouterr())
    escaped = f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"
    assert f"the name {'d' if place in ('campaign', 'folder') else 'a'}" in shown and escaped in shown
    assert run(["-C", str(tmp_path), "validate"]) == 3


@pytest.mark.parametrize("path", ["x" * 300, "x/" * 600 + "x"])
@pytest.mark.parametrize(
    "arguments",
    [
        "plan --out N",
        "plan --compare N",
        "plan -C N",
        "apply --report N",
        "status --out N",
        "lock rescue N",
        "api getBalance --input N",
        "init N",
        "sandbox --data N",
    ],
)
def test_path_on_the_command_line_that_no_file_can_have(
    arguments: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An impossible path on the command line is wrong usage before anything is done."""
    assert _plan(tmp_path) == 0
    monkeypatch.chdir(tmp_path)
    assert run([path if word == "N" else word for word in arguments.split()]) == 64


def test_names_of_almost_255_bytes_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of almost 255 bytes can be written, as temporary files have shorter names; a lock leaves room for its own."""
    assert _plan(tmp_path) == 0
    name = "Ж" * 127
    assert run(["-C", str(tmp_path), "plan", "--offline", "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / name).exists()
    assert _plan(tmp_path, settings=f"lock: {'x' * 250}") == 3


@pytest.mark.parametrize(
    "amount", ['"1e100000000"', '"1e-100000000"', '"0e100000000"', "1e100000000", _DIGITS, '"NaN"']
)
def test_balance_with_a_hundred_million_zeros(wire: FakeServer, reader: ReadClient, amount: str) -> None:
    """A balance with a hundred million zeros is no balance, instead of one that takes minutes to print."""
    wire.answers(*[Reply(200, f'{{"balance": {amount}, "currency": "BYN"}}'.encode())] * 4)
    with pytest.raises(SmsbyDeployError):
        reader.get_balance()
    assert read_decimal("1e100000000") is None
    assert read_decimal("-12345.67890") == Decimal("-12345.67890")
