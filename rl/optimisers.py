"""Local optimisers: lock-free steps on a flat vector that all threads share.

Every thread of a worker makes one from the same `State`: the statistics of RMSProp
and Adam are shared between the threads as the parameters are, and as in A3C (Mnih et
al. 2016). No lock: two threads at once may lose a write of one another, here and
there. A step is one pass over all vectors, without the GIL: what it costs is memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dpsvi.compiling import FASTMATH, kernel

__all__ = [
    "SGD",
    "Adam",
    "Optimiser",
    "OptimiserName",
    "OptimiserSettings",
    "RMSProp",
    "ScheduleName",
    "Vector",
    "check_optimiser",
    "clip_by_norm",
    "learning_rate_at",
    "make_optimiser",
    "new_state",
    "warmed_up",
]

Vector: TypeAlias = NDArray[np.float32]
OptimiserName: TypeAlias = Literal["sgd", "rmsprop", "adam"]
ScheduleName: TypeAlias = Literal["constant", "linear"]

_N_STATISTICS = {"sgd": 0, "rmsprop": 1, "adam": 2}


@dataclass(frozen=True)
class OptimiserSettings:
    """Which optimiser, and its constants.

    Attributes
    ----------
    name : {"sgd", "rmsprop", "adam"}
        Which one.
    decay : float
        Of the running mean of squared gradients; unused by SGD.
    momentum : float
        Of the running mean of gradients; Adam alone.
    epsilon : float
        Added to the root of the mean square.
    max_norm : float or None
        Longer gradients are shortened to this norm.
    """

    name: OptimiserName = "rmsprop"
    decay: float = 0.99
    momentum: float = 0.9
    epsilon: float = 1e-5
    max_norm: float | None = 0.5


def new_state(settings: OptimiserSettings, size: int) -> Vector:
    """Return the statistics that an optimiser starts from.

    Returns
    -------
    ndarray of float32 of shape (n_statistics, size)
        RMSProp: mean squares, which start at 1: from 0 the first steps would be
        ten times as long as later ones, which kills rectified units. Adam: mean
        gradients, mean squares. SGD: nothing.

    Raises
    ------
    ValueError
        If there is no such optimiser.
    """
    check_optimiser(settings.name)
    if settings.name == "rmsprop":
        return np.ones((1, size), dtype=np.float32)
    return np.zeros((_N_STATISTICS[settings.name], size), dtype=np.float32)


def check_optimiser(name: str) -> None:
    """Refuse an unknown name.

    Raises
    ------
    ValueError
        If there is no such optimiser.
    """
    if name not in _KINDS:
        raise ValueError(
            f"no optimiser {name!r}; choose one of {', '.join(sorted(_KINDS))}"
        )


class SGD:
    """w -= rate * gradient."""

    def __init__(self, settings: OptimiserSettings, state: Vector) -> None:
        """There is nothing to remember."""

    def step(self, weights: Vector, gradient: Vector, rate: float, count: int) -> None:
        """Move the weights in place; see `Optimiser`."""
        _sgd(weights, gradient, np.float32(rate))


class RMSProp:
    """Divides by the root of a running mean of squared gradients."""

    def __init__(self, settings: OptimiserSettings, state: Vector) -> None:
        self._square = state[0]
        self._decay = np.float32(settings.decay)
        self._epsilon = np.float32(settings.epsilon)

    def step(self, weights: Vector, gradient: Vector, rate: float, count: int) -> None:
        """Move the weights in place; see `Optimiser`."""
        constants = self._decay, np.float32(rate), self._epsilon
        _rmsprop(weights, gradient, self._square, *constants)


class Adam:
    """RMSProp with a running mean of gradients, both corrected for their start."""

    def __init__(self, settings: OptimiserSettings, state: Vector) -> None:
        self._mean, self._square = state
        self._momentum = np.float32(settings.momentum)
        self._decay = np.float32(settings.decay)
        self._epsilon = np.float32(settings.epsilon)

    def step(self, weights: Vector, gradient: Vector, rate: float, count: int) -> None:
        """Move the weights in place; see `Optimiser`."""
        length = np.float32(rate / (1.0 - float(self._momentum) ** count))
        widen = np.float32((1.0 - float(self._decay) ** count) ** -0.5)
        constants = self._momentum, self._decay, length, widen, self._epsilon
        _adam(weights, gradient, self._mean, self._square, *constants)


@kernel(fastmath=FASTMATH)
def _sgd(weights: Any, gradient: Any, rate: Any) -> None:
    for i in range(weights.size):
        weights[i] -= rate * gradient[i]


@kernel(fastmath=FASTMATH)
def _rmsprop(
    weights: Any, gradient: Any, square: Any, decay: Any, rate: Any, epsilon: Any
) -> None:
    one = np.float32(1)
    for i in range(weights.size):
        g = gradient[i]
        s = decay * square[i] + (one - decay) * g * g
        square[i] = s
        weights[i] -= rate * g / (np.sqrt(s) + epsilon)


@kernel(fastmath=FASTMATH)
def _adam(
    weights: Any,
    gradient: Any,
    mean: Any,
    square: Any,
    momentum: Any,
    decay: Any,
    length: Any,
    widen: Any,
    epsilon: Any,
) -> None:
    one = np.float32(1)
    for i in range(weights.size):
        g = gradient[i]
        m = momentum * mean[i] + (one - momentum) * g
        s = decay * square[i] + (one - decay) * g * g
        mean[i], square[i] = m, s
        weights[i] -= length * m / (np.sqrt(s) * widen + epsilon)


#: Any of them: ``step(weights, gradient, rate, count)`` moves the weights in place.
#: `count` is the number of the update, from 1, over all threads.
Optimiser: TypeAlias = SGD | RMSProp | Adam

_KINDS: dict[str, Callable[[OptimiserSettings, Vector], Optimiser]] = {
    "sgd": SGD,
    "rmsprop": RMSProp,
    "adam": Adam,
}


def make_optimiser(settings: OptimiserSettings, state: Vector) -> Optimiser:
    """Return one thread's optimiser over the statistics of all threads.

    Parameters
    ----------
    settings : OptimiserSettings
        Which one.
    state : ndarray of float32 of shape (n_statistics, size)
        From `new_state`; written in place by every step.

    Examples
    --------
    >>> settings = OptimiserSettings("sgd")
    >>> weights = np.ones(3, dtype=np.float32)
    >>> optimiser = make_optimiser(settings, new_state(settings, 3))
    >>> optimiser.step(weights, np.ones(3, dtype=np.float32), rate=0.5, count=1)
    >>> weights
    array([0.5, 0.5, 0.5], dtype=float32)
    """
    return _KINDS[settings.name](settings, state)


def clip_by_norm(gradient: Vector, max_norm: float | None) -> float:
    """Shorten a gradient in place to a norm if it is longer; return its old norm."""
    norm = float(np.sqrt(np.dot(gradient, gradient)))
    if max_norm is not None and norm > max_norm:
        gradient *= np.float32(max_norm / norm)
    return norm


def learning_rate_at(
    step: int,
    total_steps: int,
    rate: float,
    schedule: ScheduleName,
) -> float:
    """Return the learning rate of a local step, counted over all workers.

    Parameters
    ----------
    step, total_steps : int
        Which step, from 0, of how many.
    rate : float
        The highest.
    schedule : {"constant", "linear"}
        "linear" falls to 0 at the end of the run.

    Examples
    --------
    >>> learning_rate_at(75, 100, 1e-3, "linear")
    0.00025
    """
    return rate * max(0.0, 1.0 - step / total_steps) if schedule == "linear" else rate


def warmed_up(rate: float, count: int, warm_up: int) -> float:
    """Return a rate that rises with the updates that an optimiser has seen.

    While its statistics are young the steps of an optimiser are long, and may kill
    rectified units. A worker that joins late has young statistics, too.

    Parameters
    ----------
    rate : float
        In the end.
    count : int
        Number of the update, from 1, over all threads of the worker.
    warm_up : int
        Updates over which the rate rises; 0: none.

    Examples
    --------
    >>> warmed_up(1e-3, 1, warm_up=10), warmed_up(1e-3, 25, warm_up=10)
    (0.0001, 0.001)
    """
    return rate * min(1.0, count / warm_up) if warm_up else rate
