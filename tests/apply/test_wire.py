"""Who may leave: never more than there is room for, nobody after a bad answer before it was looked at."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest

from smsby_deploy.apply.send_gate import SendGate


class _Traveller:
    """Enters in a thread of its own."""

    def __init__(self, wire: SendGate, leave: Callable[[], bool] = lambda: True) -> None:
        self.asked = threading.Event()
        self.is_leaving: bool | None = None
        self._leave = leave
        self._thread = threading.Thread(target=self._enter, args=(wire,), daemon=True)
        self._thread.start()

    def _enter(self, wire: SendGate) -> None:
        self.is_leaving = wire.enter(self._ask)

    def _ask(self) -> bool:
        self.asked.set()
        return self._leave()

    def arrive(self) -> bool | None:
        """Whether it left, once that is known."""
        self._thread.join(30)
        return self.is_leaving


def _wait_in_line(wire: SendGate, count: int) -> None:
    for _ in range(3000):
        with wire.stand_still():
            if len(wire._line) == count:
                return
        threading.Event().wait(0.01)
    raise AssertionError("nobody waits")


def test_the_next_one_leaves_with_the_answer_that_makes_room() -> None:
    """In the very call: whoever makes room lets it go."""
    wire = SendGate(1)
    assert wire.enter(lambda: True)
    second = _Traveller(wire)
    _wait_in_line(wire, 1)
    assert not second.asked.is_set()
    wire.exit(is_well=True)
    assert second.asked.is_set()
    assert second.arrive()


def test_nobody_leaves_after_a_bad_answer_until_it_was_looked_at() -> None:
    """There is room, and yet: the answer may mean that nothing is to leave. So for each of two."""
    wire = SendGate(2)
    assert wire.enter(lambda: True)
    assert wire.enter(lambda: True)
    third = _Traveller(wire)
    _wait_in_line(wire, 1)
    wire.exit(is_well=False)
    wire.exit(is_well=False)
    wire.look()
    assert not third.asked.is_set()
    wire.look()
    assert third.asked.is_set()
    assert third.arrive()


def test_who_may_not_leave_makes_room_for_the_next() -> None:
    wire = SendGate(1)
    assert wire.enter(lambda: True)
    refused = _Traveller(wire, lambda: False)
    _wait_in_line(wire, 1)
    third = _Traveller(wire)
    _wait_in_line(wire, 2)
    wire.exit(is_well=True)
    assert refused.arrive() is False
    assert third.arrive() is True


def test_a_narrower_wire_takes_fewer() -> None:
    """Two are on it when it is narrowed to one: the third leaves when both have come back, not before."""
    wire = SendGate(2)
    assert wire.enter(lambda: True)
    assert wire.enter(lambda: True)
    third = _Traveller(wire)
    _wait_in_line(wire, 1)
    wire.set_width(1)
    wire.exit(is_well=True)
    assert not third.asked.is_set()
    wire.exit(is_well=True)
    assert third.arrive()
    fourth = _Traveller(wire)
    _wait_in_line(wire, 1)
    wire.set_width(2)
    assert fourth.arrive()


def test_who_stands_still_is_not_overtaken() -> None:
    """While somebody decides whether one has left, it can't."""
    wire = SendGate(1)
    with wire.stand_still():
        one = _Traveller(wire)
        assert not one.asked.wait(0.05)
    assert one.arrive()


class _Pace:
    """Turns a second apart, of which each comes when the test says so."""

    def __init__(self) -> None:
        self.turns = 0
        self.waiting = threading.Semaphore(0)  # released by each that begins to wait
        self.comes = threading.Semaphore(0)

    def take_turn(self) -> float:
        self.turns += 1
        return 1.0

    def pause(self, seconds: float, is_over: Callable[[], bool]) -> None:
        self.waiting.release()
        for _ in range(3000):
            if is_over() or self.comes.acquire(timeout=0.01):
                return
        raise AssertionError("the turn never comes")


def test_nobody_leaves_before_its_turn() -> None:
    """What one is asked last is whether it leaves; the next takes a turn when the one before it has left."""
    pace = _Pace()
    wire = SendGate(2, pace.take_turn, pace.pause)
    first = _Traveller(wire)
    assert pace.waiting.acquire(timeout=30)
    second = _Traveller(wire)
    _wait_in_line(wire, 1)
    assert not first.asked.is_set()
    assert pace.turns == 1
    pace.comes.release()
    assert first.arrive()
    assert pace.waiting.acquire(timeout=30)
    assert not second.asked.is_set()
    pace.comes.release()
    assert second.arrive()
    assert pace.turns == 2


def test_a_bad_answer_while_one_waits_for_its_turn() -> None:
    """It does not leave until that was looked at, and then in another turn: its own is over."""
    pace = _Pace()
    wire = SendGate(2, pace.take_turn, pace.pause)
    first = _Traveller(wire)
    pace.comes.release()
    assert first.arrive()
    second = _Traveller(wire)
    for _ in range(2):
        assert pace.waiting.acquire(timeout=30)
    wire.exit(is_well=False)
    pace.comes.release()
    _wait_in_line(wire, 1)
    assert not second.asked.is_set()
    wire.look()
    assert pace.turns == 3
    pace.comes.release()
    assert second.arrive()


def test_a_narrower_wire_while_one_waits_for_its_turn() -> None:
    """Nothing is on its way: the turn of the first is not lost to the others that wait."""
    pace = _Pace()
    wire = SendGate(4, pace.take_turn, pace.pause)
    first = _Traveller(wire)
    assert pace.waiting.acquire(timeout=30)
    others = [_Traveller(wire) for _ in range(3)]
    _wait_in_line(wire, 3)
    wire.set_width(1)
    pace.comes.release()
    assert first.arrive()
    assert pace.turns == 1
    wire.close()
    assert [other.arrive() for other in others] == [False] * 3


def test_the_turn_of_who_does_not_leave_is_for_the_next() -> None:
    pace = _Pace()
    wire = SendGate(2, pace.take_turn, pace.pause)
    refused = _Traveller(wire, lambda: False)
    assert pace.waiting.acquire(timeout=30)
    second = _Traveller(wire)
    _wait_in_line(wire, 1)
    pace.comes.release()
    assert refused.arrive() is False
    assert second.arrive() is True
    assert pace.turns == 1


def test_who_waits_for_its_turn_comes_back_once_all_is_over() -> None:
    """Its turn does not come before that."""
    pace = _Pace()
    wire = SendGate(1, pace.take_turn, pace.pause)
    one = _Traveller(wire)
    assert pace.waiting.acquire(timeout=30)
    wire.close()
    assert one.arrive() is False
    assert not one.asked.is_set()


@pytest.mark.parametrize("width", [1, 2, 5])
def test_there_are_never_more_than_fit(width: int) -> None:
    """Eight threads at 400 requests with bad answers among them: never more than `width` at once, and each leaves."""
    wire, lock, dice = SendGate(width), threading.Lock(), random.Random(width)
    on_it, most, left = 0, 0, 0

    def travel() -> None:
        nonlocal on_it, most, left
        for _ in range(50):
            assert wire.enter(lambda: True)
            with lock:
                on_it, left = on_it + 1, left + 1
                most = max(most, on_it)
                is_well = dice.random() < 0.7
            with lock:
                on_it -= 1
            wire.exit(is_well=is_well)
            if not is_well:
                wire.look()

    threads = [threading.Thread(target=travel, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert left == 400
    assert most <= width


def test_a_closed_wire_lets_nobody_leave() -> None:
    """Who waits comes back, be there room or a bad answer that nobody looks at; so does who comes later."""
    wire = SendGate(1)
    assert wire.enter(lambda: True)
    waiting = _Traveller(wire)
    _wait_in_line(wire, 1)
    wire.exit(is_well=False)
    wire.close()
    assert waiting.arrive() is False
    assert not waiting.asked.is_set()
    assert wire.enter(lambda: True) is False
