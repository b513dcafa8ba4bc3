"""Atari games on ale-py's C++ vector environment, which releases the GIL.

What its settings mean was measured (tests/rl/test_atari.py keeps it so). Its own
`episodic_life` begins a new game at each lost life, so lives are counted here; its own
clipping would lose the scores, so rewards are clipped here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dpsvi.rl.protocol import Protocol
from dpsvi.rl.stepping import (
    Actions,
    EnvironmentSpec,
    Episode,
    Observations,
    Step,
    clipped,
    copy_seeds,
)

if TYPE_CHECKING:
    from ale_py.vector_env import AtariVectorEnv

__all__ = ["AtariEnvironments", "atari_spec", "open_emulators"]


class AtariEnvironments:
    """Copies of one Atari game; see `dpsvi.rl.stepping.Environments`.

    Parameters
    ----------
    game : str
        Name of the game's ROM, such as ``space_invaders``.
    n : int
        Copies.
    protocol : Protocol
        Rules of the game.
    n_threads : int, default=1
        C++ threads that step the copies. One, where a lock-free thread owns them.
    """

    def __init__(
        self, game: str, n: int, protocol: Protocol, *, n_threads: int = 1
    ) -> None:
        self._protocol = protocol
        self._emulators = open_emulators(game, n, protocol, n_threads=n_threads)
        self.n = n
        self.observation_shape = (
            protocol.frame_stack,
            protocol.screen,
            protocol.screen,
        )
        self.observation_dtype = np.dtype(np.uint8)
        self.n_actions = len(self._emulators.ale.get_action_set())
        self._begin(np.zeros(n, dtype=np.int32))

    def reset(self, seed: int) -> Observations:
        """Begin new games in all copies."""
        seeds = np.array(copy_seeds(seed, self.n))
        observations, info = self._emulators.reset(seed=seeds)
        self._begin(info["lives"])
        return np.asarray(observations)

    def step(self, actions: Actions) -> Step:
        """Hold each action for `frame_skip` frames."""
        observations, rewards, ended, cut, info = self._emulators.step(
            np.asarray(actions, dtype=np.int64)
        )
        self._scores += rewards
        self._lengths += 1
        over = ended | cut
        terminated = ended | self._lost_a_life(info["lives"], over)
        truncated = cut & ~terminated
        return Step(
            observations=observations,
            rewards=clipped(rewards, self._protocol.clip_rewards),
            terminated=terminated,
            truncated=truncated,
            final_observations=info["final_obs"] if truncated.any() else None,
            finished=self._finish(over) if over.any() else [],
        )

    def close(self) -> None:
        """Release the emulators."""
        self._emulators.close()

    def _begin(self, lives: npt.NDArray[np.int32]) -> None:
        self._lives = lives
        self._scores = np.zeros(self.n, dtype=np.float64)
        self._lengths = np.zeros(self.n, dtype=np.int64)

    def _lost_a_life(
        self, lives: npt.NDArray[np.int32], over: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        # Where a game is over, `lives` are those of the next one.
        lost = (lives < self._lives) & ~over
        self._lives = lives
        return lost & self._protocol.episodic_life

    def _finish(self, over: npt.NDArray[np.bool_]) -> list[Episode]:
        finished = [
            Episode(float(self._scores[i]), int(self._lengths[i]), int(i))
            for i in np.flatnonzero(over)
        ]
        self._scores[over] = 0.0
        self._lengths[over] = 0
        return finished


def open_emulators(
    game: str,
    n: int,
    protocol: Protocol,
    *,
    n_threads: int = 1,
    coloured: bool = False,
) -> AtariVectorEnv:
    """Start n emulators of a game.

    Parameters
    ----------
    coloured : bool, default=False
        Whole screens in colour, one at a time, instead of what an agent sees. Given
        the same seed and actions, the game is the same.
    """
    from ale_py.vector_env import AtariVectorEnv
    from gymnasium.vector import AutoresetMode

    return AtariVectorEnv(
        game,
        n,
        num_threads=n_threads,
        autoreset_mode=AutoresetMode.SAME_STEP,
        max_num_frames_per_episode=protocol.max_episode_frames or _NO_LIMIT,
        repeat_action_probability=protocol.sticky,
        full_action_space=protocol.full_action_space,
        frameskip=protocol.frame_skip,
        noop_max=protocol.noop_max,
        use_fire_reset=protocol.fire_reset,
        episodic_life=False,
        life_loss_info=False,
        reward_clipping=False,
        **(_COLOURED if coloured else _seen_by_agents(protocol)),
    )


def atari_spec(name: str, game: str, protocol: Protocol) -> EnvironmentSpec:
    """What is known of a game; starts an emulator for a moment."""
    emulators = open_emulators(game, 1, protocol)
    try:
        actions = emulators.ale.get_action_set()
    finally:
        emulators.close()
    return EnvironmentSpec(
        name=name,
        kind="atari",
        observation_shape=(protocol.frame_stack, protocol.screen, protocol.screen),
        observation_dtype="uint8",
        n_actions=len(actions),
        action_meanings=tuple(action.name for action in actions),
        protocol=protocol,
    )


_NO_LIMIT = 2**31 - 1
_COLOURED: dict[str, Any] = {
    "grayscale": False,
    "img_height": 210,
    "img_width": 160,
    "stack_num": 1,
}


def _seen_by_agents(protocol: Protocol) -> dict[str, Any]:
    return {
        "grayscale": True,
        "img_height": protocol.screen,
        "img_width": protocol.screen,
        "stack_num": protocol.frame_stack,
    }
