"""text_sources: one text, texts by language, and invalid combinations."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.config.project_loader import campaign_inputs
from smsby_deploy.config.sources import TextsByLanguage
from tests.config.one_campaign import CAMPAIGN, load_one

_A, _B = "name: a, share: 50, text: A", "name: b, share: 50, text: B"


def _with_text(text: str) -> str:
    return CAMPAIGN.replace("text: Hello", text)


def test_texts_by_language_are_read(tmp_path: Path) -> None:
    """Texts keep the order and places of the file, `no` is Norwegian, and a number is a text."""
    text = "language: lang\n    text: {ru: Привет, no: 5, default: ru}"
    loaded = load_one(tmp_path, campaign=_with_text(text))
    texts = loaded.project.mailings[0].text
    assert not loaded.problems
    assert isinstance(texts, TextsByLanguage)
    assert (texts.column, texts.default) == ("lang", "ru")
    found = [(name, one.text, str(one.location)) for name, one in texts.texts.items()]
    assert found == [("ru", "Привет", "sale.yaml:7:16"), ("no", "5", "sale.yaml:7:28")]


def test_text_files_by_language_are_inputs(tmp_path: Path) -> None:
    """Each file of a text is an input whose change makes the plan stale, and a missing one is named."""
    (tmp_path / "a.j2").write_text("A", encoding="utf-8")
    campaign = _with_text("language: lang\n    text_file: {ru: a.j2, be: b.j2}")
    (problem,) = load_one(tmp_path, campaign=campaign).problems
    assert (problem.code, str(problem.location)) == ("FILE_MISSING", "sale.yaml:7:31")
    (tmp_path / "b.j2").write_text("B", encoding="utf-8")
    project = load_one(tmp_path, campaign=campaign).project
    names = [path.name for path in campaign_inputs(project, project.mailings[0])]
    assert names == ["smsby.yaml", "sale.yaml", "a.j2", "b.j2"]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("text: {ru: Привет}", "sale.yaml:6:11 LANGUAGE"),
        ("language: lang\n    text: Hello", "sale.yaml:6:5 LANGUAGE"),
        ("language: lang\n    text: {default: ru}", "sale.yaml:7:11 LANGUAGE"),
        ("language: lang\n    text: {ru: A, default: be}", "sale.yaml:7:28 LANGUAGE"),
        ("language: lang\n    text: {ru: A, RU: B}", "sale.yaml:7:11 LANGUAGE"),
        ("language: lang\n    text: {ru: ''}", "sale.yaml:7:16 SCHEMA"),
        ("language: lang\n    text: {ru: A}\n    text_file: {ru: a.j2}", "sale.yaml:4:5 SCHEMA"),
        ("language: lang\n    text: {' ru': A}", "sale.yaml:7:11 SCHEMA"),
        ("language: lang\n    text: {ru: [A]}", "sale.yaml:7:16 SCHEMA"),
        ("language: lang\n    text:\n      ru: Hello #1\n      be: Hi", "sale.yaml:8:17 COMMENT_IN_TEXT"),
        (f"variants: [{{{_A}, text_file: a.j2}}, {{{_B}}}]", "sale.yaml:6:16 VARIANTS"),
        (f"variants: [{{{_A}, send: false}}, {{{_B}}}]", "sale.yaml:6:16 VARIANTS"),
        (f"variants: [{{{_A}}}, {{name: b, share: 50}}]", "sale.yaml:6:47 VARIANTS"),
        (f"variants: [{{{_A}}}, {{name: a, share: 50, text: B}}]", "sale.yaml:6:5 VARIANTS"),
        (f"variants: [{{{_A}}}, {{name: b, share: 49, text: B}}]", "sale.yaml:6:5 VARIANTS"),
    ],
)
def test_what_cannot_be_meant(text: str, codes: str, tmp_path: Path) -> None:
    """Each invalid combination is one problem at its place."""
    problems = load_one(tmp_path, campaign=_with_text(text)).problems
    assert [f"{one.location} {one.code}" for one in problems] == [codes]
