"""One mailing counted and hashed: what the plan knows of it, and everything that is wrong with its recipients and texts."""

from __future__ import annotations

from smsby_deploy.config.declarations import ContactList, Mailing, Project
from smsby_deploy.plan.chunk_cache import Keep, keep_nothing
from smsby_deploy.plan.chunks import stream_chunks
from smsby_deploy.plan.content_policy import ContentPolicy
from smsby_deploy.plan.desired_state import AudienceCounts, ChunkPlan, Desired
from smsby_deploy.plan.progress_callback import NO_PROGRESS, ReadProgress
from smsby_deploy.plan.tally import AudienceTally
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.audience import MOST_DIFFERING, AudienceReport, find_differing
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.sources import place_rows
from smsby_deploy.texts.mailing_texts import rows_file
from smsby_deploy.texts.template import compile_text

_LINES_TOLD = 10  # of repeated rows


def measure_mailing(
    project: Project,
    mailing: Mailing,
    suppressed: PhoneSet,
    policy: ContentPolicy | None = None,
    progress: ReadProgress = NO_PROGRESS,
    keep: Keep = keep_nothing,
) -> tuple[Desired, list[Problem]]:
    """One mailing counted and hashed, and everything that is wrong with its recipients and texts.

    `words` looks at every text that somebody would get; `read` hears how many people more were read, `keep` of every
    chunk.

    Raises:
        FilesInvalid: its template can't be compiled.
    """
    template = compile_text(mailing.text) if mailing.text else None
    if isinstance(mailing.audience, ContactList):
        from smsby_deploy.plan.contact_lists import measure_list

        desired, problems = measure_list(project, mailing, template, policy)
        return desired, _placed(mailing, problems)
    file = rows_file(mailing)
    policy = policy if policy is not None and policy.has_rules else None
    # Who keeps the chunks sends them next, and holds the lock.
    tally = AudienceTally(rows_file=file, policy=policy, progress=progress, is_ahead=keep is not keep_nothing)
    if mailing.upload is not None:
        from smsby_deploy.plan.contact_lists import measure_upload

        desired, problems = measure_upload(project, mailing, template, suppressed, tally)
        told = [*tally.report.problems, *_repeated(mailing, tally.report), *problems]
        return desired, _placed(mailing, told)
    chunks: list[ChunkPlan] = []
    before = _counted_so_far("", tally, "")
    for chunk in stream_chunks(project, mailing, template, suppressed, tally):
        after = _counted_so_far(chunk.fingerprint, tally, chunk.digest)
        chunks.append(_difference(after, before))
        before = after
        keep(mailing.address, chunk)
    if template is not None:
        tally.figures.replaced |= template.rewriter.replaced
    if tally.untold:
        # First, for of a long list of problems only the beginning is shown.
        message = f"{tally.untold:,} more texts of this mailing than are told here can't be sent as they are"
        tally.problems.insert(0, Problem(Severity.ERROR, "TEMPLATE", message))
    tally.problems.extend(tally.figures.problems(mailing, template, file))
    report = tally.report
    desired = Desired(
        address=mailing.address,
        revision=mailing.revision,
        via=mailing.via,
        content_digest=tally.content,
        audience_digest=tally.audience.hexdigest(),
        chunks=tuple(chunks),
        audience=AudienceCounts(report.rows, report.invalid, report.duplicate, tally.suppressed, tally.final),
        parts=tally.parts,
        gsm7=tally.gsm7,
        ucs2=tally.ucs2,
        longest=tally.longest,
        schedule_time=mailing.schedule_time,
        cost=tally.figures.cost,
        snapshot=report.facts.snapshot,
        newest=report.facts.newest,
        body=project.api.body,
    )
    return desired, _placed(mailing, [*report.problems, *_repeated(mailing, report), *tally.problems])


def _counted_so_far(fingerprint: str, tally: AudienceTally, digest: str) -> ChunkPlan:
    return ChunkPlan(
        fingerprint, tally.final, digest, tally.parts, tally.figures.cost, tally.gsm7, tally.ucs2
    )


def _difference(after: ChunkPlan, before: ChunkPlan) -> ChunkPlan:
    """What the last chunk added."""
    return after._replace(
        recipients=(after.recipients or 0) - (before.recipients or 0),
        parts=after.parts - before.parts,
        cost=None if after.cost is None else after.cost - (before.cost or 0),
        gsm7=after.gsm7 - before.gsm7,
        ucs2=after.ucs2 - before.ucs2,
    )


def _repeated(mailing: Mailing, report: AudienceReport) -> list[Problem]:
    """What a reviewer is told of the rows that were dropped because their phone stands above."""
    assert not isinstance(mailing.audience, ContactList)
    if not report.duplicate:
        return []
    file = getattr(mailing.audience, "name", mailing.file)
    rows = "1 row repeats a phone" if report.duplicate == 1 else f"{report.duplicate} rows repeat a phone"
    first = min(report.repeats.lines)
    problems = [
        Problem(
            Severity.NOTE,
            "DUPLICATE",
            f"{rows} of an earlier one: the first row wins",
            mailing.address,
            Location(file, first),
        )
    ]
    lines = find_differing(mailing, report)
    if lines:
        told = ", ".join(map(str, lines[:_LINES_TOLD])) + (" …" if len(lines) > _LINES_TOLD else "")
        rows = f"1 dropped row has other values than the row that is kept (line {told})"
        if len(lines) > 1:
            rows = f"{len(lines)} dropped rows have other values than the rows that are kept (lines {told})"
        if report.duplicate > len(report.repeats.lines) or len(lines) >= MOST_DIFFERING:
            rows = f"at least {rows}"
        problems.append(
            Problem(Severity.WARNING, "DUPLICATE_DIFFERS", rows, mailing.address, Location(file, lines[0]))
        )
    return problems


def _placed(mailing: Mailing, problems: list[Problem]) -> list[Problem]:
    """Problems that know no place stand at the mailing's text."""
    place = mailing.text.location if mailing.text else mailing.location
    return [
        place_rows(mailing.audience, problem)
        if problem.location
        else Problem(
            problem.severity,
            problem.code,
            problem.message,
            mailing.address,
            place,
        )
        for problem in problems
    ]
