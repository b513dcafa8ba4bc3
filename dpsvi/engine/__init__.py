"""Asynchronous, lock-free stochastic optimisation of any problem (DPSGD).

The engine knows no model: it counts versions, hands out steps, runs threads and
records. A `Problem` owns all arithmetic. The words, everywhere in this package:

master
    Keeps the parameters and merges updates into them, M at a time.
worker
    Works on its own shard of the data and its own copy of the parameters, at its own
    pace. Workers are asynchronous: none waits for another.
thread
    One of the p threads of a worker. Threads are lock-free: all write into the same
    arrays at once, and may lose a write to one another.
step
    One stochastic update by one thread, from one item or mini-batch of data.
round
    What a worker does between pull and push: p * B steps, shared by its threads.
snapshot
    What a worker pulls: the parameters, their version and the steps of the round.
push
    What a worker sends back: how far the round has moved its copy.
version
    The number of merges the parameters have seen.
staleness
    Versions merged between a worker's pull and the arrival of its push.
clock
    Counts the steps handed out to all workers. Learning rates are read off it, so
    that they do not depend on how many workers and threads there are.
"""

from dpsvi.engine.admission import accept_all, damp_by_staleness, drop_older_than
from dpsvi.engine.backends import Backend
from dpsvi.engine.backends.replay import Replay
from dpsvi.engine.checkpoint import Checkpoint, Saved
from dpsvi.engine.history import History
from dpsvi.engine.lockfree import ThreadTeam
from dpsvi.engine.master import Arrival, Counters, Master
from dpsvi.engine.placement import Placement, goes_to_cluster
from dpsvi.engine.plan import Plan
from dpsvi.engine.problem import (
    Combining,
    Continuous,
    LocalProblem,
    Parameters,
    Problem,
    Push,
    Receipt,
    Selective,
    SelectiveLocal,
    Snapshot,
    Update,
)
from dpsvi.engine.progress import Progress, Recorder, Report
from dpsvi.engine.run import Result, run
from dpsvi.engine.schedules import constant, robbins_monro
from dpsvi.engine.worker import Worker, work

__all__ = [
    "Arrival",
    "Backend",
    "Checkpoint",
    "Combining",
    "Continuous",
    "Counters",
    "History",
    "LocalProblem",
    "Master",
    "Parameters",
    "Placement",
    "Plan",
    "Problem",
    "Progress",
    "Push",
    "Receipt",
    "Recorder",
    "Replay",
    "Report",
    "Result",
    "Saved",
    "Selective",
    "SelectiveLocal",
    "Snapshot",
    "ThreadTeam",
    "Update",
    "Worker",
    "accept_all",
    "constant",
    "damp_by_staleness",
    "drop_older_than",
    "goes_to_cluster",
    "robbins_monro",
    "run",
    "work",
]
