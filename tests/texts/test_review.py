"""Reviews: the samples a plan collects while it reads the audiences, and what is masked in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.clock import SystemClock
from smsby_deploy.config.project_loader import load_project
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.planner import make_plan
from smsby_deploy.recipients import audience
from smsby_deploy.texts.review import MailingReview, ReviewCollector

_CAMPAIGN = """\
version: 1
campaign: sale
timezone: Europe/Minsk
mailings:
  - name: vip
    recipients: {file: vip.csv}
    text: "{{ name }}, {{ gift | default('a surprise', true) }} waits. Call +375 29 123-45-67"
  - name: all
    recipients: ["375291234567"]
    text: One text for everyone
"""
_ROWS = """\
phone,name,gift
375291111111,Ann,tea
375292222222,Maximiliana,
375293333333,Eve,"%s"
375294444444,Zed,out
"""


def _reviews(folder: Path, *, with_samples: bool = True) -> dict[str, MailingReview]:
    """The reviews of all mailings, as an offline plan collects them."""
    loaded = load_project(folder)
    collector = ReviewCollector(loaded.project)
    lock = Lock(loaded.project.name)
    make_plan(
        loaded, select=(), client=None, account=None, lock=lock, clock=SystemClock(), new_id="p",
        observe=collector.observe,
    )  # fmt: skip
    mailings = loaded.project.mailings
    return {mailing.name: collector.review(mailing, with_samples=with_samples) for mailing in mailings}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\nsuppress: [out.csv]\n")
    (tmp_path / "out.csv").write_text("phone\n375294444444\n")
    (tmp_path / "sale.yaml").write_text(_CAMPAIGN)
    (tmp_path / "vip.csv").write_text(_ROWS % ("x" * 400))
    return tmp_path


def test_review_merges_reasons_of_one_recipient(folder: Path) -> None:
    """A recipient selected for several reasons is shown once; suppressed recipients are neither shown nor counted."""
    vip = _reviews(folder)["vip"]
    assert [(sample.why, sample.line) for sample in vip.samples] == [
        (("first",), 2),
        (("default of gift",), 3),
        (("most expensive", "longest"), 4),
    ]
    assert {sample.file for sample in vip.samples} == {"vip.csv"}
    assert vip.by_parts == (2, 0, 1)


def test_review_masks_personal_values(folder: Path) -> None:
    """A sample contains neither a name nor a number, and is as long as the real text."""
    first, default, long = _reviews(folder)["vip"].samples
    assert "".join(first.pieces) == "A**, t** waits. Call +375 29 ***-**-67"
    assert "".join(default.pieces).startswith("M**********, a surprise waits.")
    assert first.phone == "37529*****11"
    assert len(long.pieces) == 3
    assert sum(map(len, long.pieces)) == len(f"Eve, {'x' * 400} waits. Call +375 29 123-45-67")


def test_review_masks_a_transliterated_name(folder: Path) -> None:
    """A value is masked in its transliterated spelling, too."""
    (folder / "smsby.yaml").write_text("version: 1\nproject: shop\n")
    (folder / "sale.yaml").write_text(
        "version: 1\ncampaign: sale\nmailings:\n  - name: vip\n    transliterate: true\n"
        '    recipients: [{phone: "375291111111", name: Жанна}]\n    text: "{{ name | upper }}, hello"\n',
        encoding="utf-8",
    )
    (sample,) = _reviews(folder)["vip"].samples
    assert sample.pieces == ("Z*****, hello",)


def test_review_shows_a_shared_text_once(folder: Path) -> None:
    """A text that is the same for all recipients names no phone."""
    (sample,) = _reviews(folder)["all"].samples
    shown = (sample.why, sample.phone, sample.file, sample.line, sample.pieces)
    assert shown == (("all recipients",), None, "sale.yaml", 10, ("One text for everyone",))


def test_review_can_leave_out_samples(folder: Path) -> None:
    """Without samples the time zone is still known."""
    vip = _reviews(folder, with_samples=False)["vip"]
    assert (vip.timezone, vip.samples, vip.by_parts) == ("Europe/Minsk", (), None)


def test_review_reads_no_audience_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One plan with reviews reads each audience once."""
    read: list[str] = []
    read_source = audience.read_source

    def count(source, *rest):  # type: ignore[no-untyped-def]
        read.append(source.name)
        return read_source(source, *rest)

    monkeypatch.setattr(audience, "read_source", count)
    assert len(_reviews(folder)["vip"].samples) == 3
    assert read == ["vip.csv"]


def test_review_of_an_invalid_template_has_no_samples(folder: Path) -> None:
    """The plan reports the error; the review still shows the template."""
    (folder / "sale.yaml").write_text(_CAMPAIGN.replace("{{ name }}", "{{ name"))
    vip = _reviews(folder)["vip"]
    assert vip.samples == ()
    assert vip.text is not None
    assert vip.text.startswith("{{ name,")
