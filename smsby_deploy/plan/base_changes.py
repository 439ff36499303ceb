"""What differs from a base besides the mailings: smsby.yaml, and the record of sends.

The author of a pull request can edit these, too: without a guardrail, too much may be sent, and a mailing that the lock
records as sent is not sent at all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from smsby_deploy.config.yaml_nodes import YamlList, YamlMap
from smsby_deploy.lock.archive import read_archive, with_archived
from smsby_deploy.lock.records import Entry, EntryState, Lock
from smsby_deploy.lock.serialization import entry_digest
from smsby_deploy.lock.stored_mailings import encoded, new_mailings
from smsby_deploy.privacy import HIDDEN, hide_token, mask_phone, mask_phones, shown_url
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.smsby.facts import NO_FACTS, AccountFacts, FactName
from smsby_deploy.wording import join_sentences, sentence, shorten

LOCK_CHANGED = "LOCK_CHANGED"
_FIRST = ("guardrails", "api", "suppress", "lock", "approvals", "freeze", "project", "rehearsed_in")
_LIKE_API = frozenset({"url", "token_env"})  # keys of an environment
_MAX_VALUE = 200  # characters of a value
_CONTEXT = 40  # characters shown before the first difference of long values
_MAX_ITEMS = 10  # shown of the removed items of a list, and of the added ones
_SECRET_KEY = r"(?i)(token|password|secret|key)$"
_URL = r"\w+://\S+"
_UNLESS_YOURS = sentence("restore that lock unless one of your runs wrote this")
_BELONGING = ("lineage", "environment", "service", "account")


class SettingChange(NamedTuple):
    """A key of smsby.yaml that differs from the base; None where it is not set.

    Each removed or added item of a list is a separate change. Values are safe to show.
    """

    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class BaseChanges:
    """What differs from `base` besides the mailings.

    `lock_changes` is the number of LOCK_CHANGED problems. `gaps` say what could not be compared, and why.
    """

    base: str
    settings: tuple[SettingChange, ...] = ()
    lock_changes: int = 0
    gaps: tuple[str, ...] = ()


def compare_settings(before: YamlMap, after: YamlMap, token: str = "") -> tuple[SettingChange, ...]:
    """Return all keys that differ, the most important first, with secrets and `token` hidden."""
    old, new = dict(_leaves(before)), dict(_leaves(after))

    changes = [
        change
        for key in dict.fromkeys((*old, *new))
        if old.get(key) != new.get(key)
        for change in _compare_values(key, old.get(key), new.get(key), token)
    ]
    return tuple(sorted(changes, key=_importance))


def compare_signers(before: str, after: str) -> tuple[SettingChange, ...]:
    """Return the signers that differ between two files, because an added key can sign."""
    old, new = (
        [line for one in text.splitlines() if (line := one.strip()) and not line.startswith("#")]
        for text in (before, after)
    )
    if old == new:
        return ()
    return tuple(_compare_values("approvals.signers", old, new))


def compare_facts(
    before: Mapping[str, AccountFacts], after: Mapping[str, AccountFacts]
) -> Iterator[SettingChange]:
    """Yield the facts that differ and affect decisions, e.g. which answers are trusted."""
    for account in dict.fromkeys((*before, *after)):
        old, new = (one.get(account, NO_FACTS).deciding() for one in (before, after))
        for name in FactName:
            if old.get(name) != new.get(name):
                yield SettingChange(f"facts.{account}.{name}", old.get(name), new.get(name))


@dataclass(frozen=True, slots=True)
class LockSide:
    """The lock that is compared with a base.

    `base` is the name of the base in messages, `effect` the consequence of an added entry.
    """

    file: str
    base: str
    effect: str = sentence("what is recorded as sent is not sent")


def compare_locks(before: Lock, after: Lock, side: LockSide) -> Iterator[Problem]:
    """Report every entry of a lock, or of its archive, that differs from that of the base."""
    before, after = _with_other_archived(before, after)
    now = _digests(after)
    problems = list(compare_entries(_digests(before), now, after.mailings, side, before.mailings))
    names = [name for name in _BELONGING if _has_other(name, before, after)]
    if not problems:
        names += [
            name for name in ("applies", "resolutions") if getattr(before, name) != getattr(after, name)
        ]
    if names:
        said = sentence("its {names} differ from those of {base}", names=", ".join(names), base=side.base)
        yield _changed(join_sentences([said, _UNLESS_YOURS]), None, side.file)
    yield from problems


# --- Settings --------------------------------------------------------------------------------------------------------


def _leaves(node: YamlMap, prefix: str = "") -> Iterator[tuple[str, str | list[str]]]:
    """Yield the leaf keys, as dotted names, with their values as written."""
    for key, value in node.items():
        if isinstance(value, YamlMap) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        elif isinstance(value, YamlList):
            yield prefix + key, [_flow(item) for item in value]
        else:
            yield prefix + key, _flow(value)


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_flow(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return "null" if value is None else str(value) or '""'


def _compare_values(
    key: str, before: str | list[str] | None, after: str | list[str] | None, token: str = ""
) -> Iterator[SettingChange]:
    """Yield the changes to one key; for a list, the changes to its items."""
    if not isinstance(before, list) and not isinstance(after, list):
        yield _change(key, before, after, token)
        return
    old, new = ([] if one is None else [one] if isinstance(one, str) else one for one in (before, after))
    removed, added = (
        list((Counter(one) - Counter(other)).elements()) for one, other in ((old, new), (new, old))
    )
    if len(removed) == len(added) == 1:
        yield _change(key, removed[0], added[0], token)
    elif removed or added:
        for item in removed[:_MAX_ITEMS]:
            yield _change(key, item, None, token)
        for item in added[:_MAX_ITEMS]:
            yield _change(key, None, item, token)
        rest = [
            sentence("{count:,} more", count=len(one) - _MAX_ITEMS) if len(one) > _MAX_ITEMS else None
            for one in (removed, added)
        ]
        if any(rest):
            yield SettingChange(key, *rest)
    elif before is None or after is None:
        yield SettingChange(key, *(None if one is None else "[]" for one in (before, after)))
    else:
        yield SettingChange(
            key, sentence("{count:item|items}", count=len(old)), sentence("the same in another order")
        )


def _change(key: str, before: str | None, after: str | None, token: str) -> SettingChange:
    """Return a change that is safe to show; the difference always stays visible."""
    old, new = (None if value is None else _shown(key, value, token) for value in (before, after))
    if old is None or new is None:
        return SettingChange(key, old and shorten(old, _MAX_VALUE), new and shorten(new, _MAX_VALUE))
    pairs = enumerate(zip(old, new, strict=False))
    start = next((index for index, (one, other) in pairs if one != other), 0) - _CONTEXT
    if start > 0 and max(len(old), len(new)) > _MAX_VALUE:
        old, new = f"…{old[start:]}", f"…{new[start:]}"
    old, new = shorten(old, _MAX_VALUE), shorten(new, _MAX_VALUE)
    if old == new:
        new = sentence("{value} (differs in a part not shown)", value=new)
    return SettingChange(key, old, new)


def _shown(key: str, value: str, token: str) -> str:
    """Return `value` without secrets, and with phones masked."""
    if re.search(_SECRET_KEY, key):
        return HIDDEN
    value = re.sub(_URL, lambda found: shown_url(found.group()), hide_token(value, token))
    return mask_phone(value) if key.endswith("test_phones") else mask_phones(value)


def _importance(change: SettingChange) -> tuple[int, int]:
    """Return the sort key of a change: its key, even in an environment; unset ones come first."""
    parts = change.key.split(".")
    name = parts[2] if parts[0] == "environments" and len(parts) > 2 else parts[0]
    name = "api" if name in _LIKE_API else name
    group = _FIRST.index(name) if name in _FIRST else len(_FIRST)
    return group, 0 if change.after is None else 1 if change.before is not None else 2


# --- Archive ---------------------------------------------------------------------------------------------------------


def _with_other_archived(before: Lock, after: Lock) -> tuple[Lock, Lock]:
    """Return both locks with the archived mailings in which they, or their archives, differ."""
    old, new = _archived_lines(before), _archived_lines(after)
    addresses = {(old.get(line) or new[line]) for line in old.keys() ^ new}
    addresses |= before.mailings.keys() ^ after.mailings.keys()
    return with_archived(before, addresses).lock, with_archived(after, addresses).lock


def _archived_lines(lock: Lock) -> dict[bytes, str]:
    return {sha256(line.text).digest(): line.address for line in read_archive(lock)}


# --- Lock ------------------------------------------------------------------------------------------------------------


def _digests(lock: Lock) -> dict[str, str]:
    """Return the digest of each entry; those that are as in the file are not decoded."""
    as_read = encoded(lock.mailings, lock.mailings.keys())
    others = {address: entry_digest(entry) for address, entry in new_mailings(lock.mailings).items()}
    return {address: sha256(text).hexdigest() for address, text in as_read} | others


def compare_entries(
    before: Mapping[str, str],
    now: Mapping[str, str],
    entries: Mapping[str, Entry],
    side: LockSide,
    known: Mapping[str, Entry] | None = None,
) -> Iterator[Problem]:
    """Report the `entries` whose digest, or stamp in a plan, `before` and `now` differs.

    `known` holds the entries of the base; a plan has only stamps.
    """
    for address in sorted(before.keys() | now):
        if before.get(address) != now.get(address):
            entry, old = entries[address] if address in now else None, (known or {}).get(address)
            yield _changed(_entry_message(entry, old, side, is_new=address not in before), address, side.file)


def _entry_message(entry: Entry | None, old: Entry | None, side: LockSide, *, is_new: bool) -> str:
    base = side.base
    if entry is None:
        return sentence(
            "recorded as {state} in {base} and not recorded here, so it may be sent again; restore that lock, or merge what "
            "is missing here"
            if old
            else "recorded in {base} and not recorded here, so it may be sent again; restore that lock, or merge what is "
            "missing here",
            state=old.state if old else None,
            base=base,
        )
    is_approved = entry.state is EntryState.WAITING
    effect = sentence("`apply --due` sends it without another plan") if is_approved else side.effect
    if is_new:
        message = sentence(
            "recorded as {state} here and not recorded in {base}", state=entry.state, base=base
        )
        return join_sentences([message, effect, _UNLESS_YOURS])
    message = sentence(
        "recorded differently from {base} ({then} there, {now} here)"
        if old and old.state is not entry.state
        else "recorded differently from {base}",
        base=base,
        then=old.state if old else None,
        now=entry.state,
    )
    return join_sentences([message, *([effect] if is_approved else []), _UNLESS_YOURS])


def _has_other(name: str, before: Lock, after: Lock) -> bool:
    old, new = getattr(before, name), getattr(after, name)
    return None not in (old, new) and old != new


def _changed(message: str, address: str | None, file: str) -> Problem:
    return Problem(Severity.WARNING, LOCK_CHANGED, message, address, Location(file))
