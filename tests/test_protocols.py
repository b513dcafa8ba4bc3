"""One test drives every problem through every backend."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp

from dpsvi.engine import LocalProblem, Plan, Problem, run
from dpsvi.engine.backends import BACKENDS, Backend, cluster, resolve
from dpsvi.engine.problems import MatrixFactorization, RedescendingLocation, SGDProblem
from dpsvi.engine.problems.sgd import Objective
from dpsvi.models.conjugate import Clock
from dpsvi.models.lda.problem import LDAProblem
from dpsvi.models.mixture.parameters import MixturePrior
from dpsvi.models.mixture.problem import MixtureProblem
from dpsvi.models.mixture.standard import Standard
from dpsvi.models.poisson.problem import PoissonProblem

COLUMNS = (
    "time",
    "version",
    "steps",
    "amount",
    "staleness_mean",
    "staleness_max",
    "bytes",
    "monitor_time",
)
# Shards of one, two and three workers are whole mini-batches.
N_DOCUMENTS, BATCH, EPOCHS = 48, 4, 2
N_STEPS = N_DOCUMENTS // BATCH * EPOCHS


class Case(NamedTuple):
    """A problem, its shards, and what is in common to all runs of it."""

    problem: Problem
    shards: list[Any]
    n_steps: int
    amount: float
    plan: dict[str, Any] = {}  # noqa: RUF012
    most_workers: int = 3


def lda(inference: str, learning: str) -> Callable[[int], Case]:
    """LDA on documents dealt to the workers; twelve mini-batches an epoch in all."""

    def make(n_workers: int) -> Case:
        rng = np.random.default_rng(0)
        counts = sp.csr_array(rng.poisson(0.5, (N_DOCUMENTS, 20)).astype(np.float32))
        online = learning == "online"
        rates = (2.0 + np.arange(N_STEPS)) ** -0.7 if online else np.zeros(N_STEPS)
        problem = LDAProblem(
            n_words=20,
            n_topics=3,
            n_documents=float(N_DOCUMENTS),
            topic_word_prior=0.1,
            doc_topic_prior=np.full(3, 0.5),
            clock=Clock(rates),
            inference=inference,
            learning=learning,
            batch_size=BATCH,
        )
        shards = [counts[i::n_workers] for i in range(n_workers)]
        plan: dict[str, Any] = {"local_steps": 2}
        if not online:
            # A round is an epoch.
            plan = {"local_steps": 12, "boundaries": 12}
        most = 3 if online else 1
        return Case(problem, shards, N_STEPS, N_STEPS * BATCH, plan, most)

    return make


def poisson(n_workers: int) -> Case:
    """Poisson factorisation on rows dealt to the workers."""
    rng = np.random.default_rng(0)
    counts = sp.csr_array(rng.poisson(0.5, (N_DOCUMENTS, 20)).astype(np.float32))
    problem = PoissonProblem(
        n_features=20,
        n_components=3,
        n_rows=float(N_DOCUMENTS),
        row_total=10.0,
        clock=Clock((2.0 + np.arange(N_STEPS)) ** -0.7),
        batch_size=BATCH,
    )
    shards = [counts[i::n_workers] for i in range(n_workers)]
    return Case(problem, shards, N_STEPS, N_STEPS * BATCH, {"local_steps": 2})


def mixture(n_workers: int) -> Case:
    """A Gaussian mixture on rows dealt to the workers."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(N_DOCUMENTS, 2))
    prior = MixturePrior("full", True, 0.5, 1.0, 2.0, np.zeros(2), np.eye(2))
    problem = MixtureProblem(
        n_components=3,
        n_rows=float(N_DOCUMENTS),
        standard=Standard(np.zeros(2), np.ones(2)),
        prior=prior,
        start=rng.uniform(0.5, 1.0, (6, 3)),
        clock=Clock((2.0 + np.arange(N_STEPS)) ** -0.7),
        batch_size=BATCH,
    )
    shards = [rows[i::n_workers].copy() for i in range(n_workers)]
    return Case(problem, shards, N_STEPS, N_STEPS * BATCH, {"local_steps": 2})


def agents(n_workers: int) -> Case:
    """Actor-critics."""
    pytest.importorskip("torch")
    pytest.importorskip("gymnasium")
    from dpsvi.rl.environments import spec_of
    from dpsvi.rl.hsa2c import HSA2CProblem
    from dpsvi.rl.settings import Settings

    settings = Settings(n_environments=2, n_steps=5, total_local_steps=12)
    problem = HSA2CProblem("CartPole-v1", spec_of("CartPole-v1"), settings)
    return Case(problem, [None] * n_workers, 12, 12 * settings.samples)


def toy(name: str) -> Callable[[int], Case]:
    """The engine's own small problems."""

    def make(n_workers: int) -> Case:
        folder = Path(__file__).parent / "engine"
        sys.path.insert(0, str(folder))
        try:
            toys = import_module("toy_problems")
        except ImportError:
            pytest.skip("the tests of the engine are not there")
        finally:
            sys.path.remove(str(folder))
        if name == "counting":
            return Case(toys.Counting(30), [None] * n_workers, 30, 30)
        A, b, _ = toys.make_rows()
        return Case(toys.LeastSquares(), [(A, b)] * n_workers, 30, 30)

    return make


def optimisation(name: str) -> Callable[[int], Case]:
    """Objectives for DPSGD, which travel with their data; four samples a step."""

    def make(n_workers: int) -> Case:
        if name == "location":
            objective: Objective = RedescendingLocation(n_samples=30, n_dimensions=3)
        else:
            rows, columns = np.indices((6, 5)).reshape(2, -1)
            values = np.random.default_rng(0).normal(size=30)
            objective = MatrixFactorization(rows, columns, values, rank=2)
        problem = SGDProblem(objective, local_rate=0.02, batch_size=4)
        shards = [np.arange(i, 30, n_workers) for i in range(n_workers)]
        return Case(problem, shards, 30, 120)

    return make


PROBLEMS = {
    "lda vb": lda("vb", "online"),
    "lda cvb0": lda("cvb0", "online"),
    "lda vb batch": lda("vb", "batch"),
    "poisson": poisson,
    "mixture": mixture,
    "hsa2c": agents,
    "counting": toy("counting"),
    "least squares": toy("least squares"),
    "location": optimisation("location"),
    "factorisation": optimisation("factorisation"),
}


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend in turn; that of a cluster needs one."""
    if request.param != "dask":
        return resolve(request.param)
    client = request.getfixturevalue("cluster_client")
    return resolve(cluster(client))


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("n_workers", [1, 2, 3])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_everything_runs_everywhere(
    problem: str, backend: Backend, n_workers: int, n_threads: int
) -> None:
    case = PROBLEMS[problem](n_workers)
    if n_workers > case.most_workers:
        pytest.skip(f"{problem} has {case.most_workers} worker at most")
    plan = Plan(
        total_steps=case.n_steps,
        n_workers=n_workers,
        n_threads=n_threads,
        seed=0,
        **case.plan,
    )
    seen: list[Any] = []
    result = run(
        case.problem,
        case.shards,
        plan,
        backend=backend,
        monitor=lambda progress: seen.append((progress.version, progress.steps)),
    )
    assert result.reason == "completed"
    counters = result.counters
    assert counters.accepted == counters.merged == case.amount
    assert counters.pending == counters.dropped == counters.duplicates == 0
    assert counters.steps_reserved == counters.steps_merged == case.n_steps
    history = result.history
    assert history.columns[: len(COLUMNS)] == COLUMNS
    assert [version for version, _ in seen] == history["version"].tolist()
    assert history["version"].tolist() == list(range(1, len(history) + 1))
    assert history["amount"][-1] == case.amount
    assert history["steps"][-1] == seen[-1][1] == case.n_steps
    for column in ("time", "steps", "amount"):
        assert np.all(np.diff(history[column]) >= 0)
    weights = getattr(result.parameters, "weights", result.parameters)
    assert np.isfinite(weights).all()


def test_synchronous_workers_are_never_stale(backend: Backend) -> None:
    # 30 steps, two a round, three workers: five merges of one push each.
    case = PROBLEMS["counting"](3)
    plan = Plan(total_steps=30, n_workers=3, local_steps=2, synchronous=True, seed=0)
    result = run(case.problem, case.shards, plan, backend=backend)
    assert result.reason == "completed"
    assert result.counters.steps_merged == 30
    assert result.counters.dropped == 0
    assert result.history["version"].tolist() == [1, 2, 3, 4, 5]
    assert result.history["steps"].tolist() == [6, 12, 18, 24, 30]
    assert not result.history["staleness_max"].any()
    np.testing.assert_array_equal(result.parameters, [1.0] * 30 + [30.0])


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_stop_by_the_monitor_ends_every_run(problem: str, backend: Backend) -> None:
    case = PROBLEMS[problem](1)
    result = run(
        case.problem,
        case.shards,
        Plan(total_steps=case.n_steps, seed=0, **case.plan),
        backend=backend,
        monitor=lambda progress: True,
    )
    assert result.reason == "stopped"
    assert len(result.history) == 1
    if type(backend).__name__ != "Dask":
        # A master elsewhere may have come to the end before it heard of the stop.
        assert result.counters.merged < case.amount


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_keeps_the_contract(problem: str) -> None:
    case = PROBLEMS[problem](1)
    assert isinstance(case.problem, Problem)
    seed = np.random.SeedSequence(0)
    local = case.problem.open_worker(case.shards[0], 2, seed)
    assert isinstance(local, LocalProblem)


def test_every_backend_keeps_the_contract(backend: Backend) -> None:
    assert isinstance(backend, Backend)
    assert callable(backend.run)
