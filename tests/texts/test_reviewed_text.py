"""reviewed_text: reviewers see every text of a mailing, and what it includes."""

from __future__ import annotations

from pathlib import Path

from smsby_deploy.config.sources import TextsByLanguage, TextsByVariant, TextSource, Variant
from smsby_deploy.problems import Location
from smsby_deploy.texts.reviewed_text import included_texts, reviewed_text

_AT = Location("sale.yaml", 4, 5)


def test_reviewed_text_names_variants() -> None:
    """The reviewed text has shares and texts of variants, so a changed share is a changed text."""
    languages = {"ru": TextSource("B", _AT), "be": TextSource("B be", _AT)}
    by_language = TextsByLanguage("language", languages, "ru", _AT, _AT)
    variants = (
        Variant("a", 40, TextSource("A", _AT)),
        Variant("b", 50, by_language),
        Variant("none", 10, None),
    )
    assert reviewed_text(TextsByVariant(variants, b"key", _AT)) == "\n\n".join(
        ("a (40%):\nA", "b (50%), ru:\nB", "b (50%), be:\nB be", "none (10%): nothing is sent")
    )


def test_reviewed_text_has_what_it_includes(tmp_path: Path) -> None:
    """Includes, even nested ones, are shown by name, and unreadable ones are left out."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "a.j2").write_text("{% include 'b.j2' %} A", "utf-8")
    (tmp_path / "templates" / "b.j2").write_text("B", "utf-8")
    text = TextSource("{% include 'a.j2' %}!", _AT, root=tmp_path)
    assert list(included_texts(text)) == ["templates/a.j2", "templates/b.j2"]
    assert reviewed_text(text) == (
        "{% include 'a.j2' %}!\n\ntemplates/a.j2:\n{% include 'b.j2' %} A\n\ntemplates/b.j2:\nB"
    )
    assert included_texts(text._replace(text="{% include 'c.j2' %}")) == {}
    assert (included_texts(None), reviewed_text(None)) == ({}, None)
