"""Documents with forbidden content are refused, and what the program writes never is."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.lock.document_checks import (
    check_lock,
    check_plan,
    check_rescue,
    is_address,
    is_event,
    storable,
)
from smsby_deploy.lock.entry_json import entry_document
from smsby_deploy.lock.events import EventKind
from smsby_deploy.lock.journal import Journal, read_journal, salvage
from smsby_deploy.lock.records import Lock
from smsby_deploy.lock.serialization import write_lock
from tests.lock.examples import entry

_FIXTURES = Path(__file__).parent / "fixtures"
EVIL = "e\x1b[31m\x9b\u202e"


def _lock() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((_FIXTURES / "project/smsby.lock.json").read_text("utf-8"))
    return document


def _entry(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["mailings"]["sent/bulk"]
    return found


def _refusal(document: Any) -> str:
    with pytest.raises(ValueError, match=r"not allowed|not valid|too large") as caught:
        check_lock(document)
    assert str(caught.value).isprintable()
    assert "e\x1b" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["../x", "a/b/c", "A/b", "a/", "a/b\n", "a/b\x00", "a/b\u202e", f"a/{EVIL}", "a/" + "b" * 41, "::a/b"],
)
def test_lock_with_a_wrong_address(address: str) -> None:
    """Only an address that a campaign file can have is accepted."""
    document = _lock()
    document["mailings"][address] = _entry(document)
    assert _refusal(document) == "mailings has a name that is not valid"
    assert not is_address(address)


@pytest.mark.parametrize("value", ["\x00", "\x1b[2J", "\x9b31m", "x" * 10_001, 10**30, 1e308, [], {}, True])
def test_lock_with_a_wrong_value(value: object) -> None:
    """Control characters, overlong texts and other types are refused wherever a text is expected."""
    for key in ("transport", "currency", "content_digest"):
        document = _lock()
        _entry(document)[key] = value
        assert _refusal(document).startswith(f"mailings.?.{key} is not allowed by the schema")


@pytest.mark.parametrize("value", [-1, 10**18, 10**4000, 1e999, "1", 0.5])
def test_lock_with_a_wrong_number(value: object) -> None:
    """A number that no count or id can have is refused."""
    document = _lock()
    _entry(document)["recipients"] = value
    _refusal(document)


@pytest.mark.parametrize("moment", ["tomorrow", "2027-02-30T10:00:00Z", "2027-01-01T10:00:00", EVIL])
def test_lock_with_a_wrong_time(moment: str) -> None:
    """A time must exist and have an offset."""
    document = _lock()
    _entry(document)["schedule_time"] = moment
    _refusal(document)


def test_lock_names_no_key_of_the_document() -> None:
    """A violation is located by keys of the schema, not of the document."""
    document = _lock()
    _entry(document)[EVIL] = 1
    assert _refusal(document) == "mailings.? is not allowed by the schema (additionalProperties)"


def test_plan_and_rescue_are_checked() -> None:
    """Plans and rescue files of 0.1.0 are accepted, and refused with an invalid address."""
    plan = json.loads((_FIXTURES / "project/plan.json").read_text("utf-8"))
    check_plan(plan)
    plan["actions"][0]["address"] = EVIL
    with pytest.raises(ValueError, match=r"^actions\[0\].address is not allowed by the schema \(pattern\)$"):
        check_plan(plan)
    rescue = json.loads((_FIXTURES / "rescue/rescue.json").read_text("utf-8"))
    check_rescue(rescue)
    wrong: object
    for wrong in ([EVIL, 0, "0" * 10], ["a/b", -1, "0" * 10], ["a/b", 0, EVIL], ["a/b", 0], "a/b", [[]]):
        rescue["results"][0]["chunks"] = [wrong]
        with pytest.raises(ValueError, match=r"^results\[0\].chunks\[0\]"):
            check_rescue(rescue)


@pytest.mark.parametrize(
    "fields",
    [
        {"event": EVIL},
        {"event": "remove", "address": EVIL},
        {"event": "move", "address": "a/b", "to": EVIL},
        {"event": "intent", "chunks": [[EVIL, 0]]},
        {"event": "result", "chunks": [["a/b", 0]], "changes": {EVIL: 1}},
        {"event": "result", "chunks": [["a/b", 0]], "changes": {"uuid": EVIL}},
        {"event": "result", "chunks": [["a/b", 0]], "changes": {"message_id": 10**30}},
        {"event": "mailing", "address": "a/b", "entry": {}},
        {"event": "bind", "environment": EVIL},
        ["remove"],
    ],
)
def test_journal_line_that_is_no_event(fields: object) -> None:
    """Every key of a journal line is checked."""
    assert not is_event(fields)


@given(st.text(), st.text(), st.text())
def test_journal_reads_whatever_it_wrote(error: str, uuid: str, reason: str) -> None:
    """No answer of sms.by and no reason of a user leads to a journal that is refused."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal")
        journal.append(EventKind.MAILING, address="a/b", entry=entry_document(entry()))
        changes = {"state": "accepted", "error": error, "uuid": uuid}
        written = journal.append(EventKind.RESULT, chunks=[["a/b", 0]], changes=changes)
        resolution = {
            "address": "a/b",
            "what": "x",
            "at": "2026-11-24T07:00:00Z",
            "by": "x",
            "reason": reason,
        }
        journal.append(EventKind.RESOLVE, resolution=resolution)
        journal.close()
        assert read_journal(Path(folder) / "journal")[1] == written


def test_storable_cuts_what_the_schemas_refuse() -> None:
    """Values are cut to the limits of the schemas; counted states have none."""
    assert storable("uuid", "a\x00" * 9_000) == "a " * 5_000
    assert len(storable("error", "x" * 200_000)) == 100_000
    assert storable("rows", "a:1 " * 9_000) == "a:1 " * 9_000


def test_salvage_takes_nothing_from_a_forged_line(tmp_path: Path) -> None:
    """A line that violates the schema only casts doubt on the mailings that it names."""
    path = tmp_path / "journal"
    forged = [
        {"event": "mailing", "address": f"a/{EVIL}", "entry": entry_document(entry())},
        {"event": "begin", "id": EVIL, "lineage": EVIL},
        {"event": "intent", "chunks": [["a/b", 0], [["a"], {}], [{}, 1]], "step": EVIL},
        {"event": "result", "chunks": [["a/b", 0]], "changes": {"state": "accepted", EVIL: 1}},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in forged) + "[" * 100_000, "utf-8")
    state, doubtful = salvage(Lock("shop", 1, "line", {"a/b": entry()}), path)
    assert doubtful == ["a/b"]
    assert list(state.mailings) == ["a/b"]
    assert (state.lineage, state.folded) == ("line", None)
    check_lock(json.loads(write_lock(state)))


def test_check_of_a_large_lock_is_fast() -> None:
    """Checking 10,000 mailings takes a fraction of the time of reading their JSON."""
    document = _lock()
    one = _entry(document)
    document["mailings"] = {f"campaign-{i // 10}/mailing-{i % 10}": one for i in range(10_000)}
    text = json.dumps(document)
    check_lock(_lock())
    started = time.process_time()
    loaded = json.loads(text)
    read = time.process_time()
    check_lock(loaded)
    assert time.process_time() - read < (read - started) * 2
