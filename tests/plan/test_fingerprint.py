"""Fingerprints and remote names."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.lock.places import scope_of
from smsby_deploy.plan.fingerprint import (
    NAME_LIMIT,
    AudienceDigest,
    chunk_digest,
    fingerprint,
    hash_json,
    hash_rows,
    phones_of,
    read_remote_name,
    remote_name,
    row_lines,
)
from tests.plan.examples import row_line

_slug = st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True)
_text = st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=20)
_phone = st.from_regex(r"37529[0-9]{7}", fullmatch=True)


@given(st.dictionaries(_text, _text, max_size=5))
def test_content_digest_ignores_the_order_of_keys(header: dict[str, str]) -> None:
    """The same header with its keys in another order has the same digest."""
    assert hash_json(header) == hash_json(dict(reversed(header.items())))


@given(st.lists(st.tuples(_phone, _text), min_size=1, max_size=4), st.data())
def test_fingerprint_depends_on_every_byte(rows: list[tuple[str, str]], data: st.DataObject) -> None:
    """Another phone, text or order, or a missing row, makes another fingerprint."""

    def mark(some: list[tuple[str, str]]) -> str:
        digest = chunk_digest("content", hash_rows(b"".join(row_line(phone, text) for phone, text in some)))
        return fingerprint("shop", "a/b", 1, 0, digest)

    position = data.draw(st.integers(0, len(rows) - 1))
    phone, text = rows[position]
    for changed in (
        [*rows[:position], (phone, text + "!"), *rows[position + 1 :]],
        [*rows[:position], (phone[:-1] + str((int(phone[-1]) + 1) % 10), text), *rows[position + 1 :]],
        rows[:position] + rows[position + 1 :],
        rows[::-1] if rows[::-1] != rows else [*rows, rows[0]],
    ):
        assert mark(changed) != mark(rows)


_any_text = st.text(
    st.sampled_from([*map(chr, range(0x21)), '"', "\\", "\x7f", "\x85", "\u2028", "я", "😀"]), max_size=4
)


@given(
    st.lists(st.tuples(st.from_regex(r"[0-9]{7,15}", fullmatch=True), _any_text), max_size=5), st.booleans()
)
def test_row_lines_are_joined_row_line(rows: list[tuple[str, str]], is_personal: bool) -> None:
    """Joined rows have the same bytes as single ones, and their phones can be read back."""
    phones = [phone for phone, _ in rows]
    texts = [text for _, text in rows] if is_personal else None
    each = [row_line(phone, text if is_personal else None) for phone, text in rows]
    written = row_lines(phones, texts)
    assert written == b"".join(each)
    assert written.count(b"\n") == len(rows)
    if rows:
        assert phones_of(written) == phones


@given(
    _slug,
    st.none() | st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True),
    _slug,
    _slug,
    st.integers(1, 999_999),
    st.integers(0, 9_999),
    st.integers(1, 10_000),
)
def test_remote_name_fits_and_reads_back(
    project: str, environment: str | None, campaign: str, name: str, revision: int, index: int, count: int
) -> None:
    """Every name has at most 160 characters, and gives back address, revision, project and fingerprint."""
    address, project = f"{campaign}/{name}", scope_of(project, environment)
    mark = fingerprint(project, address, revision, index, "d")
    given_name = remote_name(project, address, revision, index, count, mark)
    assert len(given_name) <= NAME_LIMIT
    read = read_remote_name(given_name)
    assert read is not None
    assert (read.address, read.revision, read.project, read.fingerprint) == (address, revision, project, mark)


def test_remote_name_omits_defaults() -> None:
    """Revision 1 and the number of an only chunk are left out."""
    assert remote_name("shop", "a/b", 1, 0, 1, "0" * 10) == "a/b shop#0000000000"
    assert remote_name("shop", "a/b", 2, 1, 3, "0" * 10) == "a/b r2 [2/3] shop#0000000000"


def test_remote_name_leaves_out_a_number_too_long() -> None:
    """The number of the chunk is left out where the longest names leave no room for it."""
    project, address = scope_of("p" * 40, "e" * 10), f"{'c' * 40}/{'m' * 40}"
    assert remote_name(project, address, 9999, 998, 1000, "0" * 10) == f"{address} r9999 {project}#0000000000"
    assert " [998/999] " in remote_name(project, address, 99, 997, 999, "0" * 10)


@given(st.lists(st.integers(1, 2500), max_size=5), st.lists(st.integers(1, 2500), max_size=5))
def test_audience_digest_is_independent_of_chunks(cuts: list[int], others: list[int]) -> None:
    """The audience digest depends on rows and their order, but not on chunks."""
    total = min(sum(cuts), sum(others))
    rows = [b'"%d"\n' % number for number in range(total)]

    def digest(rows: list[bytes], cuts: list[int]) -> str:
        whole, start = AudienceDigest(), 0
        for cut in (*cuts, total):
            some = rows[start : start + cut]
            joined = b"".join(some)
            whole.add(joined, len(some), hash_rows(joined))
            start += cut
        return whole.hexdigest()

    assert digest(rows, cuts) == digest(rows, others)
    if total > 1:
        assert digest(rows[::-1], cuts) != digest(rows, cuts)
        assert digest([*rows[:-1], b'"x"\n'], cuts) != digest(rows, cuts)


def test_row_lines_keep_the_digests_of_existing_locks() -> None:
    """Row lines have the bytes whose digests existing locks contain."""
    lines = row_lines(["375291234567", "375331234567"], ['Анна, "код" \\ 5', "Hi\n"])
    digest = "1388d4608a8d9fef7ee3acd7e72ab037303cea435724c8b1c683e4f070b8ba42"
    assert hashlib.sha256(lines).hexdigest() == digest
