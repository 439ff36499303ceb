"""Runs the tests that a mailing's author wrote under `tests`, while its audience is read.

Rows are rendered by the code for real recipients. Times are judged by the code that plans, with an empty lock, so that a
test gives the same result before and after the mailing was sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress, count
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
)
from smsby_deploy.config.sources import ContactList, InlineRecipients, TextsByLanguage, TextsByVariant
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.account_names import NOT_ASKED
from smsby_deploy.plan.budget import hold_budget
from smsby_deploy.plan.contradictions import FactCheck
from smsby_deploy.plan.desired import Desired, MeasuredMailing
from smsby_deploy.plan.mailing_planner import MailingPlanner
from smsby_deploy.plan.mailing_test_results import MailingTestResult, count_failures, find_failures
from smsby_deploy.plan.similar import SentMailings
from smsby_deploy.privacy import mask_phone
from smsby_deploy.problems import Location, Problem
from smsby_deploy.recipients.audience import AudienceReport, read_audience
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.phones import normalize_all
from smsby_deploy.recipients.waves_and_variants import assign_variants
from smsby_deploy.smsby.facts import NO_FACTS
from smsby_deploy.texts.compiler import compile_mailing
from smsby_deploy.texts.parts import TextTooLong, measure_text
from smsby_deploy.texts.samples import mask_text
from smsby_deploy.texts.template import Template, rows_file
from smsby_deploy.wording import sentence

_SOME_PHONE = 375290000000  # for rows without a phone; if the template reads it, the row must have one


@dataclass(frozen=True, slots=True)
class _Read:
    """A recipient that a test asked for, with their text and what it was rendered from."""

    phone: str
    text: str
    values: Mapping[str, str]
    problems: Sequence[Problem]


@dataclass(slots=True)
class MailingTests:
    """Collects what a mailing's tests need as the audience streams by, then judges them."""

    project: Project
    mailing: Mailing
    _template: Template = field(init=False)
    _shared_text: str = ""
    _lines: dict[int, _Read] = field(default_factory=dict)
    _found: dict[str, bool] = field(default_factory=dict)  # by phone asked for: whether it gets the mailing
    _recipients: int = 0
    _failures: dict[int, tuple[int, str]] = field(default_factory=dict)  # by number of the test: count, first

    def begin(self) -> None:
        """Compile the text separately from the measured one, which tracks its use.

        Raises:
            FilesInvalid: it cannot be compiled.
        """
        self._template = compile_mailing(self.mailing)
        if not self._template.is_personal:
            self._shared_text = self._template.render_once()

    def on_batch(self, batch: Batch, texts: Sequence[str]) -> None:
        """Take the next recipients; `texts` is empty if all recipients get the same one."""
        all_texts = texts or [self._shared_text] * len(batch.phones)
        self._recipients += batch.not_suppressed.count(1)
        for test in self.mailing.tests:
            match test.subject:
                case LineSubject(line) if line in batch.lines:
                    index = list(batch.lines).index(line)
                    one = batch.only(bytearray(map(line.__eq__, batch.lines)))
                    problems = self._template.render_batch(one, self.mailing).problems
                    read = _Read(batch.phones[index], all_texts[index], batch.variables_of(index), problems)
                    self._lines.setdefault(line, read)
                case AllSubject():
                    self._check_all(test, batch, all_texts, has_one_text=not texts)
                case AudienceSubject(includes=includes, excludes=excludes):
                    self._look_for((*includes, *excludes), batch)

    def judge(
        self,
        desired: Desired | None,
        *,
        has_errors: bool = False,
        unread: str | None = None,
    ) -> list[MailingTestResult]:
        """Return the results, once the audience was read.

        `desired` is what was measured. With `has_errors`, the mailing has problems that may have caused a
        failure. `unread` is why the audience could not be read here.
        """
        results = []
        for test in self.mailing.tests:
            skipped = None if isinstance(test.subject, RowSubject) else unread
            if self.project.only_to is not None and isinstance(test.subject, AudienceSubject | ClockSubject):
                skipped = sentence(
                    "only test phones get it in the environment {name}", name=self.project.environment.name
                )
            if skipped is not None:
                results.append(self._result(test, skipped=skipped))
                continue
            result = self._judge(test, desired)
            if has_errors and not isinstance(test.subject, RowSubject):
                result = replace(result, is_echo=True)
            results.append(result)
        return results

    def fail_all(self) -> list[MailingTestResult]:
        """Return the results if text or audience cannot be read, which is reported separately."""
        why = (sentence("not run: the mailing has errors"),)
        return [self._result(test, failures=why, is_echo=True) for test in self.mailing.tests]

    def _result(
        self, test: MailingTest, failures: Sequence[str] = (), **more: str | bool | None
    ) -> MailingTestResult:
        return MailingTestResult(self.mailing.address, test, tuple(failures), **more)  # type: ignore[arg-type]

    def _judge(self, test: MailingTest, desired: Desired | None) -> MailingTestResult:
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
                    return self._result(test, [sentence("not run: the mailing has errors")], is_echo=True)
                return self._result(test, list(self._clock_failures(clock, desired)))

    def _judge_row(self, test: MailingTest, values: Mapping[str, str]) -> MailingTestResult:
        batch, failure = self._batch_of(test, values)
        if batch is None:
            return self._judge_error(test, [("PHONE", failure)])
        if failure:
            return self._result(test, [failure])
        # The row is the author's own text, like the rows in the campaign file.
        no_rows = InlineRecipients((), test.location)
        rendered = self._template.render_batch(batch, self.mailing._replace(audience=no_rows))
        if rendered.problems:
            return self._judge_error(test, [(one.code, one.message) for one in rendered.problems])
        if not rendered.texts[0]:  # an earlier test has shown that rendering never ends
            return self._judge_error(test, [("TEMPLATE", sentence("the text cannot be rendered"))])
        return self._judge_text(test, rendered.texts[0], rendered.texts[0])

    def _batch_of(self, test: MailingTest, values: Mapping[str, str]) -> tuple[Batch | None, str]:
        """Return a row as a batch, and why it cannot be used; there is no batch without a phone."""
        audience = self.mailing.audience
        column = "phone" if isinstance(audience, InlineRecipients | ContactList) else audience.phone
        written = values.get("phone", values.get(column))
        own_text = "text" in values and (not self._template.texts or isinstance(audience, InlineRecipients))
        if own_text:  # read like recipients in the campaign file
            row, mark = {"phone": written or str(_SOME_PHONE), **values}, (test.location.line or 1, 1)
            inline = self.mailing._replace(audience=InlineRecipients([row], test.location, [mark]))
            for batch in read_audience(inline, None, AudienceReport()):
                return batch, ""
            return None, sentence("the phone is not valid")
        phones = [next(filter(self._has_text, map(str, count(_SOME_PHONE))))]
        if written is not None:
            phones, invalid = normalize_all([written], self.mailing.countries)
            if invalid:
                return None, invalid[0]
        names = tuple(values)
        columns = [[values[name]] for name in names]
        batch = Batch(
            phones, names, columns, [None], [test.location.line or 1], bytearray(b"\1"), None, is_typed=True
        )
        if not self._has_text(phones[0]):
            return batch, sentence("this phone is in the control group, which gets no text")
        needed = self._needed_by({**values, "phone": phones[0]})
        missing = sorted(name for name in needed if name != "phone" and batch.column(name) is None)
        if "phone" in needed and written is None:
            missing.append("phone")
        if not missing:
            return batch, ""
        named = ", ".join(missing)
        return batch, sentence(
            'the row has no {names}: add it; an empty value is written as {name}: ""',
            names=named,
            name=missing[0],
        )

    def _has_text(self, phone: str) -> bool:
        """Whether `phone` is not in a control group."""
        texts = self.mailing.text
        if not isinstance(texts, TextsByVariant):
            return True
        (name,) = assign_variants(texts, [phone])
        return any(one.name == name and one.text is not None for one in texts.variants)

    def _needed_by(self, values: Mapping[str, str]) -> frozenset[str]:
        """Return the variables that a row with `values` must have, including its language."""
        picked = self._template.pick(values)
        needed = self._template.variables if picked is None else picked.variables
        texts = self.mailing.text
        return needed | {texts.column} if isinstance(texts, TextsByLanguage) else needed

    def _judge_line(self, test: MailingTest, line: int) -> MailingTestResult:
        read = self._lines.get(line)
        if read is None:
            why = sentence("no recipient in line {line} of {file}", line=line, file=rows_file(self.mailing))
            return self._result(test, [why])
        if read.problems:
            return self._judge_error(test, [(one.code, one.message) for one in read.problems])
        shown = mask_text(self.mailing, read.text, read.values, read.phone)
        return self._judge_text(test, read.text, shown)

    def _judge_text(self, test: MailingTest, text: str, shown: str) -> MailingTestResult:
        """Compare a text; `shown` is how failures quote it."""
        try:
            size = measure_text(text)
        except TextTooLong as error:
            return self._judge_error(test, [("TOO_LONG", error.message)])
        if test.expected.error is not None:
            why = sentence(
                "expected the error {code}, but the text is “{text}”", code=test.expected.error, text=shown
            )
            return self._result(test, [why])
        failures = find_failures(test.expected, text, size.parts, shown)
        if test.expected.text is None or test.expected.text == normalize("NFC", text):
            return self._result(test, failures)
        return self._result(test, failures, expected=test.expected.text, actual=shown, rendered=text)

    def _judge_error(self, test: MailingTest, errors: Sequence[tuple[str, str]]) -> MailingTestResult:
        expected = test.expected.error
        if expected in [code for code, _ in errors]:
            return self._result(test)
        code, message = errors[0]
        why = sentence("{code}: {why}", code=code, why=message)
        if expected is not None:
            why = sentence("expected the error {code}, got {error}", code=expected, error=why)
        return self._result(test, [why])

    def _check_all(
        self, test: MailingTest, batch: Batch, texts: Sequence[str], *, has_one_text: bool
    ) -> None:
        rows = list(compress(zip(texts, batch.lines, strict=True), batch.not_suppressed))
        if has_one_text and rows:
            count, where, why = count_failures(test.expected, rows[:1])
            count *= len(rows)
        else:
            count, where, why = count_failures(test.expected, rows)
        if count:
            before, first = self._failures.get(test.number, (0, ""))
            if not has_one_text:
                why = sentence(
                    "{message} ({place})", message=why, place=Location(rows_file(self.mailing), where)
                )
            first = first or why
            self._failures[test.number] = before + count, first

    def _all_failures(self, test: MailingTest) -> Iterator[str]:
        if not self._recipients:
            yield sentence("no recipient gets the mailing")
        count, first = self._failures.get(test.number, (0, ""))
        if count:
            yield sentence(
                "{count:,} of {total:,} texts {count:|fails|fail}: {why}",
                count=count,
                total=self._recipients,
                why=first,
            )

    def _look_for(self, written: Sequence[str], batch: Batch) -> None:
        phones, _ = normalize_all(written, self.mailing.countries)
        for phone in set(phones).intersection(batch.phones):
            self._found[phone] = bool(batch.not_suppressed[batch.phones.index(phone)])

    def _audience_failures(self, audience: AudienceSubject) -> Iterator[str]:
        count = self._recipients
        if audience.least is not None and count < audience.least:
            yield sentence(
                "expected at least {limit:recipient|recipients}, got {count:,}",
                limit=audience.least,
                count=count,
            )
        if audience.most is not None and count > audience.most:
            yield sentence(
                "expected at most {limit:recipient|recipients}, got {count:,}",
                limit=audience.most,
                count=count,
            )
        for name, written in (("includes", audience.includes), ("excludes", audience.excludes)):
            phones, invalid = normalize_all(written, self.mailing.countries)
            for position, phone in enumerate(phones):
                gets_it = self._found.get(phone)
                if position in invalid:
                    yield sentence(
                        "{key}, item {number}: {why}", key=name, number=position + 1, why=invalid[position]
                    )
                elif name == "includes" and not gets_it:
                    yield sentence(
                        "{phone} is not among the recipients" if gets_it is None else "{phone} opted out",
                        phone=mask_phone(phone),
                    )
                elif name == "excludes" and gets_it:
                    yield sentence("{phone} gets the mailing", phone=mask_phone(phone))

    def _clock_failures(self, clock: ClockSubject, desired: Desired) -> Iterator[str]:
        # Today's rehearsals and freezes say nothing about that time.
        api = self.project.api._replace(environment=Environment())
        project = self.project._replace(api=api, freeze="", rehearsed_in=None, approvals=None)
        lock = Lock(project.name)
        sent = SentMailings(lock, (), [desired], clock.at)
        facts = FactCheck(project, NO_FACTS, clock.at)
        planner = MailingPlanner(project, lock, sent, NOT_ASKED, None, None, facts, clock.at, [])
        action = planner.plan_mailing(MeasuredMailing(self.mailing, desired, ()))
        assert action is not None
        (action,) = hold_budget(project, [action], lock, clock.at)
        code = action.reason_code and action.reason_code.value
        found: str = action.action.value  # as the test has it
        if action.reason_code:
            found = sentence("{action} ({reason})", action=found, reason=action.reason)
        if clock.action not in (None, action.action.value):
            yield sentence("expected {value}, got {found}", value=clock.action, found=found)
        elif clock.has_reason_code and clock.reason_code != code:
            yield sentence(
                "expected the reason {code}, got {found}",
                code=clock.reason_code or sentence("none"),
                found=found,
            )
