"""Which texts a reviewer is shown, and what of them."""

from __future__ import annotations

from pathlib import Path

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.output.samples import MailingDetails, detail_mailing
from smsby_deploy.recipients.suppression import load_suppression

CAMPAIGN = """\
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
ROWS = """\
phone,name,gift
375291111111,Ann,tea
375292222222,Maximiliana,
375293333333,Eve,"%s"
375294444444,Zed,out
"""


def _details(tmp_path: Path, *, with_samples: bool = True) -> dict[str, MailingDetails]:
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\nsuppress: [out.csv]\n")
    (tmp_path / "out.csv").write_text("phone\n375294444444\n")
    (tmp_path / "sale.yaml").write_text(CAMPAIGN)
    (tmp_path / "vip.csv").write_text(ROWS % ("x" * 400))
    project = load_project(tmp_path).project
    suppressed, _ = load_suppression(project.suppress)
    return {
        mailing.name: detail_mailing(project, mailing, suppressed, with_samples=with_samples)
        for mailing in project.mailings
    }


def test_the_first_the_longest_the_dearest_and_each_default(tmp_path: Path) -> None:
    """One person can be shown for several reasons, and then once; who opted out is neither shown nor counted."""
    vip = _details(tmp_path)["vip"]
    assert [(sample.why, sample.line) for sample in vip.samples] == [
        (("first",), 2),
        (("default of gift",), 3),
        (("most expensive", "longest"), 4),
    ]
    assert {sample.file for sample in vip.samples} == {"vip.csv"}
    assert vip.split == (2, 0, 1)


def test_what_is_personal_is_starred_out(tmp_path: Path) -> None:
    """Neither a name nor a number stands in a sample, and its length is that of the text that people get."""
    first, default, long = _details(tmp_path)["vip"].samples
    assert "".join(first.pieces) == "A**, t** waits. Call +375 29 ***-**-67"
    assert "".join(default.pieces).startswith("M**********, a surprise waits.")
    assert first.phone == "37529*****11"
    assert len(long.pieces) == 3
    assert sum(map(len, long.pieces)) == len(f"Eve, {'x' * 400} waits. Call +375 29 123-45-67")


def test_a_rewritten_name_is_starred_out_too(tmp_path: Path) -> None:
    """Transliterated, a name is still a name."""
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\n")
    (tmp_path / "sale.yaml").write_text(
        "version: 1\ncampaign: sale\nmailings:\n  - name: vip\n    transliterate: true\n"
        '    recipients: [{phone: "375291111111", name: Жанна}]\n    text: "{{ name | upper }}, hello"\n',
        encoding="utf-8",
    )
    project = load_project(tmp_path).project
    (sample,) = detail_mailing(project, project.mailings[0], load_suppression(())[0]).samples
    assert sample.pieces == ("Z*****, hello",)


def test_one_text_for_all_is_one_sample(tmp_path: Path) -> None:
    """Nobody's phone is named beside it."""
    (sample,) = _details(tmp_path)["all"].samples
    told = (sample.why, sample.phone, sample.file, sample.line, sample.pieces)
    assert told == (("to everybody",), None, "sale.yaml", 10, ("One text for everyone",))


def test_no_samples_of_what_is_not_sent(tmp_path: Path) -> None:
    """The zone is still known."""
    vip = _details(tmp_path, with_samples=False)["vip"]
    assert (vip.zone, vip.samples, vip.split) == ("Europe/Minsk", (), None)
