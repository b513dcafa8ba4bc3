"""A whole calibration: a problem's costs on this machine and on its cluster."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from dpsvi.engine import Problem
from dpsvi.theory.setting import check_count
from dpsvi.theory.speedup.calibration import (
    Rounds,
    costs_of,
    measure_rounds,
    measure_threads,
)
from dpsvi.theory.speedup.cluster_runs import Exchange, measure_exchange
from dpsvi.theory.speedup.costs import Costs
from dpsvi.theory.speedup.threads import ThreadScaling

__all__ = ["Calibration", "calibrate", "local_cluster", "topics_problem"]

# Steps that a problem made here lasts for: more than any calibration takes.
_STEPS = 1 << 16


@dataclass(frozen=True)
class Calibration:
    """What was measured.

    Attributes
    ----------
    costs : Costs
        For `forecast` and `simulate`, with rounds of `local_steps` steps.
    local_steps : int
        B of the rounds whose bytes and whose service these are.
    rounds : Rounds
        The parts of a round of one thread.
    threads : list of Rounds
        With 1, 2, ... threads; empty if they were not measured.
    exchange : Exchange or None
        On the cluster, of next to no bytes; None: there was none, and messages cost
        nothing. What bytes cost there is the bandwidth of `costs`.
    """

    costs: Costs
    local_steps: int
    rounds: Rounds
    threads: list[Rounds]
    exchange: Exchange | None


def calibrate(
    problem: Problem,
    shard: Any,
    *,
    local_steps: int = 8,
    rounds: int = 12,
    n_threads: Sequence[int] | None = None,
    cores: int | None = None,
    client: Any = None,
) -> Calibration:
    """Measure the costs of a problem on this machine.

    Parameters
    ----------
    problem : Problem
        Of the engine, with steps for all rounds.
    shard : object
        The data of one worker.
    local_steps : int, default=8
        B: what a pull and a push cost may depend on it.
    rounds : int, default=12
        To time, for each number of threads, in each of three turns.
    n_threads : sequence of int or None, default=None
        Numbers of threads to measure, with 1; None: from 1 to all cores.
    cores : int or None, default=None
        Physical cores; None: those of this machine, if known.
    client : distributed.Client or None, default=None
        To measure what an exchange costs on its cluster; None: leave that out.

    Returns
    -------
    Calibration

    Raises
    ------
    ValueError
        If a number is out of range, or the cluster has fewer than two workers.

    Examples
    --------
    >>> from dpsvi.theory.speedup import Sleeping
    >>> problem = Sleeping(step_seconds=0.002, push_seconds=0.001)
    >>> made = calibrate(problem, None, local_steps=2, rounds=3, n_threads=[1])
    >>> 0.002 <= made.costs.step_seconds, 0.001 <= made.costs.service
    (True, True)
    """
    check_count("local_steps", local_steps, least=1)
    given = {"local_steps": local_steps, "rounds": rounds}
    threads: list[Rounds] = []
    scaling = ThreadScaling()
    if n_threads is not None and list(n_threads) == [1]:
        alone = measure_rounds(problem, shard, **given)
    else:
        scaling, threads = measure_threads(
            problem, shard, n_threads=n_threads, cores=cores, **given
        )
        alone = next(found for found in threads if found.n_threads == 1)
    costs, exchange = costs_of(alone, scaling), None
    if client is not None:
        exchange = measure_exchange(client)
        costs = replace(
            costs,
            latency=costs.latency + exchange.latency,
            handling_seconds=exchange.handling,
            bandwidth=_bandwidth(client, alone.n_bytes, exchange.handling),
        )
    return Calibration(costs, local_steps, alone, threads, exchange)


def _bandwidth(client: Any, n_bytes: float, handling: float) -> float:
    """Bits per second at which the scheduler takes in and hands out what is large."""
    large = measure_exchange(client, size=max(1, round(n_bytes / 8)))
    more = large.handling - handling
    return 2 * 8 * n_bytes / more if more > 0 else math.inf


def topics_problem(
    corpus: Literal["synthetic", "docstrings"] = "synthetic",
    *,
    inference: Literal["vb", "cvb0"] = "vb",
    n_topics: int = 50,
    batch_size: int = 128,
    n_documents: int = 2000,
) -> tuple[Problem, Any]:
    """Return LDA on a corpus that needs no download, and its documents as one shard.

    Parameters
    ----------
    corpus : {"synthetic", "docstrings"}, default="synthetic"
        Drawn from a topic model, or the docstrings of installed packages.
    inference : {"vb", "cvb0"}, default="vb"
        The local step.
    n_topics, batch_size : int
        K, and documents of a local step.
    n_documents : int, default=2000
        Of the synthetic corpus.

    Raises
    ------
    ValueError
        If there is no such corpus, or too few docstrings are installed.
    """
    import scipy.sparse as sp

    from dpsvi.datasets import load_docstrings, make_corpus
    from dpsvi.models.conjugate import Clock
    from dpsvi.models.lda.problem import LDAProblem

    if corpus == "synthetic":
        counts = make_corpus(n_documents, n_words=5000, random_state=0).counts
    elif corpus == "docstrings":
        counts = load_docstrings().counts
    else:
        raise ValueError(f"no corpus {corpus!r}; choose synthetic or docstrings")
    shard = sp.csr_array(counts.astype(np.float32))
    rates = np.asarray((64.0 + np.arange(_STEPS)) ** -0.7, dtype=np.float64)
    problem = LDAProblem(
        n_words=shard.shape[1],
        n_topics=n_topics,
        n_documents=float(shard.shape[0]),
        topic_word_prior=0.01,
        doc_topic_prior=np.full(n_topics, 0.1),
        clock=Clock(rates),
        inference=inference,
        batch_size=batch_size,
    )
    return problem, shard


def local_cluster(n_workers: int) -> AbstractContextManager[Any]:
    """Return a cluster of processes on this machine, of one thread each.

    Raises
    ------
    ImportError
        If `distributed` is not installed.
    """
    try:
        from distributed import LocalCluster
    except ImportError as error:
        raise ImportError(
            'a cluster needs dask and distributed: pip install "dpsvi[dask]"'
        ) from error
    cluster: AbstractContextManager[Any] = LocalCluster(
        n_workers=n_workers, threads_per_worker=1, dashboard_address=":0"
    )
    return cluster
