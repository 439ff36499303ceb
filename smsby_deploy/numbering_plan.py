"""The numbering plan of Belarus: the codes of its mobile operators.

375 precedes a code, and seven digits follow it.
"""

from __future__ import annotations

# Which operator usually serves a code; numbers are ported, so this is only a hint.
OPERATORS = {"25": "life:)", "29": "A1, MTS", "33": "MTS", "44": "A1"}
ANY_MOBILE_CODE = f"(?:{'|'.join(OPERATORS)})"  # a pattern
