"""Gone mailings: sms.by accepted them, and their time has come.

Only a change to their own entry or text makes them `changed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.config.sources import ContactList, InlineRecipients
from smsby_deploy.plan.fingerprint import hash_json
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.texts.analysis import has_markup, may_include
from smsby_deploy.texts.encoding_lint import Rewriter
from smsby_deploy.wording import sentence

if TYPE_CHECKING:
    from smsby_deploy.lock.records import Entry  # `validate` loads it only if files are not valid


class OwnContent(NamedTuple):
    """What a mailing's own entry in the campaign file sets, including its `text_file`.

    `digest` covers all of it. The other fields allow a comparison with older locks, which lack the digest: the sender,
    wherever it is set, whether the entry itself sets sender and time, and whether its text includes others.
    """

    digest: str
    alphaname: str
    has_sender: bool
    has_time: bool
    has_includes: bool


def read_own_content(mailing: Mailing) -> OwnContent:
    """Return the mailing's own content.

    It excludes what the mailing shares with others: `defaults`, keys of the campaign, and includes.
    """
    text, own, audience = mailing.text, mailing.own, mailing.audience
    header = {
        "alphaname": own.alphaname,
        "schedule_time": None if own.schedule_time is None else _instant(own.schedule_time),
        "timezone": own.timezone,
        **({} if own.spread is None else {"spread": own.spread.total_seconds()}),
        **({"waves": mailing.waves.identity} if mailing.waves is not None and own.has_waves else {}),
        "text": text.identity(Rewriter(mailing.rewrite).apply) if text else None,
        "rewrite": list(mailing.rewrite),
        "list": audience.ref if isinstance(audience, ContactList) else None,
        "own_texts": isinstance(audience, InlineRecipients) and any("text" in row for row in audience.rows),
    }
    return OwnContent(
        hash_json(header),
        mailing.alphaname,
        has_sender=own.alphaname is not None,
        has_time=(own.schedule_time, own.timezone, own.spread) != (None, None, None),
        has_includes=any(has_markup(one.text) and may_include(one.text) for one in mailing.text_sources),
    )


def is_excused(entry: Entry | None, mailing: Mailing, now: datetime) -> bool:
    """Whether the files of `mailing` may be missing or invalid.

    They may if it is cancelled or gone, unless the mailing itself was changed since; then its errors matter.
    """
    if mailing.cancelled is not None:
        return True
    return entry is not None and _is_gone(entry, mailing, now) and not _has_new_text(entry, mailing)


def is_all_sent(entry: Entry | None, mailing: Mailing) -> bool:
    """Whether all of this revision was sent, according to its record."""
    return entry is not None and entry.is_complete and entry.revision == mailing.revision


def _is_gone(entry: Entry, mailing: Mailing, now: datetime) -> bool:
    is_past = entry.last_time is None or entry.last_time <= now
    return is_past and entry.is_finished and entry.revision == mailing.revision


def _has_new_text(entry: Entry, mailing: Mailing) -> bool:
    """Whether the mailing's own content certainly differs from what was sent."""
    is_unknown = entry.own_digest is None or (mailing.text is None and mailing.unreadable)
    return not is_unknown and entry.own_digest != read_own_content(mailing).digest


def excuse_missing(loaded: LoadedProject, excuses: Callable[[Mailing], bool]) -> LoadedProject:
    """Return `loaded` with a note for each missing file that only excused mailings need."""
    mailings = [mailing for mailing in loaded.all_mailings if mailing.unreadable]
    excused = [mailing for mailing in mailings if excuses(mailing)]
    needed = {problem for one in mailings if one not in excused for problem in one.unreadable}
    notes = {
        problem: _as_note(mailing, problem)
        for mailing in excused
        for problem in mailing.unreadable
        if problem not in needed
    }
    return loaded._replace(
        problems=tuple(notes.get(problem, problem) for problem in loaded.problems),
        concerns={notes.get(problem, problem): scopes for problem, scopes in loaded.concerns.items()},
    )


def excuse_errors(mailing: Mailing, problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems of an excused mailing, with one note for all errors."""
    problems = list(problems)
    errors = [problem for problem in problems if problem.is_error]
    others = [problem for problem in problems if not problem.is_error]
    return [*(_as_note(mailing, error, len(errors) - 1) for error in errors[:1]), *others]


def _as_note(mailing: Mailing, error: Problem, more: int = 0) -> Problem:
    message = sentence(
        "ignored, because no more of the mailing will be sent: {error} (and {count:more error|more errors})"
        if more
        else "ignored, because no more of the mailing will be sent: {error}",
        error=error.message,
        count=more,
    )
    return replace(error, severity=Severity.NOTE, message=message, address=mailing.address)


def _instant(written: str) -> str:
    """Return a time in canonical form; without an offset, it stays a local time."""
    time = datetime.fromisoformat(written)
    return (time.astimezone(UTC) if time.tzinfo else time).isoformat()
