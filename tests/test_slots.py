"""Who waits for a place to run a task: in order, and nobody is forgotten."""

from __future__ import annotations

import threading
import time

import pytest

from graphistry_core.errors import QueueFull, TaskCancelled
from graphistry_core.executors.dispatch import Slots


def wait_for(slots: Slots, waiting: int) -> None:
    end = time.monotonic() + 10
    while slots.waiting != waiting:
        assert time.monotonic() < end
        time.sleep(0.001)


def in_line(slots: Slots, names, had: list, cancelled=lambda: False) -> list[threading.Thread]:
    """Let threads wait, one behind the other; they note when they have a place, and give it back."""

    def wait(name) -> None:
        try:
            slots.take(cancelled)
        except TaskCancelled:
            had.append(f"{name} cancelled")
            return
        had.append(name)
        slots.give_back()

    threads = []
    for name in names:
        threads.append(threading.Thread(target=wait, args=(name,), daemon=True))
        before = slots.waiting
        threads[-1].start()
        wait_for(slots, before + 1)
    return threads


def test_who_came_first_goes_first():
    slots, had = Slots(1, 64), []
    slots.take(None)
    threads = in_line(slots, range(30), had)
    time.sleep(0.1)  # they look a few times whether they were cancelled
    slots.give_back()
    slots.take(lambda: False)  # who comes now does not push in
    assert had == list(range(30))
    slots.give_back()
    for thread in threads:
        thread.join(5)
    assert (slots.running, slots.waiting) == (0, 0)


def test_a_place_that_a_cancelled_task_does_not_take_goes_to_the_next():
    slots, had, gone = Slots(1, 64), [], threading.Event()
    slots.take(None)
    cancelled = in_line(slots, ["first"], had, gone.is_set)
    patient = in_line(slots, ["second"], had, None)
    gone.set()
    slots.give_back()
    for thread in (*cancelled, *patient):
        thread.join(5)
    assert "second" in had


def test_as_many_wait_as_may_and_a_larger_house_lets_them_in():
    slots, had = Slots(1, 2), []
    slots.take(None)
    threads = in_line(slots, ["a", "b"], had, None)
    with pytest.raises(QueueFull, match="1 tasks are running and 2 are waiting"):
        slots.take(None)
    slots.resize(3)
    for thread in threads:
        thread.join(5)
    assert had == ["a", "b"]


def test_all_who_wait_hear_of_the_end():
    slots, had = Slots(1, 8), []
    slots.take(None)
    threads = in_line(slots, ["a", "b"], had, None)
    slots.close()
    for thread in threads:
        thread.join(5)
    assert sorted(had) == ["a cancelled", "b cancelled"]
    with pytest.raises(TaskCancelled):
        slots.take(None)
