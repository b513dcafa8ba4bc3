"""Which environments an agent can play: discrete actions; vectors or images to see."""

from __future__ import annotations

from typing import Literal, TypeAlias

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

__all__ = ["Kind", "Numbers", "kind_of", "n_actions_of"]

Kind: TypeAlias = Literal["vector", "image"]
Numbers: TypeAlias = Literal["uint8", "float32"]


def n_actions_of(space: gymnasium.Space[object]) -> int:
    """Number of actions.

    Raises
    ------
    ValueError
        If actions are not discrete.
    """
    if isinstance(space, Discrete):
        return int(space.n)
    kind = "continuous" if isinstance(space, Box) else "of several parts"
    raise ValueError(
        f"the actions of this environment are {kind} ({space}), and agents choose "
        "among discrete actions; wrap it so that its action_space is "
        "gymnasium.spaces.Discrete."
    )


def kind_of(
    space: gymnasium.Space[object],
) -> tuple[Kind, tuple[int, ...], Numbers]:
    """Whether observations are vectors or images, their shape and type.

    Vectors of any numbers become float32. Images are uint8 with three dimensions.

    Raises
    ------
    ValueError
        If observations are neither.
    """
    if isinstance(space, Box):
        if len(space.shape) == 1:
            return "vector", space.shape, "float32"
        if len(space.shape) == 3 and space.dtype == np.uint8:
            return "image", space.shape, "uint8"
    raise ValueError(
        f"the observations of this environment are {space}, and agents see vectors (a "
        "Box of one dimension) or images (a Box of three dimensions and type uint8); "
        "wrap it, for instance in gymnasium.wrappers.FlattenObservation."
    )
