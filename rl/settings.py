"""The constants of the method, as they travel to the workers."""

from __future__ import annotations

from dataclasses import dataclass, field

from dpsvi.rl.optimisers import OptimiserSettings, ScheduleName

__all__ = ["Settings"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Constants of HSA2C.

    Attributes
    ----------
    n_environments : int
        Of each thread.
    n_steps : int
        Steps of a rollout in each environment, t_max in the paper.
    discount : float
        Of later rewards.
    trace_decay : float
        Of generalised advantages; 1: plain n-step returns, as in the paper.
    entropy : float
        Coefficient of the bonus, beta in the paper.
    value_coefficient : float
        Of half the squared error of the values.
    normalise_advantages : bool
        Whether the advantages of a rollout get mean 0 and deviation 1.
    n_passes : int
        Over each rollout; 1 in the paper.
    batch_size : int or None
        Samples of a gradient, K in the paper; None: a whole rollout.
    clip : float
        How far a ratio of probabilities may move in several passes.
    learning_rate : float
        Local, eta in the paper.
    schedule : {"constant", "linear"}
        Of the local learning rate; "linear" falls to 0 at the end.
    warm_up : int
        Updates of a worker's optimiser over which its rate rises to begin with.
    optimiser : OptimiserSettings
        Local.
    momentum : float
        Of the master's SGD (Alg. 8); 0: none.
    total_local_steps : int
        Of the run, over all threads and workers: one gradient each.
    first_step : int
        Local steps done before, by a run that this one goes on from.
    """

    n_environments: int = 8
    n_steps: int = 5
    discount: float = 0.99
    trace_decay: float = 1.0
    entropy: float = 0.01
    value_coefficient: float = 0.5
    normalise_advantages: bool = False
    n_passes: int = 1
    batch_size: int | None = None
    clip: float = 0.2
    learning_rate: float = 7e-4
    schedule: ScheduleName = "constant"
    warm_up: int = 0
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    momentum: float = 0.0
    total_local_steps: int = 1
    first_step: int = 0

    @property
    def samples(self) -> int:
        """Agent steps of one rollout."""
        return self.n_environments * self.n_steps

    @property
    def updates(self) -> int:
        """Local steps, a gradient each, of one rollout."""
        batch_size = min(self.batch_size or self.samples, self.samples)
        return self.n_passes * -(-self.samples // batch_size)
