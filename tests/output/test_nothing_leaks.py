"""Whatever users and sms.by write, no report has a whole phone number or a live `<`."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC

from hypothesis import given, settings
from hypothesis import strategies as st

from smsby_deploy.apply.apply_result import ApplyResult, MailingOutcome, MailingResult
from smsby_deploy.cli.session import find_actor
from smsby_deploy.clock import SystemClock
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import Apply, Lock
from smsby_deploy.output.apply_report import history_markdown, write_apply, write_history
from smsby_deploy.output.ci_reports import (
    codeclimate_document,
    github_annotations,
    list_findings,
    problems_junit,
    sarif_document,
    status_junit,
)
from smsby_deploy.output.json_documents import (
    apply_document,
    history_document,
    inert_json_text,
    json_parts,
    json_text,
    samples_document,
    status_document,
    validate_document,
)
from smsby_deploy.output.json_log import JsonLog
from smsby_deploy.output.markdown import COMMENT_BYTES
from smsby_deploy.output.plan_html import plan_html
from smsby_deploy.output.plan_markdown import CommentContext, no_plan_markdown, plan_markdown
from smsby_deploy.output.plan_text import write_plan_text
from smsby_deploy.output.plan_words import word_diff
from smsby_deploy.output.problems_text import problem_line, write_problems
from smsby_deploy.output.sms_text import write_samples
from smsby_deploy.output.status_csv import status_csv
from smsby_deploy.output.status_html import status_html
from smsby_deploy.output.status_markdown import status_markdown
from smsby_deploy.output.status_text import write_status
from smsby_deploy.output.terminal import write_parts
from smsby_deploy.output.translation import translator
from smsby_deploy.plan.base_comparison import Base, BaseMailing
from smsby_deploy.plan.drift import Difference, DriftField
from smsby_deploy.plan.guardrails import Breach
from smsby_deploy.plan.model import ActionKind
from smsby_deploy.plan.plan_file import plan_document
from smsby_deploy.plan.plan_result import PlanResult
from smsby_deploy.privacy import mask_phones
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.status.mailing_details import Details, Missed
from smsby_deploy.status.status_report import State, StatusReport
from smsby_deploy.texts.samples import MailingReview, MailingSamples, mask_samples
from tests.output import examples

PHONES = ("375291234567", "+375 33 765-43-21", "80 (29) 111-22-33", "291234567", "79161234567")
MARKS = (
    "<zz",
    "</pre><zz",
    "</title><zz",
    "]]><zz",
    "--><zz",
    "@zz",
    "|",
    "`",
    "\n",
    "&lt;",
    "\\",
    "::error::",
)
_edge = st.text(alphabet=st.characters(exclude_categories=["Nd", "Cs"]), max_size=8)
hostile = st.lists(st.one_of(st.sampled_from(PHONES + MARKS), _edge), max_size=6).map(" ".join)


def _assert_clean(text: str, *, is_markup: bool) -> None:
    for phone in PHONES:
        assert phone not in text
    if is_markup:
        assert "<zz" not in text


def _every_plan(first: str, second: str, third: str) -> tuple[PlanResult, CommentContext]:
    problem = Problem(Severity.ERROR, "TEMPLATE", second, "sale/vip", Location("sale.yaml", 1))
    plan = examples.plan(
        examples.action("sale/vip", ActionKind.CREATE, third),
        examples.action("sale/stuck", ActionKind.BLOCKED, first),
        found=(problem, replace(problem, severity=Severity.WARNING)),
    )
    # Samples are masked where they are made, by origin: their author's own numbers stay.
    masked = examples.sample(mask_phones(third), mask_phones(first))
    sample = replace(masked, file=f"{second}.csv", phone=third, why=(first,))
    base = Base(
        second,
        {
            "sale/vip": BaseMailing(1, 1, None, "", "", first, text=second),
            first: BaseMailing(1, 1, None, "", "", second),
        },
    )
    review = MailingReview(third, first, None, (sample,))
    reviews = {action.address: review for action in plan.actions}
    context = examples.context(base=base, reviews=reviews, out=third, program=first)
    return PlanResult(plan, Breach("max_cost", second)), context


@given(hostile, hostile, hostile)
@settings(max_examples=30)
def test_no_plan_format_leaks(first: str, second: str, third: str) -> None:
    """Hostile reasons, problems, texts, names and labels leak from no format of a plan."""
    result, context = _every_plan(first, second, third)
    plan, problem = result.plan, result.plan.problems[0]
    comment = plan_markdown(result, context)
    _assert_clean(comment, is_markup=True)
    assert "@zz" not in comment
    _assert_clean(no_plan_markdown("shop", "production", first), is_markup=True)
    assert len(comment.encode()) <= COMMENT_BYTES
    for language in ("en", "ru"):
        there = replace(context, language=translator(language))
        _assert_clean(plan_html(result, there), is_markup=True)
        _assert_clean(plan_markdown(result, there), is_markup=True)
    stream = io.StringIO()
    write_plan_text(result, stream, color=False)
    write_problems(plan.problems, stream, color=False)
    write_parts(json_parts(validate_document(plan.problems)), stream)
    _assert_clean(stream.getvalue(), is_markup=False)
    _assert_clean(json_text(plan_document(plan)), is_markup=False)
    findings = list_findings(plan.problems)
    _assert_clean(problem_line(problem), is_markup=False)
    _assert_clean(github_annotations(findings), is_markup=False)
    assert all(line.startswith("::") for line in github_annotations(findings).splitlines())
    _assert_clean(inert_json_text(sarif_document(findings)), is_markup=True)
    _assert_clean(inert_json_text(codeclimate_document(findings)), is_markup=True)
    _assert_clean(problems_junit(findings, ["sale/vip"]), is_markup=True)


def test_no_cut_phone_leaks() -> None:
    """No part of a phone number is left unmasked where the comment truncates a long message."""
    for length in range(575, 605):
        text = "x" * length + " 375 29 123-45-67"
        (result, context) = _every_plan(text, text, "")
        digits = "".join(char for char in plan_markdown(result, context) if char.isdigit())
        assert "29123" not in digits, length


@given(hostile, hostile)
@settings(max_examples=25)
def test_no_status_format_leaks(word: str, value: str) -> None:
    """Hostile status words, differences and times of sms.by leak from no format of a status."""
    details = Details(
        planned=7,
        accepted=7,
        words={word: 7},
        timeline={value[:16]: 1},
        prefixes={"375 29": (0, 0, 7)},
        differences=(Difference(DriftField.SENDER, value, word),),
        missed=tuple(Missed("375291234567", word, value) for _ in range(7)),
    )
    mailing = examples.mailing("sale/vip", State.FINAL, (0, 0, 0, 0), other={word: 7}, details=details)
    report = StatusReport((mailing,), "shop", "2026-12-01T09:00:00+00:00")
    stream = io.StringIO()
    write_status(report, stream, color=False)
    _assert_clean(stream.getvalue(), is_markup=False)
    _assert_clean(json_text(status_document(report)), is_markup=False)
    assert sum(status_document(report)["mailings"][0]["other"].values()) == 7
    _assert_clean(status_markdown(report, "BYN"), is_markup=True)
    _assert_clean(status_html(report, currency="BYN", zone="Europe/Minsk"), is_markup=True)
    _assert_clean(status_junit(report, 50), is_markup=True)
    _assert_clean("".join(status_csv(report, unmask=False)), is_markup=False)


@given(hostile, hostile)
@settings(max_examples=25)
def test_no_apply_history_or_log_leaks(error: str, actor: str) -> None:
    """Hostile errors of sms.by and user names leak from no history or log, which hides the token wherever it occurs."""
    plan = _every_plan("", "", "")[0].plan
    result = ApplyResult(
        plan, (MailingResult("sale/vip", MailingOutcome.REJECTED, 4, error=error),), (), ExitCode.FAILED
    )
    stream = io.StringIO()
    write_apply(result, stream, color=False, lock="smsby.lock.json")
    _assert_clean(stream.getvalue() + "".join(json_parts(apply_document(result))), is_markup=False)
    run = Apply(
        "7f3c9a", "2026-12-01T09:00:00+00:00", None, "t", 1, 1, by=find_actor({"GITHUB_ACTOR": actor})
    )
    lock = replace(Lock("shop"), applies=[run])
    write_history(lock, UTC, stream, color=False)
    _assert_clean(stream.getvalue() + json_text(history_document(lock)), is_markup=False)
    _assert_clean(history_markdown(lock, UTC), is_markup=True)
    log = io.StringIO()
    JsonLog(log, SystemClock(), secrets=("secret-token",)).write(
        "error", "failed", message=f"{error} secret-token {actor}"
    )
    _assert_clean(log.getvalue(), is_markup=False)
    assert "secret-token" not in log.getvalue()


@given(hostile, hostile)
@settings(max_examples=25)
def test_no_sample_text_leaks(before: str, after: str) -> None:
    """The recipient's phone is masked however the text groups it, and so are both sides of a text change."""
    phone = "375291234567"
    text = f"{before} {phone} +375 (29) 123-45-67 {after}"
    whole = replace(examples.sample(text), phone=phone)
    shown = mask_samples(MailingSamples("sale/vip", 1, "BYN", (whole,)))
    stream = io.StringIO()
    write_samples([shown], stream, color=False)
    written = stream.getvalue() + json_text(samples_document([shown])) + word_diff(text, after)
    _assert_clean(written, is_markup=False)
    assert "123-45-67" not in written
    assert "<zz" not in word_diff(text, after)
