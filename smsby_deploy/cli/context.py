"""The global options, and the options and help texts that commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import click

from smsby_deploy.errors import Refused, UsageError
from smsby_deploy.output.terminal import write_line, write_text

if TYPE_CHECKING:
    from pathlib import Path

    from smsby_deploy.output.json_log import Fact, JsonLog

MACHINE_FORMATS = ("github", "sarif", "junit", "codeclimate")  # problems, as CI services read them
_Command = TypeVar("_Command", bound=Callable[..., object])


class Context(NamedTuple):
    """Every command gets it as click's `obj`.

    `verbosity` counts -v; `color` is False with --no-color or NO_COLOR; `log` is set with --log-format json.
    """

    project: str | None
    verbosity: int
    quiet: bool
    color: bool
    environ: Mapping[str, str]
    log: JsonLog | None = None
    environment: str | None = None

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
        from smsby_deploy.privacy import mask_phones

        self._write("warning", text if self.log else f"warning: {mask_phones(text)}", event, facts)

    def fail(self, text: str, event: str) -> None:
        """Write `event: text` to stderr: the command goes on, but will exit with an error."""
        from smsby_deploy.privacy import mask_phones

        self._write("error", text if self.log else f"{event}: {mask_phones(text)}", event, {})

    def _write(self, level: str, text: str, event: str, facts: Mapping[str, Fact]) -> None:

        if self.log is not None:
            self.log.write(level, event, message=text, **facts)
        else:
            write_line(text, sys.stderr)

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


def examples(*lines: str) -> str:
    """An epilog for `--help`: example command lines, verbatim. A test parses each of them."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


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


def check_folder_of(report: Path | None) -> None:
    """Check that the folder of `report` exists, before anything is asked or sent.

    Raises:
        UsageError: it does not.
    """
    if report is not None and not report.parent.is_dir():
        raise UsageError(
            f"cannot write the report: {report.parent} is not a directory",
            hint="create the directory, or name another file",
        )
