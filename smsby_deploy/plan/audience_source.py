"""Where the recipients of a mailing come from.

The source is approved with the mailing if the recipients may change until the hand-over.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from smsby_deploy.config.declarations import Guardrails, Mailing, Project
from smsby_deploy.config.sources import ContactList, InlineRecipients, OptOuts, RecipientsQuery, RowSource
from smsby_deploy.lock.records import Entry
from smsby_deploy.plan.fingerprint import hash_json

_NAME_LENGTH = 10  # hex digits


class AudienceSource(NamedTuple):
    """Where recipients come from, and the entries of `suppress`, as digests."""

    digest: str
    suppress: tuple[str, ...]

    def is_approved_in(self, entry: Entry | None) -> bool:
        """Whether the recipients may differ from those that were approved.

        They may if they come from the same source and no entry of `suppress` is missing; older locks do not record all of
        that.
        """
        if entry is None or entry.approval is None:
            return False
        is_same = entry.approval.source in (None, self.digest)
        return entry.approval.fresh and is_same and {*self.suppress}.issuperset(entry.approval.suppress)


def fresh_source(mailing: Mailing, project: Project) -> AudienceSource | None:
    """Return where the recipients come from; None if they must be the approved ones."""
    if not mailing.is_fresh:
        return None
    suppress = sorted({_name_of(entry) for entry in project.suppress})
    return AudienceSource(hash_source(mailing, project.guardrails), tuple(suppress))


def _name_of(entry: OptOuts) -> str:
    return hash_json(_fields_of(entry.source))[:_NAME_LENGTH]


def hash_source(mailing: Mailing, rails: Guardrails) -> str:
    """Return a digest of where the recipients of a mailing come from.

    It also covers which of them are valid and how many there may be, but not the recipients themselves.
    """
    audience = mailing.audience
    source = {} if isinstance(audience, InlineRecipients | ContactList) else _fields_of(audience)
    expected = mailing.expect_recipients or rails.expect_recipients
    limits = {"on_invalid": mailing.on_invalid, "countries": mailing.countries, "expected": expected}
    return hash_json(source | limits)


def _fields_of(source: RowSource) -> dict[str, Any]:
    if isinstance(source, RecipientsQuery):
        return {"sql": source.sql.text, "url_env": source.url_env, "phone": source.phone}
    return {"file": source.name, "phone": source.phone}
