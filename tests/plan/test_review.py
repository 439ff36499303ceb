"""What reviewers see besides the plan, collected while each audience is read once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from smsby_deploy.cli.main import run
from smsby_deploy.config.project_loader import load_project
from smsby_deploy.lock.decisions import Ending, EndingKind
from smsby_deploy.lock.records import ChunkState, Lock
from smsby_deploy.lock.serialization import write_lock
from smsby_deploy.plan.base_changes import LockSide
from smsby_deploy.plan.base_comparison import Base, base_of_lock
from smsby_deploy.plan.model import Plan
from smsby_deploy.plan.planner import MeasuredFiles, measure_files
from smsby_deploy.plan.review import (
    Baseline,
    CheckoutBase,
    PlanReviewer,
    SavedBase,
    compare_plan,
    compare_with_stamps,
    measure_base,
    read_base,
)
from smsby_deploy.plan.staleness import stamp_entries
from smsby_deploy.recipients.phone_set import PhoneSet
from tests.lock.examples import entry
from tests.plan.examples import NOON, FixedClock

_LOCK = Lock("shop", 3, "line", {"sale/a": entry(ChunkState.ACCEPTED), "sale/b": entry(ChunkState.UNKNOWN)})
_SIDE = LockSide("smsby.lock.json", "main")
_ROWS = [f"3752912345{number:02},Name{number}" for number in range(10)]


def _write_project(folder: Path, rows: list[str], *, text: str = "Hello, {{ name }}", stop: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "smsby.yaml").write_text("version: 1\nproject: shop\nsuppress: [stop.csv]\n", "utf-8")
    (folder / "stop.csv").write_text(f"phone\n{stop}", "utf-8")
    (folder / "list.csv").write_text("phone,name\n" + "".join(f"{row}\n" for row in rows), "utf-8")
    mailings = [
        f"  - {{name: vip, recipients: {{file: list.csv}}, text: '{text}'}}\n",
        "  - {name: all, recipients: {file: list.csv}, text: Closed today}\n",
        "  - {name: upload, upload: true, recipients: {file: list.csv}, text: Closed today}\n",
    ]
    (folder / "sale.yaml").write_text(f"version: 1\ncampaign: sale\nmailings:\n{''.join(mailings)}", "utf-8")
    return folder


def _review(folder: Path, baseline: Baseline) -> tuple[Plan, PlanReviewer]:
    loaded = load_project(folder, {})
    reviewer = PlanReviewer(loaded.project, baseline)
    files = measure_files(loaded, select=(), lock=Lock("shop"), observe=reviewer.observe)
    return files.plan(client=None, account=None, now=NOON, new_id="p"), reviewer


def _read_base(folder: Path) -> Baseline:
    return measure_base(read_base(folder, {}), Lock("shop"), FixedClock(), ())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--format", "text"],
        ["--format", "json"],
        ["--format", "markdown"],
        ["--format", "markdown", "--compare", "base"],
    ],
)
def test_plan_reads_each_audience_once(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In every format, mailings share the read of a list, one is uploaded, and opt-outs are read once per project.

    Of a base it is not counted who is in two mailings, so only those with one text keep their phones.
    """
    from smsby_deploy.recipients import audience, suppression

    _write_project(tmp_path / "head", _ROWS)
    _write_project(tmp_path / "base", _ROWS[:8])
    reads: Counter[Path] = Counter()

    def count(module: object, name: str) -> None:
        original = getattr(module, name)

        def counting(source: object, *others: object) -> object:
            path = getattr(source, "source", source).path  # an opt-out entry has its source
            reads[path.relative_to(tmp_path)] += 1
            return original(source, *others)

        monkeypatch.setattr(module, name, counting)

    count(audience, "read_source")
    count(suppression, "_Reading")
    monkeypatch.chdir(tmp_path)
    assert run(["-C", "head", "plan", "--offline", *arguments]) == 0
    assert "sale/vip" in capsys.readouterr().out
    compared = {Path("base/list.csv"): 3, Path("base/stop.csv"): 1} if "base" in arguments else {}
    assert reads == {Path("head/list.csv"): 2, Path("head/stop.csv"): 1} | compared


def test_reviews_have_samples_of_what_is_sent(tmp_path: Path) -> None:
    """Personal texts are sampled as they are read, and a text shared by all appears once."""
    plan, reviewer = _review(_write_project(tmp_path / "head", _ROWS), Baseline(base_of_lock(Lock("shop"))))
    reviews = reviewer.reviews(plan)
    assert list(reviews) == ["sale/vip", "sale/all", "sale/upload"]
    assert [sample.why[0] for sample in reviews["sale/vip"].samples] == ["first"]
    assert reviews["sale/vip"].by_parts == (10, 0, 0)
    for address in ("sale/all", "sale/upload"):
        assert [sample.text for sample in reviews[address].samples] == ["Closed today"]


def test_reviews_leave_out_a_broken_template(tmp_path: Path) -> None:
    """A broken template is an error in the plan, without an action; the other mailings are reviewed."""
    head = _write_project(tmp_path / "head", _ROWS, text="Hello, {{ name")
    plan, reviewer = _review(head, Baseline(Base("main")))
    assert plan.has_errors
    assert list(reviewer.reviews(plan)) == ["sale/all", "sale/upload"]


def test_base_counts_who_joined_and_left(tmp_path: Path) -> None:
    """Recipients are compared after opt-outs on both sides, and equal audiences have no movement."""
    before = _write_project(tmp_path / "base", _ROWS[:8], stop="375291234500\n")
    head = _write_project(tmp_path / "head", _ROWS[3:], stop="375291234509\n")
    plan, reviewer = _review(head, _read_base(before))
    assert {mailing.moved for mailing in reviewer.base(plan).mailings.values()} == {(1, 2)}
    plan, reviewer = _review(before, _read_base(before))
    assert {mailing.moved for mailing in reviewer.base(plan).mailings.values()} == {None}


def test_plan_is_compared_only_with_what_a_saved_one_selects(tmp_path: Path) -> None:
    """Mailings of the lock that a saved plan leaves out are not differences."""
    folder = _write_project(tmp_path / "shop", _ROWS)
    loaded = load_project(folder, {})
    lock = Lock("shop", mailings={one: entry(ChunkState.ACCEPTED) for one in ("sale/vip", "sale/all")})
    files = MeasuredFiles(loaded, (), lock, frozenset(), (), (), PhoneSet(), (), (), ())
    saved, _ = _review(folder, Baseline(base_of_lock(lock)))
    for select, changes in (((), 2), (("sale/vip",), 1)):
        known = tuple(one for one in saved.actions if not select or one.address in select)
        base = SavedBase(replace(saved.with_actions(known), select=select), "plan.json")
        compared = compare_plan(saved, base, files, {}).changes
        assert compared is not None
        assert compared.lock_changes == changes


def test_base_without_a_mailing_of_the_plan(tmp_path: Path) -> None:
    """A mailing that the base does not have is compared with nothing."""
    before = _write_project(tmp_path / "base", _ROWS)
    (before / "sale.yaml").write_text(
        (before / "sale.yaml").read_text("utf-8").replace("name: vip", "name: old"), "utf-8"
    )
    plan, reviewer = _review(_write_project(tmp_path / "head", _ROWS[1:]), _read_base(before))
    base = reviewer.base(plan)
    assert "sale/vip" not in base.mailings
    assert base.mailings["sale/old"].moved is None
    assert base.mailings["sale/all"].moved == (0, 1)


def test_base_may_be_the_folder_of_a_repository(tmp_path: Path) -> None:
    """The base may be the root of a repository with the project in campaigns/."""
    _write_project(tmp_path / "campaigns", _ROWS)
    base = read_base(tmp_path, {})
    assert isinstance(base, CheckoutBase)
    assert base.gaps == ()
    assert base.loaded is not None
    assert base.loaded.project.root.name == "campaigns"


def test_base_without_the_environment_is_read_as_production(tmp_path: Path) -> None:
    """A base without the environment is read as production, whose lock says nothing of the environment."""
    folder = _write_project(tmp_path / "base", _ROWS)
    (folder / "smsby.lock.json").write_text(write_lock(Lock("shop", mailings={"sale/vip": entry()})), "utf-8")
    new, same = read_base(folder, {}, "staging"), read_base(folder, {})
    assert isinstance(new, CheckoutBase)
    assert isinstance(same, CheckoutBase)
    assert (new.lock, new.gaps) == (Lock("shop"), ())
    assert same.lock is not None
    assert list(same.lock.mailings) == ["sale/vip"]


def test_base_that_cannot_be_read_is_replaced_by_the_lock(tmp_path: Path) -> None:
    """If the base cannot be read, the lock replaces it, and the review says what is missing."""
    folder = _write_project(tmp_path / "base", _ROWS)
    (folder / "smsby.yaml").write_text("version: [", "utf-8")
    base = read_base(folder, {})
    assert isinstance(base, CheckoutBase)
    assert "cannot be read" in base.gaps[0]
    assert measure_base(base, Lock("shop"), FixedClock(), ()).base.label == "the lock"


def test_included_texts_are_compared(tmp_path: Path) -> None:
    """The review shows a text and then each text that it includes, by its name."""
    head = _write_project(tmp_path / "head", _ROWS, text='{% include "foot.j2" %}')
    (head / "templates").mkdir()
    (head / "templates/foot.j2").write_text("Bye", "utf-8")
    plan, reviewer = _review(head, _read_base(head))
    text = reviewer.reviews(plan)["sale/vip"].text
    assert text is not None
    assert text.endswith("\n\ntemplates/foot.j2:\nBye")
    assert reviewer.base(plan).mailings["sale/vip"].text == text


def test_compare_with_stamps_knows_only_what_is_selected() -> None:
    """Entries that a saved plan leaves out by its selection are not differences."""
    stamps = stamp_entries(_LOCK, {"sale/a"})
    found = [one.address for one in compare_with_stamps(stamps, _LOCK, _SIDE)]
    assert found == ["sale/b"]
    assert [*compare_with_stamps(stamps, _LOCK, _SIDE, {"sale/a"})] == []
    edited = _LOCK.with_entry("sale/a", entry(ChunkState.UNKNOWN))
    (problem,) = compare_with_stamps(stamps, edited, _SIDE, {"sale/a"})
    assert problem.message.startswith("recorded differently from main; ")


def test_compare_with_stamps_ignores_a_lapse_as_they_do() -> None:
    """A mailing whose approval had lapsed before the plan, or lapsed since, is no difference."""
    waiting = entry(ChunkState.PENDING)
    lapsed = replace(waiting, ending=Ending(EndingKind.LAPSED, "2026-11-24T10:00:00Z", "ci", ""))
    locks = [_LOCK.with_entry("sale/a", one) for one in (waiting, lapsed)]
    for planned in locks:
        stamps = stamp_entries(planned, planned.mailings.keys())
        assert [one for now in locks for one in compare_with_stamps(stamps, now, _SIDE)] == []
