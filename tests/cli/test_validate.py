"""`validate`: formats and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smsby_deploy.cli.main import run
from tests.permissions import ordinary_permissions


def test_validate_exits_3_with_the_place(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every problem is one line on stdout, followed by the counts."""
    campaign = shop / "sale.yaml"
    campaign.write_text(campaign.read_text("utf-8").replace("{{ name }}", "{{ nmae }}"), "utf-8")
    assert run(["-C", str(shop), "validate"]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("sale.yaml:6:")
    assert lines[-1] == "1 error"


def test_validate_reports_a_text_file_that_is_not_utf8_once(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A text file that is not UTF-8 is one problem, without another for the missing text or its tests."""
    changed = "    text_file: a.j2\n    tests: [{all: true, matches: Привет}]"
    campaign = shop / "sale.yaml"
    text = next(line for line in campaign.read_text("utf-8").splitlines() if "    text: " in line)
    campaign.write_text(campaign.read_text("utf-8").replace(text, changed), "utf-8")
    (shop / "a.j2").write_bytes("Привет".encode("cp1251"))
    assert run(["-C", str(shop), "validate"]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["a.j2:1:1: error ENCODING not UTF-8; save the file as UTF-8", "1 error"]


@pytest.mark.parametrize(
    ("closed", "places"),
    [
        ("smsby.yaml", ["smsby.yaml:1:1"]),
        ("sale.yaml", ["sale.yaml:1:1"]),
        ("texts/a.j2", ["texts/a.j2:1:1"]),
        ("texts", ["texts", "texts/a.j2:1:1"]),  # it may have campaigns, too
        ("templates/b.j2", ["texts/a.j2:1:12"]),
        ("templates", ["templates", "texts/a.j2:1:12"]),
        (".", ["smsby.yaml:1:1"]),
    ],
)
def test_validate_names_a_file_that_it_may_not_read(
    closed: str, places: list[str], shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that may not be read makes the files invalid, whatever permission is missing."""
    campaign = shop / "sale.yaml"
    text = next(line for line in campaign.read_text("utf-8").splitlines() if "    text: " in line)
    campaign.write_text(campaign.read_text("utf-8").replace(text, "    text_file: texts/a.j2"), "utf-8")
    for name, content in {"texts/a.j2": "{% include 'b.j2' %}", "templates/b.j2": "Hello"}.items():
        (shop / name).parent.mkdir(exist_ok=True)
        (shop / name).write_text(content, "utf-8")
    assert run(["-C", str(shop), "validate"]) == 0
    capsys.readouterr()
    mode = (shop / closed).stat().st_mode
    (shop / closed).chmod(0)
    try:
        with ordinary_permissions():
            code = run(["-C", str(shop), "validate"])
    finally:
        (shop / closed).chmod(mode)
    *lines, last = capsys.readouterr().out.splitlines()
    assert (code, last) == (3, "1 error" if len(places) == 1 else f"{len(places)} errors")
    assert [line.split(": ")[0] for line in lines] == places
    assert all("cannot read " in line and line.endswith(": Permission denied") for line in lines)


def test_validate_reports_links_and_folders_as_files(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A link or folder in place of a file is reported, since a broken link would look like a removed campaign."""
    (shop / "next.yaml").symlink_to("gone.yaml")
    assert run(["-C", str(shop), "validate"]) == 3
    message = "next.yaml is a link to a file that does not exist"
    assert capsys.readouterr().out.splitlines()[0] == f"next.yaml:1:1: error FILE_MISSING {message}"
    (shop / "smsby.yaml").unlink()
    (shop / "smsby.yaml").mkdir()
    assert run(["-C", str(shop), "validate"]) == 3
    message = "smsby.yaml is a directory, expected a file"
    assert capsys.readouterr().out.splitlines()[0] == f"smsby.yaml: error FILE_MISSING {message}"


def test_validate_reports_a_variant_without_a_text_once(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A variant without a text is reported once, not for each recipient."""
    phones = [f"'3752912345{number}'" for number in range(10, 40)]
    variants = "[{name: a, share: 50, text: Hi}, {name: b, share: 50}]"
    mailing = f"{{name: vip, recipients: [{', '.join(phones)}], variants: {variants}}}"
    (shop / "sale.yaml").write_text(f"version: 1\ncampaign: sale\nmailings:\n  - {mailing}\n", "utf-8")
    assert run(["-C", str(shop), "validate"]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and "a variant requires a text" in lines[0], lines


def test_validate_reports_all_files_together(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown key in smsby.yaml does not hide a problem in a text."""
    (shop / "smsby.yaml").write_text("version: 1\nproject: shop\ncolour: red\n", "utf-8")
    campaign = shop / "sale.yaml"
    campaign.write_text(campaign.read_text("utf-8").replace("{{ name }}", "{{ nmae }}"), "utf-8")
    assert run(["-C", str(shop), "validate", "--format", "json"]) == 3
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert {problem["file"] for problem in problems} == {"smsby.yaml", "sale.yaml"}


def test_validate_names_files_from_the_working_directory(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files are named by their path from the working directory, as CI annotations expect."""
    (shop / "sale.yaml").write_text("version: 1\n", "utf-8")
    monkeypatch.chdir(shop.parent)
    assert run(["-C", shop.name, "validate", "--format", "github"]) == 3
    assert f"::error file={shop.name}/sale.yaml," in capsys.readouterr().out


def test_validate_verbose_names_the_dialect(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """-v, before or after the command's name, shows how a file with phone numbers was read."""
    (shop / "list.csv").write_text("phone;name\n375291234567;Anna\n", "utf-8")
    campaign = shop / "sale.yaml"
    inline = '[{phone: "375291234567", name: Anna}]'
    campaign.write_text(campaign.read_text("utf-8").replace(inline, "{file: list.csv}"), "utf-8")
    for words in (("validate", "-v"), ("-v", "validate")):
        assert run(["-C", str(shop), *words]) == 0
        assert "list.csv: read as " in capsys.readouterr().err


_ENVIRONMENTS = """\
version: 1
project: shop
rehearsed_in: staging
environments:
  staging: {url: "https://elsewhere.example", token_env: A_TOKEN}
  limited: {only_to: test_phones, lock: .smsby/sandbox.lock.json, rehearsed_in: none}
  clock: {api: {account_timezone: X/Y}, lock: clock.lock.json, suppress: [none.csv]}
"""


@pytest.mark.parametrize("chosen", [None, "production"])
def test_validate_checks_every_environment(
    shop: Path, chosen: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every environment is checked unless one is chosen, and a problem that several inherit is reported once."""
    monkeypatch.delenv("SMSBY_ENV", raising=False)
    (shop / "smsby.yaml").write_text(_ENVIRONMENTS, "utf-8")
    arguments = ["-C", str(shop), "validate", "--format", "json"]
    code = run(arguments if chosen is None else [*arguments, "--env", chosen])
    problems = json.loads(capsys.readouterr().out)["problems"]
    found = sorted((one["severity"], one["code"], one["line"]) for one in problems)
    assert code == (3 if chosen is None else 0)
    expected = [
        ("error", "ENVIRONMENT", 6),  # no test phones
        ("error", "ENVIRONMENT", 6),  # an unknown environment
        ("error", "FILE_MISSING", 7),
        ("error", "TIMEZONE", 7),
        ("warning", "ENVIRONMENT", 5),  # the URL
        ("warning", "ENVIRONMENT", 5),  # the lock of production
        ("warning", "ENVIRONMENT", 6),  # the lock of the sandbox
    ]
    assert found == (expected if chosen is None else [])
    run([*arguments, "--env", "staging"])
    assert "the token is not sent" in capsys.readouterr().out  # of the chosen one as well
    monkeypatch.setenv("SMSBY_API_URL", "https://elsewhere.example")
    run(arguments)
    assert "the token is not sent" not in capsys.readouterr().out


_TEST_PHONES = """\
version: 1
project: shop
test_phones: ["375291234567", 375291234568]
environments:
  staging: {lock: staging.lock.json, test_phones: ["375291234567", "12345"]}
"""


@pytest.mark.parametrize("command", ["validate", "plan --offline --detailed-exitcode"])
def test_test_phone_that_is_no_phone_is_an_error(
    command: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An invalid test phone is an error even in an environment that was not chosen."""
    (shop / "smsby.yaml").write_text(_TEST_PHONES, "utf-8")
    codes = [run(["-C", str(shop), *command.split(), "-e", name]) for name in ("production", "staging")]
    assert codes == [0 if command == "validate" else 2, 3]
    message = (
        "smsby.yaml:5:51: error PHONE test_phones, number 2: only 5 digits; a phone number has at least 7"
    )
    assert message in "".join(capsys.readouterr())
    if command == "validate":
        assert run(["-C", str(shop), "validate"]) == 3
        assert message in "".join(capsys.readouterr())


OWN_TEXTS = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients:
      - phone: "375291234561"
        text: |
          Hello
          dear {name}
      - {phone: "375291234562",
         text: "a &nbsp; b"}
      - phone: "375291234563"
        text: ""
      - phone: "375291234564"
        text: LONG
      - phone: "375291234564"
        text: >-
          again
    text: Hello
"""


def test_problem_of_an_own_text_is_at_that_text(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A problem of a recipient's text is located at the text, and one of the recipient at its beginning."""
    (shop / "sale.yaml").write_text(OWN_TEXTS.replace("LONG", "x" * 1531), "utf-8")
    assert run(["-C", str(shop), "validate"]) == 3
    words = [line.split(" ") for line in capsys.readouterr().out.splitlines()[:-1]]
    assert sorted(f"{place} {code}" for place, _, code, *_ in words) == [
        "sale.yaml:11:16: HTML_ENTITY",
        "sale.yaml:13:15: TEMPLATE",
        "sale.yaml:15:15: TOO_LONG",
        "sale.yaml:16:9: DUPLICATE",
        "sale.yaml:16:9: DUPLICATE_DIFFERS",
        "sale.yaml:7:15: PLACEHOLDER",
    ]
