"""The one entry point: run a problem on shards according to a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dpsvi.engine.backends import Backend, resolve
from dpsvi.engine.history import History
from dpsvi.engine.master import Arrival, Counters, Master
from dpsvi.engine.plan import Plan
from dpsvi.engine.problem import Parameters, Problem
from dpsvi.engine.progress import Monitor, Progress, Reason, Recorder

__all__ = ["Plan", "Progress", "Result", "run"]

_NEEDED = ("additive", "initial_parameters", "open_worker", "merge")


@dataclass(frozen=True)
class Result:
    """What a run gives.

    Attributes
    ----------
    parameters : Parameters
        The final parameters.
    history : History
        One row per merge.
    reason : {"completed", "max_time", "stopped", "interrupted"}
        Why the run ended: all steps were handed out and done, the time was up, the
        monitor said so, or Ctrl-C.
    counters : Counters
        What became of the data.
    log : list of Arrival
        The pushes in the order in which they came, from which `dpsvi.engine.Replay`
        repeats the run; empty unless the plan says `keep_log`.
    """

    parameters: Parameters
    history: History
    reason: Reason
    counters: Counters
    log: list[Arrival] = field(repr=False)


def run(
    problem: Problem,
    shards: Sequence[Any],
    plan: Plan,
    *,
    backend: str | Backend = "local",
    parameters: Parameters | None = None,
    monitor: Monitor | None = None,
) -> Result:
    """Run asynchronous, lock-free SGD (DPSGD, Alg. 1 and 2) on a problem.

    Ctrl-C ends the run in good order and returns the result so far; a second one
    raises KeyboardInterrupt. An exception in a worker or thread is raised here,
    after all threads have ended.

    Parameters
    ----------
    problem : Problem
        The model's arithmetic.
    shards : sequence
        The data, one item per worker, as `Problem.open_worker` takes it.
    plan : Plan
        The layout of the run.
    backend : {"local", "simulated"} or Backend, default="local"
        Where master and workers live.
    parameters : Parameters or None, default=None
        What to start from, changed in place; None: `Problem.initial_parameters`.
    monitor : callable or None, default=None
        Called in the calling thread with a `Progress` after each merge; returning
        True stops the run.

    Returns
    -------
    Result
        Parameters, history, reason for the end, and counters.

    Raises
    ------
    TypeError
        If `problem` lacks a part of the contract.
    ValueError
        If the number of shards is not the number of workers, or there is no such
        backend.

    Examples
    --------
    The mean of some numbers, by steps towards one number after another:

    >>> import numpy as np
    >>> from dpsvi.engine import Plan, Update, robbins_monro, run
    >>> class LocalMean:
    ...     def __init__(self, numbers):
    ...         self.numbers, self.rate = numbers, robbins_monro(1.0, 1.0)
    ...
    ...     def load(self, snapshot):
    ...         self.pulled = snapshot.parameters
    ...         self.mean = self.pulled.copy()
    ...
    ...     def run(self, thread, steps):
    ...         for t in steps:
    ...             number = self.numbers[t % len(self.numbers)]
    ...             self.mean += self.rate(t) * (number - self.mean)
    ...
    ...     def update(self):
    ...         return Update(self.mean - self.pulled, amount=1.0)
    >>> class Mean:
    ...     additive = False
    ...
    ...     def initial_parameters(self, rng):
    ...         return np.zeros(1)
    ...
    ...     def open_worker(self, shard, n_threads, seed):
    ...         return LocalMean(shard)
    ...
    ...     def merge(self, parameters, payloads, rates):
    ...         for payload, rate in zip(payloads, rates):
    ...             parameters += rate * payload
    ...         return parameters
    >>> result = run(Mean(), [np.arange(11.0)], Plan(total_steps=11))
    >>> result.reason, result.parameters
    ('completed', array([5.]))
    """
    _check(problem, shards, plan)
    chosen = resolve(backend)
    first, seeds = plan.seeds()
    if parameters is None:
        parameters = problem.initial_parameters(np.random.default_rng(first))
    recorder = Recorder(chosen.clock, monitor, plan.max_time)
    master = chosen.run(Master(problem, parameters, plan), shards, seeds, recorder)
    return Result(
        parameters=master.parameters,
        history=recorder.history,
        reason=recorder.reason or "completed",
        counters=master.counters,
        log=master.log,
    )


def _check(problem: Problem, shards: Sequence[Any], plan: Plan) -> None:
    missing = [name for name in _NEEDED if not hasattr(problem, name)]
    if missing:
        raise TypeError(
            f"{type(problem).__name__} is no Problem: it lacks {', '.join(missing)}; "
            "see dpsvi.engine.Problem"
        )
    if len(shards) != plan.n_workers:
        raise ValueError(
            f"{len(shards)} shards for {plan.n_workers} workers; give one per worker"
        )
