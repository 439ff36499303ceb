"""Any JSON that sms.by could answer, often with the keys that its answers have."""

from __future__ import annotations

from hypothesis import strategies as st

KEYS = [
    "uuid",
    "message_id",
    "sms_id",
    "error",
    "message",
    "errors",
    "status",
    "success",
    "result",
    "data",
    "id",
    "list_id",
    "name",
]
KEYS += ["balance", "cost", "count", "parts", "log", "0", "1363", "phone", "invalid"]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["ok", "DRAFT", "5", "0.026", "NaN", "token is invalid", "1" * 5000, "²"]),
)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)
