"""Chunks: no recipient is lost or repeated, the order is kept, and opt-outs change no digest."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.declarations import ApiSettings, Guardrails, Mailing, Project, Wave, Waves
from smsby_deploy.config.sources import ContactList, InlineRecipients, TextSource
from smsby_deploy.plan import chunks as chunks_module
from smsby_deploy.plan.chunks import ChunkReport, chunk_content, chunk_size, hash_content, stream_chunks
from smsby_deploy.plan.fingerprint import hash_json
from smsby_deploy.plan.measure import measure_mailing
from smsby_deploy.problems import Location
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from smsby_deploy.texts.compiler import compile_text

_AT = Location("sale.yaml", 1, 1)
_TIME = datetime(2026, 12, 1, 10, tzinfo=UTC)
_phones = st.lists(st.integers(0, 9_999_999).map(lambda n: f"37529{n:07d}"), min_size=1, max_size=40)


def _mailing(phones: list[str], text: str) -> Mailing:
    rows = [{"n": str(i), "phone": phone} for i, phone in enumerate(phones)]
    recipients = InlineRecipients(rows, _AT, [(1, 1)] * len(rows))
    return Mailing(
        "sale", "vip", "sale.yaml", _AT, "bulk", recipients, TextSource(text, _AT), "0", _AT,
        None, None, "Europe/Minsk", 1, "fail",
    )  # fmt: skip


def _project(size: int) -> Project:
    api = ApiSettings(recipients_per_request=size)
    return Project(Path(), "shop", api, Guardrails(), None, (), Path("lock"), ())


def _content(mailing: Mailing) -> str:
    assert isinstance(mailing.text, TextSource)
    template = compile_text(mailing.text)
    return hash_content(mailing, template)


@given(_phones, st.integers(1, 7), st.sampled_from(["Hello", "Hello {{ n }}"]))
def test_chunks_hold_each_recipient_once(phones: list[str], size: int, text: str) -> None:
    """Joined, the chunks are the audience in order and without repeats, and all but the last are full."""
    mailing = _mailing(phones, text)
    template = compile_text(mailing.text) if mailing.text else None
    chunks = list(stream_chunks(_project(size), mailing, template, PhoneSet(), ChunkReport()))
    assert [phone for chunk in chunks for phone in chunk.phones] == list(dict.fromkeys(phones))
    assert all(len(chunk.phones) == size for chunk in chunks[:-1])
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    for chunk in chunks:
        assert chunk.texts is None or len(chunk.texts) == len(chunk.phones)


@given(_phones, st.data())
def test_opt_out_changes_counts_but_no_fingerprint(phones: list[str], data: st.DataObject) -> None:
    """Opt-outs are subtracted from every count; digests and fingerprints stay the same."""
    mailing = _mailing(phones, "Hello {{ n }}")
    out = data.draw(st.sets(st.sampled_from(phones)))
    suppressed = PhoneSet()
    suppressed.add_all(number_phones(out))
    before = measure_mailing(_project(3), mailing, PhoneSet()).desired
    after = measure_mailing(_project(3), mailing, suppressed).desired
    assert [chunk.fingerprint for chunk in after.chunks] == [chunk.fingerprint for chunk in before.chunks]
    assert after.audience_digest == before.audience_digest
    assert after.audience.final == before.audience.final - len(out)
    assert sum(chunk.recipients or 0 for chunk in after.chunks) == after.audience.final
    counts = after.audience
    assert counts.rows == counts.invalid + counts.duplicate + counts.suppressed + counts.final


def test_chunk_digest_covers_content_text_and_variant() -> None:
    """The digest of a chunk is the one in existing locks; its rows include recipients' texts."""
    parts = [chunk_content("content", text, variant) for text in (None, "Hi") for variant in (None, "a")]
    assert parts == ["content", "content\nvariant a", "content\nHi", "content\nvariant a\nHi"]


def test_digests_tell_content_and_audience_apart() -> None:
    """Content and audience have separate digests, and a change of either makes other chunks."""
    phones = ["375291111111", "375292222222"]
    desired = [
        measure_mailing(_project(9), _mailing(some, text), PhoneSet()).desired
        for some, text in ((phones, "Hello"), (phones, "Bye"), (phones[::-1], "Hello"))
    ]
    contents, audiences, marks = zip(
        *((d.content_digest, d.audience_digest, d.chunks[0].fingerprint) for d in desired if d), strict=True
    )
    assert [contents.count(one) for one in contents] == [2, 1, 2]
    assert [audiences.count(one) for one in audiences] == [2, 2, 1]
    assert len(set(marks)) == 3


def test_chunk_size_changes_no_content() -> None:
    """Another chunk size makes other chunks with the same content and audience digests."""
    mailing = _mailing(["375291111111", "375292222222", "375293333333"], "Hello")
    small = measure_mailing(_project(1), mailing, PhoneSet()).desired
    large = measure_mailing(_project(9), mailing, PhoneSet()).desired
    assert (small.content_digest, small.audience_digest) == (large.content_digest, large.audience_digest)
    assert (len(small.chunks), len(large.chunks)) == (3, 1)


def test_content_digest_covers_what_is_said_how_and_when() -> None:
    """The content digest covers text, sender and time; another zone matters only if the text shows it."""
    base = _mailing(["375291111111"], "Hello")._replace(schedule_time=_TIME)
    dated = base._replace(text=TextSource("{{ day | date }}", _AT))
    others = (
        base._replace(alphaname="Shop"),
        base._replace(schedule_time=_TIME + timedelta(minutes=1)),
        base._replace(schedule_time=None),
        base._replace(text=TextSource("Hello!", _AT)),
        base._replace(text=TextSource("Hello {{ n }}", _AT)),
        base._replace(audience=ContactList("Newsletter", _AT)),
        base._replace(spread=timedelta(hours=1)),
        base._replace(spread=timedelta(hours=2)),
        base._replace(waves=Waves((Wave(size=9), Wave()), b"key")),
        base._replace(waves=Waves((Wave(size=8), Wave()), b"key")),
        dated,
        dated._replace(timezone="Europe/Berlin"),
    )
    digests = {_content(one) for one in (base, *others)}
    assert len(digests) == 1 + len(others)
    for same in (
        base._replace(schedule_time=_TIME.astimezone(timezone(timedelta(hours=3)))),
        base._replace(timezone="Europe/Berlin"),
        base._replace(text=TextSource("Hello", _AT), timezone="Asia/Tokyo"),
    ):
        assert _content(same) == _content(base)
    written = {"alphaname": "0", "schedule_time": _TIME.isoformat(), "kind": "personal", "list": None}
    assert _content(dated) == hash_json(written | {"text": "{{ day | date }}"})  # as existing locks have it
    for text in ("the date", "{{ n }}"):  # the text shows no date
        zoned = base._replace(text=TextSource(text, _AT))
        assert _content(zoned._replace(timezone="Europe/Berlin")) == _content(zoned)


def test_content_digest_covers_includes(tmp_path: Path) -> None:
    """An included text is part of the content, and may show a date in the zone of the mailing."""
    part = tmp_path / "templates" / "part.txt"
    part.parent.mkdir()
    text = TextSource("{% include 'part.txt' %}", _AT, root=tmp_path)
    mailing = _mailing(["375291111111"], "")._replace(text=text, timezone="Europe/Berlin")
    digests = set()
    for written in ("Hello", "Hello!", "{{ day | date }}"):
        part.write_text(written)
        digests |= {_content(mailing), _content(mailing._replace(timezone="Europe/Minsk"))}
    assert len(digests) == 4


@pytest.mark.parametrize(("body", "is_limited"), [("json", False), ("form", True)])
def test_chunk_fits_the_body_of_a_request(body: Literal["json", "form"], is_limited: bool) -> None:
    """A chunk has fewer recipients than the limit if a form cannot hold more, and fewer still with personal texts."""
    api = ApiSettings(recipients_per_request=100_000, body=body)
    sizes = [chunk_size(api, personal) for personal in (False, True)]
    assert [size < 100_000 for size in sizes] == [is_limited] * 2
    assert not is_limited or sizes[0] > sizes[1]


@pytest.mark.parametrize(
    ("via", "count", "is_error"), [("single", 3, False), ("single", 4, True), ("bulk", 4, False)]
)
def test_single_mailing_is_small(
    via: Literal["single", "bulk"], count: int, is_error: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single mailing has a maximum number of recipients; a larger one has no chunk."""
    monkeypatch.setattr(chunks_module, "MOST_SINGLE", 3)
    mailing = _mailing([f"37529000000{number}" for number in range(count)], "Hello")._replace(via=via)
    measured = measure_mailing(_project(9), mailing, PhoneSet())
    assert [problem.code for problem in measured.problems] == ["SINGLE_SIZE"] * is_error
    assert measured.desired is not None
    assert (len(measured.desired.chunks) == 0) is is_error


def test_text_digest_covers_texts_of_recipients() -> None:
    """The text digest covers recipients' texts, and does not change with one more recipient of the same text."""
    plain, other = {"phone": "375291111111"}, {"phone": "375292222222"}
    rows = (
        [plain, other],
        [{**plain, "text": "Hi"}, other],
        [{**plain, "text": "Hi!"}, other],
        [plain, {**other, "text": "Hi"}],
    )
    own = ([{**plain, "text": "Hi"}], [{**plain, "text": "Hi!"}])
    digests = [_text_digest(some, "Hello {{ phone }}") for some in rows] + [
        _text_digest(o, None) for o in own
    ]
    assert digests[1] == digests[3]
    assert len(set(digests)) == 5


def _text_digest(rows: list[dict[str, str]], text: str | None) -> str | None:
    audience = InlineRecipients(rows, _AT, [(1, 1)] * len(rows))
    source = None if text is None else TextSource(text, _AT)
    mailing = _mailing([], "")._replace(audience=audience, text=source)
    desired = measure_mailing(_project(9), mailing, PhoneSet()).desired
    assert desired is not None
    return desired.text_digest


def test_former_content_is_that_of_uncomposed_texts() -> None:
    """The digest of an earlier version, which hashed texts as written, is kept only where it differs."""
    decomposed = unicodedata.normalize("NFD", "Большой")
    header = {"alphaname": "0", "schedule_time": None, "kind": "bulk", "text": decomposed, "list": None}
    desired = measure_mailing(_project(9), _mailing(["375291111111"], decomposed), PhoneSet()).desired
    composed = measure_mailing(_project(9), _mailing(["375291111111"], "Большой"), PhoneSet()).desired
    assert desired.former_content == hash_json(header)
    assert desired.has_content(desired.former_content)
    assert composed.former_content is None
    assert composed.content_digest == desired.content_digest
    assert composed.text_digest == desired.text_digest
