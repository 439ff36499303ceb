"""Problems in words: a line each for a terminal, and what each code means and what to do.

The latter is read from docs/problems.md and its translations.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TextIO

from smsby_deploy.output.console import is_plain, make_console, write_sentence
from smsby_deploy.output.terminal import clean, safe_line, write_text
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.resources import problems_page
from smsby_deploy.wording import counted, sentence

if TYPE_CHECKING:
    from smsby_deploy.output.translation import Translator

SEVERITY_COLORS = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_MAX_ALIKE = 20
_ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)
_SEVERITY = re.compile(r"^(?:warning|note|предупреждение|замечание)(?:: |; )")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


def problem_line(problem: Problem) -> str:
    """`file:line:column: severity CODE address: message`, without the parts that are unknown."""
    place, address = (f"{text}: " if text else "" for text in (str(problem.location or ""), problem.address))
    return clean(f"{place}{problem.severity} {problem.code} {address}") + safe_line(problem.message)


def fold_alike(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Yield at most 20 problems that differ only in line and message.

    At the end, another problem counts the rest.
    """
    seen: Counter[tuple[Severity, str, str | None, str | None]] = Counter()
    for problem in problems:
        file = problem.location.file if problem.location else None
        key = (problem.severity, problem.code, problem.address, file)
        seen[key] += 1
        if seen[key] <= _MAX_ALIKE:
            yield problem
    for (severity, code, address, file), count in seen.items():
        if count > _MAX_ALIKE:
            more = sentence(
                "{count:,} more like these; use --format json to list them all", count=count - _MAX_ALIKE
            )
            yield Problem(severity, code, more, address, Location(file) if file is not None else None)


def problem_lines(problems: Iterable[Problem]) -> Iterator[tuple[Severity, str]]:
    """One line per problem, with those that are alike folded."""
    return ((problem.severity, problem_line(problem)) for problem in fold_alike(problems))


def count_line(problems: Iterable[Problem]) -> str:
    """`2 errors, 1 warning`, or `no problems found`."""
    counts = Counter(problem.severity for problem in problems)
    found = [counted(counts[severity], severity) for severity in Severity if counts[severity]]
    return ", ".join(found) or "no problems found"


def write_problems(problems: Sequence[Problem], stream: TextIO, *, color: bool) -> None:
    """Write one line per problem, then the counts."""
    # Importing rich takes twice as long as starting Python.
    if is_plain(stream, color=color):
        lines = (line for _, line in problem_lines(problems))
        write_text("\n".join((*lines, count_line(problems), "")), stream)
        return
    console = make_console(stream, color=color)
    for severity, line in problem_lines(problems):
        write_sentence(console, line, SEVERITY_COLORS[severity])
    console.print(count_line(problems), soft_wrap=True)


class ProblemHelp(NamedTuple):
    """The help on a problem code: Markdown without a final period; `meaning` begins a sentence."""

    meaning: str
    way_out: str


@cache
def problem_help(language: str) -> Mapping[str, ProblemHelp]:
    """Return the help on each problem code in `language`."""
    rows = _ROW.findall(problems_page(language).read_text(encoding="utf-8"))
    meanings = [_SEVERITY.sub("", meaning) for _, meaning, _ in rows]
    return {
        code: ProblemHelp(meaning[0].upper() + meaning[1:], way_out)
        for meaning, (code, _, way_out) in zip(meanings, rows, strict=True)
    }


def with_help(problems: Iterable[Problem], language: str) -> Iterator[tuple[Problem, ProblemHelp | None]]:
    """Yield each problem, the first of each code with the help on it."""
    explained: set[str] = set()
    for problem in problems:
        yield problem, None if problem.code in explained else problem_help(language).get(problem.code)
        explained.add(problem.code)


def as_html(text: str) -> str:
    """Return a cell of the table as HTML, with links as their texts: the page is elsewhere."""
    from smsby_deploy.output.markdown import code_html  # not needed on a terminal

    return code_html(_LINK.sub(r"\1", text))


def help_line(known: ProblemHelp, t: Translator) -> str:
    """Return a line below an item of a list in Markdown."""
    way_out = t.gettext("What to do: {way_out}", way_out=as_html(known.way_out))
    return f"  <br>**{as_html(known.meaning)}.** {way_out}.\n"
