"""The global options, and the options and help texts that commands share."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Mapping
from copy import copy
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO, TypeVar

import click
from click.core import ParameterSource

from smsby_deploy import __version__
from smsby_deploy.errors import Refused, UsageError
from smsby_deploy.output.terminal import write_line, write_text

if TYPE_CHECKING:
    from pathlib import Path

    from smsby_deploy.output.json_log import Fact, JsonLog

_MAX_ID = 10**18 - 1  # the largest message_id that a lock may hold
MACHINE_FORMATS = ("github", "sarif", "junit", "codeclimate")  # problems, as CI services read them
_Command = TypeVar("_Command", bound=Callable[..., object])
_BEHIND = "behind_"  # prefix of the names of global options after a command


class Context(NamedTuple):
    """The global options of a command line, before and after the command.

    Every command gets it as click's `obj`.
    """

    project: str | None = None
    environment: str | None = None
    verbose: int = 0
    quiet: bool = False
    no_color: bool = False
    log_format: str = "text"
    environ: Mapping[str, str] = os.environ

    def and_also(self, name: str, value: Any) -> Context:
        """Return the options with one given again: -v adds up, of any other the last counts."""
        return self._replace(**{name: self.verbose + value if name == "verbose" else value})

    @property
    def color(self) -> bool:
        return not self.no_color and not self.environ.get("NO_COLOR")

    @property
    def log(self) -> JsonLog | None:
        """The log on stderr; None without --log-format json."""
        return open_log(is_quiet=self.quiet) if self.log_format == "json" else None

    @property
    def program(self) -> str:
        """The start of a command line for the same project and environment, ready to copy."""
        import shlex

        project = [] if self.project is None else ["-C", self.project]
        environment = [] if self.environment is None else ["--env", self.environment]
        return shlex.join(["smsby-deploy", *project, *environment])

    def note(self, text: str, event: str = "note", **facts: Fact) -> None:
        """Write `text` to stderr unless -q is set; the JSON log gets `event` and `facts` too.

        It is not masked: it may contain a command to copy.
        """
        if not self.quiet:
            self.announce(text, event, **facts)

    def announce(self, text: str, event: str, **facts: Fact) -> None:
        """Write `text` to stderr even with -q: the user is about to be asked about it."""
        self._write("info", text, event, facts)

    def warn(self, text: str, event: str, **facts: Fact) -> None:
        """Write a warning to stderr, even with -q."""
        self._write("warning", text if self.log else f"warning: {self._masked(text)}", event, facts)

    def fail(self, text: str, event: str) -> None:
        """Write `event: text` to stderr: the command continues, but will exit with an error."""
        self._write("error", text if self.log else f"{event}: {self._masked(text)}", event, {})

    def _masked(self, text: str) -> str:
        from smsby_deploy.privacy import mask_message

        return mask_message(text, self.environ)

    def _write(self, level: str, text: str, event: str, facts: Mapping[str, Fact]) -> None:
        if self.log is not None:
            self.log.write(level, event, message=text, **facts)
        else:
            write_line(text, sys.stderr)

    def write_out(
        self, out: Path | None, write: Callable[[TextIO], None], *, is_private: bool = False
    ) -> None:
        """Call `write` with stdout, or with the file `out`; only its owner may read a private file."""
        if out is None:
            write(sys.stdout)
            return
        from smsby_deploy.files import write_file

        write_file(out, write, is_private=is_private)
        self.note(f"written to {out}")

    def confirms(self, question: str = "Send now? This cannot be undone.") -> bool:
        """Ask `question` on stderr; only the answer `yes` on stdin confirms.

        Raises:
            UsageError: stderr is a JSON log.
        """
        self.check_can_ask()
        write_text(f'{question} Type "yes" to continue: ', sys.stderr)
        answer = sys.stdin.readline()
        if not answer.endswith("\n"):
            write_line("", sys.stderr)  # Enter was not pressed: start the next message on a new line
        return answer.strip() == "yes"

    def require_confirmation(self, *, given: bool) -> None:
        """Ask whether to send, unless confirmation was `given` by an option.

        Raises:
            Refused: the answer was not `yes`.
            UsageError: stderr is a JSON log.
        """
        if not given and not self.confirms():
            raise Refused("not approved; nothing was sent", hint='type "yes" when asked, or use --yes')

    def check_can_ask(self) -> None:
        """Refuse to ask if stderr is a JSON log, in which a question would be invalid.

        Raises:
            UsageError: it is.
        """
        if self.log is not None:
            raise UsageError(
                "--log-format json cannot ask for confirmation",
                hint="pass a plan file, or the option that skips the question",
            )


def open_log(*, is_quiet: bool = False) -> JsonLog:
    """Return the log that --log-format json writes to stderr."""
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.output.json_log import JsonLog
    from smsby_deploy.privacy import find_tokens

    return JsonLog(sys.stderr, SystemClock(), secrets=find_tokens(os.environ), is_quiet=is_quiet)


def global_options(command: _Command) -> _Command:
    """Declare the global options; each is a field of Context, except --version."""
    options = (
        click.option("-C", "--project", metavar="DIR", help="The project folder, which holds smsby.yaml."),
        click.option(
            "-e",
            "--env",
            "environment",
            metavar="NAME",
            help="Environment: sandbox, or one declared in smsby.yaml.",
        ),
        click.option("-v", "--verbose", count=True, help="Write more to stderr."),
        click.option("-q", "--quiet", is_flag=True, help="Write only warnings and errors to stderr."),
        click.option("--no-color", is_flag=True, help="No colors; the same as setting NO_COLOR."),
        click.option(
            "--log-format",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            help="Format of stderr: text, or one JSON object per line.",
        ),
        click.version_option(__version__, prog_name="smsby-deploy", message="%(prog)s %(version)s"),
    )
    for option in reversed(options):
        command = option(command)
    return command


def accept_globals(command: click.Command, options: list[click.Parameter]) -> click.Command:
    """Return a copy of `command` that accepts the global `options` after its name as well."""
    command = copy(command)
    command.params = [*command.params, *map(_behind_the_command, options)]
    if isinstance(command, click.Group):
        command.commands = {name: accept_globals(one, options) for name, one in command.commands.items()}
    return command


def _behind_the_command(option: click.Parameter) -> click.Parameter:
    option = copy(option)
    if isinstance(option, click.Option):
        option.hidden = True  # --help shows it once, for the whole program
    if option.expose_value:
        option.name = f"{_BEHIND}{option.name}"
        option.expose_value = False
        option.callback = _add_global
    return option


def _add_global(ctx: click.Context, param: click.Parameter, value: object) -> None:
    if param.name is not None and ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE:
        ctx.obj = ctx.obj.and_also(param.name.removeprefix(_BEHIND), value)


def examples(*lines: str) -> str:
    """An epilog for `--help`: example command lines, verbatim. A test parses each of them."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def file_option(name: str, help: str = "Write to FILE instead of stdout.") -> Callable[[_Command], _Command]:
    """An option whose value is a file to write."""
    return click.option(name, type=NamedPath(dir_okay=False), metavar="FILE", help=help)


def format_option(*formats: str, help: str = "Output format.") -> Callable[[_Command], _Command]:
    """`--format`, passed as `form`; the first of `formats` is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help=help,
    )


def reason_option(help: str = "Why; recorded in the lock.") -> Callable[[_Command], _Command]:
    return click.option("--reason", default="", metavar="TEXT", help=help)


def yes_option(help: str = "Do not ask for confirmation.") -> Callable[[_Command], _Command]:
    return click.option("--yes", is_flag=True, help=help)


def host_option() -> Callable[[_Command], _Command]:
    """`--host`; an empty one, which would be every address of the machine, is wrong usage."""

    def refuse_empty(ctx: click.Context, param: click.Parameter, value: str) -> str:
        if not value:
            raise click.BadParameter("the address is empty; 0.0.0.0 is every address of this machine.")
        return value

    return click.option(
        "--host",
        default="127.0.0.1",
        show_default=True,
        metavar="ADDRESS",
        callback=refuse_empty,
        help="Address to listen on.",
    )


class FullHelpGroup(click.Group):
    """A group whose help shows the summaries of its commands in full; click cuts them off."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, self.commands[name].get_short_help_str(200)) for name in self.list_commands(ctx)]
            )


class NamedPath(click.Path):
    """A path on the command line.

    A path that no file can have is wrong usage, and so is `-` where it does not mean a standard stream: it would be a file.
    An empty path is an unset variable of a pipeline, not the current directory.
    """

    def __init__(self, *, file_okay: bool = True, dir_okay: bool = True, allow_dash: bool = False) -> None:
        from pathlib import Path

        super().__init__(file_okay=file_okay, dir_okay=dir_okay, allow_dash=allow_dash, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from smsby_deploy.config.project_files import IMPOSSIBLE_PATH, is_impossible

        if is_impossible(os.fspath(value)):
            self.fail(IMPOSSIBLE_PATH, param, ctx)
        if value == "":
            self.fail("the name is empty.", param, ctx)
        if value == "-" and not self.allow_dash:
            self.fail("- means neither stdin nor stdout here; name a file.", param, ctx)
        return super().convert(value, param, ctx)


class NumberRange(click.FloatRange):
    """A number within a range; nan, which click lets through, is in none."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


class MessageId(click.IntRange):
    """A message_id; click's own error has a limit that is masked like a phone number."""

    def __init__(self) -> None:
        super().__init__(1, _MAX_ID)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail("expected a positive number of at most 18 digits.", param, ctx)


if TYPE_CHECKING:
    _DurationType = click.ParamType[timedelta]
else:  # before click 8.4 it has no type parameter
    _DurationType = click.ParamType


class Duration(_DurationType):
    """A number and `s`, `m`, `h` or `d`, as a timedelta."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        from smsby_deploy.clock import read_duration

        try:
            return read_duration(str(value))
        except ValueError as error:
            self.fail(f"{error}; write a number and s, m, h or d, such as 30d", param, ctx)


def check_output(what: str, path: Path | None) -> None:
    """Check that `path` can be written, before anything is planned, asked or sent.

    Args:
        what: for example `the report`.
        path: the file to write, if any.

    Raises:
        UsageError: it cannot.
    """
    if path is None:
        return
    if path.is_dir():
        why, hint = f"{path} is a directory", "name a file"
    elif not path.parent.is_dir():
        why, hint = f"{path.parent} is not a directory", "create the directory, or name another file"
    elif not os.access(path.parent if path.is_file() or not path.exists() else path, os.W_OK):
        why, hint = f"no permission to write in {path.parent}", "fix the permissions, or name another file"
    else:
        return
    raise UsageError(f"cannot write {what}: {why}", hint=hint)
