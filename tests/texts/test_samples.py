"""Samples: which texts of a mailing are shown, and what is masked in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from smsby_deploy.config.declarations import ApiSettings, Guardrails, Mailing, Price, Project
from smsby_deploy.config.project_loader import load_project
from smsby_deploy.config.sources import ContactList, InlineRecipients, TextSource
from smsby_deploy.errors import UsageError
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.planner import measure_files
from smsby_deploy.problems import Location
from smsby_deploy.recipients import audience
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from smsby_deploy.texts.parts import measure_text, split_parts
from smsby_deploy.texts.samples import (
    MailingReview,
    MailingSamples,
    ReviewCollector,
    Sample,
    mask_samples,
    sample_mailing,
)

_AT = Location("sale.yaml", 1, 1)
_PROJECT = Project(
    Path(), "shop", ApiSettings(), Guardrails(), Price("BYN", Decimal("0.026")), (), Path("lock"), ()
)


def _recipients(rows: Iterable[Mapping[str, str]]) -> InlineRecipients:
    rows = list(rows)
    return InlineRecipients(rows, _AT, [(1, 1)] * len(rows))


def _mailing(text: str, *rows: Mapping[str, str]) -> Mailing:
    recipients = _recipients({"phone": f"37529111111{i}", **row} for i, row in enumerate(rows))
    return Mailing(
        "sale", "vip", "sale.yaml", _AT, "bulk", recipients, TextSource(text, _AT), "0", _AT,
        None, None, "Europe/Minsk", 1, "fail",
    )  # fmt: skip


def _sample(mailing: Mailing, *, limit: int = 3, rows: tuple[int, ...] = (), out: str = "") -> MailingSamples:
    suppressed = PhoneSet()
    if out:
        suppressed.add_all(number_phones([out]))
    return sample_mailing(_PROJECT, mailing, suppressed, limit=limit, rows=rows)


_PERSONAL = _mailing("Hi {{ n }}", {"n": "a"}, {"n": "b"}, {"n": "я" * 80}, {"n": "c" * 120}, {"n": "d"})


def test_sample_mailing_shows_first_dearest_longest() -> None:
    """Samples are in row order, each with the reason for its selection."""
    shown = _sample(_PERSONAL).samples
    assert [(sample.row, sample.why) for sample in shown] == [
        (1, ("first",)),
        (3, ("most expensive",)),
        (4, ("longest",)),
    ]
    assert shown[1].cost == Decimal("0.052")


def test_sample_mailing_keeps_and_fills_the_limit() -> None:
    """There are never more samples than the limit, and free places go to the first recipients."""
    assert [sample.row for sample in _sample(_PERSONAL, limit=1).samples] == [1]
    assert [sample.row for sample in _sample(_PERSONAL, limit=4).samples] == [1, 2, 3, 4]
    assert len(_sample(_PERSONAL, limit=99).samples) == 5


def test_sample_mailing_counts_recipients_by_parts() -> None:
    """Recipients are counted by texts of 1, 2, and 3 or more parts."""
    assert _sample(_PERSONAL).by_parts == (4, 1, 0)


def test_sample_mailing_shows_each_applied_default_once() -> None:
    """A default is shown by its first recipient, and an unused one not at all."""
    text = "{{ a | default('x', true) }} {{ b|d('y', true) }} {{ c | default('z', true) }}"
    rows = ({"a": "1", "b": "1", "c": "1"}, {"a": "", "b": "", "c": "1"}, {"a": "1", "b": " ", "c": "1"})
    shown = _sample(_mailing(text, *rows), limit=9, out="375291111111")
    assert [(sample.row, sample.why) for sample in shown.samples] == [
        (1, ("first", "most expensive", "longest")),
        (3, ("default of b",)),
    ]


def test_sample_mailing_selects_rows_by_number() -> None:
    """Only the requested rows are shown, and a missing row is wrong usage."""
    assert [sample.row for sample in _sample(_PERSONAL, rows=(5, 2)).samples] == [2, 5]
    with pytest.raises(UsageError, match="no row 6"):
        _sample(_PERSONAL, rows=(6,))


def test_sample_mailing_skips_suppressed_recipients() -> None:
    """Suppressed recipients are neither counted nor selected, but can be requested by row number."""
    shown = _sample(_PERSONAL, out="375291111110")
    assert shown.recipients == 4
    assert shown.samples[0].row == 2
    assert _sample(_PERSONAL, rows=(1,), out="375291111110").samples[0].is_suppressed


def test_sample_mailing_shows_a_bulk_text_once() -> None:
    """The one text of a bulk mailing is shown once."""
    assert len(_sample(_mailing("Hi", {}, {}, {})).samples) == 1


def test_sample_mailing_of_a_contact_list() -> None:
    """A contact list has one text and no count of recipients, whom only sms.by knows."""
    mailing = _mailing("Hi", {})
    listed = Mailing(
        "sale", "vip", "sale.yaml", _AT, "list", ContactList("News", _AT), mailing.text, "0", _AT, None, None,
        "Europe/Minsk", 1, "fail",
    )  # fmt: skip
    shown = _sample(listed)
    assert shown.recipients is None
    assert [(sample.text, sample.phone) for sample in shown.samples] == [("Hi", None)]


def test_sample_mailing_reports_texts_it_cannot_render() -> None:
    """A text that cannot be sent is a problem, and the other texts are shown."""
    shown = _sample(_mailing("Hi {{ n }}", {"n": "a"}, {"n": ""}, {"n": "я" * 700}))
    assert [sample.row for sample in shown.samples] == [1]
    assert shown.recipients == 3
    assert sorted(problem.code for problem in shown.problems) == ["TEMPLATE", "TOO_LONG"]


def test_sample_mailing_keeps_a_thousand_problems() -> None:
    """Problems after a thousand are only counted, and the first message gives their number."""
    recipients = _recipients({"phone": f"37529{i:07}"} for i in range(1200))
    found = _sample(_PERSONAL._replace(audience=recipients))
    assert len(found.problems) == 1001
    assert found.problems[0].message.startswith("200 more texts of this mailing cannot be sent")
    assert found.recipients == 1200


def test_mask_samples_hides_numbers_in_every_field() -> None:
    """A phone number is masked next to the text, in it and in its pieces, even across the border of a part."""
    text = "Hi " + "a" * 145 + " 375291111110 or +375 33 765-43-21"
    size = measure_text(text)
    sample = Sample(
        2, "lists/vip.csv", 3, "375291111110", text, size, size.parts, tuple(split_parts(text, size)), None
    )
    shown = mask_samples(MailingSamples("sale/vip", 7, "BYN", (sample,)))
    assert "375291111110" not in repr(shown)
    assert "765" not in repr(shown)
    assert "".join(shown.samples[0].pieces) == shown.samples[0].text
    assert len(shown.samples[0].pieces) == 2


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
    """Return the reviews of all mailings, as an offline plan collects them."""
    loaded = load_project(folder)
    collector = ReviewCollector(loaded.project)
    lock = Lock(loaded.project.name)
    measure_files(loaded, select=(), lock=lock, observe=collector.observe)
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
    """A recipient selected for several reasons is shown once, and suppressed ones are neither shown nor counted."""
    vip = _reviews(folder)["vip"]
    assert [(sample.why, sample.line) for sample in vip.samples] == [
        (("first",), 2),
        (("default of gift",), 3),
        (("most expensive", "longest"), 4),
    ]
    assert {sample.file for sample in vip.samples} == {"vip.csv"}
    assert vip.by_parts == (2, 0, 1)


def test_review_masks_personal_values(folder: Path) -> None:
    """A sample shows the author's text with the shop's number, nothing of the row, and is as long as the real text."""
    first, default, long = _reviews(folder)["vip"].samples
    assert "".join(first.pieces) == "***, *** waits. Call +375 29 123-45-67"
    assert "".join(default.pieces).startswith("***********, a surprise waits.")
    assert first.phone == "37529*****11"
    assert len(long.pieces) == 3
    assert sum(map(len, long.pieces)) == len(f"Eve, {'x' * 400} waits. Call +375 29 123-45-67")


def test_review_masks_a_transliterated_name(folder: Path) -> None:
    """The mask of a name has the length of its transliterated spelling."""
    (folder / "smsby.yaml").write_text("version: 1\nproject: shop\n")
    (folder / "sale.yaml").write_text(
        "version: 1\ncampaign: sale\nmailings:\n  - name: vip\n    transliterate: true\n"
        '    recipients: [{phone: "375291111111", name: Жанна}]\n    text: "{{ name | upper }}, hello"\n',
        encoding="utf-8",
    )
    (sample,) = _reviews(folder)["vip"].samples
    assert sample.pieces == ("******, hello",)


def test_review_shows_a_shared_text_once(folder: Path) -> None:
    """A text that is the same for all recipients has no phone."""
    (sample,) = _reviews(folder)["all"].samples
    shown = (sample.why, sample.phone, sample.file, sample.line, sample.pieces)
    assert shown == (("all recipients",), None, "sale.yaml", 10, ("One text for everyone",))


def test_review_can_leave_out_samples(folder: Path) -> None:
    """Without samples the review still has the time zone."""
    vip = _reviews(folder, with_samples=False)["vip"]
    assert (vip.timezone, vip.samples, vip.by_parts) == ("Europe/Minsk", (), None)


def test_review_reads_no_audience_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan with reviews reads each audience once."""
    read: list[str] = []
    read_source = audience.read_source

    def count(source, *rest):  # type: ignore[no-untyped-def]
        read.append(source.name)
        return read_source(source, *rest)

    monkeypatch.setattr(audience, "read_source", count)
    assert len(_reviews(folder)["vip"].samples) == 3
    assert read == ["vip.csv"]


def test_review_of_an_invalid_template_has_no_samples(folder: Path) -> None:
    """An invalid template is an error in the plan, and the review still shows the template."""
    (folder / "sale.yaml").write_text(_CAMPAIGN.replace("{{ name }}", "{{ name"))
    vip = _reviews(folder)["vip"]
    assert vip.samples == ()
    assert vip.text is not None
    assert vip.text.startswith("{{ name,")
