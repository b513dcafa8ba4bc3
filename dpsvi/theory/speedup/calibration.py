"""Costs of this machine, measured through the engine in this process.

A round is taken apart: the master's copy for a pull, the worker's load, the steps on
all threads, and the merge of the push. The first rounds are left out, since they load
and compile. What a network adds is in `dpsvi.theory.speedup.cluster_runs`.
"""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np

from dpsvi.engine import Master, Plan, Problem, ThreadTeam, Worker
from dpsvi.theory.setting import check_count
from dpsvi.theory.speedup.costs import Costs
from dpsvi.theory.speedup.threads import ThreadScaling, fit_threads

__all__ = [
    "Rounds",
    "cores_at_hand",
    "costs_of",
    "measure_rounds",
    "measure_threads",
]

# Rounds that are left out: kernels are loaded, memory is touched for the first time.
_WARM = 2


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """Means over some rounds of one worker.

    Attributes
    ----------
    n_threads, local_steps : int
        p and B.
    working : float
        Seconds of the steps of a round, with the making of the push.
    spread : float
        Coefficient of variation of `working`.
    pulling, pushing : float
        Seconds of the master: for the copy that is pulled, and for taking in a push.
    loading : float
        Seconds of the worker, for asking and for taking a snapshot in.
    n_bytes : float
        Of a pull and of a push, the mean of both.
    samples : float
        Units of data of a round.
    """

    n_threads: int
    local_steps: int
    working: float
    spread: float
    pulling: float
    pushing: float
    loading: float
    n_bytes: float
    samples: float

    @property
    def steps_per_second(self) -> float:
        """Of all threads together, without communication."""
        return self.n_threads * self.local_steps / self.working


def measure_rounds(
    problem: Problem,
    shard: Any,
    *,
    n_threads: int = 1,
    local_steps: int = 1,
    rounds: int = 20,
    seed: int = 0,
) -> Rounds:
    """Do some rounds of one worker with a copy of the parameters, and time their parts.

    Parameters
    ----------
    problem : Problem
        Any problem of the engine; it must have enough steps for the rounds.
    shard : object
        The data of the worker.
    n_threads, local_steps : int, default=1
        p and B.
    rounds : int, default=20
        Rounds to time, after two that are not.
    seed : int, default=0
        Of the run.

    Returns
    -------
    Rounds

    Raises
    ------
    ValueError
        If a number is out of range, or the problem runs out of steps.
    """
    check_count("rounds", rounds, least=1)
    steps = n_threads * local_steps
    plan = Plan(
        total_steps=(_WARM + rounds) * steps,
        n_threads=n_threads,
        local_steps=local_steps,
        master_batch_size=1,
        seed=seed,
    )
    first, (own,) = plan.seeds()
    start = problem.initial_parameters(np.random.default_rng(first))
    master = Master(problem, start, plan)
    with ThreadTeam(n_threads, "dpsvi-calibrate") as team:
        local = problem.open_worker(shard, n_threads, own)
        worker = Worker(0, local, team, steps)
        found = np.array([_round(master, worker) for _ in range(_WARM + rounds)])
    pulling, loading, working, pushing, n_bytes, samples = found[_WARM:].T
    return Rounds(
        n_threads=n_threads,
        local_steps=local_steps,
        working=float(working.mean()),
        spread=float(working.std() / working.mean()),
        pulling=float(pulling.mean()),
        pushing=float(pushing.mean()),
        loading=float(loading.mean()),
        n_bytes=float(n_bytes.mean()),
        samples=float(samples.mean()),
    )


def measure_threads(
    problem: Problem,
    shard: Any,
    *,
    n_threads: Sequence[int] | None = None,
    local_steps: int = 8,
    rounds: int = 10,
    turns: int = 3,
    cores: int | None = None,
) -> tuple[ThreadScaling, list[Rounds]]:
    """Measure σ: the steps per second of 1, 2, ... threads.

    Parameters
    ----------
    problem, shard : Problem, object
        As `measure_rounds` has them.
    n_threads : sequence of int or None, default=None
        Numbers of threads to measure, 1 among them; None: from 1 to all cores.
    local_steps : int, default=8
        B: long enough that the start of a round does not count.
    rounds : int, default=10
        Rounds to time for each, in each turn.
    turns : int, default=3
        Times that all are measured, one after another, an odd number; medians count.
    cores : int or None, default=None
        Physical cores; None: those of this machine, if that is known.

    Returns
    -------
    scaling : ThreadScaling
        Fitted to how many times as fast as one thread they were in the same turn.
        Where a core runs one thread at a time, more threads than cores add
        nothing.
    measured : list of Rounds
        One per number of threads: the turn with the median speed.

    Raises
    ------
    ValueError
        If 1 is not among the numbers of threads, or a number is out of range.
    """
    logical, physical = cores_at_hand()
    numbers = list(range(1, logical + 1)) if n_threads is None else list(n_threads)
    if 1 not in numbers:
        # Found out before the work, not after it.
        raise ValueError(f"n_threads is {numbers}; measure one thread too: the unit")
    if turns % 2 != 1 or turns < 1:
        raise ValueError(f"turns is {turns!r}; it must be odd, and at least 1")
    given = {"local_steps": local_steps, "rounds": rounds}
    found = [
        [measure_rounds(problem, shard, n_threads=p, **given) for p in numbers]
        for _ in range(turns)
    ]
    # One thread and several are not timed at once: those of one turn come nearest.
    rates = np.array([[one.steps_per_second for one in turn] for turn in found])
    speed_ups = rates / rates[:, [numbers.index(1)]]
    middling = np.median(speed_ups, axis=0).tolist()
    scaling = fit_threads(numbers, middling, cores or physical)
    middle = np.argsort(rates, axis=0)[turns // 2]
    measured = [found[turn][place] for place, turn in enumerate(middle)]
    if cores is None and physical == logical >= max(numbers):
        scaling = replace(scaling, smt=0.0)
    return scaling, measured


def costs_of(
    rounds: Rounds,
    threads: ThreadScaling | None = None,
    *,
    latency: float = 0.0,
    handling: float = 0.0,
    trips: int = 2,
) -> Costs:
    """Return costs from measured rounds.

    Parameters
    ----------
    rounds : Rounds
        With one thread, or with p if σ is known: t_u is what one thread alone needs.
    threads : ThreadScaling or None, default=None
        σ; None: threads do not disturb one another.
    latency, handling : float, default=0.0
        Seconds of the network and the event loop; see `measure_exchange`.
    trips : {1, 2}, default=2
        As in `Costs`; our Dask backend makes two.
    """
    threads = threads or ThreadScaling()
    steps = rounds.n_threads * rounds.local_steps
    share = threads(rounds.n_threads) / rounds.n_threads
    return Costs(
        step_seconds=rounds.working / rounds.local_steps * share,
        push_seconds=rounds.pushing,
        pull_seconds=rounds.pulling,
        handling_seconds=handling,
        n_bytes=rounds.n_bytes,
        latency=latency + rounds.loading / (2 * trips),
        trips=trips,
        threads=threads,
        samples_per_step=rounds.samples / steps,
    )


def cores_at_hand() -> tuple[int, int | None]:
    """Return the logical cores that this process may use, and the physical ones.

    The latter are None where they are unknown, or more than the former.
    """
    try:
        logical = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        logical = os.cpu_count() or 1
    try:
        physical = import_module("psutil").cpu_count(logical=False)
    except ImportError:
        physical = None
    known = physical is not None and physical <= logical
    return logical, physical if known else None


def _round(master: Master, worker: Worker) -> tuple[float, ...]:
    """Seconds of a round's parts, its bytes and its samples."""
    asking, request = _timed(worker.request)
    pulling, snapshot = _timed(lambda: master.snapshot(worker.round_steps, request))
    taking, loaded = _timed(lambda: worker.load(snapshot))
    if not loaded:
        raise ValueError("the problem has no steps left; ask for fewer rounds")
    working, push = _timed(worker.round)
    if push is None:
        raise ValueError("a round did no step; give the problem a shard with data")
    pushing, _ = _timed(lambda: master.receive(push))
    n_bytes = (_size(snapshot) + _size(push)) / 2
    samples = push.update.amount
    return pulling, asking + taking, working, pushing, n_bytes, samples


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    answer = call()
    return time.perf_counter() - begun, answer


def _size(message: Any) -> int:
    """Bytes of a message on its way, its arrays as they are."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    return len(head) + sum(buffer.raw().nbytes for buffer in buffers)
