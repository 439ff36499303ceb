"""Searches with a project's patterns."""

from __future__ import annotations

import re
import signal
import threading

import pytest

from smsby_deploy.texts import pattern_search
from smsby_deploy.texts.pattern_search import PatternTooSlow, is_found


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow a tenth of a second, which is enough for the tests."""
    monkeypatch.setattr(pattern_search, "MOST_SECONDS", 0.1)
    monkeypatch.setattr(pattern_search, "MOST_IN_ALL", 0.6)
    monkeypatch.setattr(pattern_search, "_slow", {})
    monkeypatch.setattr(pattern_search, "_spent", {})


@pytest.mark.posix
@pytest.mark.parametrize("pattern", ["(a|aa)+$", "(aa?)+$", "a*a*a*a*a*a*a*a*a*a*b", "(?:a?){60}a{60}$"])
def test_endless_search_is_interrupted(pattern: str) -> None:
    """An endless search is interrupted once, and the next text is not tried."""
    text = "a" * 59 + "!"
    for _ in range(2):
        with pytest.raises(PatternTooSlow, match="processor time"):
            is_found(pattern, text)
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGVTALRM) is signal.SIG_DFL


@pytest.mark.posix
def test_search_of_many_texts_is_interrupted() -> None:
    """A search of many quick texts is interrupted as well, and no further text is tried."""
    pattern, length = "(a|aa)+$", 12
    while pattern_search._spent.get(pattern, 0) < 0.005:  # on any machine
        length += 1
        is_found(pattern, "a" * length + "!")
    with pytest.raises(PatternTooSlow, match="1 s of processor time for all texts"):
        for _ in range(1000):
            is_found(pattern, "a" * length + "!")
    with pytest.raises(PatternTooSlow):
        is_found(pattern, "b")
    with pytest.raises(PatternTooSlow, match="with the other patterns"):  # there may be hundreds of them
        is_found("(a|aa)+#", "a" * 2 * length + "!")
    assert is_found("a+b+", "ab")


def test_next_run_searches_anew() -> None:
    """The time that an earlier run of the process spent, or a pattern it found too slow, does not count."""
    pattern_search._spent["(a|b)+x"] = 100.0
    pattern_search._slow["(a|aa)+$"] = "is slow"
    pattern_search.begin_run()
    assert is_found("(a|aa)+$", "aaa")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("скидк\\w*", True),
        ("(?:кот|пёс)+", False),
        ("\\bскид.*\\d+ ?%", True),
        ("^а+$", False),
        ("(,?\\d)+", True),
    ],
)
def test_ordinary_search_has_its_result(pattern: str, found: bool) -> None:
    """An ordinary search gives its result with and without a timer, in any thread."""
    text = "Скидка 10% до 5 мая"
    results = [is_found(pattern, text, re.IGNORECASE)]
    thread = threading.Thread(target=lambda: results.append(is_found(pattern, text, re.IGNORECASE)))
    thread.start()
    thread.join()
    assert results == [found, found]
