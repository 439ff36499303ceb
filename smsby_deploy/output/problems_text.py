"""Problems, one a line: for people, and as annotations of GitHub."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from smsby_deploy.output.console import clean, is_plain, make_console, write_sentence
from smsby_deploy.privacy import mask_phones
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.wording import counted

if TYPE_CHECKING:
    from smsby_deploy.output.findings import Finding
    from smsby_deploy.output.json_log import JsonLog

SEVERITY_COLORS = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_ANNOTATIONS = 10  # of a kind in one step
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_SHOWN = 20  # problems of one kind


def problem_line(problem: Problem) -> str:
    """`file:line:column: severity CODE address: message`; what is not known is left out."""
    place = f"{problem.location}: " if problem.location else ""
    address = f"{problem.address}: " if problem.address else ""
    return clean(f"{place}{problem.severity} {problem.code} {address}{mask_phones(problem.message)}")


def problem_lines(problems: Iterable[Problem]) -> Iterator[tuple[Severity, str]]:
    """A line for each, but of those that one file has of one code in one mailing only the first 20; then how many more
    there are. JSON holds all."""
    seen: Counter[tuple[object, ...]] = Counter()
    for problem in problems:
        kind = (
            problem.severity,
            problem.code,
            problem.address,
            problem.location.file if problem.location else None,
        )
        seen[kind] += 1
        if seen[kind] <= _SHOWN:
            yield problem.severity, problem_line(problem)
    for (severity, code, address, file), count in seen.items():
        if count > _SHOWN:
            what = f"{clean(f'{file}: ' if file else '')}{severity} {code} {clean(f'{address}: ' if address else '')}"
            yield Severity(str(severity)), f"{what}{count - _SHOWN} more like these; --format json shows all"


def count_line(problems: Iterable[Problem]) -> str:
    """`2 errors, 1 warning`, or `no problems found`."""
    counts = Counter(problem.severity for problem in problems)
    told = [counted(counts[severity], severity) for severity in Severity if counts[severity]]
    return ", ".join(told) or "no problems found"


def write_problems(problems: Sequence[Problem], stream: TextIO, *, color: bool) -> None:
    """Every problem on a line of its own, then how many there are."""
    if is_plain(stream, color=color):  # rich, which takes twice python's own start to load, would add nothing
        stream.writelines(f"{line}\n" for _, line in problem_lines(problems))
        stream.write(f"{count_line(problems)}\n")
        return
    console = make_console(stream, color=color)
    for severity, line in problem_lines(problems):
        write_sentence(console, line, SEVERITY_COLORS[severity])
    console.print(count_line(problems), soft_wrap=True)


def log_problems(problems: Iterable[Problem], log: JsonLog) -> None:
    """Every problem as an event of its own."""
    for problem in problems:
        file, line, column = problem.location or (None, None, None)
        log.write(
            "info" if problem.severity is Severity.NOTE else problem.severity.value,
            "problem",
            code=problem.code,
            message=problem.message,
            address=problem.address,
            file=file,
            line=line,
            column=column,
        )


def github_annotations(findings: Sequence[Finding]) -> str:
    """Workflow commands that GitHub shows beside the lines of a pull request, the worst first.

    GitHub shows ten of a kind and drops the rest without a word: the tenth then says how many more there are, and
    those follow as plain lines of the log.
    """
    lines: list[str] = []
    rest: list[str] = []
    for severity in Severity:
        of_kind = [finding for finding in findings if finding.severity is severity]
        shown = of_kind if len(of_kind) <= _ANNOTATIONS else of_kind[: _ANNOTATIONS - 1]
        lines += [_annotation(finding) for finding in shown]
        if more := of_kind[len(shown) :]:
            level = _LEVELS[severity]
            lines.append(
                f"::{level} title={len(more)} more::{len(more)} more of this kind are told in the log\n"
            )
            rest += [f"- {_plain(finding)}\n" for finding in more]
    return "".join(lines + rest)


def _annotation(finding: Finding) -> str:
    places = (
        ("file", finding.file),
        ("line", finding.line),
        ("col", finding.column),
        ("title", finding.code),
    )
    told = ",".join(f"{key}={_property(str(value))}" for key, value in places)
    return f"::{_LEVELS[finding.severity]} {told}::{_data(finding.text)}\n"


def _plain(finding: Finding) -> str:
    place = f"{finding.file}:{finding.line}:{finding.column}"
    # `##[` anywhere in a line is a command in the older syntax.
    return f"{place}: {finding.severity} {finding.code} {finding.text}".replace("##[", "## [")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
