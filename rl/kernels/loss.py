"""The gradient of the loss with respect to logits and values; see `dpsvi.rl.losses`."""

from __future__ import annotations

from typing import Any

import numpy as np

from dpsvi.compiling import FASTMATH, kernel

__all__ = ["differentiate"]


@kernel(fastmath=FASTMATH)
def differentiate(
    logits: Any,
    values: Any,
    samples: Any,
    constants: Any,
    to_logits: Any,
    to_values: Any,
) -> Any:
    """Fill the gradients of the mean loss, and return the mean entropy.

    Parameters
    ----------
    logits, to_logits : float32 ndarray of shape (n_rows, n_actions)
        Only the rows of samples are read and written.
    values, to_values : float32 ndarray of shape (n_rows, 1)
    samples : tuple of ndarray of shape (n_samples,)
        Actions, advantages, returns, log-probabilities of then.
    constants : tuple of float
        Of entropy and value, and the clip; see `dpsvi.rl.losses.LossConstants`.
    """
    actions, advantages, returns, before = samples
    bonus, value_coefficient, clip = constants
    n, n_actions = actions.size, logits.shape[1]
    total = 0.0
    logs = np.empty(n_actions, np.float64)
    for i in range(n):
        _log_softmax(logits[i], logs)
        entropy = 0.0
        for a in range(n_actions):
            # Not of an action that is ruled out, whose logarithm is infinite.
            if logs[a] != -np.inf:
                entropy -= np.exp(logs[a]) * logs[a]
        total += entropy
        pull = advantages[i] * _factor(
            logs[actions[i]] - before[i], advantages[i], clip
        )
        for a in range(n_actions):
            chance = np.exp(logs[a])
            slope = pull * (chance - (1.0 if a == actions[i] else 0.0))
            if logs[a] != -np.inf:
                slope += bonus * chance * (logs[a] + entropy)
            to_logits[i, a] = slope / n
        error = np.float64(values[i, 0]) - returns[i]
        to_values[i, 0] = value_coefficient * error / n
    return total / n


@kernel(fastmath=FASTMATH)
def _factor(log_ratio: Any, advantage: Any, clip: Any) -> Any:
    """By how much a sample counts more than one of the policy that has acted."""
    if clip < 0.0:
        return 1.0
    ratio = np.exp(np.float64(log_ratio))
    moved = ratio - 1.0 if advantage > 0 else 1.0 - ratio
    return 0.0 if moved > clip else ratio


@kernel(fastmath=FASTMATH)
def _log_softmax(logits: Any, out: Any) -> None:
    highest = logits.max()
    total = 0.0
    for a in range(logits.size):
        out[a] = np.float64(logits[a]) - highest
        total += np.exp(out[a])
    for a in range(logits.size):
        out[a] -= np.log(total)
