"""Masking of phone numbers and personal values, and hiding of the API token.

This is the only place that does it. Every writer of a terminal, a file or a log calls it once, on its output; data inside
the program are not masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from smsby_deploy.numbering_plan import ANY_MOBILE_CODE

if TYPE_CHECKING:
    from logging import LogRecord

HIDDEN = "<hidden>"
MIN_SECRET = 8  # characters; a shorter token, which only a sandbox accepts, may occur in any text by chance
_QUOTED = 12  # characters; fewer in common may be chance
_TOKEN_SUFFIX = "_TOKEN"

_GAP = r"[\s().\-\u2010-\u2015\u00a0]*"
_WIDE_GAP = r"[\s()+.\-\u2010-\u2015\u00a0]*"  # between the digits of a known number
# A Belarusian number in any grouping, with or without its prefixes, any number with a plus, or any long run of digits.
# Patterns are strings, which `re` compiles at their first use: most commands mask nothing.
_ONE_NUMBER = (
    rf"(?:(?:\+?375|8{_GAP}0)(?:{_GAP}\d){{9}}"
    rf"|0?{ANY_MOBILE_CODE}{_GAP}\d{{3}}{_GAP}\d{{2}}{_GAP}\d{{2}}|\+\d(?:{_GAP}\d){{8,14}}|\d{{9,}})"
)
# Digits that follow without a gap may be the start of another number, so that both are masked as one.
_NUMBER = rf"(?<!\d)(?:{_ONE_NUMBER}(?!\d)|{_ONE_NUMBER}\d(?:{_GAP}\d)*)"
_NINE_DIGITS = rf"\d(?:{_GAP}\d){{8}}"  # as every number has
_FINGERPRINT = r"#[0-9a-f]{10}(?!\w)"  # of a mailing's name at sms.by; its digits may look like a number
# Ids whose digits may look like a number. An id of digits only, or with a Belarusian number in it, is masked.
_UUID = r"(?<![\w-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-])"
_HEX_ID = rf"(?<![\w#])(?=\d*[a-f])(?!\w{{0,3}}{ANY_MOBILE_CODE}\d{{7}})[0-9a-f]{{12}}(?!\w)"
_UNIX_TIME = r"1[6-9]\d{8}"  # how sms.by writes times; no phone number starts like this
_LONG_NUMBER = r"\d(?:[\s()+-]*\d){6,}"  # in a foreign message: hidden, whether or not it is a phone number
_SMALL_NUMBER = r"\d{1,3}"
_TOKEN_PARAMETER = r"""(?i)(\btoken["']?\s*[=:]\s*["']?)[^&"'\s,}]+"""
_QUERY = r"""(/\w*)\?[^\s"'<>]+"""  # of a URL
_SHOWN_START, _SHOWN_END = 5, 2  # digits of a number that stay readable


def mask_phone(phone: str) -> str:
    """Mask a phone number except for its prefix and its last two digits."""
    if len(phone) <= 8:
        return "*" * len(phone)
    return phone[:_SHOWN_START] + "*" * (len(phone) - _SHOWN_START - _SHOWN_END) + phone[-_SHOWN_END:]


def mask_phones(text: str) -> str:
    """Return `text` with everything that could be a phone number masked.

    Fingerprints, which follow a `#`, and ids that cannot be a number are kept. The length does not change.
    """
    if re.search(_NINE_DIGITS, text) is None:
        return text
    kept = rf"({_FINGERPRINT}|{_UUID}|{_HEX_ID})"
    return re.sub(rf"{kept}|{_NUMBER}", lambda found: found[1] or _mask_number(found[0]), text)


def mask_phone_in(text: str, phone: str | None) -> str:
    """Return `text` with `phone`, in any grouping, and every other phone number masked.

    The length does not change.
    """
    if phone is not None:
        digits = [rf"({digit})" for digit in phone[-9:]]
        text = re.sub(_WIDE_GAP.join(digits), _mask_digits, text)
    return mask_phones(text)


def mask_values(text: str, values: Iterable[str]) -> str:
    """Return `text` with a recipient's `values`, such as a name, masked but for a first letter.

    A template may use only the first name, or another case, so the words of a value are masked as well, in any case. Numbers
    of up to three digits stay: a discount or an hour identifies no one. The length does not change.
    """
    words = {part for value in values for part in (value.strip(), *value.split())}
    personal = [word for word in words if len(word) > 1 and not re.fullmatch(_SMALL_NUMBER, word)]
    if not personal:
        return text
    patterns = map(_value_pattern, sorted(personal, key=len, reverse=True))
    return re.sub("|".join(patterns), lambda found: _star(found.group()), text, flags=re.IGNORECASE)


def hide_token(text: str, token: str) -> str:
    """Return `text` without the API token.

    A token shorter than MIN_SECRET is hidden only where it is a whole word.
    """
    if not token:
        return text
    pattern = "|".join(map(re.escape, _spellings(token)))
    return re.sub(pattern if len(token) >= MIN_SECRET else rf"(?<!\w)(?:{pattern})(?!\w)", HIDDEN, text)


@lru_cache(maxsize=8)
def _spellings(token: str) -> tuple[str, ...]:
    """Return a token as it is, as it looks in URLs, and as JSON writes it, the longest first."""
    import json
    from urllib.parse import quote

    safe = "/", ""
    in_urls = {quote(token, safe=one, errors="surrogatepass") for one in safe}
    in_urls |= {re.sub(r"%\w\w", lambda code: code[0].lower(), one) for one in in_urls}
    in_json = {json.dumps(token, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False)}
    found = {token, *in_urls, *(one.replace("%20", "+") for one in in_urls), *in_json}
    found |= {one.replace("/", r"\/") for one in found}  # as PHP writes a slash
    return tuple(sorted(found, key=len, reverse=True))


def find_tokens(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return every token in the environment: the values of variables named `…_TOKEN`.

    Which one a run uses is known only after its project was read. Tokens short enough to occur in any text are left out.
    """
    tokens = {value.strip() for name, value in environ.items() if name.endswith(_TOKEN_SUFFIX)}
    return tuple(sorted((token for token in tokens if len(token) >= MIN_SECRET), key=len, reverse=True))


def hide_tokens(text: str, tokens: Iterable[str]) -> str:
    """Return `text` without any of `tokens`."""
    for token in tokens:
        text = hide_token(text, token)
    return text


def mask_message(text: str, environ: Mapping[str, str]) -> str:
    """Return an error for stderr without tokens and whole phone numbers, whatever it quotes.

    Tokens are hidden first: if part of one were masked as a number, the rest would be shown.
    """
    return mask_phones(hide_tokens(text, find_tokens(environ)))


def hide_echo(content: bytes, token: str) -> bytes:
    """Return an answer of sms.by without the token, wherever it is echoed.

    A token of digits only, which no account has, could be part of a phone or an id.
    """
    if len(token) < MIN_SECRET or token.isdigit():
        return content
    for spelling in _spellings(token):
        content = content.replace(spelling.encode("utf-8", "surrogatepass"), HIDDEN.encode())
    return content


def hide_echoes(pieces: Iterable[bytes], token: str) -> Iterator[bytes]:
    """Yield an answer as `hide_echo` returns it, even if a token spans two pieces."""
    last = max(len(spelling.encode("utf-8", "surrogatepass")) for spelling in _spellings(token)) - 1
    held = b""
    for piece in pieces:
        held = hide_echo(held + piece, token)
        cut = max(0, len(held) - last)
        yield held[:cut]
        held = held[cut:]
    yield held


def hide_quotes(message: str, texts: Iterable[str]) -> str:
    """Return an error without what it quotes of `texts`.

    That is every run of _QUOTED characters or more that one of them contains.
    """
    source = "\n".join(" ".join(text.split()) for text in texts)
    runs = [at for at in range(len(message) - _QUOTED + 1) if message[at : at + _QUOTED] in source]
    shown, end = "", 0
    for at in runs:
        if at > end or not end:
            shown += message[end:at] + HIDDEN
        end = at + _QUOTED
    return shown + message[end:]


def hide_token_parameters(text: str) -> str:
    """Return a URL, form or JSON text with the value of every `token` parameter hidden."""
    return re.sub(_TOKEN_PARAMETER, rf"\1{HIDDEN}", text)


def hide_secrets(text: str, secrets: Iterable[str | None]) -> str:
    """Return `text` without `secrets`, such as a password, and without long numbers."""
    for secret in filter(None, secrets):
        text = text.replace(secret, HIDDEN)
    return re.sub(_LONG_NUMBER, HIDDEN, text)


def shown_url(url: str) -> str:
    """Return `url` without possible secrets: user and password, query, long path segments."""
    found = re.fullmatch(r"(\w+://)([^/\\?#]*)([^?#]*)(.*)", url, re.DOTALL)
    if found is None:
        return url
    scheme, host, path, query = found.groups()
    if "@" in host:
        host = f"{HIDDEN}@{host.rpartition('@')[2]}"
    path = re.sub(r"[^/]{20,}", HIDDEN, path)
    return f"{scheme}{host}{path}{f'?{HIDDEN}' if query else ''}"


def hide_queries(text: str) -> str:
    """Return `text` without the queries of URLs."""
    return re.sub(_QUERY, rf"\1?{HIDDEN}", text)


def filter_log_record(record: LogRecord) -> bool:
    """Hide the queries of URLs in a log record.

    They contain the token, phones and texts, and urllib3 logs URLs.
    """
    text = record.getMessage()
    hidden = hide_queries(text)
    if hidden != text:
        record.msg, record.args = hidden, None
    return True


def _value_pattern(word: str) -> str:
    # Two or three letters occur inside many words; there they are not the recipient's value.
    return rf"(?<!\w){re.escape(word)}(?!\w)" if len(word) < 4 else re.escape(word)


def _mask_digits(found: re.Match[str]) -> str:
    """Return the matched number with all but its first two and last two digit groups masked."""
    masked = list(found.group())
    for group in range(3, len(found.groups()) - 1):
        masked[found.start(group) - found.start()] = "*"
    return "".join(masked)


def _star(value: str) -> str:
    return value[:1] + "*" * (len(value) - 1)


def _mask_number(number: str) -> str:
    if re.fullmatch(_UNIX_TIME, number):
        return number
    digits = sum(character.isdigit() for character in number)
    shown, seen = [], 0
    for character in number:
        if character.isdigit():
            seen += 1
            character = character if seen <= _SHOWN_START or seen > digits - _SHOWN_END else "*"
        shown.append(character)
    return "".join(shown)
