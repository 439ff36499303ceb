"""The settings of the sandbox. They can be given at the start and changed while it runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ANY_STYLE = "any"
# How a method may be called instead of as documented; `any` merges all places and requires nothing.
CALL_STYLES = ("get", "post-query", "post-form", "post-json", ANY_STYLE)

# The real service used to answer these with a one-element list; old clients read `answer[0]`.
ONCE_WRAPPED = ("createSmsMessage", "checkSMSMessageStatus", "checkSMS", "sendSMS", "sendQuickSMS")


_MONEY_DIGITS = 18
# A zone with a long name is an OSError.
_NOT_VALID = (ValueError, TypeError, AttributeError, ArithmeticError, ZoneInfoNotFoundError, OSError)


class BadSetting(ValueError):
    """A setting is unknown or has an invalid value."""


@dataclass(slots=True)
class SandboxSettings:
    """The behavior of this sms.by.

    Durations are seconds, money is in `currency`; docs/sandbox.md describes each.
    """

    strict: bool = True
    call_styles: dict[str, str] = field(default_factory=dict)
    delay: float = 0.5
    account_timezone: str = "Europe/Minsk"
    timezones: dict[str, str] = field(default_factory=dict)
    balance: Decimal = Decimal("1000.00")
    currency: str = "BYN"
    price: Decimal = Decimal("0.026")
    prices: dict[str, Decimal] = field(default_factory=dict)
    error_status: int = 400
    wrap: tuple[str, ...] = ()
    list_lag: float = 0.0
    list_messages: str = "sent"
    list_cap: int = 0
    empty_list: str = "406"
    status_lag: float | None = None
    name_limit: int = 0
    max_rows: int = 0
    moderation: bool = False
    moderation_delay: float = 5.0
    duplicates: bool = True
    require_alphaname: bool = False
    rate_limit: int = 0
    max_input_vars: int = 1000
    keep_requests: int = 10_000
    callback_ports: tuple[int, ...] = ()
    fates: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    doubled: bool = False
    refuses: tuple[str, ...] = ()
    bad_phones: str = "refuse"
    part_table: str = "sdk"
    alphanames: dict[str, str] = field(
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

        Its longest prefix in `prices` decides, else `price` applies.
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


def _seconds(value: Any) -> float:
    seconds = float(value)
    if not 0 <= seconds < 1e9:
        raise ValueError(seconds)
    return seconds


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


_READERS: dict[str, Callable[[Any], Any]] = {
    "strict": _switch,
    "call_styles": _map(_one_of(*CALL_STYLES)),
    "delay": _seconds,
    "account_timezone": _zone,
    "timezones": _map(_zone),
    "balance": _money,
    "currency": str,
    "price": _price,
    "prices": _map(_price),
    "error_status": _one_of(200, 400, 500),
    "wrap": _wrapped,
    "list_lag": _seconds,
    "list_messages": _one_of("sent", "created", "never"),
    "list_cap": _count,
    "empty_list": _one_of("406", "406-empty", "404", "success", "empty", "list", "null"),
    "status_lag": lambda value: None if value is None else _seconds(value),
    "name_limit": _count,
    "max_rows": _count,
    "moderation": _switch,
    "moderation_delay": _signed_seconds,
    "duplicates": _switch,
    "require_alphaname": _switch,
    "rate_limit": _count,
    "max_input_vars": _count,
    "keep_requests": _count,
    "callback_ports": _ports,
    "fates": _map(str),
    "failures": _map(str),
    "doubled": _switch,
    "refuses": _words,
    "bad_phones": _one_of("refuse", "later"),
    "part_table": _one_of("sdk", "gsm"),
    "alphanames": _senders,
}
