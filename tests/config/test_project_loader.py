"""project_loader: files are read as written, and every mistake is reported at its place."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from smsby_deploy.cli.main import run
from smsby_deploy.config.project_loader import LoadedProject, load_project
from smsby_deploy.config.sources import InlineRecipients, RecipientsQuery
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.resources import sample_project, schema_file
from tests.config.one_campaign import CAMPAIGN, HEAD

HERE = Path(__file__).resolve().parent
BROKEN = sorted((HERE / "broken").glob("*.yaml"))


def _load(folder: Path, campaign: str = CAMPAIGN, project: str = HEAD) -> LoadedProject:
    (folder / "smsby.yaml").write_text(project, encoding="utf-8")
    (folder / "sale.yaml").write_text(campaign, encoding="utf-8")
    return load_project(folder)


def _only(loaded: LoadedProject) -> Problem:
    (problem,) = loaded.problems
    return problem


@pytest.mark.parametrize("pattern", ["sale.yaml", "./sale.yaml", "'sale.yaml'", '"*.yaml"', "s*.yaml"])
def test_campaign_pattern_without_quotes(pattern: str, tmp_path: Path) -> None:
    """A pattern without quotes is accepted, even one that is only a file name."""
    loaded = _load(tmp_path, project=HEAD + f"campaigns: [{pattern}]\n")
    assert [campaign.name for campaign in loaded.project.campaigns] == ["sale"]


def _rejected_by_check_jsonschema(schema: str, *files: Path) -> set[Path]:
    command = [
        *(sys.executable, "-m", "check_jsonschema", "--output-format", "json"),
        *("--schemafile", str(schema_file(schema)), *map(str, files)),
    ]
    done = subprocess.run(command, capture_output=True, check=False)
    report = json.loads(done.stdout)
    return {Path(error["filename"]) for error in [*report["errors"], *report.get("parse_errors", [])]}


@pytest.fixture(scope="module")
def rejected() -> set[Path]:
    """The broken files that check-jsonschema rejects, found in one call."""
    return _rejected_by_check_jsonschema("campaign", *BROKEN)


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_broken_campaign_fails_in_two_validators(path: Path, tmp_path: Path, rejected: set[Path]) -> None:
    """The loader reports a broken file with line and column, and check-jsonschema rejects it with the same schema."""
    loaded = _load(tmp_path, path.read_text(encoding="utf-8"))
    assert loaded.problems
    assert all(
        problem.location.file == "sale.yaml" and problem.location.line and problem.location.column
        for problem in loaded.problems
    )
    assert not loaded.project.campaigns
    assert path in rejected


def test_broken_campaigns_are_there() -> None:
    """There are enough broken files, so that the tests of them cannot become empty unnoticed."""
    assert len(BROKEN) >= 15


def test_sample_project_passes_two_validators() -> None:
    """check-jsonschema and the loader accept every file of the sample project."""
    root = sample_project()
    campaigns = [path for path in root.glob("*.yaml") if path.name != "smsby.yaml"]
    assert len(campaigns) >= 4
    assert _rejected_by_check_jsonschema("campaign", *campaigns) == set()
    assert _rejected_by_check_jsonschema("project", root / "smsby.yaml") == set()
    assert load_project(root).problems == ()
    for path in [*campaigns, root / "smsby.yaml"]:
        assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema="), path


@pytest.mark.parametrize(
    "written", ["+375291234567", "0291234567", "375291234567", '"375291234567"', "80291234567"]
)
def test_inline_phone_stays_as_written(written: str, tmp_path: Path) -> None:
    """An unquoted inline phone keeps its digits, plus sign and zeros."""
    loaded = _load(tmp_path, CAMPAIGN.replace('"375291234567"', written))
    audience = loaded.project.mailings[0].audience
    assert isinstance(audience, InlineRecipients)
    assert audience.rows[0]["phone"] == written.strip('"')


@pytest.mark.parametrize("written", ["22:00", "NO", "2026-01-01", "0123", "1e3", "0x1F", "yes", "1_000"])
def test_scalar_stays_text(written: str, tmp_path: Path) -> None:
    """A scalar is read as the author wrote it wherever text is expected."""
    loaded = _load(
        tmp_path,
        CAMPAIGN.replace('["375291234567"]', f"[{{phone: 375291234567, code: {written}}}]").replace(
            "Hello", written
        ),
    )
    mailing = loaded.project.mailings[0]
    assert isinstance(mailing.audience, InlineRecipients)
    assert mailing.audience.rows[0]["code"] == written
    assert mailing.text is not None
    assert mailing.text.text == written


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        (CAMPAIGN + "campaign: again\n", 7, 1, "duplicate key"),
        (CAMPAIGN.replace("  - name", "\t- name"), 4, 1, "tab"),
        ("a: &a [x, x]\nb: &b [*a, *a]\n", 1, 1, "unknown key"),
        (CAMPAIGN + "---\nb: 1\n", 7, 1, "only one"),
        (CAMPAIGN + "x: !!python/name:os.system\n", 7, 4, "tags"),
        ("- a\n", 1, 1, "mapping"),
        (CAMPAIGN.replace("text: Hello", "text: null"), 6, 11, "nothing"),
        (CAMPAIGN.replace("recipients:", "recipents:"), 5, 5, "did you mean recipients?"),
        (CAMPAIGN.replace("Hello", "Sale: 50%"), 6, 15, "in quotes"),
        (CAMPAIGN.replace("Hello", "{{ name }}, hi"), 6, 12, "in quotes"),
        (CAMPAIGN.replace("Hello", "%NAME%, hi"), 6, 11, "must be in quotes"),
        (CAMPAIGN.replace("    text", "   text"), 6, 4, "indentation"),
        (CAMPAIGN.replace('"]', '"'), 6, 5, "closing ]"),
        (CAMPAIGN.replace("Hello", '"Hello'), 6, 11, "not closed"),
    ],
)
def test_yaml_and_schema_problems_have_places(
    text: str, line: int, column: int, says: str, tmp_path: Path
) -> None:
    """A problem has the line and column of the mistake, and its message names it."""
    problems = _load(tmp_path, text).problems
    assert any(
        (p.location.line, p.location.column) == (line, column) and says in p.message for p in problems
    ), problems


def test_exploding_aliases_are_an_error(tmp_path: Path) -> None:
    """A few lines that expand to a billion nodes are rejected at once."""
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert "too many nodes" in _only(_load(tmp_path, "\n".join(lines) + "\n")).message


def test_campaign_in_cp1251_is_an_error(tmp_path: Path) -> None:
    """A campaign in cp1251 is an error at the first byte that is not UTF-8."""
    (tmp_path / "smsby.yaml").write_text(HEAD, encoding="utf-8")
    (tmp_path / "sale.yaml").write_bytes(CAMPAIGN.replace("Hello", "Привет").encode("cp1251"))
    problem = _only(load_project(tmp_path))
    assert (problem.location.line, problem.location.column) == (6, 11)
    assert "UTF-8" in problem.message


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (
            (
                "text: Hello",
                "text: Hello\n    schedule_time: 2026-03-29T02:30:00\n    timezone: Europe/Berlin",
            ),
            "DST",
        ),
        (
            (
                "text: Hello",
                "text: Hello\n    schedule_time: 2026-10-25T02:30:00\n    timezone: Europe/Berlin",
            ),
            "DST",
        ),
        (("text: Hello", "text: Hello\n    timezone: Minsk"), "TIMEZONE"),
        (("text: Hello", "text_file: ../secret.j2"), "PATH_OUTSIDE"),
        (("text: Hello", "text_file: gone.j2"), "FILE_MISSING"),
        (('["375291234567"]', "{file: gone.csv}"), "FILE_MISSING"),
        (
            ('recipients: ["375291234567"]', "list: 3434\n    schedule_time: 2030-01-01T10:00:01"),
            "WHOLE_MINUTES",
        ),
        (('recipients: ["375291234567"]', "list: 3434\n    via: bulk"), "VIA"),
    ],
)
def test_loader_checks_beyond_the_schema(change: tuple[str, str], code: str, tmp_path: Path) -> None:
    """Times, time zones, paths and combinations of keys are checked, and their problems have stable codes."""
    assert code in {problem.code for problem in _load(tmp_path, CAMPAIGN.replace(*change)).problems}


def test_all_schema_problems_are_reported(tmp_path: Path) -> None:
    """Three mistakes are three problems."""
    text = CAMPAIGN.replace("version: 1", "version: 2") + "color: red\nrevision: 0\n"
    assert len(_load(tmp_path, text).problems) == 3


def test_invalid_project_file_is_an_error(tmp_path: Path) -> None:
    """Without a valid smsby.yaml the project cannot be loaded."""
    with pytest.raises(FilesInvalid) as caught:
        _load(tmp_path, project=HEAD + "guardrail: {}\n")
    assert caught.value.problems[0].message == "unknown key guardrail; did you mean guardrails?"


@pytest.mark.parametrize("setting", ["timeout_seconds: 99999999999999999999", "requests_per_second: 1e-30"])
def test_api_durations_are_bounded(setting: str, tmp_path: Path) -> None:
    """A rate or timeout beyond all bounds is an error in the file, not an overflow while sending."""
    with pytest.raises(FilesInvalid) as caught:
        _load(tmp_path, project=HEAD + f"api: {{{setting}}}\n")
    assert [(problem.code, problem.location.line) for problem in caught.value.problems] == [("SCHEMA", 3)]


def test_quotes_are_suggested_only_for_text(tmp_path: Path) -> None:
    """Quotes are suggested for an empty text, which may have meant the word null, but not for an empty list."""
    assert _only(_load(tmp_path, CAMPAIGN.split("  - name")[0])).message == (
        "mailings: expected a list, got nothing"
    )
    assert "put it in quotes" in _only(_load(tmp_path, CAMPAIGN.replace("Hello", "null"))).message


def test_missing_file_suggests_a_similar_one(tmp_path: Path) -> None:
    """A similar name in the same directory is suggested for a missing file, if there is one."""
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/vip.csv").write_text("phone\n")
    text = CAMPAIGN.replace('["375291234567"]', "{file: lists/vp.csv}")
    (problem,) = _load(tmp_path, text).problems
    assert problem.message == "file lists/vp.csv not found; did you mean lists/vip.csv?"
    (problem,) = _load(tmp_path, text.replace("lists/vp.csv", "nowhere/vp.csv")).problems
    assert problem.message == "file nowhere/vp.csv not found"


def test_suppression_file_settings(tmp_path: Path) -> None:
    """A suppression file is a path, or a mapping with how to read it, and a missing one is an error at its place."""
    for name in ("a.csv", "b.txt"):
        (tmp_path / name).write_text("phone\n")
    text = "suppress: [a.csv, {file: b.txt, phone: tel, encoding: cp1251, delimiter: ';'}]\n"
    loaded = _load(tmp_path, project=HEAD + text)
    assert not loaded.problems
    first, second = loaded.project.suppression_files
    assert (first.name, first.phone, first.encoding, first.delimiter) == ("a.csv", "phone", None, None)
    assert (second.name, second.phone, second.encoding, second.delimiter) == ("b.txt", "tel", "cp1251", ";")
    (problem,) = _load(tmp_path, project=HEAD + "suppress: [{file: c.csv}]\n").problems
    assert (problem.code, problem.location.line, problem.location.column) == ("FILE_MISSING", 3, 12)


def test_patterns_that_match_nothing_are_a_warning(tmp_path: Path) -> None:
    """Patterns that match nothing are one warning, and none while there is a campaign, as they may be for later ones."""
    found = _load(tmp_path, project=HEAD + "campaigns: [sales/*.yaml, old/*.yaml]\n").problems
    assert [(one.severity, one.code, one.location) for one in found] == [
        (Severity.WARNING, "PATTERN", Location("smsby.yaml", 3, 13))
    ]
    (tmp_path / "old").mkdir()
    (tmp_path / "old/sale.yaml").write_text(CAMPAIGN)
    assert not _load(tmp_path, project=HEAD + "campaigns: [sales/*.yaml, old/*.yaml]\n").problems


@pytest.mark.parametrize("others", [[], ["other.yaml"]])
@pytest.mark.parametrize("name", ["sale.yml", "more/sale.yml"])
def test_yml_that_is_not_read(name: str, others: list[str], tmp_path: Path) -> None:
    """A campaign in a .yml file is a warning, even next to others, and is read if `campaigns:` names it."""
    for other in others:
        (tmp_path / other).write_text(CAMPAIGN.replace("campaign: sale", "campaign: other"))
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(CAMPAIGN)
    (tmp_path / "ci.yml").write_text("jobs: {}\n")
    (tmp_path / "smsby.yaml").write_text(HEAD)
    loaded = load_project(tmp_path)
    (problem,) = loaded.problems
    assert (problem.severity, problem.code, problem.location.file) == ("warning", "NOT_READ", name)
    (tmp_path / "smsby.yaml").write_text(HEAD + "campaigns: ['**/sale.yml']\n")
    loaded = load_project(tmp_path)
    assert not loaded.problems and loaded.project.campaigns


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("lists/a.csv", "{file: lists/a.csv}"),
        ("a.parquet", "{parquet: a.parquet}"),
        ("375291234567", "{file: …}"),
    ],
)
def test_recipients_that_are_a_path(value: str, hint: str, tmp_path: Path) -> None:
    """A path in place of recipients is an error that shows how to name a file, and never a phone."""
    (problem,) = _load(tmp_path, CAMPAIGN.replace('["375291234567"]', f'"{value}"')).problems
    assert hint in problem.message
    assert "375291234567" not in problem.message


def test_opt_outs_from_a_query(tmp_path: Path) -> None:
    """Opt-outs from a query need no order_by, and a file's key beside sql is an error."""
    text = "suppress: [{sql: select phone from gone, url_env: CRM_URL, on_invalid: drop}]\n"
    loaded = _load(tmp_path, project=HEAD + text)
    assert not loaded.problems
    (entry,) = loaded.project.suppress
    assert isinstance(entry.source, RecipientsQuery)
    assert (entry.source.sql.text, entry.source.order_by, entry.on_invalid) == (
        "select phone from gone",
        None,
        "drop",
    )
    for wrong in (
        "{sql: select 1}",
        "{url_env: CRM_URL}",
        "{sql: select 1, url_env: CRM_URL, encoding: cp1251}",
    ):
        with pytest.raises(FilesInvalid):
            _load(tmp_path, project=HEAD + f"suppress: [{wrong}]\n")


@pytest.mark.parametrize(
    ("defaults", "zone"),
    [
        ("", "Europe/Minsk"),
        ("defaults: {timezone: Asia/Almaty}\n", "Asia/Almaty"),
        ("defaults: {timezone: Mars}\n", None),
    ],
)
def test_opt_outs_have_the_options_of_recipients(defaults: str, zone: str | None, tmp_path: Path) -> None:
    """Opt-outs may have `freshness`, in the zone of mailings without one, and `order_by`, even with ties."""
    entry = "{sql: select phone from gone, url_env: CRM_URL, phone: tel, order_by: id, "
    entry += "freshness: {sql: select max(at) from gone, max_age: 2d}}"
    loaded = _load(tmp_path, project=f"{HEAD}{defaults}suppress: [{entry}]\n")
    assert {problem.code for problem in loaded.problems} == (set() if zone else {"TIMEZONE"})
    query = loaded.project.suppress[0].source
    assert isinstance(query, RecipientsQuery)
    assert query.freshness is not None
    assert (query.phone, query.order_by, query.may_tie) == ("tel", "id", True)
    assert query.freshness[1:] == (timedelta(days=2), zone or "Europe/Minsk")
    assert loaded.project.zone.key == query.freshness.timezone
    assert query.freshness.sql.text == "select max(at) from gone"


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are always UTF-8")
@pytest.mark.parametrize("form", ["text", "json", "github", "sarif", "junit", "codeclimate"])
def test_file_name_that_is_not_utf8(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file name that is not UTF-8 is an error that every format can show."""
    (tmp_path / "smsby.yaml").write_text(HEAD)
    (tmp_path / os.fsdecode(b"sale\xff.yaml")).write_text(CAMPAIGN)
    assert run(["-C", str(tmp_path), "validate", "--format", form]) == 3
    assert re.search(r"sale(\\+|%5C)xff.yaml", capsys.readouterr().out)
    assert run(["-C", str(tmp_path), "plan", "--offline", "--out", str(tmp_path / "plan.json")]) == 3
