"""Attacks that would keep a pipeline busy for hours, or fill its memory or its log."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow.parquet import ParquetFile, write_table

from smsby_deploy.cli.main import run
from smsby_deploy.config import yaml_nodes
from smsby_deploy.config.scalars import has_nested_repeats
from smsby_deploy.output.ci_reports import github_annotations, list_findings
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients import list_files
from smsby_deploy.recipients.rows import LONGEST_VALUE
from smsby_deploy.texts import includes, pattern_search
from tests.recipients.parquet_files import lying_about


def _project(folder: Path, settings: str = "", text: str = "Hello") -> list[str]:
    (folder / "smsby.yaml").write_text(f"version: 1\nproject: shop\n{settings}", "utf-8")
    (folder / "sale.yaml").write_text(
        f'version: 1\ncampaign: sale\nmailings:\n  - {{name: vip, recipients: ["375291234567"], text: "{text}"}}\n',
        "utf-8",
    )
    return ["-C", str(folder)]


def test_templates_that_include_each_other_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates that include each other 2**31 times are read once each, and rendering reaches its limit."""
    (tmp_path / "templates").mkdir()
    for number in range(31):
        twice = f"{{% include 't{number + 1}' %}}" * 2
        (tmp_path / f"templates/t{number}").write_text(twice, "utf-8")
    (tmp_path / "templates/t31").write_text("x", "utf-8")
    read: list[str] = []
    read_included = includes._read_included
    monkeypatch.setattr(
        includes, "_read_included", lambda name, *rest: read.append(name) or read_included(name, *rest)
    )
    assert run([*_project(tmp_path, text="{% include 't0' %}"), "validate"]) == 3
    assert len(read) == len(set(read)) == 32


@pytest.mark.parametrize(
    "more",
    [
        "x: [" + "[]," * 200 + "]",
        "x: [" + "y," * 200 + "]",
        "".join(f"x{number}: 1\n" for number in range(200)),
        "".join(f"x{number}: {{{', '.join(f'x{one}: 1' for one in range(20))}}}\n" for number in range(20)),
    ],
)
def test_yaml_of_too_many_values_is_refused(
    more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A 20 MB file with six million YAML values is refused, as long lists of rows belong into CSV."""
    monkeypatch.setattr(yaml_nodes, "_MAX_NODES", 100)
    arguments = _project(tmp_path)
    assert run([*arguments, "validate"]) == 0
    with (tmp_path / "sale.yaml").open("a", encoding="utf-8") as file:
        file.write(more)
    assert run([*arguments, "validate"]) == 3
    assert "YAML more than 100 values in one file" in capsys.readouterr().out


def test_yaml_of_too_many_values_in_all_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The limit of YAML values is for all files together, and no file is parsed after it is exceeded."""
    monkeypatch.setattr(yaml_nodes, "_MAX_IN_ALL", 100)
    arguments = _project(tmp_path)
    campaign = "version: 1\ncampaign: c{0}\nmailings:\n- {{name: m, text: Hi, recipients: [{1}]}}\n"
    for number in range(5):
        phones = ", ".join(f'"37529{number:03d}{one:04d}"' for one in range(40))
        (tmp_path / f"c{number}.yaml").write_text(campaign.format(number, phones), "utf-8")
    (tmp_path / "c4.yaml").write_text("not: [parsed", "utf-8")
    assert run([*arguments, "validate"]) == 3
    out = capsys.readouterr().out
    refused = [
        line.partition(": error")[0] for line in out.splitlines() if "values in all campaign files" in line
    ]
    assert refused == ["c2.yaml:1:1", "c3.yaml:1:1", "c4.yaml:1:1", "sale.yaml:1:1"]


def test_glob_with_many_wildcards(tmp_path: Path) -> None:
    """Folders are walked once for 20 `**` in a tree of 12 levels, where pathlib would never finish."""
    tmp_path.joinpath(*(["d"] * 12)).mkdir(parents=True)
    pattern = "/".join(["**", "d"] * 20 + ["*.yaml"])
    assert run([*_project(tmp_path, f"campaigns: ['*.yaml', '{pattern}']\n"), "validate"]) == 0


@pytest.mark.parametrize(
    "pattern", ["(a+)+", "(\\w+\\s*)*!", "((x|y+)*z)", "(a{2,5})+", "(?=(a*)*b)", "(?:(?:a*)b)+?"]
)
def test_pattern_that_doubles_its_time_is_refused(
    pattern: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pattern with an unlimited repeat within another is refused at its place."""
    settings = f"guardrails:\n  forbidden_words: ['{pattern}']\n"
    assert run([*_project(tmp_path, settings, "a" * 60 + "!"), "plan", "--offline"]) == 3
    assert "smsby.yaml:4:" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["guardrails", "tests"])
def test_pattern_that_takes_for_ever_is_stopped(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`(a|aa)+`, which doubles its time without a nested repeat, is stopped after a while with an error."""
    monkeypatch.setattr(pattern_search, "MOST_SECONDS", 0.1)
    settings = "guardrails: {forbidden_words: ['(a|aa)+$']}\n" if place == "guardrails" else ""
    project = _project(tmp_path, settings, "a" * 60 + "!")
    if place == "tests":
        campaign = tmp_path / "sale.yaml"
        tested = campaign.read_text("utf-8").replace("}\n", ", tests: [{all: true, matches: '(a|aa)+$'}]}\n")
        campaign.write_text(tested, "utf-8")
    assert run([*project, "plan", "--offline"]) == 3
    assert "processor time for one text; simplify it" in capsys.readouterr().out


@pytest.mark.parametrize(
    "pattern", ["скидк\\w*", "(?:a|b)+", "(\\d\\W*){12}", "\\btest\\b.*", "(,?\\d)+", "(a{3})+"]
)
def test_pattern_with_separate_repeats_is_allowed(pattern: str) -> None:
    """A pattern with separate repeats is accepted."""
    assert not has_nested_repeats(pattern)


def test_annotations_do_not_fill_the_log() -> None:
    """Of any number of problems, each level has ten annotations and at most a thousand lines after them."""
    problems = [
        Problem(severity, "ROW", "wrong", location=Location("vip.csv", line))
        for severity in Severity
        for line in range(1, 5_000)
    ]
    lines = github_annotations(list_findings(problems)).splitlines()
    assert len(lines) == 3 * (10 + 1_000 + 1)
    assert lines[-1].endswith("more; --format json lists them all")


def _csv(folder: Path, value: str) -> str:
    (folder / "vip.csv").write_text(f"phone,about\n375291234567,{value}\n", "utf-8")
    return "{file: vip.csv}"


def _quoted(folder: Path, value: str) -> str:
    (folder / "vip.csv").write_text(f'phone,about\n375291234567,"{value}"\n', "utf-8")
    return "{file: vip.csv}"


def _many_lines(folder: Path, value: str) -> str:
    """Write the value as many lines, none of which is long."""
    return _quoted(folder, "\n".join(["1" * 9] * (len(value) // 10)) + "1" * (len(value) % 10 + 1))


def _json_lines(folder: Path, value: str) -> str:
    row = json.dumps({"phone": "375291234567", "about": value})
    (folder / "vip.jsonl").write_text(row, "utf-8")
    return "{file: vip.jsonl}"


def _one_phone(folder: Path, value: str) -> str:
    (folder / "vip.txt").write_text("375291234567" + " " * (len(value) - 13) + "1\n", "utf-8")
    return "{file: vip.txt}"


def _inline(folder: Path, value: str) -> str:
    return f"[{{phone: '375291234567', about: '{value}'}}]"


def _sql(folder: Path, value: str) -> str:
    connection = sqlite3.connect(folder / "vip.db")
    connection.execute("create table vip (phone text, about text)")
    connection.execute("insert into vip values ('375291234567', ?)", (value,))
    connection.commit()
    connection.close()
    return "{sql: 'select * from vip', url_env: VIP_URL, order_by: phone}"


def _parquet(folder: Path, value: str) -> str:
    write_table(pa.table({"phone": ["375291234567"], "about": [value]}), folder / "vip.parquet")
    return "{parquet: vip.parquet}"


@pytest.mark.parametrize(
    "write", [_csv, _quoted, _many_lines, _json_lines, _one_phone, _inline, _sql, _parquet]
)
def test_value_of_millions_of_characters(
    write: Callable[[Path, str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From any source, a value of over 10,000 characters is an error at its row, and one of 10,000 is not."""
    monkeypatch.setenv("VIP_URL", f"sqlite:///{tmp_path}/vip.db")
    arguments = [*_project(tmp_path), "plan", "--offline"]
    campaign = tmp_path / "sale.yaml"
    text = campaign.read_text("utf-8")
    campaign.write_text(text.replace('["375291234567"]', write(tmp_path, "1" * (LONGEST_VALUE + 1))), "utf-8")
    assert run(arguments) == 3
    assert "has 10,001 characters" in capsys.readouterr().out
    (tmp_path / "vip.db").unlink(missing_ok=True)
    campaign.write_text(text.replace('["375291234567"]', write(tmp_path, "1" * LONGEST_VALUE)), "utf-8")
    expected = 3 if write is _one_phone else 0
    assert run(arguments) == expected
    assert "characters" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["vip.csv", "vip.txt", "vip.jsonl"])
@pytest.mark.parametrize("start", ["", "phone,about\n375291234567,x\n", 'phone,about\n375291234567,"x"\n'])
@pytest.mark.parametrize("place", ["recipients", "suppress"])
def test_file_that_never_ends_a_line(
    place: str, name: str, start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that never ends a line is refused where the line begins."""
    if name != "vip.csv":
        start = "375291234567\n" if start and name == "vip.txt" else ""
    (tmp_path / name).write_text(start + "x" * (1 << 20), "utf-8")
    _project(tmp_path, f"suppress: [{name}]\n" if place == "suppress" else "")
    if place == "recipients":
        campaign = tmp_path / "sale.yaml"
        text = campaign.read_text("utf-8")
        campaign.write_text(text.replace('["375291234567"]', f"{{file: {name}}}"), "utf-8")
    assert run(["-C", str(tmp_path), "validate"]) == 3
    shown = capsys.readouterr().out
    assert f"{name}:{start.count(chr(10)) + 1}" in shown
    assert "this line has more than 100,000 characters" in shown


def test_cell_that_is_open_until_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cell that is open until the end is refused, even if its lines are short, before it fills the memory."""
    monkeypatch.setattr(list_files, "_LARGEST_BLOCK", 1 << 20)
    (tmp_path / "vip.csv").write_text("phone,about\n" + '"1\n",' * 400_000 + "x\n", "utf-8")
    arguments = [*_project(tmp_path), "validate"]
    campaign = tmp_path / "sale.yaml"
    campaign.write_text(campaign.read_text("utf-8").replace('["375291234567"]', "{file: vip.csv}"), "utf-8")
    assert run(arguments) == 3
    assert "vip.csv:2" in (shown := capsys.readouterr().out)
    assert "the rows from this line on have more than" in shown


def test_file_that_begins_with_a_million_blank_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that begins with a million blank lines is refused, since putting them back would take quadratic time."""
    (tmp_path / "vip.csv").write_text("\n" * 1_000_000 + "phone\n375291234567\n", "utf-8")
    arguments = [*_project(tmp_path), "validate"]
    campaign = tmp_path / "sale.yaml"
    campaign.write_text(campaign.read_text("utf-8").replace('["375291234567"]', "{file: vip.csv}"), "utf-8")
    assert run(arguments) == 3
    assert "begins with more than 1,000 blank lines" in capsys.readouterr().out


def test_parquet_file_that_unpacks_to_gigabytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A Parquet file of kilobytes that unpacks to gigabytes is refused by its own metadata, before unpacking."""
    about = pa.array(["x" * (1 << 20)] * 100)
    table = pa.table({"phone": [str(375291234500 + row) for row in range(100)], "about": about})
    write_table(table, tmp_path / "vip.parquet", use_dictionary=False, compression="zstd")
    assert (tmp_path / "vip.parquet").stat().st_size < 100_000
    arguments = [*_project(tmp_path), "plan", "--offline"]
    campaign = tmp_path / "sale.yaml"
    text = campaign.read_text("utf-8")
    campaign.write_text(text.replace('["375291234567"]', "{parquet: vip.parquet}"), "utf-8")
    assert run(arguments) == 3
    assert "error RECIPIENTS sale/vip: the column about unpacks to 100 MB" in capsys.readouterr().out


def test_parquet_file_that_lies_about_its_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A Parquet file whose metadata says 1 kB is refused by the header of its page, before unpacking."""
    path = tmp_path / "vip.parquet"
    table = pa.table({"phone": ["375291234567"], "about": ["x" * (100 << 20)]})
    write_table(table, path, use_dictionary=False, compression="zstd", write_statistics=False)
    size = ParquetFile(path).metadata.row_group(0).column(1).total_uncompressed_size
    path.write_bytes(lying_about(path.read_bytes(), size, 1000))
    assert path.stat().st_size < 20_000
    arguments = [*_project(tmp_path), "plan", "--offline"]
    campaign = tmp_path / "sale.yaml"
    text = campaign.read_text("utf-8")
    campaign.write_text(text.replace('["375291234567"]', "{parquet: vip.parquet}"), "utf-8")
    assert run(arguments) == 3
    assert "error RECIPIENTS sale/vip: the column about unpacks to 100 MB" in capsys.readouterr().out


_PEAK = """\
import re, sys
from smsby_deploy.cli.main import run
code = run(sys.argv[1:])
print(int(re.search("VmHWM: *\\t* *([0-9]+)", open("/proc/self/status").read())[1]) // 1024, code)
"""


@pytest.mark.parametrize(
    ("encoding", "why"),
    [(None, "the value of about has 10,001 characters"), ("DELTA_BYTE_ARRAY", "may unpack to any size")],
)
def test_parquet_value_that_every_row_repeats(tmp_path: Path, encoding: str | None, why: str) -> None:
    """A value of 2 MB that every row refers to, or repeats as a prefix, is not written out for each."""
    long = pa.array(["x" * (2 << 20)])
    about = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), long)
    table = pa.table({"phone": [str(375291234500 + row) for row in range(1000)], "about": about})
    if encoding is None:
        write_table(table, tmp_path / "vip.parquet")
    else:
        some = table.slice(0, 300).cast(pa.schema({"phone": pa.string(), "about": pa.string()}))
        write_table(
            some,
            tmp_path / "vip.parquet",
            use_dictionary=False,
            column_encoding={"about": encoding},
            write_statistics=False,
        )
    arguments = [*_project(tmp_path), "plan", "--offline"]
    campaign = tmp_path / "sale.yaml"
    text = campaign.read_text("utf-8")
    campaign.write_text(text.replace('["375291234567"]', "{parquet: vip.parquet}"), "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, *arguments], capture_output=True, text=True, check=True
    )
    megabytes, code = map(int, done.stdout.splitlines()[-1].split())
    assert code == 3
    assert why in done.stdout
    assert megabytes < 600
