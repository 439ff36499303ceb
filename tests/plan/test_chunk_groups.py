"""Groups of recipients: each chunk has one wave and one variant, and each recipient is in one chunk."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.declarations import ApiSettings, Guardrails, Mailing, Project, Wave, Waves
from smsby_deploy.config.sources import (
    InlineRecipients,
    TextsByVariant,
    TextSource,
    Variant,
)
from smsby_deploy.plan.chunks import Chunk, ChunkReport, stream_chunks
from smsby_deploy.problems import Location
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from smsby_deploy.texts.compiler import compile_texts

_AT = Location("sale.yaml", 1, 1)
_WAVES = Waves((Wave(size=7, delivered=90), Wave(share=30, delivered=90), Wave()), b"w" * 32)
_phones = st.lists(
    st.integers(0, 9_999_999).map(lambda n: f"37529{n:07d}"), min_size=1, max_size=60, unique=True
)


def _text(*, in_variants: bool, is_personal: bool) -> TextSource | TextsByVariant:
    text = TextSource("Hello {{ n }}" if is_personal else "Hello", _AT)
    if not in_variants:
        return text
    variants = (Variant("a", 50, text), Variant("b", 50, TextSource("Bye", _AT)))
    return TextsByVariant(variants, b"v" * 32, _AT)


def _chunks(
    phones: list[str],
    text: TextSource | TextsByVariant,
    size: int,
    opted_out: tuple[str, ...] = (),
    waves: Waves | None = _WAVES,
) -> list[Chunk]:
    rows = [{"n": phone[-2:], "phone": phone} for phone in phones]
    recipients = InlineRecipients(rows, _AT, [(1, 1)] * len(rows))
    mailing = Mailing(
        "sale", "vip", "sale.yaml", _AT, "bulk", recipients, text, "0", _AT,
        None, None, "Europe/Minsk", 1, "fail", waves=waves,
    )  # fmt: skip
    project = Project(
        Path(), "shop", ApiSettings(recipients_per_request=size), Guardrails(), None, (), Path("lock"), ()
    )
    suppressed = PhoneSet()
    suppressed.add_all(number_phones(opted_out))
    return list(stream_chunks(project, mailing, compile_texts(text), suppressed, ChunkReport()))


@given(_phones, st.integers(1, 9), st.booleans(), st.booleans())
def test_every_recipient_is_in_one_chunk(
    phones: list[str], size: int, in_variants: bool, is_personal: bool
) -> None:
    """Each recipient is in one chunk with their text; only the last chunk of a group is not full."""
    chunks = _chunks(phones, _text(in_variants=in_variants, is_personal=is_personal), size)
    assert Counter(phone for chunk in chunks for phone in chunk.phones) == Counter(phones)
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    small = Counter(chunk.group for chunk in chunks if len(chunk.phones) < size)
    assert all(count == 1 for count in small.values())
    assert sum(len(chunk.phones) for chunk in chunks if chunk.group.wave == 1) == min(7, len(phones))
    for chunk in chunks:
        own = [f"Hello {phone[-2:]}" if is_personal else "Hello" for phone in chunk.phones]
        expected = ["Bye"] * len(chunk.phones) if chunk.group.variant == "b" else own
        assert (chunk.texts or [chunk.text] * len(chunk.phones)) == expected
        assert (chunk.group.variant is not None) == in_variants


@pytest.mark.parametrize(("share", "size"), [(50, 10), (80, 10), (50, 200)])
def test_chunks_of_variants_alternate(share: int, size: int) -> None:
    """Chunks of variants alternate, so a spread mailing sends each variant from first hour to last."""
    a, b = TextSource("A", _AT), TextSource("B", _AT)
    text = TextsByVariant((Variant("a", share, a), Variant("b", 100 - share, b)), b"v" * 32, _AT)
    chunks = _chunks([f"37529{number:07d}" for number in range(2000)], text, size, waves=None)
    named = [chunk.group.variant for chunk in chunks if len(chunk.phones) == size]
    for count in range(1, len(named) + 1):
        assert abs(named[:count].count("a") - count * share / 100) < 5


@given(_phones)
def test_opt_outs_change_no_wave(phones: list[str]) -> None:
    """An opt-out is subtracted after the waves are chosen, so a late one does not make another mailing."""
    text = _text(in_variants=False, is_personal=False)
    before, after = (_chunks(phones, text, 4, out) for out in ((), tuple(phones[:3])))
    assert [chunk.fingerprint for chunk in before] == [chunk.fingerprint for chunk in after]
    assert sum(chunk.not_suppressed.count(0) for chunk in after) == len(phones[:3])


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_chunks_of_waves_are_the_same_each_time(size: int) -> None:
    """Waves and variants are the same each time, since plan and apply both compute them."""
    phones = [f"37529{number:07d}" for number in range(100)]
    text = _text(in_variants=True, is_personal=True)
    first, second = (_chunks(phones, text, size) for _ in range(2))
    assert [(one.fingerprint, one.group) for one in first] == [(one.fingerprint, one.group) for one in second]


def test_chunks_keep_the_order_of_existing_locks() -> None:
    """Chunks keep the order of existing locks, since a chunk's place is part of its fingerprint."""
    phones = [f"37529{number:07d}" for number in range(24)]
    text = _text(in_variants=True, is_personal=False)
    for waves, expected in (
        (None, "a4 b4 a4 b4 a4 a1 b3"),
        (_WAVES, "3a4 3b4 2a4 1b4 1a3 2b1 3a2 3b2"),
    ):
        groups = (
            (one.group.wave or "", one.group.variant, len(one.phones))
            for one in _chunks(phones, text, 4, waves=waves)
        )
        assert " ".join(f"{wave}{variant}{count}" for wave, variant, count in groups) == expected
