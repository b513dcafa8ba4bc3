"""The constants of an objective, measured on a short run."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dpsvi.engine import Plan, run
from dpsvi.engine.problems import Objective, SGDProblem
from dpsvi.theory.setting import Constants, check_count, check_positive

__all__ = ["estimate_constants"]

Array = npt.NDArray[Any]


class _Valued(Objective, Protocol):
    def value(self, parameters: Array) -> Any:
        """Return f."""


def estimate_constants(
    objective: _Valued,
    local_rate: float,
    *,
    steps: int = 2000,
    n_places: int = 20,
    n_gradients: int = 50,
    seed: int = 0,
) -> Constants:
    """Estimate L, V and Δ along a serial run of stochastic gradient descent.

    V is the longest sample gradient met. L is the largest change of a sample gradient
    over a distance, between places of the run and small random displacements of them.
    Δ is how far the run has come down. All three are thus what the run has seen, at
    most what they are: the longer the run, the better.

    Parameters
    ----------
    objective : Objective
        With a method ``value(parameters)`` that returns f.
    local_rate : float
        Of the run; it should make f fall.
    steps : int, default=2000
        Of the run.
    n_places : int, default=20
        Places along the run where gradients are looked at.
    n_gradients : int, default=50
        Sample gradients at each of them.
    seed : int, default=0
        Of the run and of the displacements.

    Returns
    -------
    Constants

    Raises
    ------
    ValueError
        If the run has not come down, or there are no gradients to speak of.

    Examples
    --------
    >>> from dpsvi.engine.problems import RedescendingLocation
    >>> objective = RedescendingLocation(n_dimensions=2)
    >>> found = estimate_constants(objective, 0.01)
    >>> 0.5 < found.smoothness / objective.smoothness <= 1.01
    True
    >>> 0.5 < found.gradient_bound / objective.gradient_bound <= 1.01
    True
    """
    for name, number in {"steps": steps, "n_places": n_places}.items():
        check_count(name, number, least=2)
    check_count("n_gradients", n_gradients, least=1)
    check_positive("local_rate", local_rate)
    places = _places(objective, local_rate, steps, n_places, seed)
    rng = np.random.default_rng(seed)
    smoothness = longest = 0.0
    for place, following in zip(places, [*places[1:], places[0]], strict=True):
        for sample in rng.integers(objective.n_samples, size=(n_gradients, 1)):
            gradient = objective.gradient(place, sample)
            longest = max(longest, _norm(gradient))
            near = place + 1e-3 * (1 + _norm(place)) * _direction(place, rng)
            for other in (near, following):
                change = _norm(objective.gradient(other, sample) - gradient)
                distance = _norm(other - place)
                if distance > 0:
                    smoothness = max(smoothness, change / distance)
    values = [float(np.mean(objective.value(place))) for place in places]
    gap = values[0] - min(values)
    if not (gap > 0 and smoothness > 0 and longest > 0):
        raise ValueError(
            f"f was {values[0]:.4g} and no less in {steps} steps of rate "
            f"{local_rate:g}; choose a rate with which it falls"
        )
    return Constants(smoothness=smoothness, gradient_bound=longest, gap=gap)


def _places(
    objective: Objective, rate: float, steps: int, n_places: int, seed: int
) -> list[Array]:
    """Return parameters along a serial run, beginning with its start."""
    every = max(1, steps // n_places)
    plan = Plan(total_steps=steps, local_steps=every, seed=seed)
    first, _ = plan.seeds()
    problem = SGDProblem(objective, rate)
    places = [problem.initial_parameters(np.random.default_rng(first))]
    run(
        problem,
        [None],
        plan,
        monitor=lambda progress: places.append(np.array(progress.parameters)),
    )
    return places


def _norm(array: Array) -> float:
    return float(np.linalg.norm(array))


def _direction(like: Array, rng: np.random.Generator) -> Array:
    drawn = rng.normal(size=like.shape)
    return drawn / np.linalg.norm(drawn)
