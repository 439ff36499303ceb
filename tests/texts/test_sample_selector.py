"""Sample selection by batches selects what a row-by-row comparison would."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from smsby_deploy.config.declarations import Price
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.texts.cost import cost_of
from smsby_deploy.texts.parts import TextTooLong, measure_text
from smsby_deploy.texts.sample_selector import SampleSelector
from smsby_deploy.wording import Sentence


class _Row(NamedTuple):
    phone: str
    text: str
    name: str
    is_reached: bool


_FLAT = Price("BYN", Decimal("0.026"))
_BY_PREFIX = Price("BYN", Decimal(1), (("37529", Decimal(2)), ("375", Decimal("0.5")), ("7", Decimal(9))))
_FREE = Price("BYN", Decimal(0))
_TEXTS = st.one_of(
    st.sampled_from(["", "Hi", "Привет", "a~b", "я[" * 36, "[" * 81, "Здравствуйте 😀", "“Hi”", "ж" * 670]),
    st.builds(lambda letter, count: letter * count, st.sampled_from("xя"), st.integers(1, 1600)),
    st.builds(lambda count: "Привет, " + "я" * count, st.integers(55, 64)),  # around one part
)
_ROWS = st.lists(
    st.builds(
        _Row,
        st.sampled_from(["375291111111", "375441111111", "79161111111", "48501111111"]),
        _TEXTS,
        st.sampled_from(["", "Анна"]),
        st.booleans(),
    ),
    max_size=12,
)


class _ByName:
    """Two combinations: recipients with a name, and those without."""

    def signatures(self, batch: Batch, eligible: bytearray) -> list[str]:
        return ["n" if name else "" for name in batch.variable("name") or ()]

    def names_of(self, signature: str) -> list[Sentence]:
        return [Sentence("named")] if signature else []


def _add_all(selector: SampleSelector, rows: Sequence[_Row], sizes: Sequence[int]) -> list[tuple[int, str]]:
    """Add `rows` in batches; return the lines of too-long texts, and the reasons."""
    too_long = []
    borders = [0, *(end for end in accumulate(sizes) if end < len(rows)), len(rows)]
    for start, end in pairwise(borders):
        some = rows[start:end]
        # Every other row of the source is not a recipient.
        kept = bytearray(b"\1\0") * len(some)
        values = [[value for row in some for value in (f" {row.name} ", "not kept")]]
        batch = Batch(
            [row.phone for row in some],
            ("name",),
            values,
            [None] * len(some),
            range(start + 2, end + 2),
            bytearray(row.is_reached for row in some),
            kept,
        )
        too_long += selector.add(batch, [row.text for row in some])
    return too_long


@given(
    rows=_ROWS,
    sizes=st.lists(st.integers(1, 5), max_size=12),
    limit=st.none() | st.integers(0, 15),
    asked=st.frozensets(st.integers(1, 14), max_size=3),
    price=st.sampled_from([None, _FLAT, _BY_PREFIX, _FREE]),
    has_branches=st.booleans(),
)
@example(  # fewer parts at a higher cost, in a separate batch
    rows=[_Row("375441111111", "x" * 161, "", True), _Row("79161111111", "x", "", True)],
    sizes=[1],
    limit=None,
    asked=frozenset(),
    price=_BY_PREFIX,
    has_branches=True,
)
@example(  # more parts at the same cost
    rows=[_Row("375291111111", "x", "", True), _Row("48501111111", "x" * 161, "", True)],
    sizes=[1],
    limit=None,
    asked=frozenset(),
    price=_BY_PREFIX,
    has_branches=True,
)
def test_sample_selector_equals_row_by_row_selection(
    rows: list[_Row],
    sizes: list[int],
    limit: int | None,
    asked: frozenset[int],
    price: Price | None,
    has_branches: bool,
) -> None:
    """Rows, reasons, values, counts and too-long texts do not depend on the batches."""
    branches = _ByName() if has_branches else None
    selector = SampleSelector(price, limit, asked, branches)
    reported = _add_all(selector, rows, sizes)
    shown = [
        (one.row, one.line, one.phone, one.text, one.size, one.cost, one.why, one.recipients)
        for one in selector.selected().samples
    ]
    sizes_of = {}
    too_long = []
    for number, row in enumerate(rows, 1):
        try:
            sizes_of[number] = measure_text(row.text)
        except TextTooLong as error:
            too_long.append((number + 1, error.message))
    sent = [number for number, row in enumerate(rows, 1) if row.text and number in sizes_of]
    eligible = [number for number in sent if rows[number - 1].is_reached]
    expected: dict[int, list[str]] = {}
    recipients: dict[int, int] = {}
    if asked:
        expected = {number: [] for number in sent if number in asked}
    elif eligible:
        # max() takes the first of equals.
        dearest = max(eligible, key=lambda n: (_cost(rows[n - 1], price) or 0, sizes_of[n].parts))
        longest = max(eligible, key=lambda n: len(rows[n - 1].text))
        most = 8 if limit is None else limit
        combinations: dict[bool, list[int]] = {}
        for number in eligible if has_branches else ():
            combinations.setdefault(bool(rows[number - 1].name), []).append(number)

        def choose(number: int) -> None:
            if number in expected:
                return
            expected[number] = []
            members = combinations.pop(bool(rows[number - 1].name), None)
            if members is not None:
                expected[number] = ["named"] if rows[number - 1].name else []
                recipients[number] = len(members)

        for members in sorted(combinations.values(), key=len, reverse=True) if most > 1 else ():
            choose(next((one for one in (dearest, longest, eligible[0]) if one in members), members[0]))
        for number, why in [(eligible[0], "first"), (dearest, "most expensive"), (longest, "longest")]:
            if number in expected or len(expected) < most:
                choose(number)
                expected[number].append(why)
        for number in eligible:
            if limit is not None and len(expected) < limit:
                choose(number)
        for number in recipients:
            expected[number] = expected[number] or ["no default applies"]
    assert shown == [
        (
            number,
            number + 1,
            rows[number - 1].phone,
            rows[number - 1].text,
            sizes_of[number],
            _cost(rows[number - 1], price),
            tuple(expected[number]),
            recipients.get(number),
        )
        for number in sorted(expected)
    ]
    for found in selector.selected().samples:
        phone, _, name, _ = rows[found.row - 1]
        assert found.values == {"name": name, "phone": phone}
    parts = [sizes_of[number].parts for number in eligible]
    assert selector.by_parts == (parts.count(1), parts.count(2), sum(count > 2 for count in parts))
    assert (selector.count, selector.suppressed) == (len(rows), sum(not row.is_reached for row in rows))
    assert reported == too_long


def _cost(row: _Row, price: Price | None) -> Decimal | None:
    return cost_of(measure_text(row.text).parts, price, row.phone)


def test_sample_selector_keeps_values_of_many_rows() -> None:
    """With a limit larger than a batch, each sample keeps the variables of its own recipient."""
    rows = [_Row(f"37529111{n:04d}", f"Привет, {n}", f"N{n}", True) for n in range(90)]
    selector = SampleSelector(None, 80)
    _add_all(selector, rows, [50])
    shown = [(one.row, one.text, one.values["name"]) for one in selector.selected().samples]
    assert [row for row, _, _ in shown] == [*range(1, 81)]
    assert all(text.endswith(name[1:]) for _, text, name in shown)
