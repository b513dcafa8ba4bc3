"""Pictures of an episode, beside what the agent sees of it."""

from __future__ import annotations

import typing
from typing import Any

import numpy as np
import numpy.typing as npt

from dpsvi.rl.atari import AtariEnvironments, open_emulators
from dpsvi.rl.environments import Env, Environments, make
from dpsvi.rl.protocol import Protocol
from dpsvi.rl.registry import atari_game, maker_of, name_of, packages_of
from dpsvi.rl.stepping import Actions, Observations, Step, copy_seeds
from dpsvi.rl.vector import AnyEnv, GymnasiumEnvironments

__all__ = ["Frame", "Stage", "open_stage"]

Frame = npt.NDArray[np.uint8]

# Of the console; the picture changes once per agent step.
_ATARI_FRAMES_PER_SECOND = 60


class Stage(typing.Protocol):
    """One copy of an environment, with a picture of its present state.

    Attributes
    ----------
    environments : Environments
        The copy; its spaces are those of the agent.
    fps : float
        Agent steps per second at natural speed.
    """

    @property
    def environments(self) -> Environments: ...
    @property
    def fps(self) -> float: ...

    def reset(self, seed: int) -> Observations:
        """As `Environments.reset`."""
        ...

    def step(self, actions: Actions) -> Step:
        """As `Environments.step`."""
        ...

    def frame(self) -> Frame:
        """Picture in colour, of shape (height, width, 3)."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...


def open_stage(env: Env, protocol: Protocol) -> Stage:
    """Open one copy to be filmed; parameters and errors as `environments.make`."""
    game = atari_game(env)
    return _AtariStage(game, protocol) if game else _GymnasiumStage(env, protocol)


class _AtariStage:
    """Two emulators with the same seed and actions: one is seen, the other filmed."""

    def __init__(self, game: str, protocol: Protocol) -> None:
        self.environments = AtariEnvironments(game, 1, protocol)
        self._filmed = open_emulators(game, 1, protocol, coloured=True)
        self._screen: Observations = np.zeros((1, 1, 210, 160, 3), np.uint8)
        self.fps = _ATARI_FRAMES_PER_SECOND / protocol.frame_skip

    def reset(self, seed: int) -> Observations:
        self._screen, _ = self._filmed.reset(seed=np.array(copy_seeds(seed, 1)))
        return self.environments.reset(seed)

    def step(self, actions: Actions) -> Step:
        self._screen, *_ = self._filmed.step(np.asarray(actions, dtype=np.int64))
        return self.environments.step(actions)

    def frame(self) -> Frame:
        frame: Frame = self._screen[0, 0]
        return frame

    def close(self) -> None:
        self._filmed.close()
        self.environments.close()


class _GymnasiumStage:
    """An environment that draws itself."""

    def __init__(self, env: Env, protocol: Protocol) -> None:
        self._name = name_of(env)
        # Refuses what does not apply, before anything is drawn.
        make(env, 1, protocol=protocol).close()
        copies: list[AnyEnv] = []

        def make_one() -> AnyEnv:
            copies.append(maker_of(env, render_mode="rgb_array")())
            return copies[0]

        self.environments = GymnasiumEnvironments(make_one, 1, protocol)
        self._copy = copies[0]
        self.fps = float(self._copy.metadata.get("render_fps") or 30)
        self._refuse_invisible()

    def reset(self, seed: int) -> Observations:
        return self.environments.reset(seed)

    def step(self, actions: Actions) -> Step:
        return self.environments.step(actions)

    def frame(self) -> Frame:
        with packages_of(self._name):
            drawn: Any = self._copy.render()
        return np.asarray(drawn, dtype=np.uint8)

    def close(self) -> None:
        self.environments.close()

    def _refuse_invisible(self) -> None:
        if self._copy.render_mode != "rgb_array":
            mode = self._copy.render_mode
            self.close()
            raise ValueError(
                f"{self._name} cannot be recorded: its render_mode is {mode!r}, and "
                "pictures come from 'rgb_array'; make it with that mode."
            )
