"""Counts of texts: recipients, parts, encodings, cost, and the share of each chunk."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.declarations import Guardrails, Mailing, Price
from smsby_deploy.config.sources import InlineRecipients, TextSource
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.plan.chunks import Chunk
from smsby_deploy.plan.text_counter import ContentPolicy, PrefixCounter, TextCounter, TextTotals
from smsby_deploy.problems import Location
from smsby_deploy.texts import pattern_search
from smsby_deploy.texts.compiler import compile_text
from smsby_deploy.texts.parts import measure_batch, measure_text
from smsby_deploy.texts.template import KeptProblems

_AT = Location("sale.yaml", 4, 11)
_PHONES = ["375291111111", "375292222222", "375293333333"]


def _counter(text: str, problems: KeptProblems, policy: ContentPolicy | None = None) -> TextCounter:
    source = TextSource(text, _AT)
    mailing = Mailing(
        "sale", "vip", "sale.yaml", _AT, "bulk", InlineRecipients((), _AT), source, "0", _AT, None, None,
        "Europe/Minsk", 1, "fail",
    )  # fmt: skip
    return TextCounter(mailing, compile_text(source), Price("BYN", Decimal("0.1")), problems, policy)


def _chunk(texts: list[str] | None, text: str | None, reached: bytes = b"\1\1\1") -> Chunk:
    return Chunk(0, _PHONES, texts, text, "d", "f", b"", bytearray(reached), [2, 3, 4])


def test_count_chunk_returns_its_share() -> None:
    """Suppressed recipients are left out, and the shares of the chunks add up to the totals."""
    counter = _counter("{{ name }}", KeptProblems())
    first = counter.count_chunk(_chunk(["Hi", "Привет", "a" * 200], None))
    second = counter.count_chunk(_chunk(["Hi", "Hi", "Hi"], None, b"\1\0\1"))
    assert (first.recipients, first.parts, first.gsm7, first.ucs2, first.cost) == (3, 4, 2, 1, Decimal("0.4"))
    assert (second.recipients, second.parts, second.gsm7, second.ucs2, second.cost) == (
        2,
        2,
        2,
        0,
        Decimal("0.2"),
    )
    assert (counter.totals, counter.costs.cost) == (TextTotals(1, 5, 6, 4, 1, 2), Decimal("0.6"))


def test_count_chunk_of_one_text() -> None:
    """A text for all is measured once, and counted for each recipient who did not opt out."""
    counter = _counter("Привет", KeptProblems())
    assert counter.count_chunk(_chunk(None, "Привет", b"\0\1\1")).recipients == 2
    assert (counter.totals, counter.costs.cost) == (TextTotals(1, 2, 2, 0, 2, 1), Decimal("0.2"))


def test_too_long_texts_are_reported() -> None:
    """A personal text that is too long is reported by line, a text for all once, and neither has parts."""
    problems, long = KeptProblems(), "a" * 2000
    personal = _counter("{{ name }}", problems)
    personal.count_chunk(_chunk(["Hi", long, "Hi"], None))
    assert [problem.code for problem in problems.kept] == ["TOO_LONG"]
    assert problems.kept[0].message.endswith("(sale.yaml:3)")
    assert (personal.totals.recipients, personal.totals.parts) == (3, 2)
    problems = KeptProblems()
    shared = _counter("x", problems)
    for _ in range(2):
        shared.count_chunk(_chunk(None, long))
    assert len(problems.kept) == 1
    assert (shared.totals.recipients, shared.totals.parts) == (6, 0)


def test_text_counter_checks_the_policy_per_recipient() -> None:
    """A text for all counts once per recipient against the policy, and a suppressed recipient does not count."""
    policy = ContentPolicy(Guardrails(forbidden_words=("hello",), required_words=("stop",)))
    _counter("Hello", KeptProblems(), policy).count_chunk(_chunk(None, "Hello", b"\0\1\1"))
    _counter("{{ x }}", KeptProblems(), policy).count_chunk(_chunk(["Hello stop", "Hi", "Hi"], None))
    assert policy.violations == {("forbidden_words", "hello"): 3, ("required_words", "stop"): 4}


@pytest.mark.posix
def test_slow_pattern_is_an_error_at_its_guardrail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern that is too slow is an error at its guardrail in smsby.yaml."""
    slow = "(a|aa)+$"
    monkeypatch.setattr(pattern_search, "_slow", {slow: "takes too long"})
    place = Location("smsby.yaml", 7, 20)
    rails = Guardrails(forbidden_words=(slow,))
    policy = ContentPolicy(rails, locations={"guardrails.forbidden_words": place})
    with pytest.raises(FilesInvalid) as caught:
        policy.check("Hello")
    (problem,) = caught.value.problems
    assert (problem.location, problem.message) == (place, f"forbidden_words: {slow} takes too long")


def test_text_counter_ignores_a_policy_without_rules() -> None:
    """Without rules no text is searched."""
    policy = ContentPolicy(Guardrails())
    assert not policy.has_rules
    _counter("Hello", KeptProblems(), policy).count_chunk(_chunk(None, "Hello"))
    assert not policy.violations


_phones = st.sampled_from([f"375{code}1234567" for code in (25, 29, 33, 44)] + ["79061234567", "48501234567"])
_texts = st.sampled_from(["Hi", "Привет", "Привет, " * 12, "a" * 200, "a" * 400])


@given(st.lists(st.tuples(_phones, _texts), min_size=1, max_size=30), st.sampled_from([None, "37529"]))
def test_prefixes_add_up_one_by_one(rows: list[tuple[str, str]], dear: str | None) -> None:
    """Each prefix has its recipients, parts and cost, however the texts are measured."""
    per_prefix = ((dear, Decimal("0.5")),) if dear else ()
    price = Price("BYN", Decimal("0.1"), per_prefix)
    counter, recipients, parts = PrefixCounter(price), Counter[str](), Counter[str]()
    for some in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
        phones, texts = [phone for phone, _ in some], [text for _, text in some]
        size = measure_batch(texts)
        if size is None or per_prefix:
            for phone, text in some:
                counter.add([phone], measure_text(text).parts)
        else:
            counter.add_each(phones, size)
    for phone, text in rows:
        recipients[phone[:5]] += 1
        parts[phone[:5]] += measure_text(text).parts
    counts = counter.counts
    assert {prefix: one.recipients for prefix, one in counts.items()} == recipients
    assert {prefix: one.parts for prefix, one in counts.items()} == parts
    costs = {p: parts[p] * (Decimal("0.5") if p == dear else Decimal("0.1")) for p in parts}
    assert {prefix: Decimal(one.cost or "0") for prefix, one in counts.items()} == costs


@pytest.mark.parametrize("count", [200, 205])
def test_rare_prefixes_are_joined(count: int) -> None:
    """Rare prefixes are joined, so that the lock stays small."""
    counter = PrefixCounter(None)
    counter.add(["37529"] * 2 + [f"{number:05}1234" for number in range(10_000, 10_000 + count - 1)], 1)
    counts = counter.counts
    assert len(counts) == min(count, 201)
    assert counts["37529"] == (2, 2, None)
    assert ("other" in counts) == (count > 200)
