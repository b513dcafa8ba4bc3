"""DPSGD on objectives: gradients, equivalence with SGD, losses as asked for."""

from __future__ import annotations

import itertools
import pickle
import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsvi.engine import Plan, run
from dpsvi.engine.backends.simulated import Simulated
from dpsvi.engine.problems import (
    FunctionObjective,
    MatrixFactorization,
    RedescendingLocation,
    SGDProblem,
    SyntheticProcess,
)
from dpsvi.theory import estimate_constants


def factorization(seed: int = 0) -> MatrixFactorization:
    """All entries of a small matrix of rank two."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(6, 2)) @ rng.normal(size=(2, 5))
    rows, columns = np.indices(X.shape).reshape(2, -1)
    return MatrixFactorization(rows, columns, X.ravel(), rank=2, penalty=0.01)


def numerical_gradient(value: Any, at: Any, step: float = 1e-5) -> Any:
    """Central differences, one number at a time."""
    gradient = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        moved = [at.copy(), at.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        gradient[place] = np.sum(value(moved[0]) - value(moved[1])) / (2 * step)
    return gradient


@pytest.mark.parametrize("make", [factorization, RedescendingLocation])
def test_gradients_are_those_of_the_value(make: Any) -> None:
    objective = make()
    at = objective.start(np.random.default_rng(1)) + 0.1
    expected = numerical_gradient(objective.value, at)
    assert objective.full_gradient(at) == pytest.approx(expected, abs=1e-6)
    # The mean over all samples is the whole.
    each = [objective.gradient(at, np.array([i])) for i in range(objective.n_samples)]
    assert np.mean(each, axis=0) == pytest.approx(expected, abs=1e-6)


def test_constants_of_the_location_objective() -> None:
    objective = RedescendingLocation(n_dimensions=3)
    rng = np.random.default_rng(0)
    points = rng.uniform(-4, 4, size=(300, 1, 3))
    samples = rng.integers(200, size=300)
    norms, ratios = [], []
    for place, sample in zip(points, samples, strict=True):
        here = objective.gradient(place, np.array([sample]))
        near = objective.gradient(place + 1e-3, np.array([sample]))
        norms.append(np.linalg.norm(here))
        ratios.append(np.linalg.norm(near - here) / (1e-3 * np.sqrt(3)))
    assert 0.7 * objective.gradient_bound < max(norms) <= objective.gradient_bound
    assert max(ratios) <= objective.smoothness * (1 + 1e-9)
    values = objective.value(points[:, 0])
    assert objective.minimum < values.min()
    # Where the samples are thick it is nearly reached.
    centre = np.median(objective.centres, axis=0)
    assert objective.value(centre[None]).min() - objective.minimum < 0.01
    assert objective.gap == pytest.approx(
        objective.value(np.full((1, 3), 2.0))[0] - objective.minimum
    )


def test_one_of_everything_is_sgd() -> None:
    objective = factorization()
    plan = Plan(total_steps=50, seed=3)
    found = run(SGDProblem(objective, 0.05), [None], plan)
    first, (own,) = plan.seeds()
    v = objective.start(np.random.default_rng(first))
    draws = np.random.default_rng(own.spawn(1)[0])
    for _ in range(50):
        sample = draws.integers(objective.n_samples, size=1)
        v = v - 0.05 * objective.gradient(v, sample)
    assert found.parameters == pytest.approx(v, rel=1e-12)


def test_sparse_steps_are_dense_steps() -> None:
    objective = factorization()
    at = objective.start(np.random.default_rng(2))
    samples = np.array([3, 3, 17])
    expected = at - 0.1 * objective.gradient(at, samples)
    objective.descend(at, samples, 0.1)
    assert at == pytest.approx(expected)


@pytest.mark.parametrize("backend", ["local", "simulated"])
def test_factors_are_found_by_workers_and_threads(backend: str) -> None:
    objective = factorization()
    shards = [np.arange(0, 30, 2), np.arange(1, 30, 2)]
    plan = Plan(total_steps=6000, n_workers=2, n_threads=2, local_steps=5, seed=0)
    before = objective.value(objective.start(np.random.default_rng(0)))
    found = run(SGDProblem(objective, 0.05), shards, plan, backend=backend)
    assert objective.value(found.parameters) < 0.1 * before
    assert found.counters.merged == 6000


def test_a_worker_draws_from_its_own_shard() -> None:
    seen: list[int] = []

    def gradient(v: Any, samples: Any) -> Any:
        seen.extend(samples.tolist())
        return np.zeros_like(v)

    objective = FunctionObjective([0.0], 10, gradient)
    run(SGDProblem(objective, 1.0, batch_size=3), [[2, 5]], Plan(total_steps=40))
    assert set(seen) == {2, 5}
    assert len(seen) == 120


@settings(max_examples=20, deadline=None)
@given(st.floats(0.2, 1.0), st.integers(0, 3), st.integers(0, 1000))
def test_as_many_writes_are_lost_as_asked_for(
    kept: float, late: int, seed: int
) -> None:
    # A slope of 1 everywhere, so late reads make no difference to it.
    ones = FunctionObjective(np.zeros(2000), 1, lambda v, samples: np.ones_like(v))
    problem = SyntheticProcess(ones, 1.0, kept=kept, read_delay=late)
    found = run(problem, [None], Plan(total_steps=20, local_steps=5, seed=seed))
    assert -found.parameters.mean() / 20 == pytest.approx(kept, abs=0.02)


def test_late_reads_miss_only_the_last_steps() -> None:
    seen: list[float] = []

    def gradient(v: Any, samples: Any) -> Any:
        seen.append(-float(v.mean()))
        return np.ones_like(v)

    problem = SyntheticProcess(FunctionObjective(np.zeros(4000), 1, gradient), 1.0)
    for late in (0, 2):
        seen.clear()
        problem = SyntheticProcess(problem.objective, 1.0, read_delay=late)
        run(problem, [None], Plan(total_steps=5, local_steps=5))
        # Of each of the last `late` steps one half is seen.
        expected = [max(0, b - late) + 0.5 * min(b, late) for b in range(5)]
        assert seen == pytest.approx(expected, abs=0.05)


def test_replicates_are_runs_of_their_own() -> None:
    objective = RedescendingLocation(replicates=4)
    problem = SyntheticProcess(objective, 0.05)
    plan = Plan(total_steps=60, n_workers=2, local_steps=3, seed=1)
    one = run(problem, [None, None], plan, backend=Simulated(seed=1))
    two = run(problem, [None, None], plan, backend=Simulated(seed=1))
    assert one.parameters.tobytes() == two.parameters.tobytes()
    assert np.unique(one.parameters, axis=0).shape == (4, 8)


def test_threads_run_a_compiled_gradient_that_releases_the_gil() -> None:
    numba = pytest.importorskip("numba")
    targets = np.random.default_rng(0).normal(3.0, 1.0, size=(50, 4))

    @numba.njit(nogil=True)
    def gradient(v: Any, samples: Any) -> Any:
        total = np.zeros_like(v)
        for i in samples:
            total += v - targets[i]
        return total / samples.size

    objective = FunctionObjective(
        np.zeros(4), 50, gradient, value=lambda v: ((v - targets) ** 2).mean() * 2
    )
    at = np.ones(4)
    expected = numerical_gradient(objective.value, at)
    assert gradient(at, np.arange(50)) == pytest.approx(expected, abs=1e-6)
    plan = Plan(total_steps=4000, n_workers=2, n_threads=2, local_steps=10, seed=0)
    problem = SGDProblem(objective, 0.02, batch_size=2)
    found = run(problem, [None, None], plan, backend="local").parameters
    assert found == pytest.approx(targets.mean(axis=0), abs=0.5)
    assert objective.value(found) < 0.3 * objective.value(np.zeros(4))


def test_constants_need_the_value_of_an_objective_and_no_subclass() -> None:
    def gradient(v: Any, samples: Any) -> Any:
        return np.tanh(v - samples.mean())

    valued = FunctionObjective(
        [9.0], 3, gradient, value=lambda v: np.log(np.cosh(v - np.arange(3))).mean()
    )
    found = estimate_constants(valued, 0.05, steps=500)
    # |f''| is at most 1, and so is |f'|.
    assert 0.5 < found.smoothness <= 1.0 + 1e-9
    assert 0.9 < found.gradient_bound <= 1.0
    with pytest.raises(TypeError, match="give value="):
        estimate_constants(FunctionObjective([9.0], 3, gradient), 0.05, steps=500)


def test_values_out_of_range_are_refused() -> None:
    objective = factorization()
    with pytest.raises(ValueError, match="local_rate is inf"):
        SGDProblem(RedescendingLocation(), local_rate=np.inf)
    with pytest.raises(ValueError, match="n_samples is 0"):
        FunctionObjective([0.0], 0, lambda v, samples: v)
    with pytest.raises(TypeError, match=r"batch_size is 2\.0"):
        SGDProblem(objective, 0.1, batch_size=2.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="start has numbers that are not finite"):
        FunctionObjective([np.nan], 1, lambda v, samples: v)
    one = np.ones(1)
    for entries, message in [
        (([-1], [0], one, 1), "rows have -1"),
        (([0], [0.5], one, 1), "columns are of type float64"),
        (([[0]], [[0]], [one], 1), "of one dimension"),
        (([0], [0], [np.nan], 1), "values that are not finite"),
        (([0], [0], one, 0), "rank is 0"),
        (([0], [0], one, 1, -0.1), r"penalty is -0\.1"),
    ]:
        with pytest.raises(ValueError, match=message):
            MatrixFactorization(*entries)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="local_rate is 0"):
        SGDProblem(objective, 0.0)
    with pytest.raises(ValueError, match="kept is 0"):
        SyntheticProcess(objective, 0.1, kept=0.0)
    with pytest.raises(ValueError, match="read_delay is -1"):
        SyntheticProcess(objective, 0.1, read_delay=-1)
    with pytest.raises(ValueError, match="n_threads is 2"):
        run(SyntheticProcess(objective, 0.1), [None], Plan(total_steps=1, n_threads=2))
    with pytest.raises(ValueError, match=r"shape \(2,\), columns of shape \(1,\)"):
        MatrixFactorization(np.arange(2), np.arange(1), np.ones(2), rank=1)


@pytest.mark.parametrize(
    ("shard", "message"),
    [
        ([], r"shape \(0,\)"),
        ([True, False, True], "type bool.*the numbers of the samples"),
        ([0.7, 1.2], "type float64"),
        ([[0, 1]], r"shape \(1, 2\)"),
        ([-1], "the samples -1 to -1; there are those from 0 to 2"),
        ([0, 3], "the samples 0 to 3"),
    ],
)
def test_a_shard_is_numbers_of_samples(shard: Any, message: str) -> None:
    objective = FunctionObjective([0.0], 3, lambda v, samples: v)
    with pytest.raises(ValueError, match=message):
        run(SGDProblem(objective, 0.1), [shard], Plan(total_steps=1))


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid value")
@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_run_that_diverges_says_so(n_workers: int) -> None:
    objective = FunctionObjective([1.0], 1, lambda v, samples: v)
    plan = Plan(total_steps=4000, n_workers=n_workers, local_steps=50)
    with pytest.raises(FloatingPointError, match="diverges; lower the local rate 3"):
        run(SGDProblem(objective, 3.0), [None] * n_workers, plan)


def test_problems_travel() -> None:
    problem = SGDProblem(factorization(), 0.1)
    assert pickle.loads(pickle.dumps(problem)).local_rate == 0.1


class _Traced:
    """Least squares that notes what each step saw, and is slow to write it."""

    n_samples = 30

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._A, self._b = rng.normal(size=(30, 4)), rng.normal(size=30)
        # Of every step: its thread, the writes noted before and after it read, what it
        # read, and what it wrote.
        self.trace: list[tuple[int, int, int, Any, Any]] = []

    def start(self, rng: np.random.Generator) -> Any:
        return np.zeros(4)

    def gradient(self, parameters: Any, samples: Any) -> Any:
        raise AssertionError("steps are written by descend")

    def descend(self, parameters: Any, samples: Any, rate: float) -> None:
        before = len(self.trace)
        read = parameters.copy()
        after = len(self.trace)
        A, b = self._A[samples], self._b[samples]
        step = rate * A.T @ (A @ read - b) / len(samples)
        # The others write meanwhile.
        time.sleep(1e-3)
        parameters -= step
        self.trace.append((threading.get_ident(), before, after, read, step))


@pytest.mark.parametrize("n_threads", [1, 3])
def test_lock_free_steps_are_the_synthetic_process(n_threads: int) -> None:
    """Eq. 4 to 6 on a trace of real threads: what each saw, and what became of it."""
    objective = _Traced()
    plan = Plan(total_steps=60, n_threads=n_threads, local_steps=60, seed=0)
    problem = SGDProblem(objective, local_rate=0.05)
    found = run(problem, [None], plan).parameters
    trace = objective.trace
    assert len(trace) == 60
    # So few numbers are written at once: nothing is lost, whatever the order.
    whole = -np.cumsum([step for *_, step in trace], axis=0)
    assert found == pytest.approx(whole[-1], abs=1e-12)
    delays = []
    for place, (thread, known, noted, read, _) in enumerate(trace):
        sure = whole[known - 1] if known else np.zeros(4)
        # What others noted while it read may have been in, and the next of each, too.
        later: dict[int, list[Any]] = {}
        for number, (other, *_, step) in enumerate(trace[known:], known):
            steps = later.setdefault(other, [np.zeros(4)])
            if other != thread and (number < noted or len(steps) < 2 + noted - known):
                steps.append(step)
        reachable = itertools.product(
            *(np.cumsum(own, axis=0) for own in later.values())
        )
        assert any(
            read == pytest.approx(sure - np.sum(steps, axis=0), abs=1e-12)
            for steps in reachable
        )
        delays.append(place - known)
    # Reads are late by the writes of others, and only by theirs.
    assert (max(delays) > 0) == (n_threads > 1)


@pytest.mark.parametrize("replicates", [1, 3])
def test_a_worker_of_the_synthetic_process_draws_from_its_shard(
    replicates: int,
) -> None:
    objective = RedescendingLocation(n_samples=50, replicates=replicates)
    local = SyntheticProcess(objective, 0.1, batch_size=4).open_worker(
        [7, 9], 1, np.random.SeedSequence(0)
    )
    drawn = local.samples(np.random.default_rng(0))
    assert drawn.shape == (4, replicates)
    assert set(drawn.ravel().tolist()) == {7, 9}
