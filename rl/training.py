"""The one entry point: train an agent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Literal

from dpsvi.engine import constant
from dpsvi.engine.files import PathLike
from dpsvi.rl.bar import TrainingBar
from dpsvi.rl.environments import Env
from dpsvi.rl.extra import check_workers
from dpsvi.rl.logs import RunLog
from dpsvi.rl.monitor import TrainingProgress
from dpsvi.rl.networks import Network
from dpsvi.rl.optimisers import OptimiserName, ScheduleName
from dpsvi.rl.options import local_steps_for
from dpsvi.rl.placement import placement_for
from dpsvi.rl.protocol import Protocol
from dpsvi.rl.result import Result
from dpsvi.rl.trainer import Trainer

__all__ = ["train"]


def train(
    env: Env,
    *,
    total_steps: int | None = None,
    n_threads: int | None = None,
    n_workers: int | None = None,
    n_environments: int | None = None,
    n_steps: int | None = None,
    discount: float = 0.99,
    gae_lambda: float | None = None,
    optimiser: OptimiserName | None = None,
    learning_rate: float | None = None,
    schedule: ScheduleName = "linear",
    warm_up: int | None = None,
    entropy: float | None = None,
    value_coefficient: float | None = None,
    normalise_advantages: bool | None = None,
    n_passes: int | None = None,
    batch_size: int | None = None,
    clip: float = 0.2,
    max_gradient_norm: float | None = None,
    local_steps: int | Literal["auto"] = "auto",
    master_batch_size: int | None = None,
    global_learning_rate: float = 1.0,
    momentum: float = 0.0,
    aggregate: Literal["sum", "mean"] = "mean",
    max_staleness: int | None = None,
    synchronous: bool = False,
    network: Network | None = None,
    protocol: Protocol | None = None,
    seed: int | None = None,
    backend: Literal["auto", "local", "dask", "simulated"] = "auto",
    client: Any = None,
    max_time: float | None = None,
    target_score: float | None = None,
    callbacks: Sequence[Callable[[TrainingProgress], Any]] = (),
    evaluate_every: int | None = None,
    evaluation_episodes: int = 10,
    log_dir: PathLike | None = None,
    tensorboard: bool | None = None,
    checkpoint: PathLike | None = None,
    progress: bool = True,
) -> Result:
    """Train an agent by HSA2C (paper, Alg. 8 and 9).

    In this process, with a lock-free thread on every core; or, if there is a current
    Dask client, on its cluster with a worker of several threads on every machine.
    Ctrl-C ends the training and returns the agent so far. With one thread and a fixed
    seed every bit repeats; with more threads, or workers, their writes race.

    Where None stands for a default it depends on the kind of environment: see
    ``dpsvi.rl.options.DEFAULTS``.

    Parameters
    ----------
    env : str or callable
        A Gymnasium id, or a function without arguments that makes one environment.
        Actions must be discrete.
    total_steps : int or None, default=None
        Agent steps, over all environments. An Atari step is four frames. None: 200,000
        for vectors, 4,000,000 for screens.
    n_threads : int or None, default=None
        Lock-free threads per worker, p in the paper; None: one for each core.
    n_workers : int or None, default=None
        Asynchronous workers, n in the paper; None: one, or all of a cluster.
    n_environments : int or None, default=None
        Copies of the environment of each thread.
    n_steps : int or None, default=None
        Steps of a rollout in each copy, t_max in the paper.
    discount : float, default=0.99
        Of rewards a step later.
    gae_lambda : float or None, default=None
        1: the n-step returns of the paper; below, generalised advantages.
    optimiser : {"rmsprop", "adam", "sgd"} or None, default=None
        Local one; its statistics are shared between the threads of a worker.
    learning_rate : float or None, default=None
        Local, eta in the paper.
    schedule : {"linear", "constant"}, default="linear"
        Of the learning rate; "linear" falls to 0 at the end.
    warm_up : int or None, default=None
        Local steps over which the learning rate rises to begin with.
    entropy : float or None, default=None
        Coefficient of the entropy bonus, beta in the paper.
    value_coefficient : float or None, default=None
        Of half the squared error of the values.
    normalise_advantages : bool or None, default=None
        Scale the advantages of a rollout to mean 0 and deviation 1.
    n_passes : int or None, default=None
        Gradients that each sample of a rollout goes into. 1 is the paper's method; with
        more, policies are kept near the one that has acted, by clipped ratios as in PPO
        (Schulman et al. 2017): samples are worth more, and cost more.
    batch_size : int or None, default=None
        Samples of a gradient, K in the paper; as many as a rollout has, n_environments
        x n_steps, at most. None: 40 for screens, a whole rollout for vectors.
    clip : float, default=0.2
        How far such a ratio may be from 1 and still pull further.
    max_gradient_norm : float or None, default=None
        Longer gradients are shortened; infinity: they are not.
    local_steps : int or "auto", default="auto"
        Local updates per thread between pull and push, B in the paper.
    master_batch_size : int or None, default=None
        Update vectors per merge, M in the paper; None: the number of workers.
    global_learning_rate : float, default=1.0
        Of the master, rho in the paper.
    momentum : float, default=0.0
        Of the master's SGD. The paper uses one; its value is not known.
    aggregate : {"mean", "sum"}, default="mean"
        Of the M update vectors.
    max_staleness : int or None, default=None
        Updates staler than this many merges are dropped.
    synchronous : bool, default=False
        Workers wait until their update has been merged: nothing is stale, and every
        merge has one update of each.
    network : torch.nn.Module, callable or None, default=None
        A module whose forward returns logits and values, or what makes one from an
        `EnvironmentSpec`; None: Mnih et al. (2013) for images, two layers of 64 tanh
        units for vectors.
    protocol : Protocol or None, default=None
        Rules of the game; None: Mnih et al. (2015) for Atari.
    seed : int or None, default=None
        Of everything random; None: fresh.
    backend : {"auto", "local", "dask", "simulated"}, default="auto"
        Where to train.
    client : distributed.Client or None, default=None
        Whose cluster to train on.
    max_time : float or None, default=None
        Seconds after which the training ends, of this run.
    target_score : float or None, default=None
        End when the evaluation, or without `evaluate_every` the mean score of the last
        hundred training episodes, is as high.
    callbacks : sequence of callable, default=()
        Called with a `TrainingProgress` after each merge; returning True ends the
        training.
    evaluate_every : int or None, default=None
        Agent steps between two evaluations.
    evaluation_episodes : int, default=10
        Episodes of each.
    log_dir : path or None, default=None
        Folder of ``progress.csv``; None: ``runs/<env>-<time>``, or the same again if
        a training goes on. Without a checkpoint to go on from the table begins anew,
        and one that is there is moved to ``progress.old.csv``.
    tensorboard : bool or None, default=None
        Write there for TensorBoard, too; None: if it is installed and `log_dir` given.
    checkpoint : path or None, default=None
        Save weights, optimisers, recent scores and counters there, twice a minute and
        at the end; go on from there if the file exists. Environments begin new
        episodes then; time, table and history go on.
    progress : bool, default=True
        Show a progress bar if there is a terminal.

    Returns
    -------
    Result
        Agent, history, and by which rules it has played.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range, before any work starts.
    ImportError
        If a package is missing, here or on a worker.

    Warns
    -----
    RuntimeWarning
        Once, if the network dies: hardly any unit reacts, or it decides nothing.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = train(
    ...         "CartPole-v1", total_steps=2_000, n_threads=1, seed=0, log_dir=folder
    ...     )
    >>> result.steps >= 2_000, result.reason
    (True, 'completed')
    """
    place = placement_for(backend, n_workers, n_threads, client)
    if place.apart:
        # Atari comes along with whatever has an id.
        by_id = ("ale_py",) if isinstance(env, str) else ()
        check_workers(place.backend, ("torch", "gymnasium", *by_id))
    trainer = Trainer(
        env,
        network,
        protocol,
        total_steps=total_steps,
        constants={
            "n_environments": n_environments,
            "n_steps": n_steps,
            "discount": discount,
            "gae_lambda": gae_lambda,
            "optimiser": optimiser,
            "learning_rate": learning_rate,
            "schedule": schedule,
            "warm_up": warm_up,
            "entropy": entropy,
            "value_coefficient": value_coefficient,
            "normalise_advantages": normalise_advantages,
            "n_passes": n_passes,
            "batch_size": batch_size,
            "clip": clip,
            "max_gradient_norm": max_gradient_norm,
            "momentum": momentum,
        },
        checkpoint=checkpoint,
    )
    plan = trainer.plan(
        place,
        seed,
        local_steps=local_steps_for(
            local_steps, trainer.settings.updates, apart=place.apart
        ),
        master_batch_size=master_batch_size,
        max_time=max_time,
        max_staleness=max_staleness,
        synchronous=synchronous,
        global_rate=constant(global_learning_rate),
        aggregate=aggregate,
    )
    folder = trainer.folder if log_dir is None else Path(log_dir)
    if tensorboard is None and log_dir is None:
        tensorboard = False
    log = RunLog(folder, tensorboard=tensorboard, steps_before=trainer.steps_before)
    with ExitStack() as stack:
        monitor = trainer.monitor(
            log=stack.enter_context(log),
            callbacks=callbacks,
            evaluate=partial(trainer.score, episodes=evaluation_episodes),
            evaluate_every=evaluate_every,
            target_score=target_score,
            bar=stack.enter_context(TrainingBar()) if progress else None,
        )
        return trainer.run(plan, place, monitor, folder)
