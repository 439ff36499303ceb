"""Gone mailings: their own content, and shared content."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.lock.decisions import Ending, EndingKind
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry
from smsby_deploy.plan.gone import (
    OwnContent,
    excuse_errors,
    excuse_missing,
    is_all_sent,
    is_excused,
    read_own_content,
)
from smsby_deploy.problems import Problem, Severity

_PROJECT = "version: 1\nproject: shop\ndefaults: {alphaname: MyShop}\n"
_CAMPAIGN = "version: 1\ncampaign: sale\nschedule_time: 2036-12-01T10:00:00\nmailings:\n"
_WAVES = "waves: [{people: 1, after: 45m, delivered: 90}, rest]"
_VIP = "  - {name: vip, recipients: ['375291234567'], text: \"Hi {% include 'footer.j2' %}\"}\n"


def _own(folder: Path, project: str = _PROJECT, campaign: str = _CAMPAIGN, mailing: str = _VIP) -> OwnContent:
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "templates/footer.j2").write_text("Stop", "utf-8")
    (folder / "text.j2").write_text("Hello", "utf-8")
    (folder / "smsby.yaml").write_text(project, "utf-8")
    (folder / "sale.yaml").write_text(campaign + mailing, "utf-8")
    loaded = load_project(folder)
    assert not loaded.problems
    return read_own_content(loaded.project.mailings[0])


@pytest.mark.parametrize(
    "shared",
    [
        {"project": _PROJECT.replace("MyShop", "Kvetka")},
        {"project": f"{_PROJECT}countries: [BY, PL]\n"},
        {"campaign": _CAMPAIGN.replace("2036", "2037")},
        {"campaign": _CAMPAIGN.replace("mailings:", "alphaname: Kvetka\nmailings:")},
        {"campaign": _CAMPAIGN.replace("mailings:", f"{_WAVES}\nmailings:")},
        {"mailing": _VIP.replace("375291234567", "375291234568")},
        {"mailing": _VIP.replace("['375291234567']", "[{phone: '375291234567', name: Anna}]")},
    ],
)
def test_own_content_leaves_out_what_is_shared(shared: dict[str, str], tmp_path: Path) -> None:
    """The own content has no project settings, campaign keys or recipients."""
    own = _own(tmp_path)
    assert not own.has_sender
    assert not own.has_time
    assert own.has_includes
    assert _own(tmp_path, **shared).digest == own.digest


@pytest.mark.parametrize(
    "keys",
    [
        "alphaname: Kvetka",
        "schedule_time: 2037-12-01T10:00:00",
        "timezone: Europe/Warsaw",
        "transliterate: true",
        "spread: {over: 2h}",
        _WAVES,
    ],
)
def test_own_content_covers_the_entry(keys: str, tmp_path: Path) -> None:
    """The own content covers each key of the mailing that changes its messages."""
    changed = _own(tmp_path, mailing=_VIP.replace("{name", f"{{{keys}, name"))
    assert changed.digest != _own(tmp_path).digest
    assert changed.has_sender == ("alphaname" in keys)
    assert changed.has_time == ("time" in keys or "spread" in keys)


def test_own_content_covers_texts_of_recipients(tmp_path: Path) -> None:
    """Another text for one recipient is a change of the own content, not only of the recipients."""
    own = _VIP.replace("['375291234567']", "[{phone: '375291234567', text: Hi}]")
    assert _own(tmp_path, mailing=own).digest != _own(tmp_path).digest


@pytest.mark.parametrize("text", ["the price may include a gift", "{{ name }}"])
def test_own_text_without_an_include(text: str, tmp_path: Path) -> None:
    """The word "include", or another tag, is not an include, so an older lock has a digest of the whole text."""
    mailing = f"  - {{name: vip, recipients: [{{phone: '375291234567', name: Anna}}], text: '{text}'}}\n"
    assert not _own(tmp_path, mailing=mailing).has_includes


def test_own_content_keeps_the_digests_of_existing_locks(tmp_path: Path) -> None:
    """The digests are those of existing locks; others would call each gone mailing changed."""
    assert _own(tmp_path).digest.startswith("b87217544ecb8c27")


def test_own_content_is_the_text_wherever_it_is_written(tmp_path: Path) -> None:
    """The own content is the same in the campaign file and in a text_file, and differs for another text."""
    inline = _own(tmp_path, mailing="  - {name: vip, recipients: ['375291234567'], text: Hello}\n")
    file = _own(tmp_path, mailing="  - {name: vip, recipients: ['375291234567'], text_file: text.j2}\n")
    other = _own(tmp_path, mailing="  - {name: vip, recipients: ['375291234567'], text: Hallo}\n")
    assert inline == file
    assert inline.digest != other.digest
    assert not inline.has_includes


def test_own_time_in_another_spelling_is_the_same(tmp_path: Path) -> None:
    """A time without seconds, or with Z as its offset, is the same time."""
    digests = {
        _own(tmp_path, mailing=_VIP.replace("{name", f"{{schedule_time: {time}, name")).digest
        for time in ("2037-12-01T10:00:00Z", "2037-12-01T10:00Z", "2037-12-01T13:00:00+03:00")
    }
    assert len(digests) == 1


_NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_ENTRY = Entry(
    1, "c", "a", "bulk", "0", 0, None, 1, 1, None, (ChunkRecord("a" * 10, 1, "d", ChunkState.ACCEPTED),),
    AppliedBy("t", "p", None, "x"),
)  # fmt: skip
_PENDING = (replace(_ENTRY.chunks[0], state=ChunkState.PENDING),)
_ENDING = Ending(EndingKind.ABANDONED, "t", "anna", "")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (None, False),
        (_ENTRY, True),
        (replace(_ENTRY, revision=2), False),
        (replace(_ENTRY, schedule_time=_NOW.isoformat()), True),
        (replace(_ENTRY, schedule_time="2026-11-23T12:00:01+00:00"), False),
        (replace(_ENTRY, chunks=_PENDING), False),
        (replace(_ENTRY, chunks=_PENDING, ending=_ENDING), True),
        (replace(_ENTRY, ending=replace(_ENDING, kind=EndingKind.WITHDRAWN)), False),
        (replace(_ENTRY, own_digest="other"), False),
    ],
    ids=[
        "new",
        "sent",
        "other-revision",
        "gone",
        "scheduled",
        "pending",
        "abandoned",
        "withdrawn",
        "changed",
    ],
)
def test_only_unchanged_gone_mailings_are_excused(
    entry: Entry | None, expected: bool, tmp_path: Path
) -> None:
    """Only the files of unchanged gone mailings may be missing."""
    _own(tmp_path)
    mailing = load_project(tmp_path).project.mailings[0]
    assert is_excused(entry, mailing, _NOW) == expected
    if entry == _ENTRY:
        own = replace(_ENTRY, own_digest=read_own_content(mailing).digest)
        assert is_excused(own, mailing, _NOW)


@pytest.mark.parametrize(("has_text", "is_unreadable"), [(True, True), (True, False), (False, False)])
def test_own_text_is_compared_where_it_is_known(has_text: bool, is_unreadable: bool, tmp_path: Path) -> None:
    """If a text file is missing the mailing is excused; a missing list does not prevent comparing the text."""
    _own(tmp_path)
    mailing = load_project(tmp_path).project.mailings[0]
    error = Problem(Severity.ERROR, "FILE", "not found")
    mailing = mailing._replace(unreadable=(error,) if is_unreadable else ())
    if not has_text:
        mailing = mailing._replace(text=None)
    assert not is_excused(replace(_ENTRY, own_digest="other"), mailing, _NOW)
    assert is_excused(
        replace(_ENTRY, own_digest="other"), mailing._replace(text=None, unreadable=(error,)), _NOW
    )


def test_all_is_sent_of_the_revision_in_the_files(tmp_path: Path) -> None:
    """A mailing is gone only if all chunks of the revision in the files were sent."""
    _own(tmp_path)
    mailing = load_project(tmp_path).project.mailings[0]
    entries = (_ENTRY, replace(_ENTRY, revision=2), replace(_ENTRY, chunks=_PENDING), None)
    assert [is_all_sent(entry, mailing) for entry in entries] == [True, False, False, False]


def test_missing_file_is_an_error_while_one_mailing_needs_it(tmp_path: Path) -> None:
    """A missing file that an alias gives to two mailings is a note only if both are gone."""
    rows = "  - {name: vip, recipients: &list {file: no.csv}, text: Hi}\n  - {name: all, recipients: *list, text: Hi}\n"
    (tmp_path / "smsby.yaml").write_text(_PROJECT, "utf-8")
    (tmp_path / "sale.yaml").write_text(_CAMPAIGN + rows, "utf-8")
    loaded = load_project(tmp_path)
    severities = [
        [
            problem.severity
            for problem in excuse_missing(loaded, lambda one, names=names: one.name in names).problems
        ]
        for names in ((), ("vip",), ("vip", "all"))
    ]
    assert severities == [["error"], ["error"], ["note"]]


def test_errors_of_an_excused_mailing_are_one_note(tmp_path: Path) -> None:
    """The errors of an excused mailing are one note: the first, and how many others; warnings are unchanged."""
    _own(tmp_path)
    mailing = load_project(tmp_path).project.mailings[0]
    errors = [Problem(Severity.ERROR, "PHONE", f"bad {n}") for n in range(3)]
    warning = Problem(Severity.WARNING, "TRUTH", "hm")
    note, rest = excuse_errors(mailing, [warning, *errors])
    assert rest == warning
    assert (note.severity, note.code, note.address) == ("note", "PHONE", "sale/vip")
    assert note.message == "ignored, because no more of the mailing will be sent: bad 0 (and 2 more errors)"
