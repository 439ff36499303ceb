"""batch: which column a template variable reads, and batches of some recipients."""

from __future__ import annotations

import unicodedata

import pytest

from smsby_deploy.recipients.batch import Batch


def test_batch_finds_columns_with_gaps_by_underscores() -> None:
    """A template may write a space, dash or dot in a column's name as _, unless that is ambiguous."""
    names = ("Сумма покупок", "first-name", "a.b", "a b", "c d", "c_d", "phone")
    columns = [[name] for name in names]
    batch = Batch(["375291234567"], names, columns, [None], [2], bytearray(1))
    found = {
        name: batch.variable(name) for name in ("Сумма_покупок", "сумма_покупок", "first_name", "a_b", "c_d")
    }
    assert found == {
        "Сумма_покупок": ["Сумма покупок"],
        "сумма_покупок": ["Сумма покупок"],
        "first_name": ["first-name"],
        "a_b": None,
        "c_d": ["c_d"],
    }
    assert batch.variables[0].items() >= {"Сумма_покупок": "Сумма покупок", "c_d": "c_d"}.items()
    assert "a_b" not in batch.variables[0]


def test_batch_finds_columns_of_decomposed_letters() -> None:
    """A decomposed letter in a header, as й from another system, matches the composed one in a template."""
    name = unicodedata.normalize("NFD", "Счёт й")
    batch = Batch(["375291234567"], (name,), [["7"]], [None], [2], bytearray(1))
    assert (batch.variable("Счёт_й"), batch.variable("счёт_й"), batch.variable("Счет_й")) == (
        ["7"],
        ["7"],
        None,
    )


def test_batch_of_some_recipients_keeps_their_rows() -> None:
    """A batch of some recipients keeps their rows, even after a dropped row."""
    phones = [f"37529000000{digit}" for digit in range(3)]
    rows = [["Anna", "dropped", "Vera", "Iya"]]
    selected = bytearray((1, 0, 1, 1))
    batch = Batch(phones, ("name",), rows, [None] * 3, [2, 4, 5], bytearray((1, 1, 0)), selected)
    some = batch.only(bytearray((0, 1, 1)))
    assert (some.phones, some.lines, list(some.not_suppressed)) == (phones[1:], [4, 5], [1, 0])
    assert some.variable("name") == ["Vera", "Iya"]
    assert some.variables_of(1) == {"name": "Iya", "phone": phones[2]}


def test_batch_reads_the_same_by_name_and_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading all columns in one pass, which is not quadratic for thousands, gives the same as by name."""
    names = ("Name", "name", "NAME", "Дата визита", "Total.sum", "total_sum", "phone", "City", "CITY")
    batch = Batch(["375291234567"], names, [[f" {name}!"] for name in names], [None], [1], bytearray([1]))
    by_name = {name: (batch.variable(name) or [""])[0] for name in batch._variable_names()}
    monkeypatch.setattr(Batch, "column", None)
    assert batch.variables == [by_name]
    assert by_name["city"] == "CITY!"
    assert by_name["Дата_визита"] == "Дата визита!"
