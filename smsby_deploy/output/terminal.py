"""Cleans texts before they reach a terminal, a log or a spreadsheet.

Texts from files, from sms.by and from the environment pass through here on their way out: no control character rewrites
the screen, no bidi mark reorders a line, no line is a command to a CI service, and no cell is a formula.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from smsby_deploy.errors import OutputLost
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.wording import BEYOND_C0, remove_controls

# Patterns are strings, which `re` compiles at their first use.
# GitHub obeys a line that starts with `::`, and `##[` anywhere in it; Azure and TeamCity put a word before the bracket.
_COMMAND = r"(?m)^([^\S\n]*):(?=:)|#(?=#\w*\[)"
_UNSAFE_JSON = rf"[{BEYOND_C0}]|#(?=#\w*\[)"
_NO_BREAK = "\u00a0"  # in Russian numbers and percentages
# A spreadsheet ignores quotes and blanks before a formula; some also take the full-width signs.
_FORMULA = r"""[\s"']*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r]"""


class _Stdout(io.FileIO):
    """The raw file of stdout.

    Its failures have their own error, so that no other full disk is mistaken for stdout.
    """

    def write(self, content: Any, /) -> int:
        """Raises OutputLost; from then on everything is discarded."""
        if not len(content):
            return 0  # click probes streams with an empty write, and ignores a failure of it
        try:
            return super().write(content)
        except OSError as error:
            # Otherwise Python would try to write the rest once more at exit, and end with its own code.
            _discard(self.fileno())
            raise OutputLost(error.strerror or type(error).__name__) from None


class _Stderr(io.FileIO):
    """The raw file of stderr.

    A message that cannot be written is lost, without any other effect.
    """

    def write(self, content: Any, /) -> int:
        """Discard everything from the first failure on."""
        try:
            return super().write(content)
        except OSError:
            _discard(self.fileno())
            return len(content)


def _discard(descriptor: int) -> None:
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, descriptor)
        os.close(null)


def _occupy(descriptor: int) -> None:
    """Occupy the descriptor of a closed standard stream with a file that cannot be written to.

    Otherwise the next file that is opened would get the descriptor, and what is written to the stream.
    """
    null = os.open(os.devnull, os.O_RDONLY)
    while null < descriptor:
        null = os.open(os.devnull, os.O_RDONLY)
    if null > descriptor:
        os.close(null)


def prepare_streams() -> None:
    """Make a closed or full stdout raise OutputLost, and such a stderr discard messages.

    A closed stdin is empty. A run that sends must not end because the disk of its log is full. A stream that is not a plain
    file or pipe, such as the console of Windows or of a test, stays as it is.
    """
    if sys.stdin is None:
        _occupy(0)
        sys.stdin = _text_on(io.BytesIO(), encoding="utf-8")
    if sys.stdout is None:
        _occupy(1)
        sys.stdout = _text_on(_Stdout(1, "w", closefd=False), encoding="utf-8")
    else:
        sys.stdout = _put_under(sys.stdout, _Stdout)
    if sys.stderr is None:
        _occupy(2)
        sys.stderr = _text_on(_Stderr(2, "w", closefd=False), encoding="utf-8", errors="backslashreplace")
    else:
        sys.stderr = _put_under(sys.stderr, _Stderr)


def _put_under(old: TextIO, kind: type[io.FileIO]) -> TextIO:
    """Return `old` on a raw file of this kind, or `old` itself if it is not a plain file."""
    buffer: Any = getattr(old, "buffer", None)
    # PYTHONUNBUFFERED leaves out the buffer.
    if type(old) is not io.TextIOWrapper or type(getattr(buffer, "raw", buffer)) is not io.FileIO:
        return old
    with suppress(OSError):
        old.flush()
    raw = kind(old.fileno(), "w", closefd=False)
    file = raw if type(buffer) is io.FileIO else io.BufferedWriter(raw)
    options = {"line_buffering": old.line_buffering, "write_through": old.write_through}
    return _text_on(file, encoding=old.encoding, errors=old.errors, **options)


def _text_on(file: Any, **options: Any) -> TextIO:
    """A text stream; typeshed does not know that Python itself puts one on a raw file."""
    return io.TextIOWrapper(file, **options)


@contextmanager
def output_of(exit_code: ExitCode, result: Callable[[], str] | str = "") -> Iterator[None]:
    """Keep the result of a command if its output is lost.

    That is `result`, a line or a function that returns one, and an `exit_code` that is worse than 1.
    """
    try:
        yield
    except OutputLost as lost:
        line = result if isinstance(result, str) else result()
        raise OutputLost(lost.why, result=line, exit_code=exit_code) from None


def write_text(text: str, stream: TextIO, *, has_commands: bool = False) -> None:
    """Write `text` to `stream`, cleaned, and flush it.

    With `has_commands`, its workflow commands are our own, from `github_annotations`.
    """
    cleaned = remove_controls(text)
    stream.write(cleaned if has_commands else break_commands(cleaned))
    stream.flush()


def write_parts(parts: Iterable[str], stream: TextIO) -> None:
    """Write parts that end with a line, so that no command begins in one and ends in the next."""
    for part in parts:
        write_text(part, stream)


def write_line(line: str, stream: TextIO) -> None:
    write_text(f"{line}\n", stream)


def clean(text: str) -> str:
    """`text` on one line, without control characters: they could rewrite the terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == _NO_BREAK else " " for char in text)


def safe_line(text: str) -> str:
    """`text` on one line, without control characters and whole phone numbers."""
    from smsby_deploy.privacy import mask_phones  # --help needs no module for secrets

    return mask_phones(clean(text))


def break_commands(text: str, *, colon: str = ": ", hash_sign: str = "# ") -> str:
    """`text` without a line that a CI service would take for a command.

    `colon` and `hash_sign` replace the first character of one.
    """
    if "::" not in text and "##" not in text:
        return text
    return re.sub(_COMMAND, lambda found: hash_sign if found[1] is None else f"{found[1]}{colon}", text)


def escape_json(document: str) -> str:
    """JSON with the same content, and escapes for characters that other output loses."""
    if document.isascii() and "#" not in document and "\x7f" not in document:
        return document
    return re.sub(_UNSAFE_JSON, lambda found: f"\\u{ord(found[0]):04x}", document)


def inert_cell(cell: str) -> str:
    """`cell` of a CSV, quoted if a spreadsheet would take it for a formula."""
    return f"'{cell}" if re.match(_FORMULA, cell) else cell
