"""The settings of the sandbox. They can be given at the start and changed while it runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Annotated, Any, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ANY_STYLE = "any"
# Ways to call a method other than as documented; `any` merges all places and requires nothing.
CALL_STYLES = ("get", "post-query", "post-form", "post-json", ANY_STYLE)

# The real service used to answer these with a one-element list; old clients read `answer[0]`.
ONCE_WRAPPED = ("createSmsMessage", "checkSMSMessageStatus", "checkSMS", "sendSMS", "sendQuickSMS")

_EMPTY_LISTS = ("406", "406-empty", "404", "success", "empty", "list", "null")
_MONEY_DIGITS = 18
# A zone with a long name is an OSError.
_NOT_VALID = (ValueError, TypeError, AttributeError, ArithmeticError, ZoneInfoNotFoundError, OSError)


class BadSetting(ValueError):
    """A setting is unknown or has an invalid value."""


def _seconds(value: Any) -> float:
    seconds = float(value)
    if not 0 <= seconds < 1e9:
        raise ValueError(seconds)
    return seconds


def _seconds_or_none(value: Any) -> float | None:
    return None if value is None else _seconds(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or int(value) < 0:
        raise ValueError(value)
    return int(value)


def _money(value: Any) -> Decimal:
    amount = Decimal(str(value))
    if not amount.is_finite() or abs(amount.adjusted()) > _MONEY_DIGITS:
        raise ValueError(value)
    return amount


def _price(value: Any) -> Decimal:
    if (price := _money(value)) < 0:
        raise ValueError(value)
    return price


def _signed_seconds(value: Any) -> float:
    number = float(value)
    return -_seconds(-number) if number < 0 else _seconds(number)


def _senders(value: Any) -> dict[str, str]:
    if not all(re.fullmatch(r"[0-9]{1,18}", str(number)) for number in value):
        raise ValueError(value)
    return {str(number): str(name) for number, name in value.items()}


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(value)
    return value


def _zone(value: Any) -> str:
    return ZoneInfo(str(value)).key


def _one_of(*known: Any) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if value not in known:
            raise ValueError(value)
        return value

    return read


def _map(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: {str(key): read(item) for key, item in value.items()}


def _words(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        raise TypeError(value)
    return tuple(str(word) for word in value)


def _ports(value: Any) -> tuple[int, ...]:
    ports = value if isinstance(value, list | tuple) else [value]
    if not all(type(port) is int and 0 < port < 65536 for port in ports):
        raise ValueError(value)
    return tuple(ports)


def _wrapped(value: Any) -> tuple[str, ...]:
    if isinstance(value, bool):
        return ONCE_WRAPPED if value else ()
    return _words(value)


@dataclass(slots=True)
class SandboxSettings:
    """The behavior of this sms.by.

    Durations are seconds, money is in `currency`; docs/sandbox.md describes each. The function next to each type checks and
    converts a value.
    """

    strict: Annotated[bool, _switch] = True
    call_styles: Annotated[dict[str, str], _map(_one_of(*CALL_STYLES))] = field(default_factory=dict)
    delay: Annotated[float, _seconds] = 0.5
    account_timezone: Annotated[str, _zone] = "Europe/Minsk"
    timezones: Annotated[dict[str, str], _map(_zone)] = field(default_factory=dict)
    balance: Annotated[Decimal, _money] = Decimal("1000.00")
    currency: Annotated[str, str] = "BYN"
    price: Annotated[Decimal, _price] = Decimal("0.026")
    prices: Annotated[dict[str, Decimal], _map(_price)] = field(default_factory=dict)
    error_status: Annotated[int, _one_of(200, 400, 500)] = 400
    wrap: Annotated[tuple[str, ...], _wrapped] = ()
    list_lag: Annotated[float, _seconds] = 0.0
    list_messages: Annotated[str, _one_of("sent", "created", "never")] = "sent"
    list_cap: Annotated[int, _count] = 0
    empty_list: Annotated[str, _one_of(*_EMPTY_LISTS)] = "406"
    status_lag: Annotated[float | None, _seconds_or_none] = None
    name_limit: Annotated[int, _count] = 0
    max_rows: Annotated[int, _count] = 0
    moderation: Annotated[bool, _switch] = False
    moderation_delay: Annotated[float, _signed_seconds] = 5.0
    duplicates: Annotated[bool, _switch] = True
    require_alphaname: Annotated[bool, _switch] = False
    rate_limit: Annotated[int, _count] = 0
    max_input_vars: Annotated[int, _count] = 1000
    keep_requests: Annotated[int, _count] = 10_000
    callback_ports: Annotated[tuple[int, ...], _ports] = ()
    fates: Annotated[dict[str, str], _map(str)] = field(default_factory=dict)
    failures: Annotated[dict[str, str], _map(str)] = field(default_factory=dict)
    doubled: Annotated[bool, _switch] = False
    refuses: Annotated[tuple[str, ...], _words] = ()
    bad_phones: Annotated[str, _one_of("refuse", "later")] = "refuse"
    part_table: Annotated[str, _one_of("sdk", "gsm")] = "sdk"
    alphanames: Annotated[dict[str, str], _senders] = field(
        default_factory=lambda: {"0": "System name (SMS.by)", "1363": "MyShop", "1364": "Kvetka"}
    )

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change all the given settings, or none.

        Raises:
            BadSetting: a name is unknown, or a value is invalid.
        """
        values = {}
        for name, value in changes.items():
            if name not in _READERS:
                raise BadSetting(f"unknown setting {name!r}; known: {', '.join(sorted(_READERS))}")
            try:
                values[name] = _READERS[name](value)
            except _NOT_VALID as error:
                raise BadSetting(f"{name}: invalid value {value!r}") from error
        for name, value in values.items():
            setattr(self, name, value)

    def zone(self, name: str = "") -> ZoneInfo:
        """Return the time zone of the date parameter `name`."""
        return ZoneInfo(self.timezones.get(name, self.account_timezone))

    def price_of(self, phone: str) -> Decimal:
        """Return the price of one part to `phone`.

        Its longest prefix in `prices` decides, otherwise `price` applies.
        """
        prefixes = [prefix for prefix in self.prices if phone.startswith(prefix)]
        return self.prices[max(prefixes, key=len)] if prefixes else self.price

    def as_json(self) -> dict[str, Any]:
        """Return all settings; money is text."""
        return {name: _to_json(value) for name, value in asdict(self).items()}


def _to_json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {key: _to_json(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


_READERS: dict[str, Callable[[Any], Any]] = {
    name: hint.__metadata__[0] for name, hint in get_type_hints(SandboxSettings, include_extras=True).items()
}
