"""Teams of threads: every step once, errors and Ctrl-C in good order."""

from __future__ import annotations

import _thread
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dpsvi.engine import ThreadTeam, Update
from dpsvi.engine.lockfree import Steps


class Steppers:
    """Notes who took which step; `step` is called for each."""

    def __init__(self, step: Callable[[int], None] = lambda t: None) -> None:
        self.step = step
        self.taken: list[tuple[int, int, str]] = []

    def load(self, snapshot: object) -> None:
        raise NotImplementedError

    def run(self, thread: int, steps: Iterator[int]) -> None:
        name = threading.current_thread().name
        for t in steps:
            self.step(t)
            self.taken.append((thread, t, name))

    def update(self) -> Update:
        raise NotImplementedError


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_every_step_is_taken_once(n_threads: int) -> None:
    local = Steppers()
    with ThreadTeam(n_threads) as team:
        for start in (0, 1000):
            steps = range(start, start + 1000)
            assert team.run(local, steps) == steps
    assert sorted(t for _, t, _ in local.taken) == list(range(2000))


def test_bare_threads_share_steps_without_loss() -> None:
    steps, counts = Steps(range(50_000)), Counter[int]()
    taken: list[list[int]] = [[] for _ in range(4)]
    threads = [
        threading.Thread(target=lambda own=own: own.extend(steps)) for own in taken
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for own in taken:
        counts.update(own)
    assert counts == Counter(range(50_000))


def test_all_threads_work_at_once() -> None:
    barrier = threading.Barrier(3, timeout=20)

    def step(t: int) -> None:
        barrier.wait()

    local = Steppers(step)
    with ThreadTeam(3) as team:
        team.run(local, range(9))
    assert {thread for thread, _, _ in local.taken} == {0, 1, 2}


def test_a_fast_thread_takes_more_steps() -> None:
    release = threading.Event()

    def step(t: int) -> None:
        if t == 0 and not release.wait(20):
            raise TimeoutError
        if t == 99:
            release.set()

    local = Steppers(step)
    with ThreadTeam(2) as team:
        team.run(local, range(100))
    shares = Counter(thread for thread, _, _ in local.taken)
    assert sorted(shares.values()) == [1, 99]


def test_one_thread_is_the_calling_one() -> None:
    one, two = Steppers(), Steppers()
    with ThreadTeam(1) as team:
        team.run(one, range(3))
    with ThreadTeam(2, "mine") as team:
        team.run(two, range(3))
    here = threading.current_thread().name
    assert {name for _, _, name in one.taken} == {here}
    assert all(name.startswith("mine") for _, _, name in two.taken)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_an_error_is_raised_once_all_threads_have_ended(n_threads: int) -> None:
    inside = []

    def step(t: int) -> None:
        inside.append(t)
        time.sleep(0.01)
        inside.pop()
        if t == 7:
            raise ZeroDivisionError("step 7")

    local = Steppers(step)
    with ThreadTeam(n_threads) as team:
        with pytest.raises(ZeroDivisionError, match="step 7"):
            team.run(local, range(1000))
        assert inside == []
        assert len(local.taken) < 30
        # The team is still good for another round.
        local.step = lambda t: None
        assert team.run(local, range(5)) == range(5)


def test_ctrl_c_while_waiting_ends_the_threads_first() -> None:
    inside = []

    def step(t: int) -> None:
        inside.append(t)
        if t == 5:
            _thread.interrupt_main()
        time.sleep(0.005)
        inside.pop()

    with ThreadTeam(2) as team:
        with pytest.raises(KeyboardInterrupt):
            team.run(Steppers(step), range(100_000))
        assert inside == []


def test_ctrl_c_while_threads_are_started_ends_those_that_were() -> None:
    begun = threading.Event()

    class Interrupted(ThreadPoolExecutor):
        def submit(self, *args: Any, **kwargs: Any) -> Any:
            if begun.is_set():
                raise KeyboardInterrupt
            future = super().submit(*args, **kwargs)
            begun.wait(60)
            return future

    def step(t: int) -> None:
        begun.set()
        time.sleep(0.001)

    local = Steppers(step)
    with ThreadTeam(2) as team:
        team._pool = Interrupted(2)
        with pytest.raises(KeyboardInterrupt):
            team.run(local, range(100_000))
        assert len(local.taken) < 100_000


@pytest.mark.parametrize("n_threads", [1, 2])
def test_stop_ends_this_round_and_all_later_ones(n_threads: int) -> None:
    team = ThreadTeam(n_threads)
    local = Steppers(lambda t: team.stop() if t == 20 else None)
    with team:
        done = team.run(local, range(100_000))
        assert 21 <= len(done) < 100_000
        assert sorted(t for _, t, _ in local.taken) == list(done)
        assert team.run(local, range(5)) == range(0)


def test_closing_leaves_no_thread() -> None:
    before = threading.active_count()
    with ThreadTeam(3) as team:
        team.run(Steppers(), range(3))
        assert threading.active_count() > before
    assert threading.active_count() == before


def test_a_team_needs_a_thread() -> None:
    with pytest.raises(ValueError, match="n_threads is 0"):
        ThreadTeam(0)
