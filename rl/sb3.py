"""Our agents under the tools of Stable-Baselines3.

    from stable_baselines3.common.evaluation import evaluate_policy
    evaluate_policy(ForStableBaselines(policy), their_environment)

Needs none of its packages: what its tools ask of a model is one method.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dpsvi.rl.policy import Policy
from dpsvi.rl.stepping import Observations

__all__ = ["ForStableBaselines"]


class ForStableBaselines:
    """A policy with the method `predict`.

    Parameters
    ----------
    policy : Policy
        The agent.
    seed : int or None, default=None
        Of random actions; None: fresh.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsvi.rl.environments import spec_of
    >>> from dpsvi.rl.policy import Policy
    >>> from dpsvi.rl.sb3 import ForStableBaselines
    >>> model = ForStableBaselines(Policy.untrained(spec_of("CartPole-v1")))
    >>> actions, state = model.predict(np.zeros((2, 4)), deterministic=True)
    >>> actions.shape, state
    ((2,), None)
    """

    def __init__(self, policy: Policy, *, seed: int | None = None) -> None:
        self.policy = policy
        self._generator = np.random.default_rng(seed)

    def predict(
        self,
        observation: npt.ArrayLike,
        state: tuple[Any, ...] | None = None,
        episode_start: npt.ArrayLike | None = None,
        deterministic: bool = False,
    ) -> tuple[npt.NDArray[np.int64], tuple[Any, ...] | None]:
        """Choose actions.

        Parameters
        ----------
        observation : array of shape (n, \\*observation_shape), or a single one
            Stacked screens may have their channels last, as theirs do.
        state : tuple or None, default=None
            Given back: our networks have no memory.
        episode_start : array or None, default=None
            Not needed, for the same reason.
        deterministic : bool, default=False
            Take the most probable action.

        Returns
        -------
        tuple
            int64 ndarray of shape (n,), or a single number in an array of no
            dimension; and `state`.
        """
        seen = np.asarray(observation)
        single = seen.ndim == len(self.policy.spec.observation_shape)
        batch = self._channels_first(seen[None] if single else seen)
        actions = self.policy.act(batch, deterministic, self._generator)
        return np.asarray(actions[0]) if single else actions, state

    def _channels_first(self, batch: Observations) -> Observations:
        shape = self.policy.spec.observation_shape
        turned = batch.ndim == 4 and batch.shape[1:] != shape
        return np.moveaxis(batch, -1, 1) if turned else batch
