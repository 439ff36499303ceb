"""Whatever users and sms.by write: no whole phone number in any report, and no live `<` in one that is markup."""

from __future__ import annotations

import io
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from smsby_deploy.plan.model import ActionKind
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.report.codeclimate import codeclimate_document
from smsby_deploy.report.compare import Base, Baseline
from smsby_deploy.report.findings import list_findings
from smsby_deploy.report.json_out import inert_json_text
from smsby_deploy.report.junit import problems_junit, status_junit
from smsby_deploy.report.markdown import COMMENT_BYTES
from smsby_deploy.report.plan_markdown import plan_markdown
from smsby_deploy.report.plan_text import write_plan_text
from smsby_deploy.report.problems_text import github_annotations, problem_line
from smsby_deploy.report.samples import MailingDetails
from smsby_deploy.report.sarif import sarif_document
from smsby_deploy.report.status_csv import status_csv
from smsby_deploy.report.status_html import status_html
from smsby_deploy.report.status_text import status_markdown, write_status
from smsby_deploy.status.model import Details, Difference, Missed, State, StatusReport
from tests.report import examples

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


@given(hostile, hostile, hostile)
@settings(max_examples=60, deadline=None)
def test_a_plan_in_every_format(first: str, second: str, third: str) -> None:
    """Reasons, problems, texts, names and labels of a plan, each as hostile as can be."""
    problem = Problem(Severity.ERROR, "TEMPLATE", second, "sale/vip", "sale.yaml", 1)
    plan = examples.plan(
        examples.action("sale/vip", ActionKind.CREATE, third),
        examples.action("sale/stuck", ActionKind.BLOCKED, first),
        found=(problem, replace(problem, severity=Severity.WARNING)),
    )
    sample = replace(examples.sample(third, first), file=f"{second}.csv", phone=third)
    base = Base("main", {"sale/vip": Baseline(1, 1, None, "", "", second)})
    context = examples.context(
        base=base,
        details=lambda address: MailingDetails("Europe/Minsk", first, None, (sample,)),
        refused=second,
    )
    comment = plan_markdown(plan, context)
    _assert_clean(comment, is_markup=True)
    assert "@zz" not in comment
    assert len(comment.encode()) <= COMMENT_BYTES
    stream = io.StringIO()
    write_plan_text(plan, stream, color=False)
    _assert_clean(stream.getvalue(), is_markup=False)
    findings = list_findings(plan.problems)
    _assert_clean(problem_line(problem), is_markup=False)
    _assert_clean(github_annotations(findings), is_markup=False)
    assert all(line.startswith("::") for line in github_annotations(findings).splitlines())
    _assert_clean(inert_json_text(sarif_document(findings)), is_markup=True)
    _assert_clean(inert_json_text(codeclimate_document(findings)), is_markup=True)
    _assert_clean(problems_junit(findings, ["sale/vip"]), is_markup=True)


@given(hostile, hostile)
@settings(max_examples=40, deadline=None)
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
    _assert_clean(status_markdown(report), is_markup=True)
    _assert_clean(status_html(report, currency="BYN", tool="t", zone="Europe/Minsk"), is_markup=True)
    _assert_clean(status_junit(report, 50), is_markup=True)
    _assert_clean(status_csv(report, unmask=False), is_markup=False)
