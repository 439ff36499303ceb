"""The numbering plan of Belarus: the codes of its mobile operators.

A code follows 375, and seven digits follow it.
"""

from __future__ import annotations

# Which operator usually serves a code; numbers are ported, so it is a hint only.
OPERATORS = {"25": "life:)", "29": "A1, MTS", "33": "MTS", "44": "A1"}
ANY_MOBILE_CODE = f"(?:{'|'.join(OPERATORS)})"  # a pattern
