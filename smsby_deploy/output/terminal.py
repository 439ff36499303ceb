"""The last step before a terminal, a log or a spreadsheet.

Texts of files, of sms.by and of the environment pass here on their way out: no control character rewrites the screen, no
bidi mark reorders a line, no line is a command to a CI service, and no cell is a formula.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TextIO

from smsby_deploy.wording import BEYOND_C0, remove_controls

# Patterns are strings, which `re` compiles at their first use.
# GitHub obeys a line that starts with `::`, and `##[` anywhere in it; Azure and TeamCity put a word before the bracket.
_COMMAND = r"(?m)^([^\S\n]*):(?=:)|#(?=#\w*\[)"
_UNSAFE_JSON = rf"[{BEYOND_C0}]|#(?=#\w*\[)"
# A spreadsheet looks behind quotes and blanks; some also take the full-width signs.
_FORMULA = r"""[\s"']*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r]"""


def write_text(text: str, stream: TextIO, *, has_commands: bool = False) -> None:
    """Write `text` to `stream`, cleaned, and flush it.

    With `has_commands` its workflow commands are ours, made by `github_annotations`.
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


def break_commands(text: str, *, colon: str = ": ", hash_sign: str = "# ") -> str:
    """`text` without a line that a CI service takes for a command.

    `colon` and `hash_sign` replace the first character of one.
    """
    return re.sub(_COMMAND, lambda found: hash_sign if found[1] is None else f"{found[1]}{colon}", text)


def escape_json(document: str) -> str:
    """JSON with the same content, and escapes for what other output loses or changes."""
    return re.sub(_UNSAFE_JSON, lambda found: f"\\u{ord(found[0]):04x}", document)


def inert_cell(cell: str) -> str:
    """`cell` of a CSV, quoted if a spreadsheet would take it for a formula."""
    return f"'{cell}" if re.match(_FORMULA, cell) else cell
