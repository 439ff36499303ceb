"""The command group: wrong usage, help, completion, and what a command imports."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from smsby_deploy.cli.main import group, report_error, run
from smsby_deploy.cli.options import Context
from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import FilesInvalid, LockHeld, SmsbyDeployError
from smsby_deploy.output.json_log import JsonLog
from smsby_deploy.problems import Location, Problem, Severity

_HEAVY = {
    "flask", "jinja2", "jsonschema", "logging", "phonenumbers", "pickle", "pyarrow", "pygal", "requests", "rich",
    "sqlalchemy", "urllib3",
}  # fmt: skip
_JINJA = {"jinja2", "pickle"}  # Jinja2's bytecode cache imports pickle
_CODE = """
import sys
before = set(sys.modules)  # the tests' guard loads some
from smsby_deploy.cli.main import run
code = run(sys.argv[1:])
sys.stderr.write(" ".join(set(sys.modules) - before))
sys.exit(code)
"""


# Modules that `validate` of inline recipients does not use. Together they took a tenth of its start.
_UNUSED = {
    "importlib.resources", "smsby_deploy.config.yaml_places", "smsby_deploy.lock.records", "smsby_deploy.plan.model",
    "smsby_deploy.recipients.prefetch", "smsby_deploy.recipients.list_files", "smsby_deploy.smsby.methods",
}  # fmt: skip
_UNUSED_BY_PLAN = {
    "smsby_deploy.output.ci_reports", "smsby_deploy.output.plan_text", "smsby_deploy.plan.review",
    "smsby_deploy.status.status_report", "smsby_deploy.texts.samples", "tempfile",
}  # fmt: skip


def _modules(*words: str) -> set[str]:
    """Return all modules that a command loads."""
    done = subprocess.run([sys.executable, "-c", _CODE, *words], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def _loaded(*words: str) -> set[str]:
    """Return the packages that a command loads, of those that are slow to load."""
    return _HEAVY & {name.partition(".")[0] for name in _modules(*words)}


def _project(folder: Path, text: str) -> str:
    (folder / "smsby.yaml").write_text("version: 1\nproject: shop\n", "utf-8")
    (folder / "sale.yaml").write_text(
        "version: 1\ncampaign: sale\nmailings:\n"
        f'  - {{name: vip, recipients: [{{phone: "375291234567", name: Анна}}], text: "{text}"}}\n',
        "utf-8",
    )
    return str(folder)


def test_help_loads_nothing_heavy() -> None:
    """`--help` loads nothing heavy."""
    assert _loaded("--help") == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Магазин закрыт.", set()),
        ("{{ name }}, привет", _JINJA),
        ("Привет{% if name %}, {{ name }}{% endif %}!", _JINJA),
    ],
)
def test_validate_loads_only_what_the_project_needs(text: str, expected: set[str], tmp_path: Path) -> None:
    """validate loads Jinja2 only for texts with markup, and nothing for explaining errors, the network or a terminal."""
    assert _loaded("-q", "-C", _project(tmp_path, text), "validate") == expected


def test_plan_loads_no_unused_module(tmp_path: Path) -> None:
    """plan loads no other format, samples or comparison, nothing for statuses, and no temporary files."""
    loaded = _modules(
        "-q", "-C", _project(tmp_path, "{{ name }}, привет"), "plan", "--offline", "--format", "json"
    )
    assert loaded & _UNUSED_BY_PLAN == set()
    assert all(find_spec(name) for name in _UNUSED_BY_PLAN)


def test_validate_loads_no_unused_module(tmp_path: Path) -> None:
    """validate loads no reader of files, and nothing that only plan and apply use."""
    assert all(find_spec(name) for name in _UNUSED)
    loaded = _modules("-q", "-C", _project(tmp_path, "{{ name }}, привет"), "validate")
    assert loaded & _UNUSED == set()
    assert "smsby_deploy.recipients.audience" in loaded


def test_validate_loads_jinja_for_a_filter(tmp_path: Path) -> None:
    """A filter makes validate load Jinja2, without which the tests above would prove nothing."""
    assert "jinja2" in _loaded("-C", _project(tmp_path, "{{ name | upper }}"), "validate")


def test_an_offline_plan_loads_no_http_library(tmp_path: Path) -> None:
    """An offline plan loads no HTTP library, and no Jinja2 for texts without markup."""
    words = ("-q", "-C", _project(tmp_path, "Магазин закрыт."), "plan", "--offline", "--format", "json")
    assert _loaded(*words) & {"jinja2", "jsonschema", "requests", "urllib3"} == set()


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["--nonsense"], ["--log-format", "json"], ["schema", "nonsense"]]
)
def test_wrong_usage_is_64(arguments: list[str]) -> None:
    """Wrong usage is 64, since click's own exit code 2 has another meaning here."""
    assert run(arguments) == 64


@pytest.mark.parametrize(
    ("typed", "offered"), [("pl", "plan"), ("status --fo", "--format"), ("lock res", "resolve")]
)
def test_the_shell_completes_commands_and_options(typed: str, offered: str) -> None:
    """Commands and options are completed when bash asks, as set up in docs/ci.md."""
    words = f"smsby-deploy {typed}"
    asked = {
        "_SMSBY_DEPLOY_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "smsby_deploy"],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"plain,{offered}" in done.stdout.splitlines()


def test_a_misspelled_command_suggests_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """`pln` is wrong usage, and the message names `plan`."""
    assert run(["pln"]) == 64
    assert "Did you mean 'plan'?" in capsys.readouterr().err


def test_a_command_without_a_project_suggests_init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty folder is wrong usage, and the hint says how to start a project."""
    monkeypatch.chdir(tmp_path)
    assert run(["validate"]) == 64
    err = capsys.readouterr().err
    assert "smsby.yaml" in err
    assert "smsby-deploy init" in err


def test_an_invalid_api_url_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An invalid API URL is reported by its variable before anything is asked."""
    assert run(["init", str(tmp_path)]) == 0
    monkeypatch.setenv("SMSBY_API_URL", "localhost:8025")
    monkeypatch.setenv("SMSBY_TOKEN", "any")
    assert run(["-C", str(tmp_path), "plan"]) == 64
    assert "SMSBY_API_URL is not an http or https URL" in capsys.readouterr().err


PROBLEM = Problem(Severity.ERROR, "PHONE", "not a phone number", "sale/vip", Location("list.csv", 3))


def test_report_error_writes_message_place_and_hint(capsys: pytest.CaptureFixture[str]) -> None:
    """An error is three lines on stderr, with the exit code of its class."""
    error = LockHeld("another run holds the lock", hint="wait for it", location=Location("smsby.lock.json"))
    assert report_error(error, verbose=False) == 8
    assert capsys.readouterr().err == (
        "error: another run holds the lock\n  at smsby.lock.json\nhint: wait for it\n"
    )


def test_report_error_lists_the_problems_first(capsys: pytest.CaptureFixture[str]) -> None:
    """Invalid files exit with 3, and their problems precede the summary."""
    assert report_error(FilesInvalid([PROBLEM]), verbose=False) == 3
    assert capsys.readouterr().err == (
        "list.csv:3:1: error PHONE sale/vip: not a phone number\nerror: 1 problem in the project's files\n"
    )


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (click.UsageError("no such option"), 64, "no such option"),
        (click.ClickException("failed"), 1, "failed"),
        (KeyboardInterrupt(), 1, "interrupted"),
        (FileNotFoundError(2, "No such file or directory", "plan.json"), 1, "plan.json: No such file"),
        (SystemExit(5), 5, ""),
    ],
)
def test_report_error_knows_the_errors_of_others(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors of click, the operating system and signals have messages, too."""
    assert report_error(error, verbose=False) == code
    assert message in capsys.readouterr().err


def test_report_error_hides_an_internal_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text of an internal error is shown only with -v, in a traceback without phone, token or query."""
    token = "4c6f7665206973204e6f74"
    monkeypatch.setenv("SMSBY_TOKEN", token)
    error = ValueError(f"375291234567 in /api/v1/sendQuickSMS?message=Hi {token}")
    assert report_error(error, verbose=False) == 1
    assert capsys.readouterr().err.startswith("error: internal error: ValueError\nhint: ")
    report_error(error, verbose=True)
    shown = "ValueError: 37529*****67 in /api/v1/sendQuickSMS?<hidden> <hidden>\n"
    assert shown in capsys.readouterr().err


@pytest.mark.parametrize("error", [SmsbyDeployError, click.UsageError, click.ClickException])
def test_report_error_hides_what_the_user_typed(
    error: type[Exception], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A phone in the wrong place, or a token that partly looks like a number, is not repeated."""
    monkeypatch.setenv("SMSBY_TOKEN", "4c6f7665206973204e6f74")
    report_error(error("'375291234567' and '4c6f7665206973204e6f74'"), verbose=False)
    assert "'37529*****67' and '<hidden>'\n" in capsys.readouterr().err


def test_report_error_writes_events_to_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    """With --log-format json stderr has no other lines."""
    stream = io.StringIO()
    log = JsonLog(stream, SystemClock())
    assert report_error(FilesInvalid([PROBLEM]), verbose=True, log=log) == 3
    assert report_error(SmsbyDeployError("failed"), verbose=True, log=log) == 1
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["problem", "failed", "failed"]
    assert [event.get("exit_code") for event in events] == [None, 3, 1]
    assert capsys.readouterr().err == ""


def _run_with_stdout(stdout: int, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "smsby_deploy", *words],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("schema", "plan"),
        ("plan", "--offline"),
        ("plan", "--offline", "--format", "json"),
    ],
)
def test_run_with_full_stdout_is_no_internal_error(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Output that cannot be written is named, without a hint about sends where none can have happened."""
    run(["init", str(tmp_path / "shop")])
    with Path("/dev/full").open("w") as full:
        result = _run_with_stdout(full.fileno(), "-C", str(tmp_path / "shop"), *words)
    assert result.returncode == 1
    assert result.stderr.startswith("error: cannot write the output: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_version_into_a_full_stdout_is_no_traceback() -> None:
    """`--version` into a full stdout fails without a traceback, though it is answered before anything is imported."""
    with Path("/dev/full").open("w") as full:
        result = _run_with_stdout(full.fileno(), "--version")
    assert result.returncode == 1
    assert result.stderr.startswith("error: cannot write the output: ")


@pytest.mark.skipif(os.name == "nt", reason="closes a pipe the POSIX way")
@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_run_with_closed_stdout_says_so(tmp_path: Path, form: str) -> None:
    """A reader that ends early, such as `head`, is an error without a traceback."""
    run(["init", str(tmp_path / "shop")])
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = _run_with_stdout(writer, "-C", str(tmp_path / "shop"), "plan", "--offline", "--format", form)
    finally:
        os.close(writer)
    assert result.returncode == 1
    assert "cannot write the output" in result.stderr
    assert "Exception ignored" not in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="closes stdin the POSIX way")
def test_run_with_closed_stdin_confirms_nothing(tmp_path: Path) -> None:
    """A closed stdin confirms nothing: nothing is sent, and it is no internal error."""
    command = [sys.executable, "-m", "smsby_deploy", "otp", "telegram", "375291111111", "0042"]
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *command],
        cwd=tmp_path,
        env={**os.environ, "SMSBY_TOKEN": "any-token", "SMSBY_API_URL": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4
    assert done.stderr.splitlines()[-2] == "error: not approved; nothing was sent"


@pytest.mark.skipif(os.name == "nt", reason="names of files are Unicode")
def test_run_names_a_locale_that_lacks_letters_of_a_file(tmp_path: Path) -> None:
    """If the locale lacks letters of a file name, the message suggests a setting of the machine."""
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\n")
    campaign = (
        "version: 1\ncampaign: sale\nmailings: [{name: vip, recipients: {file: список.csv}, text: Hi}]\n"
    )
    (tmp_path / "sale.yaml").write_text(campaign, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "smsby_deploy", "validate"],
        cwd=tmp_path,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: cannot open a file: ascii, the encoding of the locale, lacks a letter"
    )
    assert "PYTHONUTF8=1" in done.stderr


@pytest.mark.parametrize("package", ["click", "yaml"])
def test_run_names_a_package_that_is_missing(package: str, tmp_path: Path) -> None:
    """An installation that was interrupted lacks a package, and the message says so instead of a traceback."""
    broken = f"raise ModuleNotFoundError('No module named {package}', name={package!r})\n"
    (tmp_path / f"{package}.py").write_text(broken)
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\n")
    done = subprocess.run(
        [sys.executable, "-m", "smsby_deploy", "validate"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"error: smsby-deploy needs the package {package}, which is missing\nhint: "
    )
    assert "Traceback" not in done.stderr


def test_report_error_of_a_full_disk_is_not_about_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """A full disk elsewhere is not reported as a lost output."""
    assert report_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), verbose=False) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: cannot write a file: ")
    named = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "page.html")
    assert report_error(named, verbose=False) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: cannot write page.html: ") and "hint: free disk space" in said
    assert "output" not in said


def test_report_error_of_a_file_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be used is named, with what to check."""
    assert report_error(PermissionError(errno.EACCES, "Permission denied", "shop"), verbose=False) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: cannot read or write shop: Permission denied\nhint: check its permissions")


def _commands(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command that is no group, with its path."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        yield from _commands(child, f"{path} {name}".strip())


COMMANDS = dict(_commands(group))
_GLOBAL = {name for option in group.params for name in option.opts}


@pytest.mark.parametrize("path", COMMANDS)
def test_command_accepts_each_global_option_once(path: str) -> None:
    """Each global option is accepted after every command, and no command has an option of the same name."""
    names = [name for option in COMMANDS[path].params for name in option.opts if name in _GLOBAL]
    assert sorted(names) == sorted(_GLOBAL)
    shown = COMMANDS[path].get_help(click.Context(COMMANDS[path])).partition("Examples:")[0]
    assert "--log-format" not in shown


@pytest.fixture
def context_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Context]:
    """Return the context that a command line gives its command."""
    seen: list[Context] = []
    of_groups = click.Command.invoke

    def invoke(self: click.Command, ctx: click.Context) -> object:
        if isinstance(self, click.Group):
            return of_groups(self, ctx)
        seen.append(ctx.obj)
        return None

    monkeypatch.setattr(click.Command, "invoke", invoke)
    monkeypatch.delenv("NO_COLOR", raising=False)

    def parse(*words: str) -> Context:
        seen.clear()
        assert run(words) == 0
        return seen[0]

    return parse


_EACH_GLOBAL = [
    ("-C", "shop"), ("--project=shop",), ("-e", "sandbox"), ("--env", "sandbox"), ("-v",), ("-vv",), ("--verbose",), ("-q",),
    ("--quiet",), ("--no-color",), ("--log-format", "json"), ("--log-format=json",),
]  # fmt: skip


@pytest.mark.parametrize(
    "command", [("plan",), ("lock", "list"), ("api", "getBalance"), ("render", "sale/vip")]
)
@pytest.mark.parametrize("words", _EACH_GLOBAL)
def test_global_option_behind_means_the_same(
    context_of: Callable[..., Context], command: tuple[str, ...], words: tuple[str, ...]
) -> None:
    """A global option means the same before the command, after it, and between the words of a two-word command."""
    before = context_of(*words, *command)
    assert before != context_of(*command)
    assert before == context_of(*command, *words)
    assert before == context_of(command[0], *words, *command[1:])


def test_global_options_on_both_sides_add_up(context_of: Callable[..., Context]) -> None:
    """-v on both sides is counted, and of any other option the last value counts."""
    context = context_of("-v", "-q", "-C", "a", "plan", "-v", "-C", "b", "--log-format", "json")
    assert (context.verbose, context.quiet, context.project) == (2, True, "b")
    assert context.log is not None
    assert context_of("--log-format", "json", "plan", "--log-format", "text").log is None


def test_quiet_behind_silences_the_json_log(
    context_of: Callable[..., Context], capsys: pytest.CaptureFixture[str]
) -> None:
    """-q silences the JSON log, in whatever order the two are given."""
    for words in (("-q", "--log-format=json"), ("--log-format=json", "-q")):
        context_of("plan", *words).announce("hello", "note")
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "is_json"),
    [
        (["nonsense", "--log-format", "json"], True),
        (["--log-format=json", "nonsense"], True),
        (["nonsense", "--log-format=json", "--log-format", "text"], False),
    ],
)
def test_last_log_format_is_the_one_of_errors(
    words: list[str], is_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last --log-format applies to errors, even of a command line that cannot be parsed."""
    assert run(words) == 64
    assert capsys.readouterr().err.startswith("{") is is_json


def test_version_behind_a_command_only_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    """--version after a command only prints the version, like --help."""
    assert run(["apply", "--auto-approve", "--version"]) == 0
    assert capsys.readouterr().out.startswith("smsby-deploy ")
