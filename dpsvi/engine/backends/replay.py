"""A run repeated from its log, on one thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from dpsvi.engine.backends.simulated import TakeTurns
from dpsvi.engine.interrupt import CtrlC
from dpsvi.engine.master import Arrival, Master
from dpsvi.engine.problem import Snapshot
from dpsvi.engine.progress import Recorder
from dpsvi.engine.worker import DirectExchange, Worker, finish, open_workers

__all__ = ["Replay"]


class Replay:
    """Repeats what asynchronous workers did, from the log of their run.

    With the problem, shards and plan of that run, one thread per worker and no worker
    lost on the way, the parameters come out the same: whatever happened on a cluster
    can be looked into at leisure. The history counts a second for each push.

    Parameters
    ----------
    log : sequence of Arrival
        `dpsvi.engine.Result.log` of the run, whose plan had `keep_log`.

    Examples
    --------
    >>> Replay([])
    Replay(0 pushes)
    """

    def __init__(self, log: Sequence[Arrival]) -> None:
        self.log = list(log)
        self._now = 0.0

    def __repr__(self) -> str:
        return f"Replay({len(self.log)} pushes)"

    def clock(self) -> float:
        """Return the number of pushes delivered."""
        return self._now

    def run(
        self,
        master: Master,
        shards: Sequence[Any],
        seeds: Sequence[np.random.SeedSequence],
        recorder: Recorder,
    ) -> Master:
        """Repeat the run; see `dpsvi.engine.backends.Backend`.

        Raises
        ------
        ValueError
            If the log names workers that this run does not have, or is not that of a
            run with this plan.
        """
        strangers = {arrival.worker for arrival in self.log} - set(range(len(shards)))
        if strangers:
            raise ValueError(
                f"the log has pushes of workers {sorted(strangers)}, and there are "
                f"{len(shards)} shards; replay with the shards of the run"
            )
        team = TakeTurns(master.plan.n_threads)
        workers = open_workers(master, shards, seeds, [team] * len(shards))
        try:
            with CtrlC(lambda: recorder.stop("interrupted")):
                self._repeat(master, workers, recorder)
                finish(master, recorder)
        finally:
            self._now = 0.0
        return master

    def _repeat(
        self, master: Master, workers: Sequence[Worker], recorder: Recorder
    ) -> None:
        exchange = DirectExchange(master, recorder)
        # Steps are reserved in the order of the pulls.
        pulls = deque(sorted(self.log, key=lambda arrival: arrival.steps.start))
        working: set[Any] = set()
        for arrival in self.log:
            if recorder.finished():
                return
            while (
                pulls
                and pulls[0].based_on == master.version
                and pulls[0].worker not in working
            ):
                working.add(pulls[0].worker)
                _pull(pulls.popleft(), master, workers)
            if arrival.worker not in working:
                raise ValueError(
                    f"worker {arrival.worker} pushes at version {master.version} "
                    "without a pull: the log is of a run with another plan"
                )
            working.remove(arrival.worker)
            self._now += 1.0
            push = workers[arrival.worker].round()
            if push is not None:
                exchange.push(push)


def _pull(arrival: Arrival, master: Master, workers: Sequence[Worker]) -> None:
    """Load the snapshot that a push was based on; lost steps are left out."""
    worker = workers[arrival.worker]
    worker.round_steps = len(arrival.steps)
    master.counters.steps_reserved = arrival.steps.stop
    parameters = master.extract(worker.request())
    worker.load(Snapshot(parameters, master.version, arrival.steps))
