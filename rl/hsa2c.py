"""HSA2C as a problem of the engine (paper Alg. 8 and 9).

=====================  =============================================================
engine                 here
=====================  =============================================================
thread                 an actor with environments, network and generator of its own
local step             a rollout, its gradient, one lock-free update: B of them
update vector          shared parameters of the worker minus those pulled
merge                  SGD with momentum on the sum or mean of M update vectors
=====================  =============================================================

The family of the paper, by parameters alone:

=========  ==========================================================================
A3C/PA3C   one worker: threads update the parameters of the master themselves
DA3C       workers of one thread, B = 1
DDRL A3C   likewise, synchronous: M = number of workers, who wait for the merge
A2C        one worker of one thread, B = 1
=========  ==========================================================================

As in the paper the statistics of RMSProp and Adam stay at the worker: what is pushed
is how far the parameters have moved. They come along only where a checkpoint is to
hold them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray
from torch import nn

from dpsvi.engine import Snapshot, Update
from dpsvi.rl.actor import Actor
from dpsvi.rl.environments import Env, EnvironmentSpec, make
from dpsvi.rl.memory import keep_freed_memory
from dpsvi.rl.networks import Network, network_for, vector_of
from dpsvi.rl.optimisers import (
    Vector,
    learning_rate_at,
    make_optimiser,
    new_state,
    warmed_up,
)
from dpsvi.rl.settings import Settings
from dpsvi.rl.tally import Tally, merged
from dpsvi.rl.torch_threads import one_torch_thread

__all__ = ["HSA2CProblem", "LocalHSA2C", "ModelParameters", "Movement"]


@dataclass
class ModelParameters:
    """What a run learns.

    Attributes
    ----------
    weights : ndarray of float32 of shape (n_parameters,)
        Of policy and value function, theta and theta_v in the paper.
    velocity : ndarray of float32 of shape (n_parameters,) or (0,)
        Of the master's momentum; empty without.
    statistics : ndarray of float32 of shape (n_statistics, n_parameters)
        Of a local optimiser: what workers start from.
    n_updates : ndarray of int64 of shape (1,)
        Local updates that these statistics have seen.
    """

    weights: Vector
    velocity: Vector
    statistics: Vector
    n_updates: NDArray[np.int64]


@dataclass(frozen=True)
class Movement:
    """What a round gives (Alg. 9 line 31).

    Attributes
    ----------
    weights : ndarray of float32 of shape (n_parameters,)
        How far the parameters have moved: local minus pulled.
    statistics : ndarray or None
        Of the local optimiser, if a checkpoint is to hold them.
    n_updates : int
        Updates that the local optimiser has done so far.
    """

    weights: Vector
    statistics: Vector | None
    n_updates: int


@dataclass(frozen=True)
class HSA2CProblem:
    """Hybrid synchronous/asynchronous advantage actor-critic, for the engine.

    Holds no open environment: every thread opens its own.

    Parameters
    ----------
    env : str or callable
        As `dpsvi.rl.environments.make` takes it.
    spec : EnvironmentSpec
        Of the environment, with its protocol.
    settings : Settings
        Constants of the method.
    network : torch.nn.Module, callable or None, default=None
        As `dpsvi.rl.networks.network_for` takes it.
    keep_statistics : bool, default=False
        Whether pushes carry the statistics of the optimiser, for checkpoints.
    """

    env: Env
    spec: EnvironmentSpec
    settings: Settings
    network: Network | None = None
    keep_statistics: bool = False

    @property
    def additive(self) -> bool:
        """Whether a lone worker may update the master's parameters themselves."""
        return self.settings.momentum == 0.0

    def initial_parameters(self, rng: np.random.Generator) -> ModelParameters:
        """Return a random network, and optimisers at rest."""
        seed = int(rng.integers(2**31))
        weights = vector_of(network_for(self.spec, self.network, seed=seed))
        rest = np.zeros(0 if self.additive else weights.size, dtype=np.float32)
        statistics = new_state(self.settings.optimiser, weights.size)
        return ModelParameters(weights, rest, statistics, np.zeros(1, dtype=np.int64))

    def open_worker(
        self, shard: Any, n_threads: int, seed: np.random.SeedSequence
    ) -> LocalHSA2C:
        """Open the environments of all threads; there is no shard to read."""
        return LocalHSA2C(self, n_threads, seed)

    def extract(
        self, parameters: ModelParameters, request: str | None
    ) -> ModelParameters:
        """Copy the weights alone ("weights"), or everything (None)."""
        copied = ModelParameters(
            parameters.weights.copy(),
            parameters.velocity[:0],
            parameters.statistics[:0],
            parameters.n_updates.copy(),
        )
        if request != "weights":
            copied.velocity = parameters.velocity.copy()
            copied.statistics = parameters.statistics.copy()
        return copied

    def merge(
        self,
        parameters: ModelParameters,
        payloads: Sequence[Movement],
        rates: Sequence[float],
    ) -> ModelParameters:
        """Alg. 8: SGD with momentum, on the update vectors of a batch."""
        step = np.zeros_like(parameters.weights)
        for payload, rate in zip(payloads, rates, strict=True):
            step += np.float32(rate) * payload.weights
            if payload.statistics is not None:
                parameters.statistics[:] = payload.statistics
                parameters.n_updates[0] = payload.n_updates
        if parameters.velocity.size:
            parameters.velocity *= np.float32(self.settings.momentum)
            parameters.velocity += step
            step = parameters.velocity
        parameters.weights += step
        return parameters

    def open_actor(self, network: nn.Module, seed: np.random.SeedSequence) -> Actor:
        """Open the environments of one thread, for a network of its own."""
        copies = make(
            self.env, self.settings.n_environments, protocol=self.spec.protocol
        )
        return Actor(copies, network, self.settings, seed)

    def combine(self, statistics: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """Add up what the pushes of a merge report: they are sums and counts."""
        return merged(statistics)


class LocalHSA2C:
    """HSA2C on one worker: p actors over one vector (Alg. 9)."""

    def __init__(
        self, problem: HSA2CProblem, n_threads: int, seed: np.random.SeedSequence
    ) -> None:
        keep_freed_memory()
        self._problem = problem
        self._seeds = seed.spawn(n_threads)
        self._networks = [
            network_for(problem.spec, problem.network) for _ in range(n_threads)
        ]
        self._actors: list[Actor | None] = [None] * n_threads
        # The engine drops a worker when it is done with it.
        finalize(self, _close, self._actors)
        self._weights = np.zeros(0, dtype=np.float32)
        self._statistics: Vector | None = None
        self._n_updates = np.zeros(1, dtype=np.int64)
        self._optimisers: list[Any] = []
        # Where the weights stood when they were pulled, or last pushed.
        self._pulled: Vector | None = None
        # Agent steps at the last update.
        self._acted = 0

    def request(self, n_steps: int) -> str | None:
        """Ask for everything the first time, then for the weights alone."""
        return None if self._statistics is None else "weights"

    def load(self, snapshot: Snapshot) -> None:
        """Take the weights: the master's own if shared, else a copy (lines 33-34)."""
        given: ModelParameters = snapshot.parameters
        if self._statistics is None:
            self._open_optimisers(given, shared=snapshot.shared)
        if snapshot.shared:
            self._pulled, self._weights = None, given.weights
        else:
            if self._weights.size != given.weights.size:
                self._weights = np.empty_like(given.weights)
            np.copyto(self._weights, given.weights)
            self._pulled = given.weights

    def catch_up(self, snapshot: Snapshot) -> None:
        """Take weights while the threads act on, and keep what they have written.

        What is replaced is no more than was pushed, so no update of another thread is
        lost but for two writes that meet, as everywhere.
        """
        weights = snapshot.parameters.weights
        self._weights += weights - self._pulled
        self._pulled = weights

    def run(self, thread: int, steps: Iterator[int]) -> None:
        """Alg. 9 lines 4-29: rollout, gradient, lock-free update."""
        settings = self._problem.settings
        optimiser = self._optimisers[thread]
        with one_torch_thread():
            for step in steps:
                actor = self._actor(thread)
                gradient = actor.differentiate(self._weights)
                # Lock-free like the rest; a count lost now and then does no harm.
                self._n_updates[0] += 1
                count = int(self._n_updates[0])
                rate = learning_rate_at(
                    settings.first_step + step,
                    settings.total_local_steps,
                    settings.learning_rate,
                    settings.schedule,
                )
                rate = warmed_up(rate, count, settings.warm_up)
                optimiser.step(self._weights, gradient, rate, count)

    def update(self) -> Update:
        """How far the weights have moved since they were pulled (line 31).

        Other threads may be acting on: what they do from now on is of the next update.
        """
        payload = None
        if self._pulled is not None:
            now = self._weights.copy()
            moved, self._pulled = now - self._pulled, now
            statistics = None
            if self._problem.keep_statistics and self._statistics is not None:
                statistics = self._statistics.copy()
            payload = Movement(moved, statistics, int(self._n_updates[0]))
        acted = sum(actor.n_acted for actor in self._open)
        before, self._acted = self._acted, acted
        return Update(payload, float(acted - before), self._tallied())

    def _tallied(self) -> dict[str, float]:
        """What the threads have counted since they were asked last."""
        tallies = []
        for actor in self._open:
            tallies.append(actor.tally.sums)
            actor.tally = Tally()
        return merged(tallies)

    @property
    def _open(self) -> list[Actor]:
        return [actor for actor in self._actors if actor is not None]

    def _actor(self, thread: int) -> Actor:
        """Open the thread's actor when it is first needed, beside the others."""
        actor = self._actors[thread]
        if actor is None:
            actor = self._problem.open_actor(
                self._networks[thread], self._seeds[thread]
            )
            self._actors[thread] = actor
        return actor

    def _open_optimisers(self, given: ModelParameters, *, shared: bool) -> None:
        """Start from the statistics that the parameters come with."""
        # Arrays that came over a network may be read-only; shared ones are kept, so
        # that a checkpoint finds in them what the threads have written.
        self._statistics = given.statistics if shared else given.statistics.copy()
        self._n_updates = given.n_updates if shared else given.n_updates.copy()
        self._optimisers = [
            make_optimiser(self._problem.settings.optimiser, self._statistics)
            for _ in self._actors
        ]


def _close(actors: Sequence[Actor | None]) -> None:
    for actor in actors:
        if actor is not None:
            actor.close()
