"""What `report --by` can name: the groups by which sends are added up."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from smsby_deploy.errors import UsageError

_LABEL = "label:"


class GroupKind(StrEnum):
    """What sends can be grouped by, besides a label."""

    MONTH = "month"
    CAMPAIGN = "campaign"
    MAILING = "mailing"
    VARIANT = "variant"
    PREFIX = "prefix"
    ENVIRONMENT = "environment"
    PLAN = "plan"
    SIGNED_BY = "signed_by"
    APPLIED_BY = "applied_by"
    STATE = "state"


class Grouping(NamedTuple):
    """One group to add up by: a kind, or the label `label`."""

    kind: GroupKind | None
    label: str = ""

    @property
    def name(self) -> str:
        return self.kind.value if self.kind is not None else f"{_LABEL}{self.label}"


def read_groupings(text: str) -> tuple[Grouping, ...]:
    """Return what `--by` names, e.g. `month,label:owner`.

    Raises:
        UsageError: it names something else, or the same twice.
    """
    names = [name.strip() for name in text.split(",")]
    kinds = {kind.value: kind for kind in GroupKind}
    unknown = next((name for name in names if name not in kinds and not name.removeprefix(_LABEL)), None)
    unknown = next((name for name in names if name not in kinds and not name.startswith(_LABEL)), unknown)
    if unknown is not None or len(set(names)) < len(names):
        message = "names a group twice" if unknown is None else f"cannot add up by {unknown!r}"
        raise UsageError(
            f"--by: {message}", hint=f"use some of {', '.join((*kinds, 'label:KEY'))}, joined by commas"
        )
    if {GroupKind.PREFIX, GroupKind.VARIANT} <= set(names):
        raise UsageError(
            "--by: prefix and variant cannot be combined",
            hint="the lock has the prefixes of a mailing, not those of each variant: use one of them",
        )
    return tuple(Grouping(kinds.get(name), name.removeprefix(_LABEL)) for name in names)
