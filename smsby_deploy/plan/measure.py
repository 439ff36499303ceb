"""Measures one mailing: counts and hashes recipients and texts, and finds problems.

`validation.py` reports the same problems for every mailing of a project, without a server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.config.sources import ContactList
from smsby_deploy.digest_key import DigestKey
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.plan.chunks import (
    ChunkReport,
    Keep,
    OnBatch,
    hash_text,
    ignore_batch,
    render_batches,
    stream_chunks,
)
from smsby_deploy.plan.desired import AudienceCounts, Desired, MeasuredMailing, spread_chunks
from smsby_deploy.plan.gone import read_own_content
from smsby_deploy.plan.text_counter import ContentPolicy, TextCounter
from smsby_deploy.problems import Location, Problem, Severity, has_errors
from smsby_deploy.recipients.audience import (
    MOST_DIFFERING,
    AudienceReport,
    ReadBatches,
    find_differing,
    read_audience,
)
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.source_reader import place_rows
from smsby_deploy.texts.compiler import compile_mailing
from smsby_deploy.texts.template import Template, rows_file
from smsby_deploy.texts.text_lint import TextLint
from smsby_deploy.wording import sentence

if TYPE_CHECKING:  # validate never shares reads, and would load pickle
    from smsby_deploy.recipients.shared_reads import SharedReads

_SHOWN_LINES = 10  # of repeated rows


class ReadProgress(NamedTuple):
    """Callbacks that report the reading of audiences.

    `begin` gets the address of each mailing, its number from 1 and the total number; `advance` gets the number of further
    recipients.
    """

    begin: Callable[[str, int, int], None] = lambda address, number, count: None
    advance: Callable[[int], None] = lambda recipients: None

    def over(self, mailings: Sequence[Mailing]) -> Iterator[Mailing]:
        """Yield `mailings`, reporting each as it begins."""
        for number, mailing in enumerate(mailings, start=1):
            self.begin(mailing.address, number, len(mailings))
            yield mailing


NO_PROGRESS = ReadProgress()


class Observers(NamedTuple):
    """What else receives recipients and texts while a mailing is measured.

    `policy` checks every text that a recipient would get, `on_batch` gets every batch with its texts, and `keep` every
    chunk of a mailing that is sent in chunks. With `keeps_phones`, the recipients are kept as a set. `shared` holds the
    files that were read for other mailings. With `runs_tests`, the mailing's own tests are run.
    """

    policy: ContentPolicy | None = None
    progress: ReadProgress = NO_PROGRESS
    on_batch: OnBatch = ignore_batch
    keep: Keep | None = None
    keeps_phones: bool = False
    shared: SharedReads | None = None
    runs_tests: bool = False

    def see(self, batch: Batch, texts: Sequence[str]) -> None:
        """Report a batch with its texts; () if all recipients get one text."""
        self.progress.advance(len(batch.phones))
        self.on_batch(batch, texts)


NO_OBSERVERS = Observers()


def measure_mailing(
    project: Project, mailing: Mailing, suppressed: PhoneSet, observers: Observers = NO_OBSERVERS
) -> MeasuredMailing:
    """Count and hash one mailing."""
    if mailing.unreadable:
        return MeasuredMailing(mailing, None, ())
    if mailing.tests and observers.runs_tests:
        return _measure_tested(project, mailing, suppressed, observers)
    return _measure_mailing(project, mailing, suppressed, observers)


def _measure_tested(
    project: Project, mailing: Mailing, suppressed: PhoneSet, observers: Observers
) -> MeasuredMailing:
    """Run the mailing's own tests while measuring it; failed tests are problems, too."""
    from smsby_deploy.plan.mailing_test_run import MailingTests

    tests, also = MailingTests(project, mailing), observers.on_batch

    def on_batch(batch: Batch, texts: Sequence[str]) -> None:
        tests.on_batch(batch, texts)
        also(batch, texts)

    policy = observers.policy or ContentPolicy(project.guardrails, locations=project.locations)
    observers = observers._replace(policy=policy, on_batch=on_batch)
    try:
        tests.begin()
    except FilesInvalid as error:
        problems = _problems_without_text(mailing, error, suppressed)
        return MeasuredMailing(mailing, None, tuple(problems), tuple(tests.fail_all()))
    measured = _measure_mailing(project, mailing, suppressed, observers)
    results = tests.judge(measured.desired, has_errors=has_errors(measured.problems))
    failed = (one.problem for one in results if one.failures and not one.is_echo)
    return measured._replace(problems=(*measured.problems, *failed), tests=tuple(results))


def _measure_mailing(
    project: Project, mailing: Mailing, suppressed: PhoneSet, observers: Observers
) -> MeasuredMailing:
    try:
        template = compile_mailing(mailing)
        if isinstance(mailing.audience, ContactList):
            from smsby_deploy.plan.contact_lists import measure_list

            desired, problems = measure_list(project, mailing, template, observers.policy)
        elif mailing.upload is not None:
            from smsby_deploy.plan.contact_lists import measure_upload

            report = AudienceReport(needs_digest=True, keeps_phones=observers.keeps_phones)
            desired, found = measure_upload(
                project, mailing, template, suppressed, report, observers.see, observers.policy
            )
            problems = [*report.problems, *_find_repeats(mailing, report), *found]
        else:
            desired, problems = _measure_chunks(project, mailing, template, suppressed, observers)
        if mailing.via == "list":  # its only text is not rendered with a batch, which would lint it
            problems += TextLint(mailing, template, project.guardrails.require).find_problems()
    except FilesInvalid as error:
        return MeasuredMailing(mailing, None, tuple(_problems_without_text(mailing, error, suppressed)))
    if observers.policy is not None:
        desired = desired._replace(violations=observers.policy.violations)
    if not isinstance(mailing.audience, ContactList):
        desired = desired._replace(opt_out_ages=tuple(suppressed.ages))
    desired = _keyed(desired, project.digest_key)._replace(own=read_own_content(mailing))
    return MeasuredMailing(mailing, desired, tuple(_placed(mailing, problems, desired.audience)))


def find_flaws(
    project: Project, mailing: Mailing, suppressed: PhoneSet, progress: ReadProgress = NO_PROGRESS
) -> list[Problem]:
    """Return the problems that `measure_mailing` finds.

    Recipients and texts are not hashed, which saves a third of the work for a short mailing.
    """
    if mailing.unreadable:
        return []
    observers = Observers(progress=progress)
    if isinstance(mailing.audience, ContactList) or mailing.upload is not None or mailing.tests:
        measured = measure_mailing(project, mailing, suppressed, observers._replace(runs_tests=True))
        return list(measured.problems)
    try:
        template = compile_mailing(mailing)
        check = _TextCheck(project, mailing, template, observers, AudienceReport())
        batches = render_batches(mailing, template, suppressed, check.report, check.on_batch)
        for batch, texts in batches:
            check.counter.count_batch(batch, texts)
    except FilesInvalid as error:
        return _problems_without_text(mailing, error, suppressed)
    counts = check.counter.count_audience(check.report.audience)
    return _placed(mailing, check.find_problems(), counts)


def problems_of(mailing: Mailing, error: FilesInvalid) -> list[Problem]:
    """Return the problems of a text that cannot be compiled, as those of `mailing`."""
    return [replace(problem, address=mailing.address) for problem in error.problems]


def _problems_without_text(mailing: Mailing, error: FilesInvalid, suppressed: PhoneSet) -> list[Problem]:
    """Return the problems of a text that cannot be compiled, and those of its recipients."""
    problems = problems_of(mailing, error)
    if not isinstance(mailing.audience, ContactList):
        report = AudienceReport()
        for _ in read_audience(mailing, suppressed, report):
            pass
        problems += _locate(mailing, (*report.problems, *_find_repeats(mailing, report)))
    return problems


def _placed(mailing: Mailing, problems: Sequence[Problem], audience: AudienceCounts) -> list[Problem]:
    """Return `problems` with their places, and a warning if no recipient remains."""
    found, code = _locate(mailing, problems), ""
    if audience.held_out and not audience.final:
        code = "NO_TEST_PHONE"
        message = sentence("only_to: none of its recipients is a test phone that may get it; nothing is sent")
    elif audience.suppressed and not audience.final:
        code = "ALL_SUPPRESSED"
        message = sentence(
            "all of its recipients opted out ({count:,}); nothing is sent", count=audience.suppressed
        )
    if code:
        found.append(Problem(Severity.WARNING, code, message, mailing.address, mailing.audience.location))
    return found


def _keyed(desired: Desired, key: DigestKey) -> Desired:
    """Return `desired` with keyed audience and text digests; those of chunks already are."""
    recipients, text = desired.recipients_digest, desired.text_digest
    return desired._replace(
        audience_digest=key.apply(desired.audience_digest),
        text_digest=None if text is None else key.apply(text),
        recipients_digest=None if recipients is None else key.apply(recipients),
        snapshot=None if desired.snapshot is None else key.apply(desired.snapshot),
    )


class _TextCheck:
    """Checks and counts the texts of one mailing while its recipients are read."""

    def __init__(
        self,
        project: Project,
        mailing: Mailing,
        template: Template,
        observers: Observers,
        audience: AudienceReport,
    ) -> None:
        self.report = ChunkReport(audience=audience)
        self._template = template
        self.counter = TextCounter(
            mailing,
            template,
            project.price,
            self.report.texts,
            observers.policy,
            by_prefix=audience.needs_digest,
        )
        self._mailing = mailing
        self._observers = observers
        self._lint = TextLint(mailing, template, project.guardrails.require)

    def on_batch(self, batch: Batch, texts: Sequence[str]) -> None:
        """Receive a batch with its texts, before they are counted."""
        if texts:
            self._lint.check(batch, texts)
            self.counter.has_invisible = self._lint.has_invisible
        self._observers.see(batch, texts)

    def find_problems(self) -> list[Problem]:
        mailing, audience = self._mailing, self.report.audience
        problems = [*audience.problems, *_find_repeats(mailing, audience), *self.report.texts.all_of(mailing)]
        problems += [*self.counter.find_problems(), *self._lint.find_problems()]
        problems += self._template.find_problems(mailing)
        return problems


def _measure_chunks(
    project: Project, mailing: Mailing, template: Template, suppressed: PhoneSet, observers: Observers
) -> tuple[Desired, list[Problem]]:
    audience = AudienceReport(needs_digest=True, keeps_phones=observers.keeps_phones)
    check = _TextCheck(project, mailing, template, observers, audience)
    report, counter = check.report, check.counter
    read: ReadBatches = read_audience
    if observers.keep is not None and not observers.keeps_phones:
        # Only apply keeps chunks, and it holds the lock meanwhile, so a second process speeds it up.
        from smsby_deploy.recipients.prefetch import prefetch_audience

        read = prefetch_audience
    if observers.shared is not None:
        read = observers.shared.sharing(read)
    chunks = []
    for chunk in stream_chunks(
        project, mailing, template, suppressed, report, read=read, on_batch=check.on_batch
    ):
        chunks.append(counter.count_chunk(chunk))
        if observers.keep is not None:
            observers.keep(mailing.address, chunk)
    if project.environment.is_rehearsal:
        chunks = [chunk._replace(wave=None) for chunk in chunks]
    if mailing.spread is not None and mailing.schedule_time is not None:
        chunks = [*spread_chunks(chunks, mailing.schedule_time, mailing.spread)]
    audience_digest = report.audience_digest.hexdigest()
    desired = counter.describe(audience, report.content_digest, audience_digest, chunks)._replace(
        body=project.api.body,
        former_content=report.former_content,
        text_digest=hash_text(mailing, template, report.own_texts.hexdigest()),
        languages=template.languages,
    )
    return desired, check.find_problems()


def _find_repeats(mailing: Mailing, report: AudienceReport) -> Iterator[Problem]:
    """Report rows that were dropped because an earlier row has the same phone."""
    if not report.duplicate:
        return
    file, lines = rows_file(mailing), find_differing(mailing, report)
    message = sentence(
        "{count:row repeats|rows repeat} the phone of an earlier row; the first row is used",
        count=report.duplicate,
    )
    place = Location(file, min(report.repeats.lines))
    yield Problem(Severity.NOTE, "DUPLICATE", message, mailing.address, place)
    if lines:
        message = sentence(
            "{count:dropped row differs|dropped rows differ} from the used {count:|row|rows} with the same "
            "{count:|phone (line|phones (lines} {lines})",
            count=len(lines),
            lines=", ".join(map(str, lines[:_SHOWN_LINES])) + (" …" if len(lines) > _SHOWN_LINES else ""),
        )
        if report.duplicate > len(report.repeats.lines) or len(lines) >= MOST_DIFFERING:
            message = sentence("at least {message}", message=message)
        place = Location(file, lines[0])
        yield Problem(Severity.WARNING, "DUPLICATE_DIFFERS", message, mailing.address, place)


def _locate(mailing: Mailing, problems: Iterable[Problem]) -> list[Problem]:
    """Locate problems; one without a location is about the mailing's text."""
    located = (
        one if one.location else replace(one, address=mailing.address, location=mailing.text_location)
        for one in problems
    )
    return place_rows(mailing.audience, located)
