"""What an agent sees of environments: several copies, stepped together.

One interface hides how copies are run (a C++ pool for Atari, a loop for the rest) and
all questions of when an episode is over:

- a copy whose episode ended has begun the next one when `step` returns;
- *terminated*: no reward can follow, the value of what comes is zero;
- *truncated*: cut off by a limit, the value is that of the final observation;
- with ``episodic_life`` a lost life terminates, yet the game goes on, and its score is
  reported once, when it is over.
"""

from __future__ import annotations

import typing
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from dpsvi.rl.protocol import Protocol

__all__ = [
    "EnvironmentSpec",
    "Environments",
    "Episode",
    "Floats",
    "Observations",
    "Step",
]

Observations: typing.TypeAlias = npt.NDArray[Any]
Floats: typing.TypeAlias = npt.NDArray[np.float32]
Flags: typing.TypeAlias = npt.NDArray[np.bool_]
Actions: typing.TypeAlias = npt.NDArray[np.integer[Any]]


class Episode(NamedTuple):
    """A whole game that has ended.

    Attributes
    ----------
    score : float
        Sum of the raw, unclipped rewards, over all lives.
    length : int
        Agent steps.
    copy : int
        Which copy played it.
    """

    score: float
    length: int
    copy: int


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of n copies gives; arrays are new, nothing changes them later.

    Attributes
    ----------
    observations : ndarray of shape (n, \\*observation_shape)
        To act on next; of the new episode where one ended.
    rewards : float32 ndarray of shape (n,)
        To train on, clipped if the protocol says so.
    terminated : bool ndarray of shape (n,)
        Nothing of value comes after: an end, or a lost life with ``episodic_life``.
    truncated : bool ndarray of shape (n,)
        Cut off by a limit; never together with `terminated`.
    final_observations : ndarray of shape (n, \\*observation_shape) or None
        Rows of `truncated` copies hold the last observation of what was cut off; other
        rows mean nothing. None where nothing was cut off.
    finished : list of Episode
        Games that are over, in order of their copies.
    """

    observations: Observations
    rewards: Floats
    terminated: Flags
    truncated: Flags
    final_observations: Observations | None = None
    finished: list[Episode] = field(default_factory=list)


class Environments(typing.Protocol):
    """Several copies of an environment; belongs to one thread at a time.

    Attributes
    ----------
    n : int
        Copies.
    observation_shape : tuple of int
        Of one observation.
    observation_dtype : numpy dtype
        uint8 for screens, float32 for vectors.
    n_actions : int
        Actions are 0 .. n_actions - 1.
    """

    @property
    def n(self) -> int: ...
    @property
    def observation_shape(self) -> tuple[int, ...]: ...
    @property
    def observation_dtype(self) -> np.dtype[Any]: ...
    @property
    def n_actions(self) -> int: ...

    def reset(self, seed: int) -> Observations:
        """Begin new episodes everywhere; all that follows depends on the seed."""
        ...

    def step(self, actions: Actions) -> Step:
        """Do one action per copy, an integer array of shape (n,)."""
        ...

    def close(self) -> None:
        """Release everything; twice does no harm."""
        ...


@dataclass(frozen=True, kw_only=True)
class EnvironmentSpec:
    """What can be known of an environment without keeping it open; pickles.

    Attributes
    ----------
    name : str
        Its id, or the name of the function that makes it, with brackets.
    kind : {"atari", "vector", "image"}
        Atari games come as stacked grey screens, others as they are.
    observation_shape : tuple of int
        Of one observation.
    observation_dtype : str
        "uint8" or "float32".
    n_actions : int
        Number of discrete actions.
    action_meanings : tuple of str
        Names of the actions; empty if the environment gives none.
    protocol : Protocol
        The rules it is played by.
    """

    name: str
    kind: Literal["atari", "vector", "image"]
    observation_shape: tuple[int, ...]
    observation_dtype: Literal["uint8", "float32"]
    n_actions: int
    action_meanings: tuple[str, ...] = ()
    protocol: Protocol

    def describe(self) -> str:
        """Environment and rules in one line."""
        return f"{self.name}: {self.protocol.describe()}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EnvironmentSpec:
        """The way back from `to_dict`, lists for tuples allowed."""
        made = {
            **values,
            "observation_shape": tuple(values["observation_shape"]),
            "action_meanings": tuple(values["action_meanings"]),
            "protocol": Protocol(**values["protocol"]),
        }
        return cls(**made)


def copy_seeds(seed: int, n: int) -> list[int]:
    """A seed for each of n copies; copies of neighbouring seeds share none.

    >>> copy_seeds(0, 2) == copy_seeds(0, 3)[:2]
    True
    """
    # 31 bits: the emulator keeps a signed integer, and gives -1 a meaning.
    state = np.random.SeedSequence(seed).generate_state(n) & 0x7FFFFFFF
    return [int(word) for word in state]


def clipped(rewards: npt.ArrayLike, clip: bool) -> Floats:
    """Rewards to train on."""
    raw = np.asarray(rewards, dtype=np.float32)
    return np.clip(raw, -1.0, 1.0) if clip else raw
