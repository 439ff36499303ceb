"""The result of an apply, and earlier applies, as text and Markdown."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from smsby_deploy.apply.apply_result import ApplyResult, MailingOutcome, MailingResult
from smsby_deploy.clock import Window
from smsby_deploy.errors import LockHeld, PlanRefused, Refused, SmsbyDeployError, SmsbyUnavailable
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import Apply, Lock
from smsby_deploy.output.apply_report import (
    apply_markdown,
    history_markdown,
    next_step_lines,
    write_apply,
    write_history,
)
from smsby_deploy.output.json_documents import apply_document, history_document, json_parts, json_text
from smsby_deploy.output.markdown import COMMENT_BYTES
from smsby_deploy.output.translation import translator
from smsby_deploy.plan.model import ActionKind
from smsby_deploy.wording import sentence
from tests.output import examples
from tests.output.examples import apply_result as result
from tests.output.golden import check_golden

_OUTCOMES = ("sent", "held", "adopted", "confirmed", "skipped", "rejected", "unknown")  # frozen


def text_of(outcome: ApplyResult, language: str = "en") -> str:
    stream = io.StringIO()
    write_apply(outcome, stream, color=False, lock="smsby.lock.json", t=translator(language))
    return stream.getvalue()


def _every_outcome() -> ApplyResult:
    uuid = "cc9c8043-8caf-11ef-b035-9e8f47954dec"
    return result(
        MailingResult("sale/vip", MailingOutcome.SENT, 1_000_000, [uuid], [1173020]),
        MailingResult("news/letter", MailingOutcome.CONFIRMED, None, [], [1173021]),
        MailingResult("sale/found", MailingOutcome.ADOPTED, 12),
        MailingResult("a" * 40 + "/" + "b" * 40, MailingOutcome.SENT, 7),
        MailingResult("sale/one", MailingOutcome.SENT, 1),
        MailingResult("sale/old", MailingOutcome.SKIPPED, 3),
        MailingResult("sale/stuck", MailingOutcome.SKIPPED, 3, error="changed: its text\x1b[2J differs"),
        MailingResult("sale/bad", MailingOutcome.REJECTED, 4, error="No such alphaname"),
        MailingResult("sale/lost", MailingOutcome.UNKNOWN, 5, error="unknown: timed out"),
    )


def test_write_apply_shows_every_outcome() -> None:
    """Counts stay in their column whatever the addresses, errors follow their mailing, and there is no control character."""
    text = text_of(_every_outcome())
    check_golden("apply.txt", text)
    assert len({line.index(" recipient") for line in text.splitlines() if " recipient" in line[:32]}) == 1
    assert "\x1b" not in text


def test_write_apply_is_in_russian_if_the_project_is() -> None:
    """In a Russian project the text is Russian, with columns as wide as its words need."""
    text = text_of(_every_outcome(), "ru")
    check_golden("apply.ru.txt", text)
    lines = [line for line in text.splitlines() if " получател" in line[:36]]
    assert len({line.index(" получател") for line in lines}) == 1
    assert "записано: 1" in text
    assert text_of(result(MailingResult("a/b", MailingOutcome.SENT, 21)), "ru").count("21 получатель") == 2


def test_write_apply_agrees_in_number() -> None:
    """A single recipient is "1 recipient"."""
    text = text_of(result(MailingResult("sale/vip", MailingOutcome.SENT, 1)))
    assert "1 recipient " in text
    assert "; 1 recipient, " in text
    assert "1 recipients" not in text


def test_write_apply_calls_nothing_sent_that_is_scheduled() -> None:
    """A mailing that is only scheduled is not called sent, but one whose time passed before the run ended is."""
    both = result(
        MailingResult("sale/vip", MailingOutcome.SENT, 4), MailingResult("sale/now", MailingOutcome.SENT, 3)
    )
    vip, now = both.plan.actions
    later = replace(vip, schedule_time="2999-01-01T10:00:00+03:00")
    earlier = replace(now, schedule_time="2026-11-29T02:59:00+03:00")  # late, after it was planned
    ended = datetime(2026, 11, 29, tzinfo=UTC)
    scheduled = replace(both, plan=both.plan.with_actions((later, earlier)), ended=ended)
    lines = text_of(scheduled).splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["scheduled", "sent"]
    assert lines[2].startswith("1 sent, 1 scheduled; 7 recipients")
    to_no_one = replace(both, mailings=tuple(replace(one, recipients=0) for one in both.mailings))
    assert not replace(to_no_one, plan=scheduled.plan, ended=ended).scheduled  # sms.by has none of it


def test_write_apply_counts_orphans_in_one_line() -> None:
    """Orphans, which may be thousands after years, are counted in one line."""
    sent = result(MailingResult("sale/vip", MailingOutcome.SENT, 4))
    (vip,) = sent.plan.actions
    orphans = (replace(vip, action=ActionKind.ORPHAN, address=f"old/{number}") for number in range(1200))
    with_orphans = replace(sent, plan=sent.plan.with_actions((vip, *orphans)))
    lines = text_of(with_orphans).splitlines()
    assert lines[0] == "sent              4 recipients  sale/vip"
    assert lines[1] == "skipped       1,200 mailings    no longer in the files"
    assert lines[2].startswith("1 sent, 1,200 skipped; 4 recipients")
    document = json.loads("".join(json_parts(apply_document(with_orphans))))
    assert document["summary"]["skipped"] == 1200
    assert [one["address"] for one in document["mailings"][-2:]] == ["old/1198", "old/1199"]
    assert document["mailings"][-1] == {
        "address": "old/1199",
        "outcome": "skipped",
        "recipients": vip.recipients,
        "uuids": [],
        "message_ids": [],
        "error": None,
    }


def test_write_apply_counts_idle_mailings_in_one_line() -> None:
    """Forty mailings without anything to do are counted in one line."""
    idle = [MailingResult(f"sale/{n}", MailingOutcome.SKIPPED, 3) for n in range(40)]
    text = text_of(result(*idle, MailingResult("sale/new", MailingOutcome.SENT, 1)))
    assert "skipped          40 mailings    nothing to do" in text
    assert [line.split()[-1] for line in text.splitlines() if "sale/" in line] == ["sale/new"]


def test_write_apply_indents_what_a_narrow_terminal_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrapped line never looks like the next mailing, and no line ends with a blank."""
    monkeypatch.setenv("COLUMNS", "40")
    idle = [MailingResult(f"sale/{n}", MailingOutcome.SKIPPED, 3) for n in range(2)]
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    write_apply(result(*idle), stream, color=False, lock=None)
    assert stream.getvalue().splitlines()[:2] == ["skipped           2 mailings    nothing", "  to do"]


def test_write_apply_looks_for_scheduled_ones_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scheduled mailings are looked for once, not for each of ten thousand mailings, which took forty seconds."""
    looked = []

    def scheduled(result: ApplyResult) -> frozenset[str]:
        looked.append(result)
        return frozenset()

    monkeypatch.setattr(ApplyResult, "scheduled", property(scheduled))
    text_of(_every_outcome())
    assert len(looked) <= 2


def test_apply_of_a_partly_sent_mailing_names_it() -> None:
    """A partly sent mailing is partial in the text and, since outcomes are frozen, skipped with `partial` in JSON."""
    why = "sent to 1 of 4 recipients; the rest: stopped by a signal before it was sent"
    part = result(MailingResult("sale/vip", MailingOutcome.PARTIAL, 4, ["uuid"], error=why))
    assert text_of(part).startswith("partial           4 recipients  sale/vip\n")
    assert "\n1 partial\n" in text_of(part)
    document = json.loads("".join(json_parts(apply_document(part))))
    assert document["summary"] == dict.fromkeys(_OUTCOMES, 0) | {"skipped": 1}
    assert [(one["outcome"], one["partial"]) for one in document["mailings"]] == [("skipped", True)]


def test_summary_says_that_it_lacks_what_was_sent_in_part() -> None:
    """The summary says that its cost lacks partly sent mailings, since the cost of a part is not known."""
    part = MailingResult("sale/part", MailingOutcome.PARTIAL, 4, error="why", is_recorded=True)
    lost = MailingResult("sale/lost", MailingOutcome.UNKNOWN, 4, error="why", is_recorded=True, concerned=2)
    earlier = MailingResult("sale/old", MailingOutcome.PARTIAL, 4, error="why")
    whole = MailingResult("sale/vip", MailingOutcome.SENT, 2)
    end = "; excluding the sent part of {}\n"
    assert end.format("1 other mailing") in text_of(result(whole, part, earlier))
    assert end.format("2 other mailings") in text_of(result(whole, part, lost))
    assert "не считая отправленной части 1 другой рассылки" in text_of(result(whole, part), "ru")
    assert "without what" not in text_of(result(part, lost))  # there is no cost to show


def test_apply_of_a_rejected_rest_is_partial_in_json() -> None:
    """The line counts the rejected recipients, and the JSON the whole mailing, with `partial`."""
    rest = result(MailingResult("sale/vip", MailingOutcome.REJECTED, 4, error="the rest: why", concerned=3))
    assert text_of(rest).startswith("rejected          3 recipients  sale/vip\n")
    assert "| rejected | sale/vip | 3 | the rest: why |" in apply_markdown(rest)
    (mailing,) = json.loads("".join(json_parts(apply_document(rest))))["mailings"]
    assert (mailing["outcome"], mailing["recipients"], mailing["partial"]) == ("rejected", 4, True)


def test_apply_document_counts_every_mailing() -> None:
    """The JSON counts mailings by outcome, each with the ids that sms.by gave it."""
    text = "".join(json_parts(apply_document(_every_outcome())))
    check_golden("apply.json", text)
    document = json.loads(text)
    assert sum(document["summary"].values()) == len(document["mailings"])


def test_next_step_lines_name_the_lock_file() -> None:
    """The next commands are in order and can be copied."""
    assert next_step_lines(
        result(MailingResult("sale/vip", MailingOutcome.SENT, 2)), "shop/smsby.lock.json"
    ) == [
        'next: git add shop/smsby.lock.json && git commit -m "Record the apply"',
        "      smsby-deploy status --watch",
    ]


def test_write_apply_ends_after_the_summary_if_done() -> None:
    """A run that changed nothing suggests no command."""
    done = result(MailingResult("sale/old", MailingOutcome.SKIPPED, 3))
    assert text_of(done).splitlines()[1:] == ["1 skipped"]


def test_write_apply_tells_a_resumed_mailing_apart() -> None:
    """A resumed mailing shows the recipients of the whole mailing and the cost of the rest."""
    whole = result(
        MailingResult("sale/vip", MailingOutcome.SENT, 4),
        MailingResult("news/letter", MailingOutcome.CONFIRMED, None),
    )
    resumed = examples.action("sale/vip", ActionKind.RESUME, recipients=3)
    rest = replace(whole, plan=examples.plan(resumed, whole.plan.actions[1]))
    assert "; 4 recipients, 0.52 BYN, and 1 contact list of unknown size\n" in text_of(whole)
    assert "; 4 recipients, 3 of them now, 0.52 BYN" in text_of(rest)


LOCK = Lock(
    "shop",
    applies=(
        Apply("7f3c9a", "2026-11-28T21:05:00+00:00", "5133cd2aa0b1c2d3", "smsby-deploy 0.1.0", 2, 1200),
        Apply("8a4d0b", "2026-12-01T08:00:00+00:00", None, "smsby-deploy 0.1.0", 1, 7, "anna"),
    ),
)

_MINSK = timezone(timedelta(hours=3))


def test_history_is_latest_first() -> None:
    """The history has the time in the project's zone, user, plan, commit and counts, the latest apply first."""
    stream = io.StringIO()
    write_history(LOCK, _MINSK, stream, color=False)
    check_golden("history.txt", stream.getvalue())
    check_golden("history.md", history_markdown(LOCK, _MINSK))
    check_golden("history.json", json_text(history_document(LOCK)))
    assert [run["plan"] for run in history_document(LOCK)["applies"]] == ["8a4d0b", "7f3c9a"]


def test_history_of_a_new_project_is_a_sentence() -> None:
    """The history of a new project is a sentence, not an empty table."""
    stream = io.StringIO()
    write_history(Lock("shop"), UTC, stream, color=False)
    assert stream.getvalue() == "nothing has been applied yet\n"
    assert history_markdown(Lock("shop"), UTC) == "Nothing has been applied yet.\n"


@pytest.mark.parametrize("language", ["en", "ru"])
def test_apply_markdown_is_what_was_reviewed(language: str) -> None:
    """The comment has every outcome, its reason, and how to settle what is unknown, and ends with a command."""
    blocked = sentence("max_cost: this apply costs {cost}, the limit is {limit}", cost=9, limit=5)
    outcome = replace(
        result(
            MailingResult("sale/vip", MailingOutcome.SENT, 1_000_000),
            MailingResult("news/letter", MailingOutcome.CONFIRMED, None),
            MailingResult("sale/idle", MailingOutcome.SKIPPED, 3),
            MailingResult("sale/stuck", MailingOutcome.SKIPPED, 3, error=blocked),
            MailingResult("sale/bad", MailingOutcome.REJECTED, 4, error="<b>No|such</b> 375291234567"),
            MailingResult("sale/lost", MailingOutcome.UNKNOWN, 5, error="unknown: timed out"),
        ),
        exit_code=ExitCode.OUTCOME_UNKNOWN,
    )
    text = apply_markdown(outcome, translator(language))
    check_golden("apply.md" if language == "en" else "apply.ru.md", text)
    assert text.endswith(":\n")
    assert "375291234567" not in text
    assert "idle" not in text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            PlanRefused(sentence("there is no plan file {path}", path="plan.json")),
            "нет файла плана plan.json",
        ),
        (LockHeld("another run"), "занят другим запуском"),
        (SmsbyUnavailable("timed out"), "sms.by не ответил"),
        (Refused("max_cost: 9, the limit is 5"), "\nЭтот запуск ничего не отправил. "),
        (PlanRefused("this plan was already applied"), "\nЭтот запуск ничего не отправил: план уже применён"),
    ],
)
def test_apply_markdown_of_an_apply_without_result(error: SmsbyDeployError, said: str) -> None:
    """Without a result the comment says what was refused and how to go on, but nothing of earlier runs of the plan."""
    text = apply_markdown(error, translator("ru"))
    assert text.startswith(f"### ⛔ smsby-deploy apply: код завершения {int(error.exit_code)}\n")
    assert said in text


@pytest.mark.parametrize("show", [text_of, apply_markdown])
def test_held_mailing_says_when_it_is_handed_over(show: Callable[[ApplyResult], str]) -> None:
    """A held mailing shows when it will be handed over, on the terminal and in the comment."""
    window = Window.parse("2026-12-01T11:00:00+03:00", "2026-12-01T16:00:00+03:00")
    held = result(MailingResult("sale/vip", MailingOutcome.HELD, 2))
    (vip,) = held.plan.actions
    shown = show(replace(held, plan=held.plan.with_actions((replace(vip, window=window),))))
    between = "between 2026-12-01 11:00 +03 and 2026-12-01 16:00 +03"
    assert f"hands it over {between}" in shown


@pytest.mark.parametrize(
    ("outcomes", "says_nothing"),
    [
        ((MailingOutcome.SKIPPED, MailingOutcome.REJECTED), True),
        ((MailingOutcome.SKIPPED, MailingOutcome.SENT), False),
        ((MailingOutcome.SKIPPED, MailingOutcome.ADOPTED), False),
        ((MailingOutcome.PARTIAL,), False),
    ],
)
def test_apply_markdown_says_if_nothing_was_sent(
    outcomes: tuple[MailingOutcome, ...], says_nothing: bool
) -> None:
    """If every mailing was refused, the comment does not say that the rest was sent."""
    mailings = [MailingResult(f"sale/m{i}", one, 2, error="why") for i, one in enumerate(outcomes)]
    text = apply_markdown(replace(result(*mailings), exit_code=ExitCode.REFUSED))
    assert ("This run sent nothing." in text) == says_nothing
    assert ("the rest was sent" in text) != says_nothing


def test_apply_markdown_of_success_needs_no_command() -> None:
    """After a successful apply the comment has no command."""
    text = apply_markdown(result(MailingResult("sale/vip", MailingOutcome.SENT, 2)))
    assert text.startswith("### ✅ smsby-deploy apply: done\n")
    assert not text.endswith(":\n")


def test_apply_markdown_says_at_once_what_was_left_out() -> None:
    """The comment begins with what was left out, though an expired mailing fails no apply of others."""
    text = apply_markdown(
        result(
            MailingResult("sale/vip", MailingOutcome.SENT, 2),
            MailingResult("sale/late", MailingOutcome.SKIPPED, 2, error="expired: its time has passed"),
            MailingResult("sale/old", MailingOutcome.SKIPPED, 2),
        )
    )
    assert text.startswith("### ⚠️ smsby-deploy apply: done, 1 mailing was not sent\n")
    assert "| skipped | sale/late | 2 | expired: its time has passed |\n" in text


def test_apply_markdown_shows_commands_as_code() -> None:
    """In a reason only quoted commands are code, and the words of sms.by have no markup."""
    waits = sentence("wave {number} of {count} was sent; run `apply --due`", number=1, count=3)
    text = apply_markdown(
        result(
            MailingResult("sale/vip", MailingOutcome.SENT, 2, waits=waits),
            MailingResult("sale/bad", MailingOutcome.REJECTED, 2, error="no <b>[a](b) | @c"),
        )
    )
    assert "| wave 1 of 3 was sent; run <code>apply --due</code> |\n" in text
    assert "| no &lt;b&gt;\\[a\\](b) \\| @\u2060c |\n" in text


def test_apply_markdown_fits_into_a_comment() -> None:
    """Rows that do not fit into a comment are left out and counted, and the next step stays."""
    many = (
        MailingResult(f"sale/n{number}", MailingOutcome.REJECTED, 4, error="no " * 20)
        for number in range(2_000)
    )
    text = apply_markdown(replace(result(*many), exit_code=ExitCode.FAILED))
    assert len(text.encode()) <= COMMENT_BYTES
    assert "Left out to fit into a comment: " in text
    assert "Fix the cause, then run this again" in text
