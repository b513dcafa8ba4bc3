"""Actions drawn from a policy, and how probable they were."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsvi.compiling import FASTMATH, kernel

__all__ = ["draw"]


def draw(
    logits: NDArray[np.float32], uniform: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Draw an action from each row of logits.

    Parameters
    ----------
    logits : ndarray of shape (n, n_actions)
        Unnormalised log-probabilities.
    uniform : ndarray of shape (n,)
        Random numbers in [0, 1).

    Returns
    -------
    actions : ndarray of shape (n,)
        -1 where the logits of a row say nothing: one is NaN, or infinitely high.
    log_probabilities : ndarray of shape (n,)
        Of these actions, in nats.

    Examples
    --------
    >>> logits = np.log(np.array([[1, 3], [1, 3]], dtype=np.float32))
    >>> actions, log_probabilities = draw(logits, np.array([0.24, 0.26]))
    >>> actions, np.exp(log_probabilities)
    (array([0, 1]), array([0.25, 0.75], dtype=float32))
    """
    actions = np.empty(len(logits), dtype=np.int64)
    logs = np.empty(len(logits), dtype=np.float32)
    _draw(np.ascontiguousarray(logits), uniform, actions, logs)
    return actions, logs


@kernel(fastmath=FASTMATH)
def _draw(logits: Any, uniform: Any, actions: Any, logs: Any) -> None:
    n, n_actions = logits.shape
    weights = np.empty(n_actions, np.float64)
    for i in range(n):
        highest = logits[i].max()
        total = 0.0
        for a in range(n_actions):
            weights[a] = np.exp(np.float64(logits[i, a] - highest))
            total += weights[a]
        actions[i] = -1
        if not np.isfinite(total):
            continue
        left = uniform[i] * total
        for a in range(n_actions):
            # Never one of probability 0, whatever rounding leaves at the end.
            if weights[a] > 0.0:
                actions[i] = a
                logs[i] = np.log(weights[a] / total)
                if left < weights[a]:
                    break
                left -= weights[a]
