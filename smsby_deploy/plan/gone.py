"""Gone mailings: what was accepted, and whose time has come.

Nothing is sent of them any more, so only a change of what is their own counts.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import NamedTuple

from smsby_deploy.config.declarations import ContactList, InlineRecipients, Mailing
from smsby_deploy.plan.fingerprint import canonical_json
from smsby_deploy.texts.analysis import has_markup, may_include
from smsby_deploy.texts.encoding_lint import Rewriter


class OwnContent(NamedTuple):
    """What the entry of a mailing in the campaign file says itself, its `text_file` included.

    `digest` covers all of it. The other fields serve to compare with older locks, which do not have it: the sender, whoever
    set it, whether sender and time are its own, and whether its text includes others.
    """

    digest: str
    alphaname: str
    has_sender: bool
    has_time: bool
    has_includes: bool


def read_own_content(mailing: Mailing) -> OwnContent:
    """Return what is the mailing's own.

    That leaves out what it shares: `defaults`, keys of the campaign, and includes.
    """
    text, own, audience = mailing.text, mailing.own, mailing.audience
    header = {
        "alphaname": own.alphaname,
        "schedule_time": None if own.schedule_time is None else _instant(own.schedule_time),
        "timezone": own.timezone,
        "text": Rewriter(mailing.rewrite).apply(text.text.strip()) if text else None,
        "rewrite": list(mailing.rewrite),
        "list": audience.ref if isinstance(audience, ContactList) else None,
        "own_texts": isinstance(audience, InlineRecipients)
        and any("text" in row.values for row in audience.rows),
    }
    return OwnContent(
        hashlib.sha256(canonical_json(header)).hexdigest(),
        mailing.alphaname,
        has_sender=own.alphaname is not None,
        has_time=own.schedule_time is not None or own.timezone is not None,
        has_includes=text is not None and has_markup(text.text) and may_include(text.text),
    )


def _instant(written: str) -> str:
    """Return a time in one spelling; without an offset it is that of a clock."""
    time = datetime.fromisoformat(written)
    return (time.astimezone(UTC) if time.tzinfo else time).isoformat()
