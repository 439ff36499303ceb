"""What `report --by` names."""

from __future__ import annotations

import pytest

from smsby_deploy.errors import UsageError
from smsby_deploy.status.usage_groups import read_groupings


@pytest.mark.parametrize("by", ["", "week", "label:", "month,month", "label"])
def test_groupings_that_do_not_exist(by: str) -> None:
    """Each is wrong usage, with what there is."""
    with pytest.raises(UsageError) as caught:
        read_groupings(by)
    assert ", environment, plan, signed_by, applied_by, state, label:KEY" in (caught.value.hint or "")


def test_prefix_and_variant_do_not_go_together() -> None:
    """The lock has no prefixes of a variant."""
    with pytest.raises(UsageError, match="prefix and variant cannot be combined"):
        read_groupings("prefix,variant")
