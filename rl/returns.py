"""Returns and advantages of a rollout (paper Eq. 55, Alg. 9 lines 14-19).

A rollout is cut at its last step, and wherever an episode ends inside it. What comes
after a cut is worth

================  =================================================================
terminated        nothing
truncated         the value of the episode's final observation
still running     the value of the observation after the last step
================  =================================================================
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Targets", "generalised_advantages", "n_step_advantages", "normalised"]


class Targets(NamedTuple):
    """What a rollout teaches.

    Attributes
    ----------
    advantages : ndarray of shape (n_steps, n_environments)
        How much better the actions were than the policy's average, A in the paper.
    returns : ndarray of shape (n_steps, n_environments)
        What the values should have been, R in the paper.
    """

    advantages: NDArray[np.floating]
    returns: NDArray[np.floating]


def n_step_advantages(
    rewards: NDArray[np.floating],
    values: NDArray[np.floating],
    terminated: NDArray[np.bool_],
    truncated: NDArray[np.bool_],
    final_values: NDArray[np.floating],
    discount: float,
) -> Targets:
    """Return discounted n-step returns, and by how much they beat the values.

    The same as `generalised_advantages` with ``trace_decay=1.0``; see there.

    Examples
    --------
    Three steps of one environment, whose value after them is 8:

    >>> import numpy as np
    >>> rewards, values = np.ones((3, 1)), np.array([[0.0], [0.0], [0.0], [8.0]])
    >>> never, none = np.zeros((3, 1), dtype=bool), np.zeros((3, 1))
    >>> n_step_advantages(rewards, values, never, never, none, 0.5).returns.ravel()
    array([2.75, 3.5 , 5.  ])
    """
    return generalised_advantages(
        rewards, values, terminated, truncated, final_values, discount, 1.0
    )


def generalised_advantages(
    rewards: NDArray[np.floating],
    values: NDArray[np.floating],
    terminated: NDArray[np.bool_],
    truncated: NDArray[np.bool_],
    final_values: NDArray[np.floating],
    discount: float,
    trace_decay: float,
) -> Targets:
    """Return exponentially averaged n-step advantages (GAE, Schulman et al. 2016).

    Parameters
    ----------
    rewards : ndarray of shape (n_steps, n_environments)
        Received for the action of each step.
    values : ndarray of shape (n_steps + 1, n_environments)
        Of the observations that the actions answered, and of those after the last
        step. V in the paper.
    terminated, truncated : ndarray of bool of shape (n_steps, n_environments)
        Whether the episode ended with the step: for good, or was cut short.
    final_values : ndarray of shape (n_steps, n_environments)
        Value of the final observation where the episode was cut short; read nowhere
        else.
    discount : float
        In [0, 1], gamma in the literature.
    trace_decay : float
        In [0, 1], lambda in the literature. 1: n-step returns; 0: one-step returns.

    Returns
    -------
    Targets
        Advantages, and returns (advantages plus values), in new arrays.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a factor is not in [0, 1].
    """
    _check_shapes(rewards, values, terminated, truncated, final_values)
    _check_factor("discount", discount)
    _check_factor("trace_decay", trace_decay)
    n_steps = len(rewards)
    following = np.where(truncated, final_values, values[1:])
    following[terminated] = 0.0
    advantages = rewards + discount * following - values[:-1]
    # Nothing is passed back over the end of an episode.
    passed = (discount * trace_decay) * ~(terminated | truncated)
    passed = passed.astype(advantages.dtype, copy=False)
    for step in range(n_steps - 2, -1, -1):
        advantages[step] += passed[step] * advantages[step + 1]
    return Targets(advantages, advantages + values[:-1])


def normalised(advantages: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return advantages with mean 0 and standard deviation 1.

    Keeps the balance with the entropy bonus while rewards are rare and advantages
    tiny.
    """
    # In 64 bits, or those that are all alike would get a deviation of rounding.
    exact = advantages.astype(np.float64)
    scaled: NDArray[np.floating] = (exact - exact.mean()) / (exact.std() + 1e-8)
    return scaled.astype(advantages.dtype)


def _check_shapes(
    rewards: NDArray[Any], values: NDArray[Any], *others: NDArray[Any]
) -> None:
    n_steps, *rest = rewards.shape
    if len(rest) != 1 or n_steps < 1:
        raise ValueError(
            f"rewards has shape {rewards.shape}; it must be (n_steps, n_environments) "
            "with at least one step"
        )
    if values.shape != (n_steps + 1, *rest):
        raise ValueError(
            f"values has shape {values.shape} and rewards {rewards.shape}; values "
            "needs one row more, for the observations after the last step"
        )
    for array in others:
        if array.shape != rewards.shape:
            raise ValueError(
                f"an array has shape {array.shape}; it must be that of rewards, "
                f"{rewards.shape}"
            )


def _check_factor(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} is {value!r}; it must be between 0 and 1")
