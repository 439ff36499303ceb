"""Values that denote a missing value.

They are spreadsheet errors, the null values of programs, and numbers whose digits a spreadsheet has dropped.
"""

from __future__ import annotations

import re

from smsby_deploy.wording import sentence

# What spreadsheets, databases and programs write for a missing value or an error.
_NO_VALUES = (
    "nan", "none", "null", "nat", "undefined", "<na>", "inf", "-inf", "[object object]",
    "#n/a", "#ref!", "#value!", "#div/0!", "#name?", "\u00ad", "\u200b", "\ufeff",  # invisible
    "#num!", "#null!", "#spill!", "#calc!", "#н/д", "#ссылка!", "#знач!", "#дел/0!", "#имя?", "#число!", "#пусто!",
)  # fmt: skip
NOT_VALUES = frozenset(
    spelled
    for value in _NO_VALUES
    for spelled in (
        value, value.upper(), value.capitalize(), value.title(), value.replace("nan", "NaN").replace("nat", "NaT"),
        value.replace("object object", "object Object"),
    )
)  # fmt: skip
EXPLANATION = sentence(
    "the value is an error or a placeholder of a spreadsheet or program, such as #N/A, NULL or 1.2E+11: "
    "correct it in the data"
)
# Each of the values contains one of these.
NOT_VALUE_MARKS = ("n", "N", "#", "[", "+", "E", "\u00ad", "\u200b", "\ufeff")
# Spreadsheets shorten long numbers this way; Java and Spark write any number from ten million up like this.
_JAVA = re.compile(r"\d\.\d+E-?\d")
EXPONENT = re.compile(r"[-+]?\d+(?:[.,]\d+)?[eE]\+\d{1,3}|-?\d\.\d+E-?\d{1,3}")


def has_exponent(joined: str) -> bool:
    """Whether one of many joined values may be a number in Java's notation."""
    return "E" in joined and _JAVA.search(joined) is not None


def is_not_a_value(text: str) -> bool:
    """Whether `text` is a written form of "no value", or a number shortened by a spreadsheet."""
    text = text.strip()
    return text in NOT_VALUES or EXPONENT.fullmatch(text) is not None
