"""Tests that a mailing's author wrote under `tests`, run while its audience is read.

A row is rendered by the code that renders real recipients. A time is judged by the code that plans, with an empty lock, so
that a test gives the same result before and after the mailing was sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from unicodedata import normalize

from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.config.environments import Environment
from smsby_deploy.config.mailing_tests import (
    AllSubject,
    AudienceSubject,
    ClockSubject,
    LineSubject,
    MailingTest,
    RowSubject,
    TextExpectation,
)
from smsby_deploy.config.sources import ContactList, InlineRecipients, TextsByLanguage
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.account_names import NOT_ASKED
from smsby_deploy.plan.budget import hold_budget
from smsby_deploy.plan.desired import Desired
from smsby_deploy.plan.mailing_planner import MailingPlanner, MeasuredMailing
from smsby_deploy.plan.mailing_test_results import MailingTestResult
from smsby_deploy.plan.similar import SentMailings
from smsby_deploy.plan.text_counter import ContentPolicy
from smsby_deploy.privacy import mask_phone
from smsby_deploy.recipients.audience import AudienceReport, read_audience
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.phones import normalize_all
from smsby_deploy.texts.compiler import compile_texts
from smsby_deploy.texts.parts import TextTooLong, measure_batch, measure_text
from smsby_deploy.texts.pattern_search import PatternTooSlow, is_found
from smsby_deploy.texts.samples import mask_text
from smsby_deploy.texts.template import Template, render_texts, rows_file
from smsby_deploy.wording import counted

_SOME_PHONE = (
    "375290000000"  # the phone of a row that has none; a template that reads it needs one in the row
)


@dataclass(frozen=True, slots=True)
class _Read:
    """A recipient that a test asked for, with their text and what it was rendered from."""

    phone: str
    text: str
    values: Mapping[str, str]


@dataclass(slots=True)
class MailingTests:
    """The tests of one mailing.

    Collects what they need while the audience streams by, then judges.
    """

    project: Project
    mailing: Mailing
    _template: Template | None = None
    _shared_text: str = ""
    _lines: dict[int, _Read] = field(default_factory=dict)
    _found: dict[str, bool] = field(default_factory=dict)  # phones asked for: whether they get the mailing
    _recipients: int = 0
    _failures: dict[int, tuple[int, str]] = field(default_factory=dict)  # by number of the test: count, first

    def begin(self) -> None:
        """Compile the text apart from the one that is measured, which keeps a record of its use.

        Raises:
            FilesInvalid: it cannot be compiled.
        """
        text = self.mailing.text
        self._template = compile_texts(text) if text is not None else None
        if self._template is not None and not self._template.is_personal:
            self._shared_text = self._template.render_once()

    def on_batch(self, batch: Batch, texts: Sequence[str]) -> None:
        """Take the next recipients; there are no texts where all recipients get the same."""
        all_texts = texts or [self._shared_text] * len(batch.phones)
        self._recipients += batch.not_suppressed.count(1)
        for test in self.mailing.tests:
            match test.subject:
                case LineSubject(line) if line in batch.lines:
                    index = list(batch.lines).index(line)
                    read = _Read(batch.phones[index], all_texts[index], batch.variables_of(index))
                    self._lines.setdefault(line, read)
                case AllSubject():
                    self._check_all(test, batch, all_texts, has_one_text=not texts)
                case AudienceSubject(includes=includes, excludes=excludes):
                    self._look_for((*includes, *excludes), batch)

    def judge(
        self,
        desired: Desired | None,
        policy: ContentPolicy,
        *,
        has_errors: bool = False,
        unread: str | None = None,
    ) -> list[MailingTestResult]:
        """Return the results, once the audience was read.

        `desired` and `policy` are what was measured. With `has_errors` the mailing has problems that may be the cause of a
        failure. `unread` says why the audience could not be read here.
        """
        results = []
        for test in self.mailing.tests:
            skipped = None if isinstance(test.subject, RowSubject) else unread
            if self.project.only_to is not None and isinstance(test.subject, AudienceSubject | ClockSubject):
                skipped = f"only test phones get it in the environment {self.project.environment.name}"
            if skipped is not None:
                results.append(self._result(test, skipped=skipped))
                continue
            result = self._judge(test, desired, policy)
            if has_errors and not isinstance(test.subject, RowSubject):
                result = replace(result, is_echo=True)
            results.append(result)
        return results

    def fail_all(self) -> list[MailingTestResult]:
        """Return the results where text or audience cannot be read, which is a problem of its own."""
        why = ("not run: the mailing has errors",)
        return [self._result(test, failures=why, is_echo=True) for test in self.mailing.tests]

    def _result(
        self, test: MailingTest, failures: Sequence[str] = (), **more: str | bool | None
    ) -> MailingTestResult:
        return MailingTestResult(self.mailing.address, test, tuple(failures), **more)  # type: ignore[arg-type]

    def _judge(self, test: MailingTest, desired: Desired | None, policy: ContentPolicy) -> MailingTestResult:
        match test.subject:
            case RowSubject(values):
                return self._judge_row(test, values)
            case LineSubject(line):
                return self._judge_line(test, line)
            case AllSubject():
                if isinstance(self.mailing.audience, ContactList):
                    return self._judge_text(test, self._shared_text, self._shared_text)
                return self._result(test, list(self._all_failures(test)))
            case AudienceSubject() as audience:
                return self._result(test, list(self._audience_failures(audience)))
            case ClockSubject() as clock:
                if desired is None:
                    return self._result(test, ["not run: the mailing has errors"], is_echo=True)
                return self._result(test, list(self._clock_failures(clock, desired, policy)))

    def _judge_row(self, test: MailingTest, values: Mapping[str, str]) -> MailingTestResult:
        batch, failure = self._batch_of(test, values)
        if batch is None:
            return self._judge_error(test, [("PHONE", failure)])
        if failure:
            return self._result(test, [failure])
        # The row is the author's own text, as those in the campaign file are.
        no_rows = InlineRecipients((), test.location)
        rendered = render_texts(self.mailing._replace(audience=no_rows), self._template, batch)
        if rendered.problems:
            return self._judge_error(test, [(one.code, one.message) for one in rendered.problems])
        if not rendered.texts[0]:  # an earlier test has shown that rendering never ends
            return self._judge_error(test, [("TEMPLATE", "the text cannot be rendered")])
        return self._judge_text(test, rendered.texts[0], rendered.texts[0])

    def _batch_of(self, test: MailingTest, values: Mapping[str, str]) -> tuple[Batch | None, str]:
        """Return a row as a batch, and why it cannot be used; there is no batch without a phone."""
        audience = self.mailing.audience
        column = "phone" if isinstance(audience, InlineRecipients | ContactList) else audience.phone
        written = values.get("phone", values.get(column))
        template = self._template
        own_text = "text" in values and (template is None or isinstance(audience, InlineRecipients))
        if own_text:  # read as recipients of the campaign file are
            row, mark = {"phone": written or _SOME_PHONE, **values}, (test.location.line or 1, 1)
            inline = self.mailing._replace(audience=InlineRecipients([row], test.location, [mark]))
            for batch in read_audience(inline, None, AudienceReport()):
                return batch, ""
            return None, "the phone is not valid"
        phones, invalid = normalize_all([written or _SOME_PHONE], self.mailing.countries)
        if invalid and written is not None:
            return None, invalid[0]
        names = tuple(values)
        columns = [[values[name]] for name in names]
        batch = Batch(
            phones, names, columns, [None], [test.location.line or 1], bytearray(b"\1"), None, is_typed=True
        )
        needed = self._needed_by(values)
        missing = sorted(name for name in needed if name != "phone" and batch.column(name) is None)
        if "phone" in needed and written is None:
            missing.append("phone")
        if not missing:
            return batch, ""
        named = ", ".join(missing)
        return batch, f'the row has no {named}: add it; an empty value is written as {missing[0]}: ""'

    def _needed_by(self, values: Mapping[str, str]) -> frozenset[str]:
        """The variables that a row with `values` must have: those of its text, and its language."""
        if self._template is None:
            return frozenset()
        picked = self._template.pick(values)
        needed = self._template.variables if picked is None else picked.variables
        texts = self.mailing.text
        return needed | {texts.column} if isinstance(texts, TextsByLanguage) else needed

    def _judge_line(self, test: MailingTest, line: int) -> MailingTestResult:
        read = self._lines.get(line)
        if read is None:
            why = f"no recipient in line {line} of {rows_file(self.mailing)}"
            return self._result(test, [why])
        if not read.text:
            return self._judge_error(test, [("TEMPLATE", "the text cannot be rendered")])
        shown = mask_text(self.mailing, read.text, read.values, read.phone)
        return self._judge_text(test, read.text, shown)

    def _judge_text(self, test: MailingTest, text: str, shown: str) -> MailingTestResult:
        """Compare a text; `shown` is how failures quote it."""
        try:
            size = measure_text(text)
        except TextTooLong as error:
            return self._judge_error(test, [("TOO_LONG", error.message)])
        if test.expected.error is not None:
            return self._result(
                test, [f"expected the error {test.expected.error}, but the text is “{shown}”"]
            )
        failures = _find_failures(test.expected, text, size.parts, shown)
        if test.expected.text is None or test.expected.text == normalize("NFC", text):
            return self._result(test, failures)
        return self._result(test, failures, expected=test.expected.text, actual=shown, rendered=text)

    def _judge_error(self, test: MailingTest, errors: Sequence[tuple[str, str]]) -> MailingTestResult:
        expected = test.expected.error
        if expected in [code for code, _ in errors]:
            return self._result(test)
        code, message = errors[0]
        wanted = "" if expected is None else f"expected the error {expected}, got "
        return self._result(test, [f"{wanted}{code}: {message}"])

    def _check_all(
        self, test: MailingTest, batch: Batch, texts: Sequence[str], *, has_one_text: bool
    ) -> None:
        rows = list(compress(zip(texts, batch.lines, strict=True), batch.not_suppressed))
        if has_one_text and rows:
            count, where, why = _count_failures(test.expected, rows[:1])
            count *= len(rows)
        else:
            count, where, why = _count_failures(test.expected, rows)
        if count:
            before, first = self._failures.get(test.number, (0, ""))
            first = first or (why if has_one_text else f"{why} ({rows_file(self.mailing)}:{where})")
            self._failures[test.number] = before + count, first

    def _all_failures(self, test: MailingTest) -> Iterator[str]:
        if not self._recipients:
            yield "no recipient gets the mailing"
        count, first = self._failures.get(test.number, (0, ""))
        if count:
            verb = "fails" if count == 1 else "fail"
            yield f"{count:,} of {self._recipients:,} texts {verb}: {first}"

    def _look_for(self, written: Sequence[str], batch: Batch) -> None:
        phones, _ = normalize_all(written, self.mailing.countries)
        for phone in set(phones).intersection(batch.phones):
            self._found[phone] = bool(batch.not_suppressed[batch.phones.index(phone)])

    def _audience_failures(self, audience: AudienceSubject) -> Iterator[str]:
        count = self._recipients
        if audience.least is not None and count < audience.least:
            yield f"expected at least {counted(audience.least, 'recipient')}, got {count:,}"
        if audience.most is not None and count > audience.most:
            yield f"expected at most {counted(audience.most, 'recipient')}, got {count:,}"
        for name, written in (("includes", audience.includes), ("excludes", audience.excludes)):
            phones, invalid = normalize_all(written, self.mailing.countries)
            for position, phone in enumerate(phones):
                gets_it = self._found.get(phone)
                if position in invalid:
                    yield f"{name}, item {position + 1}: {invalid[position]}"
                elif name == "includes" and not gets_it:
                    why = "is not among the recipients" if gets_it is None else "opted out"
                    yield f"{mask_phone(phone)} {why}"
                elif name == "excludes" and gets_it:
                    yield f"{mask_phone(phone)} gets the mailing"

    def _clock_failures(self, clock: ClockSubject, desired: Desired, policy: ContentPolicy) -> Iterator[str]:
        # Neither a rehearsal nor a freeze of today says anything about that time.
        api = self.project.api._replace(environment=Environment())
        project = self.project._replace(api=api, freeze="", rehearsed_in=None, approvals=None)
        lock = Lock(project.name)
        sent = SentMailings(lock, (), [desired], now=clock.at)
        planner = MailingPlanner(project, lock, sent, NOT_ASKED, None, None, clock.at, [], frozenset())
        action = planner.plan_mailing(MeasuredMailing(self.mailing, desired, policy, ()))
        assert action is not None
        (action,) = hold_budget(project, [action], lock, clock.at)
        code = action.reason_code and action.reason_code.value
        found = f"{action.action}" + (f" ({action.reason})" if action.reason_code else "")
        if clock.action not in (None, action.action.value):
            yield f"expected {clock.action}, got {found}"
        elif clock.has_reason_code and clock.reason_code != code:
            yield f"expected the reason {clock.reason_code or 'none'}, got {found}"


# --- Texts -----------------------------------------------------------------------------------------------------------


def _find_failures(expected: TextExpectation, text: str, parts: int, shown: str) -> list[str]:
    """Return how `text`, which is billed as `parts`, differs from what is expected.

    `shown` is how the sentences quote it.
    """
    composed = normalize("NFC", text)
    failures = []
    if expected.text is not None and expected.text != composed:
        failures.append(f"expected “{expected.text}”, got “{shown}”")
    quoted = "the text" if failures else f"“{shown}”"
    failures += [f"{why} {quoted}" for why in _lacks(expected, composed)]
    return [*failures, *_part_failures(expected, parts)]


def _count_failures(
    expected: TextExpectation, rows: Sequence[tuple[str, int]]
) -> tuple[int, int | None, str]:
    """Return how many of the texts fail, with the line of the first and why it does.

    `rows` are texts with their lines; an empty text could not be rendered.
    """
    if not (expected.contains or expected.matches or expected.parts) and expected.max_parts is not None:
        size = measure_batch([text for text, _ in rows]) if rows else None
        if size is not None and size.longest <= expected.max_parts and all(text for text, _ in rows):
            return 0, None, ""  # much faster than one by one
    count, first_line, first = 0, None, ""
    for text, line in rows:
        why = next(_explain(expected, text), None)
        if why is not None:
            count += 1
            if first_line is None:
                first_line, first = line, why
    return count, first_line, first


def _explain(expected: TextExpectation, text: str) -> Iterator[str]:
    if not text:
        yield "the text cannot be rendered"
        return
    try:
        parts = measure_text(text).parts
    except TextTooLong as error:
        yield error.message
        return
    yield from _part_failures(expected, parts)
    for why in _lacks(expected, normalize("NFC", text)):
        yield f"{why} the text"


def _part_failures(expected: TextExpectation, parts: int) -> Iterator[str]:
    if expected.parts is not None and parts != expected.parts:
        yield f"expected {counted(expected.parts, 'part')}, got {parts}"
    if expected.max_parts is not None and parts > expected.max_parts:
        yield f"expected at most {counted(expected.max_parts, 'part')}, got {parts}"


def _lacks(expected: TextExpectation, text: str) -> Iterator[str]:
    for part in expected.contains:
        if part not in text:
            yield f"“{part}” is not in"
    if expected.matches is not None:
        try:
            if not is_found(expected.matches, text):
                yield f"{expected.matches} is not found in"
        except PatternTooSlow as error:
            yield f"{expected.matches} {error}:"
