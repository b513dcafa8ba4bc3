"""One run of one system in a process of its own: trains, then scores its snapshots.

Called by ``lda_race.py`` as ``python run_one.py task.json``; the result goes to the
file that the task names.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from peers import SYSTEMS, runner
from scipy import sparse


@dataclass(frozen=True)
class Task:
    """What to train, on what, and where to put the result.

    Attributes
    ----------
    system, settings, seed : str, dict, int
        A name of `peers.SYSTEMS`, complete settings, and its random seed.
    train, held_out : str
        Paths of CSR tables of counts.
    n_topics, alpha, eta : int, float, float
        The model.
    budget_s, threads : float, int
        Training seconds, and threads or processes at most.
    result : str
        Path of the JSON file to write.
    """

    system: str
    settings: dict[str, Any]
    seed: int
    train: str
    held_out: str
    n_topics: int
    alpha: float
    eta: float
    budget_s: float
    threads: int
    result: str


@dataclass(frozen=True)
class Curve:
    """What a run showed.

    Attributes
    ----------
    system, settings, seed, version : str, dict, int, str
        Which run.
    seconds, perplexity : list of float
        Held-out perplexity after so many training seconds.
    startup_s, load : float
        Seconds before training, and the machine's load average when it began.
    error : str
        Empty, or why there is no curve.
    """

    system: str
    settings: dict[str, Any]
    seed: int
    version: str = ""
    seconds: list[float] = field(default_factory=list)
    perplexity: list[float] = field(default_factory=list)
    startup_s: float = 0.0
    load: float = 0.0
    error: str = ""


def main() -> None:
    """Do the task of the file named on the command line."""
    task = Task(**json.loads(Path(sys.argv[1]).read_text()))
    Path(task.result).write_text(json.dumps(asdict(perform(task))))


def perform(task: Task) -> Curve:
    """Train, keep copies of the topics, and score them when training is over."""
    load = os.getloadavg()[0]
    kept: list[tuple[float, np.ndarray]] = []
    startup_s = runner(task.system)(
        sparse.load_npz(task.train),
        task.n_topics,
        task.alpha,
        task.eta,
        task.settings,
        task.budget_s,
        task.threads,
        task.seed,
        lambda seconds, topics: kept.append((seconds, topics.astype(np.float32))),
    )
    # Runs from scratch need not come in the order of their times.
    kept.sort(key=lambda snapshot: snapshot[0])
    return Curve(
        task.system,
        task.settings,
        task.seed,
        version(SYSTEMS[task.system].distribution),
        [seconds for seconds, _ in kept],
        _score([topics for _, topics in kept], task),
        startup_s,
        load,
    )


def _score(snapshots: list[np.ndarray], task: Task) -> list[float]:
    # Imported late: a peer's training should not share its process with our Numba.
    from evaluation import completion_perplexity, split_tokens

    halves = split_tokens(sparse.load_npz(task.held_out))
    return [completion_perplexity(topics, halves, task.alpha) for topics in snapshots]


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # Leave without joining: a multi-process peer that was stopped in the middle may
    # have helpers that wait for work for ever.
    os._exit(0)
