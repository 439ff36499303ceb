"""The values that sms.by documents, and the styles in which a method can be called."""

from __future__ import annotations

from typing import Any

import pytest

from smsby_deploy.smsby.parameters import CallStyle, Place, ValueForm

_ALLOWED: dict[ValueForm, tuple[list[Any], list[Any]]] = {
    ValueForm.TEXT: (["", "x", 5], []),
    ValueForm.NUMBER: ([0, "7", " 7 ", "0" * 18], ["-1", "7a", "٣", "1" * 19, [7], 1.5]),
    ValueForm.SWITCH: ([0, 1, "0", True, False], [2, "yes", "00", "true"]),
    ValueForm.MINUTES: ([5, "60"], [4, 61, "5 minutes"]),
    ValueForm.CODE: (["1", "1" * 16], ["12a", "1" * 17, "٣"]),
    ValueForm.KIND: (["WEB", "API"], ["web", "SMS"]),
    ValueForm.MINUTE: (["2026-12-01 10:00"], ["2026-12-01T10:00", "2026-12-01 10:00:00", "2026-02-30 10:00", "soon"]),
    ValueForm.SECOND: (["2026-12-01T10:00:00"], ["2026-12-01 10:00:00", "2026-12-01T10:00", "2026-12-01T10:00:00Z"]),
    ValueForm.MESSAGE_TYPE: (["bulk", "personal"], ["mass"]),
}  # fmt: skip


@pytest.mark.parametrize("form", ValueForm)
def test_value_form_allows_what_is_documented(form: ValueForm) -> None:
    """Numbers and switches may be text, as on the command line."""
    allowed, others = _ALLOWED[form]
    assert [value for value in allowed if not form.allows(value)] == []
    assert [value for value in others if form.allows(value)] == []


def test_way_is_a_verb_and_a_place() -> None:
    """A style is a verb and a place, and only a POST has several places."""
    assert {style: (style.verb, style.place) for style in CallStyle} == {
        CallStyle.POST_QUERY: ("POST", Place.QUERY),
        CallStyle.POST_FORM: ("POST", Place.FORM),
        CallStyle.POST_JSON: ("POST", Place.JSON),
        CallStyle.GET: ("GET", Place.QUERY),
    }
