"""From the arguments of `train` to a run of the engine, and back to an agent."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from dpsvi.engine import Checkpoint, Placement, Plan, run
from dpsvi.engine import Result as EngineResult
from dpsvi.engine.files import PathLike
from dpsvi.rl.environments import Env, spec_of
from dpsvi.rl.evaluation import evaluate
from dpsvi.rl.hsa2c import HSA2CProblem, ModelParameters
from dpsvi.rl.logs import default_folder
from dpsvi.rl.monitor import RecentScores, TrainingMonitor
from dpsvi.rl.networks import Network, flatten, network_for
from dpsvi.rl.optimisers import Vector
from dpsvi.rl.options import settings_for, total_steps_for
from dpsvi.rl.policy import Policy, Provenance
from dpsvi.rl.protocol import Protocol
from dpsvi.rl.result import Result
from dpsvi.rl.settings import Settings

__all__ = ["Trainer"]


class Trainer:
    """One call of `train`; whatever is wrong is found on construction.

    Parameters
    ----------
    env, network, protocol
        As `dpsvi.rl.train` takes them.
    total_steps : int or None
        Agent steps to do; None: by the kind of environment.
    constants : mapping
        Of the method, as `dpsvi.rl.options.settings_for` takes them.
    checkpoint : path or None
        File to save to, and to go on from.
    """

    def __init__(
        self,
        env: Env,
        network: Network | None,
        protocol: Protocol | None,
        *,
        total_steps: int | None,
        constants: Mapping[str, Any],
        checkpoint: PathLike | None,
    ) -> None:
        self._env, self._network = env, network
        self.spec = spec_of(env, protocol=protocol)
        self.total_steps = total_steps_for(self.spec, total_steps)
        settings = settings_for(self.spec, constants, total_steps=self.total_steps)
        self._file: Checkpoint | None = None
        if checkpoint is not None:
            self._file = Checkpoint(checkpoint, "training")
            self._file.define(self._identity(settings))
        self._saved = self._file.saved if self._file is not None else None
        self.steps_before = self._saved.counters["steps"] if self._saved else 0
        settings = settings_for(
            self.spec,
            constants,
            total_steps=self.total_steps,
            steps_before=self.steps_before,
        )
        self.settings = settings
        self._problem = HSA2CProblem(
            env, self.spec, settings, network, keep_statistics=self._file is not None
        )

    @property
    def folder(self) -> Path:
        """Where the table goes if nobody says it: with that of an earlier run."""
        before = str(self._before("log_folder", ""))
        if before and Path(before).is_dir():
            return Path(before)
        return default_folder(self.spec.name)

    def _before(self, name: str, default: Any) -> Any:
        """What the checkpoint knows of the training so far."""
        return self._saved.arrays.get(name, default) if self._saved else default

    def plan(self, place: Placement, seed: int | None, **layout: Any) -> Plan:
        """Lay out the rest of the training; `layout`: more of `dpsvi.engine.Plan`."""
        done = self.settings.first_step
        return Plan(
            total_steps=max(0, self.settings.total_local_steps - done),
            n_workers=place.n_workers,
            n_threads=place.n_threads,
            seed=self._seed(seed),
            **layout,
        )

    def _seed(self, seed: int | None) -> int | None:
        """A training that goes on is not to see the same episodes again."""
        if seed is None or not self.steps_before:
            return seed
        mixed = np.random.SeedSequence([seed, self.steps_before])
        return int(mixed.generate_state(1)[0])

    def monitor(self, **options: Any) -> TrainingMonitor:
        """Watch this training; `options` as `TrainingMonitor` takes them."""
        episodes = self._saved.counters["episodes"] if self._saved else 0
        recent = np.asarray(self._before("recent_scores", ()), dtype=np.float64)
        return TrainingMonitor(
            total_steps=self.total_steps,
            steps_before=self.steps_before,
            seconds_before=float(self._before("seconds", 0.0)),
            scores=RecentScores(episodes, recent.tolist()),
            checkpoint=self._file,
            **options,
        )

    def score(self, weights: Vector, episodes: int) -> float:
        """Return the mean score of some whole games."""
        policy = Policy.from_vector(weights, self.spec, self._network)
        return evaluate(policy, self._env, episodes=episodes).mean

    def run(
        self, plan: Plan, place: Placement, monitor: TrainingMonitor, log_dir: Path
    ) -> Result:
        """Train; with a checkpoint, the end of the training is saved too."""
        with self._file.named_in_errors() if self._file else nullcontext():
            done = run(
                self._problem,
                [None] * plan.n_workers,
                plan,
                backend=place.backend,
                parameters=self._start(),
                monitor=monitor,
            )
        monitor.finish()
        steps = self.steps_before + int(done.counters.merged)
        if self._file is not None:
            self._file.save(monitor.saved(done.parameters, steps))
        return self._result(done, monitor, steps, log_dir)

    def _start(self) -> ModelParameters | None:
        if self._saved is None:
            return None
        names = [field.name for field in fields(ModelParameters)]
        return ModelParameters(**{name: self._saved.arrays[name] for name in names})

    def _identity(self, settings: Settings) -> dict[str, Any]:
        """What makes two trainings the same for a checkpoint."""
        return {
            "environment": self.spec.name,
            "protocol": self.spec.protocol.to_dict(),
            "n_parameters": flatten(network_for(self.spec, self._network)).n,
            "optimiser": settings.optimiser.name,
            # Without momentum there is no velocity to go on from.
            "momentum": settings.momentum,
        }

    def _result(
        self, done: EngineResult, monitor: TrainingMonitor, steps: int, log_dir: Path
    ) -> Result:
        parameters: ModelParameters = done.parameters
        score = monitor.score
        provenance = Provenance(
            steps=steps, score=score, settings=asdict(self.settings)
        )
        policy = Policy.from_vector(
            parameters.weights, self.spec, self._network, provenance
        )
        seconds = monitor.seconds
        return Result(
            policy=policy,
            history=monitor.history,
            reason=done.reason,
            steps=steps,
            episodes=monitor.episodes,
            seconds=seconds,
            throughput=done.counters.merged / seconds if seconds > 0 else 0.0,
            log_dir=log_dir,
        )
