"""Find words that make our English hard to read; `make lint` runs it.

    python script/check_words.py [--count] [PATH...]

Prints file:line:column, the words found and what to write instead; with --count only the number of hits in each file.
Without PATH it reads the package, the tests, the docs and the other files in `_FILES`. A legitimate use belongs into
`_ALLOWED`, as the whole phrase around the word.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from typing import NamedTuple

_ROOT = Path(__file__).resolve().parent.parent
_FILES = (
    "smsby_deploy/**/*.py",
    "smsby_deploy/**/*.j2",
    "tests/**/*.py",
    "script/*.py",
    "docs/**/*.md",
    "schema/*.json",
    ".github/**/*.md",
    ".github/**/*.yml",
    "README.md",
    "CHANGELOG.md",
    "Makefile",
)
_NOT_CHECKED = ("script/check_words.py", "tests/test_check_words.py")  # they quote the words

# Words, where a space also matches an underscore, a hyphen or a line break, and what to write instead.
_WORDS = {
    "told": "said, reported, known; or name what is distinguished",
    "tells? of": "describe, report, list",
    "tells? (?:what|who|where|which|whether|how|that|nothing)": "show, say, report",
    "stands?": "is, appears",
    "stood": "was, appeared",
    "(?:is|are|was|were|be|as) wanted": "is expected",
    "bears?": "has, carries",
    "mend(?:s|ed|ing)?": "fix",
    "by hand": "manually",
    "whole numbers?": "integer",
    "nobody(?: s)?": "no recipient, no user; or name the value",
    "somebody(?: s)?": "a recipient, a user; or name the value",
    "everybody(?: s)?": "all recipients, all users",
    "anybody(?: s)?": "any recipient, any user",
    "looks? as": "looks like, seems",
    "what is left": "the rest",
    "so begins?": "starts with",
    "goes out": "is sent",
    "went out": "was sent",
    "(?:sms|text|name|line)s? of its own": "its own ...",
    "people": "recipients; or users, readers",
    "journall(?:ed|ing)": "journaled, journaling",
    "(?:of|for|by|from|with) who": "name the role: of the user who",
    "also (?:if|where|when)": "even if, even where",
    "differently than": "differently from",
    "nothing of it": "none of it",
    "(?:in|out)side of": "inside, outside",
}
_ALLOWED = (
    "`people`",  # a field of --log-format json, and a column of `status --format csv`
    "`people_total`",
    "not told apart",  # a key of `status --format json`
    "said not to be sent",  # stored in lock files
    '"people"',  # a key of the JSON log, and a column of `status --format csv`
    "people_over",  # a key of `approvals`
    "people:",  # a key of a wave
    "people=",  # the same as an argument
    "people_total",  # a key of the JSON log
    "SAME_PEOPLE",  # a problem code
    "for who in",  # Python
    "{{ nobody }}",  # a column that no file has
)
_SEPARATOR = r"[\s_#'’-]+"


class Hit(NamedTuple):
    """One word found in a file; line and column count from 1."""

    file: str
    line: int
    column: int
    words: str
    instead: str


_EXPRESSIONS = [words.replace(" ", _SEPARATOR) for words in _WORDS]
# One expression of lower-case letters, whose alternatives start with a letter and end with an empty group: `re` skips most of
# them by their first letter, and lint needs no seconds.
_PATTERN = re.compile(rf"(?<![a-z])(?:{'|'.join(f'{words}()' for words in _EXPRESSIONS)})(?![a-z])")
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_ALLOWED_PATTERN = re.compile("|".join(map(re.escape, _ALLOWED)))


def find_words(text: str, file: str) -> Iterator[Hit]:
    """Yield every hit in `text`, in order."""
    allowed = [found.span() for found in _ALLOWED_PATTERN.finditer(text)]
    suggestions = list(_WORDS.values())
    for found in _PATTERN.finditer(text.translate(_LOWER)):
        if any(start <= found.start() and found.end() <= end for start, end in allowed):
            continue
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - text.rfind("\n", 0, found.start())
        assert found.lastindex is not None
        words = text[found.start() : found.end()]
        yield Hit(file, line, column, " ".join(re.split(_SEPARATOR, words)), suggestions[found.lastindex - 1])


def _default_files() -> list[Path]:
    files = {path for pattern in _FILES for path in _ROOT.glob(pattern)}
    return sorted(files - {_ROOT / name for name in _NOT_CHECKED})


def main(arguments: list[str]) -> int:
    """Print the hits; 1 if there are any."""
    is_count_only = "--count" in arguments
    named = [Path(argument).resolve() for argument in arguments if argument != "--count"]
    files = [
        file for path in named for file in ([path] if path.is_file() else sorted(path.rglob("*.py")))
    ] or _default_files()
    hits = [
        hit
        for file in files
        for hit in find_words(file.read_text(encoding="utf-8"), str(file.relative_to(_ROOT)))
    ]
    if is_count_only:
        for file_name, count in sorted(Counter(hit.file for hit in hits).items()):
            sys.stdout.write(f"{count:5} {file_name}\n")
    else:
        for hit in hits:
            sys.stdout.write(f'{hit.file}:{hit.line}:{hit.column}: "{hit.words}": {hit.instead}\n')
    sys.stderr.write(f"{len(hits)} hits in {len(files)} files\n")
    return 1 if hits else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
