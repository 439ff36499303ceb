"""From a file to the digests of a plan, the fast paths for long lists give the same as the plain ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.config.project_loader import load_project
from smsby_deploy.plan.desired import Desired
from smsby_deploy.plan.measure import find_flaws, measure_mailing
from smsby_deploy.problems import Problem
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from tests.plan.examples import row_line

# Phones as they come, and odd ones: repeated, foreign, too short, missing.
_PHONES = st.builds(
    str.format,
    st.sampled_from([
        "375{}", "375{}", "375{}", "+375{}", "80{}", "8 0{}", "0{}", "{}", "375{}.0", "375 {}", "+375-{}", "375{}9",
        " 375{}", '="375{}"', "7{}", "no{}",
    ]),
    st.sampled_from(["291234567", "331234568", "441234569", "251234560", "29123456", "171234567", "29 123 45-61"]),
) | st.sampled_from(["", "+79161234567", "89161234567", "٣٧٥٢٩١٢٣٤٥٦٧"])  # fmt: skip
_CELLS = st.one_of(
    st.sampled_from(["", "", " ", "Анна", "5", "нет", "x" * 200, "Имя" * 60, "{{ y }}", "%NAME%"]),
    st.text(st.sampled_from("аЯё z0.\"'|\x7f\x1f\uffff€😀[\\"), max_size=6),
)
_ROWS = st.lists(st.tuples(_PHONES, _CELLS, _CELLS), max_size=12)
_WORD = st.sampled_from(["{{ name }}", "{{ bonus }}", "{{ phone }}", "Здравствуйте, ", "Hi ", " ", "€ ", "!"])
_PIECE = st.recursive(
    _WORD
    | st.sampled_from([
        "{{ name | upper }}", "{{ name | default('друг', true) }}", "{{ bonus | money('BYN') }}", "{{ nobody }}",
        "{{ name.strip() }}", "{% set x = bonus %}{{ x }}",
    ]),
    lambda inner: st.builds("{}{}".format, inner, inner)
    | st.builds(
        "{{% if {} %}}{}{{% else %}}{}{{% endif %}}".format, st.sampled_from(["name", "not bonus"]), inner, inner
    ),
    max_leaves=5,
)  # fmt: skip


@contextmanager
def _plain_paths() -> Iterator[None]:
    """Read each row by csv.reader, render it by Jinja2, and normalize, measure and hash it alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("smsby_deploy.recipients.list_files._split", lambda *_: None)
        patch.setattr("smsby_deploy.recipients.phones._usual_ones", lambda raw: [""] * len(raw))
        patch.setattr(PhoneSet, "add_all", lambda self, numbers, other=None: self._add_any(numbers, other))
        for module in ("compiler", "template"):
            patch.setattr(f"smsby_deploy.texts.{module}.has_markup", lambda text: True)
        patch.setattr("smsby_deploy.texts.vectorized.VectorizedTemplate.render", lambda *_: None)
        patch.setattr("smsby_deploy.plan.text_counter.measure_batch", lambda texts: None)
        patch.setattr(
            "smsby_deploy.plan.chunks.row_lines",
            lambda phones, texts: b"".join(map(row_line, phones, texts or [None] * len(phones))),
        )
        yield


def _measure(folder: Path, out: list[str]) -> tuple[Desired | None, list[Problem]]:
    measured = measure_mailing(*_load(folder, out))
    return measured.desired, list(measured.problems)


def _find_flaws(folder: Path, out: list[str]) -> list[Problem]:
    return find_flaws(*_load(folder, out))


def _load(folder: Path, out: list[str]) -> tuple[Project, Mailing, PhoneSet]:
    loaded = load_project(folder)
    assert not loaded.problems
    suppressed = PhoneSet()
    suppressed.add_all(number_phones(out))
    return loaded.project, loaded.project.mailings[0], suppressed


@settings(max_examples=2 * settings().max_examples)
@given(_ROWS, _PIECE, st.sampled_from(["fail", "drop"]), st.booleans(), st.booleans())
def test_measure_fast_and_plain_paths_agree(
    rows: list[tuple[str, str, str]], text: str, on_invalid: str, rewritten: bool, many: bool
) -> None:
    """Fast and plain paths give the same recipients, texts, parts, located problems, chunks and digests as validate."""
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr("smsby_deploy.recipients.phone_set._FEW", 0 if many else 5000)
        folder = Path(name)
        (folder / "smsby.yaml").write_text(
            "version: 1\nproject: shop\napi: {recipients_per_request: 3}\nprice: {currency: BYN, per_part: 0.1}\n"
        )
        lines = ["phone,name,bonus", *(",".join(map(_cell, row)) for row in rows)]
        (folder / "p.csv").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
        (folder / "text.j2").write_text(text + ".", encoding="utf-8", newline="")
        (folder / "sale.yaml").write_text(
            "version: 1\ncampaign: sale\nmailings:\n  - name: vip\n    recipients: {file: p.csv}\n"
            f"    on_invalid: {on_invalid}\n    smart_encoding: {str(rewritten).lower()}\n    text_file: text.j2\n"
        )
        out = ["375331234568", "79161234567"]
        fast = _measure(folder, out)
        found = _find_flaws(folder, out)
        with _plain_paths():
            plain = _measure(folder, out)
    assert fast == plain
    assert found == plain[1]


def _cell(text: str) -> str:
    """Return a value as CSV has it, quoted only if necessary, which ends the fastest way of reading."""
    return '"' + text.replace('"', '""') + '"' if set(text) & set('",\n\r') else text
