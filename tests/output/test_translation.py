"""Catalogs of other languages are complete, and have the placeholders of the English messages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from string import Formatter

import pytest
from babel import Locale
from babel.messages import Catalog
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from smsby_deploy.apply.apply_result import MailingOutcome
from smsby_deploy.lock.decisions import VerdictKind
from smsby_deploy.lock.records import EntryState
from smsby_deploy.output.plan_markdown import _RANKS
from smsby_deploy.output.translation import ENGLISH, translator
from smsby_deploy.plan.model import ActionKind, ReasonCode
from smsby_deploy.resources import load_schema
from smsby_deploy.status.mailing_details import PartCounts, VariantStatus
from smsby_deploy.status.status_report import OtherKind, State
from smsby_deploy.wording import join_sentences, sentence

_PACKAGE = Path(__file__).resolve().parents[2] / "smsby_deploy"
_ENUMS: tuple[type[StrEnum], ...] = (
    ActionKind, ReasonCode, State, EntryState, MailingOutcome, OtherKind, VerdictKind
)  # fmt: skip
_LANGUAGES = sorted(path.name for path in (_PACKAGE / "locale").iterdir())


def _texts(node: ast.expr) -> Iterator[str | None]:
    """Return the templates that an argument can be, or None if it is not made of literals."""
    if isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    else:
        yield node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            called = node.func
            if (isinstance(called, ast.Name) and called.id in ("sentence", "gettext")) or (
                isinstance(called, ast.Attribute) and called.attr == "gettext"
            ):
                yield node


@cache
def _messages_in_code(path: Path) -> list[tuple[int, str | None]]:
    code = path.read_text(encoding="utf-8")
    if not ("sentence" in code or "gettext" in code):
        return []
    return [(call.lineno, text) for call in _calls(ast.parse(code)) for text in _texts(call.args[0])]


def _messages_in_schema(node: object) -> Iterator[str]:
    """Yield what a schema says about a value that it refuses, as `explain` puts it into a sentence."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from _messages_in_schema(child)
    if isinstance(node, dict) and isinstance(said := node.get("x-error"), str):
        yield said.replace("{", "{{").replace("}", "}}")


def _used_messages() -> set[tuple[str | None, str]]:
    """Return every message of the program, by context and English text."""
    found = {(kind.__name__, member.value) for kind in _ENUMS for member in kind}
    found |= {
        (f"{kind.__name__} counted", one.value) for kind in (ActionKind, MailingOutcome) for one in kind
    }
    found.add(("State counted", State.SCHEDULED.value))
    used: set[tuple[str | None, str]] = {*found, *((None, name) for name in (*_RANKS, "difference"))}
    for path in sorted(_PACKAGE.rglob("*.py")):
        used |= {(None, text) for _, text in _messages_in_code(path) if text is not None}
    for name in ("project", "campaign"):
        used |= {(None, said) for said in _messages_in_schema(load_schema(name))}
    for path in sorted(_PACKAGE.rglob("*.j2")):
        with path.open("rb") as file:
            calls = (one[2] for one in babel_extract(file, ["gettext"], [], {}))
            used |= {(None, call if isinstance(call, str) else call[0]) for call in calls}
    return used


def _catalog(language: str) -> Catalog:
    with (_PACKAGE / f"locale/{language}/LC_MESSAGES/messages.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def test_every_message_is_a_literal() -> None:
    """Every message is a literal in its call, without which it would not be found, and stay English."""
    calls = [
        f"{path.relative_to(_PACKAGE)}:{line}"
        for path in sorted(_PACKAGE.rglob("*.py"))
        if path.name not in ("wording.py", "translation.py", "markdown.py")
        for line, text in _messages_in_code(path)
        if text is None
    ]
    assert calls == []


# What makes a problem of the text in its first argument, or its second after a code.
_REPORTS = ("Problem", "text_error", "problem_at_text", "_invalid", "_problem", "error", "warning")
_RAISED = ("RecipientsError", "IncludeError", "EmptyFile", "_UnsupportedYaml", "OversizedFile", "PlanRefused")
_RAISED_BY_JINJA = (
    "TemplateRuntimeError",
    "TemplateLimitExceeded",
    "SecurityError",
    "TemplateAssertionError",
)


def _is_plain(node: ast.expr) -> bool:
    """Return whether it is a text of several words that no catalog has."""
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.Constant) and " " in str(part.value) for part in node.values)
    if isinstance(node, ast.IfExp):
        return _is_plain(node.body) or _is_plain(node.orelse)
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value


def _plain_texts(tree: ast.AST) -> Iterator[int]:
    """Yield the lines at which a problem, or a variable `message`, gets such a text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if called in (*_REPORTS, *_RAISED, *_RAISED_BY_JINJA):
                yield from (one.lineno for one in node.args if _is_plain(one))
        elif (
            isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) == "message"
            and _is_plain(node.value)
        ):
            yield node.lineno


@pytest.mark.parametrize("folder", ["config", "recipients", "texts", "plan"])
def test_every_problem_can_be_translated(folder: str) -> None:
    """Each problem is a translatable sentence, since authors act on problems."""
    plain = [
        f"{path.relative_to(_PACKAGE)}:{line}"
        for path in sorted((_PACKAGE / folder).rglob("*.py"))
        for line in _plain_texts(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert plain == []


@pytest.mark.parametrize("language", _LANGUAGES)
def test_catalog_has_every_message_and_no_other(language: str) -> None:
    """A catalog has a translation of every message of the program, and no other message."""
    known = {(one.context, str(one.id)) for one in _catalog(language) if one.id and one.string}
    used = _used_messages()
    assert sorted(map(str, used - known)) == [], "not translated"
    assert sorted(map(str, known - used)) == [], "no longer used"


@pytest.mark.parametrize("language", _LANGUAGES)
def test_translations_have_the_same_placeholders(language: str) -> None:
    """A translation has each value of its message, and each noun as many forms as the language."""
    forms = len({Locale.parse(language).plural_form(count) for count in range(1000)})
    for message in _catalog(language):
        if not message.id:
            continue
        ours, theirs = (list(Formatter().parse(str(text))) for text in (message.id, message.string))
        names = [{name for _, name, _, _ in pieces if name} for pieces in (ours, theirs)]
        assert names[0] == names[1], message.id
        nouns = [form.removeprefix("|").split("|") for _, _, form, _ in theirs if form and "|" in form]
        assert all(len(words) == forms for words in nouns), message.id
        assert not message.fuzzy, message.id


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "1 часть"), (2, "2 части"), (5, "5 частей"), (21, "21 часть"), (1000, "1\u00a0000 частей")],
)
def test_gettext_inflects_nouns(count: int, text: str) -> None:
    """Nouns are inflected by the rules of the language, not those of English."""
    assert translator("ru").gettext("{count:part|parts}", count=count) == text


def test_sentence_is_english_and_can_be_translated() -> None:
    """A sentence is an English string, which machine formats write as it is."""
    said = sentence(
        "{what}: {count:mailing|mailings} ({names})", what=sentence("on apply"), count=2, names="a, b"
    )
    assert said == "on apply: 2 mailings (a, b)"
    assert ENGLISH.sentence(said) == said
    assert translator("ru").sentence(said) == "при применении плана: 2 рассылки (a, b)"
    assert translator("ru").sentence("any other text") == "any other text"


def test_sentence_keeps_times_and_money_for_the_translation() -> None:
    """Times and money in a sentence are written as each language does, a time with its offset."""
    zone = timezone(timedelta(hours=3))
    said = join_sentences(
        [
            sentence("its schedule_time {time} has passed", time=datetime(2026, 12, 1, 10, tzinfo=zone)),
            sentence("its schedule_time {time} has passed", time=datetime(2026, 12, 1, 7, tzinfo=UTC)),
            sentence(
                "max_cost: this apply costs {cost}, the limit is {limit}",
                cost=Decimal("0.5"),
                limit=Decimal(1),
            ),
        ]
    )
    assert said == (
        "its schedule_time 2026-12-01 10:00 +03 has passed; its schedule_time 2026-12-01 07:00 UTC has passed; "
        "max_cost: this apply costs 0.50, the limit is 1.00"
    )
    assert translator("ru").sentence(said) == (
        "её время (1 декабря 2026, 10:00 +03) прошло; её время (1 декабря 2026, 07:00 UTC) прошло; "
        "max_cost: отправка стоит 0,50, предел — 1,00"
    )


def test_shares_of_variants_have_the_separator_of_the_language() -> None:
    """The share of a variant has the decimal separator of the language."""
    said = VariantStatus("a", PartCounts(1080, 1050, 30)).line
    assert said == "variant a: 1,050 of 1,080 recipients delivered (97.2%)"
    assert (
        translator("ru").sentence(said)
        == "вариант a: доставлено 1\u00a0050 из 1\u00a0080 получателей (97,2\u00a0%)"
    )


def test_whom_a_mailing_was_sent_to_is_in_the_dative() -> None:
    t = translator("ru")
    numbers = {"sent": 21, "unknown": 1, "total": 1200, "reason": "why"}
    to = "{sent:,} of {total:recipient|recipients}"
    assert t.gettext(f"sent to {to}; the rest: {{reason}}", **numbers).startswith(
        "отправлена 21 получателю из 1"
    )
    more = t.gettext(f"sent to {to}, and perhaps to {{unknown:,}} more; {{reason}}", **numbers)
    assert more == "отправлена 21 получателю из 1\u00a0200 и, возможно, ещё 1; why"
    perhaps = t.gettext("perhaps sent to {unknown:,} of {total:recipient|recipients}; {reason}", **numbers)
    assert perhaps == "возможно, отправлена 1 получателю из 1\u00a0200; why"


def test_values_do_not_count_as_templates() -> None:
    """Braces in users' data are not placeholders."""
    assert sentence("service {url}", url="{x.__class__}") == "service {x.__class__}"
    assert translator("ru").gettext("service {url}", url="{x.__class__}") == "сервис {x.__class__}"


def test_russian_numbers_money_and_times() -> None:
    """Numbers, money and times follow Unicode's data."""
    t = translator("ru")
    assert (t.count(12345), t.count(None)) == ("12\u00a0345", "?")
    assert (t.money(Decimal("1234.5")), t.signed(Decimal("-0.364"))) == ("1\u00a0234,50", "−0,364")
    amounts = [Decimal("1.5"), None, Decimal("1234.125")]
    assert list(map(t.aligning(amounts).money, amounts)) == ["1,500", "?", "1\u00a0234,125"]
    assert t.signed(Decimal("-1.5")) == t.money(Decimal("-1.5")) == "−1,50"  # a balance may be negative
    assert (t.share(9, 10), t.share(0, 0)) == ("90,0\u00a0%", "–")
    assert t.day_and_time(datetime(2026, 12, 1, 10, tzinfo=UTC)) == "вт 1 декабря 2026, 10:00"
    assert t.name(ActionKind.BLOCKED) == "заблокирована"
    assert ENGLISH.name(ActionKind.BLOCKED) == "blocked"
    assert t.count_of(1000, ActionKind.BLOCKED) == "заблокировано: 1\u00a0000"
    assert ENGLISH.count_of(1000, ActionKind.BLOCKED) == "1,000 blocked"


@pytest.mark.parametrize(
    ("part", "whole", "text"), [(999_999, 10**6, "99.9%"), (0, 0, "-"), (1, 3, "33.3%"), (7, 7, "100.0%")]
)
def test_share_never_rounds_up_to_all(part: int, whole: int, text: str) -> None:
    """100.0% is shown only for every recipient, and never by rounding up."""
    assert ENGLISH.share(part, whole) == text


def test_amounts_of_an_output_have_equally_many_decimals() -> None:
    """The most exact amount decides the decimals of all, totals and differences included."""
    t = ENGLISH.aligning([Decimal("0.13"), None, Decimal("0.078")])
    assert list(map(t.money, (Decimal("0.13"), None, Decimal("1234.5")))) == ["0.130", "?", "1234.500"]
    assert list(map(t.signed, map(Decimal, ("0.5", "-0.5", "0")))) == ["+0.500", "-0.500", "0.000"]
    assert ENGLISH.aligning([None]).money(Decimal(1)) == "1.00"


def test_count_of_an_unknown_count() -> None:
    """The size of a contact list, which only sms.by knows, is shown as unknown."""
    assert (ENGLISH.count(1_000_000), ENGLISH.count(0), ENGLISH.count(None)) == ("1,000,000", "0", "?")


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(days=2, hours=3, minutes=59), "in 2 d 3 h"),
        (timedelta(minutes=5), "in 5 min"),
        (timedelta(seconds=30), "now"),
        (timedelta(0), "now"),
        (-timedelta(hours=4, minutes=10), "4 h 10 min ago"),
        (timedelta(days=1, minutes=5), "in 1 d"),
    ],
)
def test_span_has_two_units(span: timedelta, text: str) -> None:
    """A span has its two largest units, without one that is zero."""
    assert ENGLISH.span(span) == text
