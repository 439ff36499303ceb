"""The texts of a mailing: from its template, or each recipient's own."""

from __future__ import annotations

import pytest

from smsby_deploy.config.declarations import (
    ContactList,
    InlineRecipient,
    InlineRecipients,
    Mailing,
    Rewrite,
    TextSource,
)
from smsby_deploy.problems import Location
from smsby_deploy.texts.mailing_texts import is_personal, render_texts, rows_file
from smsby_deploy.texts.template import Template, compile_text
from tests.texts.rendering import make_batch

_AT = Location("sale.yaml", 6, 11)


def _mailing(text: str | None, own_text: str | None = None) -> Mailing:
    recipients = InlineRecipients((InlineRecipient("375291234567", {}, own_text, _AT),), _AT)
    source = TextSource(text, _AT) if text is not None else None
    return Mailing(
        "sale", "vip", "sale.yaml", _AT, "bulk", recipients, source, "0", _AT,
        None, None, "Europe/Minsk", 1, "fail",
    )  # fmt: skip


def _template(mailing: Mailing) -> Template | None:
    return compile_text(mailing.text) if mailing.text else None


@pytest.mark.parametrize(
    ("text", "own_text", "expected"),
    [("Hi", None, False), ("Hi {{ phone }}", None, True), ("Hi", "own", True), (None, None, True)],
)
def test_is_personal_if_texts_may_differ(text: str | None, own_text: str | None, expected: bool) -> None:
    """Variables, own texts and a column of texts make a mailing personal."""
    mailing = _mailing(text, own_text)
    assert is_personal(mailing, _template(mailing)) is expected


def test_rows_file_of_recipients_in_a_campaign() -> None:
    """Inline recipients and contact lists are declared in the campaign file."""
    mailing = _mailing("Hi")
    assert rows_file(mailing) == "sale.yaml"
    assert rows_file(mailing._replace(audience=ContactList("News", _AT))) == "sale.yaml"


def test_render_texts_without_a_template_uses_own_texts() -> None:
    """Own texts are literal, trimmed and rewritten; a missing one is a problem at the recipient's line."""
    mailing = _mailing(None)._replace(rewrite=Rewrite(smart_encoding=True))
    batch = make_batch([{"name": "a"}, {"name": "b"}])._replace(texts=[" Hi — Anna ", None])
    rendered = render_texts(mailing, None, batch)
    assert rendered.texts == ["Hi - Anna", ""]
    assert rendered.replaced == {"—"}
    assert [(one.code, one.location) for one in rendered.problems] == [("TEMPLATE", ("sale.yaml", 4, 1))]
