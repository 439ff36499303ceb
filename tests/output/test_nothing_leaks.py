"""Whatever users and sms.by write: no whole phone number in any report, and no live `<` in one that is markup."""

from __future__ import annotations

import io
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from smsby_deploy.apply.result import ApplyResult, MailingOutcome, MailingResult
from smsby_deploy.cli.provenance import who
from smsby_deploy.clock import SystemClock
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import Apply, Lock
from smsby_deploy.output.apply_text import write_apply
from smsby_deploy.output.codeclimate import codeclimate_document
from smsby_deploy.output.comparison import Base, Baseline, word_diff
from smsby_deploy.output.findings import list_findings
from smsby_deploy.output.history import history_document, history_markdown, write_history
from smsby_deploy.output.json_documents import (
    apply_document,
    inert_json_text,
    json_text,
    status_document,
    validate_document,
    write_json,
)
from smsby_deploy.output.json_log import JsonLog
from smsby_deploy.output.junit import problems_junit, status_junit
from smsby_deploy.output.markdown import COMMENT_BYTES
from smsby_deploy.output.plan_markdown import CommentContext, no_plan_markdown, plan_markdown
from smsby_deploy.output.plan_text import write_plan_text
from smsby_deploy.output.problems_text import github_annotations, problem_line, write_problems
from smsby_deploy.output.render_text import samples_document, write_samples
from smsby_deploy.output.sarif import sarif_document
from smsby_deploy.output.status_csv import status_csv
from smsby_deploy.output.status_html import status_html
from smsby_deploy.output.status_text import status_markdown, write_status
from smsby_deploy.plan.drift import Difference
from smsby_deploy.plan.model import ActionKind, Plan
from smsby_deploy.plan.plan_file import plan_document
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.status.report import Details, Missed, State, StatusReport
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


def _every_plan(first: str, second: str, third: str) -> tuple[Plan, CommentContext]:
    problem = Problem(Severity.ERROR, "TEMPLATE", second, "sale/vip", Location("sale.yaml", 1))
    plan = examples.plan(
        examples.action("sale/vip", ActionKind.CREATE, third),
        examples.action("sale/stuck", ActionKind.BLOCKED, first),
        found=(problem, replace(problem, severity=Severity.WARNING)),
    )
    sample = replace(examples.sample(third, first), file=f"{second}.csv", phone=third, why=(first,))
    base = Base(
        second, {"sale/vip": Baseline(1, 1, None, "", "", second), first: Baseline(1, 1, None, "", "")}
    )
    return plan, examples.context(
        base=base,
        details=lambda address: MailingReview(third, first, None, (sample,)),
        refused=second,
        out=third,
        program=first,
    )


@given(hostile, hostile, hostile)
@settings(max_examples=60)
def test_a_plan_in_every_format(first: str, second: str, third: str) -> None:
    """Reasons, problems, texts, names and labels of a plan, each as hostile as can be."""
    plan, context = _every_plan(first, second, third)
    problem = plan.problems[0]
    comment = plan_markdown(plan, context)
    _assert_clean(comment, is_markup=True)
    assert "@zz" not in comment
    _assert_clean(no_plan_markdown("shop", first), is_markup=True)
    assert len(comment.encode()) <= COMMENT_BYTES
    stream = io.StringIO()
    write_plan_text(plan, stream, color=False)
    write_problems(plan.problems, stream, color=False)
    write_json(validate_document(plan.problems), stream)
    _assert_clean(stream.getvalue(), is_markup=False)
    _assert_clean(json_text(plan_document(plan)), is_markup=False)
    findings = list_findings(plan.problems)
    _assert_clean(problem_line(problem), is_markup=False)
    _assert_clean(github_annotations(findings), is_markup=False)
    assert all(line.startswith("::") for line in github_annotations(findings).splitlines())
    _assert_clean(inert_json_text(sarif_document(findings)), is_markup=True)
    _assert_clean(inert_json_text(codeclimate_document(findings)), is_markup=True)
    _assert_clean(problems_junit(findings, ["sale/vip"]), is_markup=True)


@given(hostile, hostile)
@settings(max_examples=40)
def test_a_status_in_every_format(word: str, value: str) -> None:
    """Statuses, differences and times as sms.by may write them, each as hostile as can be."""
    details = Details(
        planned=7,
        accepted=7,
        words={word: 7},
        timeline={value[:16]: 1},
        prefixes={"375 29": (0, 0, 7)},
        differences=(Difference("alphaname", value, word),),
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
    _assert_clean(status_html(report, currency="BYN", tool="t", zone="Europe/Minsk"), is_markup=True)
    _assert_clean(status_junit(report, 50), is_markup=True)
    _assert_clean(status_csv(report, unmask=False), is_markup=False)


@given(hostile, hostile)
@settings(max_examples=40)
def test_an_apply_a_history_and_a_log(error: str, actor: str) -> None:
    """What sms.by answered, and who ran it; the log hides the token wherever it stands."""
    plan, _ = _every_plan("", "", "")
    result = ApplyResult(
        plan, (MailingResult("sale/vip", MailingOutcome.REJECTED, 4, error=error),), (), ExitCode.FAILED
    )
    stream = io.StringIO()
    write_apply(result, stream, color=False, lock="smsby.lock.json")
    _assert_clean(stream.getvalue() + json_text(apply_document(result)), is_markup=False)
    run = Apply("7f3c9a", "2026-12-01T09:00:00+00:00", None, "t", 1, 1, by=who({"GITHUB_ACTOR": actor}))
    lock = replace(Lock("shop"), applies=[run])
    write_history(lock, stream, color=False)
    _assert_clean(stream.getvalue() + json_text(history_document(lock)), is_markup=False)
    _assert_clean(history_markdown(lock), is_markup=True)
    log = io.StringIO()
    JsonLog(log, SystemClock(), secret="secret-token").write(
        "error", "failed", message=f"{error} secret-token {actor}"
    )
    _assert_clean(log.getvalue(), is_markup=False)
    assert "secret-token" not in log.getvalue()


@given(hostile, hostile)
@settings(max_examples=40)
def test_texts_that_people_would_read(before: str, after: str) -> None:
    """Their readers' phones, however a text writes them, without --unmask; in a comment also what the text was."""
    phone = "375291234567"
    text = f"{before} {phone} +375 (29) 123-45-67 {after}"
    whole = replace(examples.sample(text), phone=phone, values={"name": "Maximilian"})
    shown = mask_samples(MailingSamples("sale/vip", 1, "BYN", (whole,)))
    stream = io.StringIO()
    write_samples([shown], stream, color=False)
    told = stream.getvalue() + json_text(samples_document([shown])) + word_diff(text, after)
    _assert_clean(told, is_markup=False)
    assert "123-45-67" not in told
    assert "<zz" not in word_diff(text, after)
