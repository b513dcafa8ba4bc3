"""DPSGD on a finite sum (Alg. 1 and 2): the paper to the letter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dpsvi.engine.plan import check_integer
from dpsvi.engine.problem import Snapshot, Update

__all__ = ["Array", "FunctionObjective", "LocalSGD", "Objective", "SGDProblem"]

Array = npt.NDArray[Any]


class Objective(Protocol):
    """A finite sum f = (1/N) Σ f_i to be minimised. Picklable."""

    @property
    def n_samples(self) -> int:
        """N, the number of terms."""

    def start(self, rng: np.random.Generator) -> Array:
        """Return the parameters v_1 to start from, of any shape."""

    def gradient(self, parameters: Array, samples: npt.NDArray[np.intp]) -> Array:
        """Return the gradient of the mean of some terms.

        Called by all threads at once, while others write into `parameters`. It should
        release the GIL in the heavy part, as NumPy does and a Numba function does that
        is compiled with ``nogil=True``.

        Parameters
        ----------
        parameters : ndarray
            Where; not to be changed.
        samples : ndarray of shape (batch_size,)
            Which terms: numbers below N.

        Returns
        -------
        ndarray of the shape of `parameters`
        """


class SparseObjective(Objective, Protocol):
    """What an `Objective` may have besides, if its gradients touch few places."""

    def descend(
        self, parameters: Array, samples: npt.NDArray[np.intp], rate: float
    ) -> None:
        """Step in place, and write only where the gradient is not 0."""


class FunctionObjective:
    """An objective from a function that returns gradients.

    Parameters
    ----------
    start : ndarray
        Where to start.
    n_samples : int
        N.
    gradient : callable
        From parameters and the numbers of samples to the gradient of their mean; see
        `Objective.gradient`. NumPy, Numba, or anything that gives an array.
    value : callable or None, default=None
        From parameters to f. No run needs it; `dpsvi.theory.estimate_constants` does.

    Raises
    ------
    TypeError, ValueError
        If `n_samples` is no integer or below 1, or `start` is not finite.

    Examples
    --------
    >>> objective = FunctionObjective(
    ...     [0.0], 1, lambda v, samples: v - 3, value=lambda v: (v - 3) @ (v - 3) / 2
    ... )
    >>> objective.value(np.zeros(1))
    4.5
    """

    def __init__(
        self,
        start: npt.ArrayLike,
        n_samples: int,
        gradient: Callable[[Array, npt.NDArray[np.intp]], Array],
        value: Callable[[Array], float] | None = None,
    ) -> None:
        check_integer("n_samples", n_samples, least=1)
        self._start = np.array(start, dtype=float)
        if not np.isfinite(self._start).all():
            raise ValueError("start has numbers that are not finite; give another one")
        self.n_samples, self.gradient, self._value = n_samples, gradient, value

    def start(self, rng: np.random.Generator) -> Array:
        """Return a copy of where to start."""
        return self._start.copy()

    def value(self, parameters: Array) -> float:
        """Return f, if the function was given.

        Raises
        ------
        TypeError
            If it was not.
        """
        if self._value is None:
            raise TypeError("this objective has no value; give value= from v to f(v)")
        return float(self._value(parameters))


@dataclass(frozen=True)
class SGDProblem:
    """DPSGD on an objective, as a `Problem` of the engine.

    Each step takes samples at random, reads the shared array without a lock, and
    writes ``u -= local_rate * gradient`` into it. A push is how far the round has
    moved, pulled minus local; the master subtracts it times its global rate.

    Attributes
    ----------
    objective : Objective
        What to minimise. It travels to the workers with its data.
    local_rate : float
        η, of every step.
    batch_size : int, default=1
        Samples of a step, drawn with replacement.

    Raises
    ------
    TypeError, ValueError
        If `local_rate` is not finite and above 0, or `batch_size` is no integer or
        below 1.

    Notes
    -----
    A shard is an array of sample numbers, 0 to N - 1, from which a worker draws; None
    stands for all of them. The samples themselves are the objective's.
    """

    objective: Objective
    local_rate: float
    batch_size: int = 1

    #: What the amount of an update counts.
    unit = "samples"

    def __post_init__(self) -> None:
        if not 0 < self.local_rate < np.inf:
            raise ValueError(
                f"local_rate is {self.local_rate!r}; it must be finite and above 0"
            )
        check_integer("batch_size", self.batch_size, least=1)

    @property
    def additive(self) -> bool:
        """Updates are sums of steps."""
        return True

    def initial_parameters(self, rng: np.random.Generator) -> Array:
        """Return where the objective starts."""
        return self.objective.start(rng)

    def open_worker(
        self, shard: Any, n_threads: int, seed: np.random.SeedSequence
    ) -> LocalSGD:
        """Open the problem on sample numbers, or on all samples.

        Raises
        ------
        ValueError
            If a shard is not an array of integers, has none, or one out of range.
        """
        return LocalSGD(self, shard, seed.spawn(n_threads))

    def merge(
        self, parameters: Array, payloads: Sequence[Array], rates: Sequence[float]
    ) -> Array:
        """Alg. 1 line 4: v <- v - ρ Σ updates."""
        for payload, rate in zip(payloads, rates, strict=True):
            parameters -= rate * payload
        return parameters


def _sample_numbers(shard: Any, n_samples: int) -> npt.NDArray[np.intp]:
    """Check a shard, and return it as an array."""
    found = np.asarray(shard)
    is_list = found.ndim == 1 and found.size > 0
    if not is_list or found.dtype.kind not in "iu":
        raise ValueError(
            f"a shard is an array of shape {found.shape} and type {found.dtype}; give "
            "the numbers of the samples that are the worker's own, as integers, or "
            "None for all"
        )
    if found.min() < 0 or found.max() >= n_samples:
        raise ValueError(
            f"a shard has the samples {found.min()} to {found.max()}; there are those "
            f"from 0 to {n_samples - 1}"
        )
    return found.astype(np.intp)


class LocalSGD:
    """One worker of `SGDProblem` (Alg. 2)."""

    def __init__(
        self,
        problem: SGDProblem,
        shard: Any,
        seeds: Sequence[np.random.SeedSequence],
    ) -> None:
        self._problem = problem
        self._shard = None
        if shard is not None:
            self._shard = _sample_numbers(shard, problem.objective.n_samples)
        self._generators = [np.random.default_rng(seed) for seed in seeds]
        self._done = [0] * len(seeds)
        # Steps since the array shared with the master was looked at.
        self._unseen = 0
        # u and w in the paper: the shared array, and what was pulled.
        self.shared = np.zeros(0)
        self._pulled: Array | None = None

    def load(self, snapshot: Snapshot) -> None:
        """Alg. 2 line 3."""
        self._done = [0] * len(self._done)
        if snapshot.shared:
            self.shared, self._pulled = snapshot.parameters, None
        else:
            self._pulled = snapshot.parameters
            self.shared = np.array(self._pulled)

    def run(self, thread: int, steps: Iterator[int]) -> None:
        """Alg. 2 lines 4-9 on one thread."""
        for _ in steps:
            self.step(self.samples(self._generators[thread]), thread)
            self._done[thread] += 1

    def step(self, samples: npt.NDArray[np.intp], thread: int) -> None:
        """Read without a lock, write without a lock (Alg. 2 lines 6-8)."""
        objective, rate = self._problem.objective, self._problem.local_rate
        descend = getattr(objective, "descend", None)
        if descend is not None:
            descend(self.shared, samples, rate)
        else:
            self.shared -= rate * objective.gradient(self.shared, samples)

    def samples(self, rng: np.random.Generator) -> npt.NDArray[np.intp]:
        """Draw the samples of a step."""
        return self.draw(rng, (self._problem.batch_size,))

    def draw(
        self, rng: np.random.Generator, size: tuple[int, ...]
    ) -> npt.NDArray[np.intp]:
        """Draw so many samples of the shard."""
        if self._shard is None:
            return rng.integers(self._problem.objective.n_samples, size=size)
        return self._shard[rng.integers(self._shard.size, size=size)]

    def update(self) -> Update:
        """Alg. 2 line 10: how far the round has come.

        Raises
        ------
        FloatingPointError
            If numbers are found that are not finite. Where the array is the master's,
            steps may touch little of it, and it is looked at now and then.
        """
        n_done = sum(self._done)
        self._unseen += n_done
        if self._pulled is not None or self._unseen >= self.shared.size:
            self._unseen = 0
            self._check_finite()
        amount = float(n_done * self._problem.batch_size)
        if self._pulled is None:
            return Update(None, amount)
        return Update(self._pulled - self.shared, amount)

    def _check_finite(self) -> None:
        if not np.isfinite(self.shared).all():
            raise FloatingPointError(
                "the parameters are no longer finite: the run diverges; lower the "
                f"local rate {self._problem.local_rate:g}, or the global one"
            )
