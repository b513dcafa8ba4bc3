"""A training on disk: written now and then, whole or not at all, and taken up again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dpsvi.rl.files import PathLike, whole_file
from dpsvi.rl.hsa2c import ModelParameters

__all__ = ["Checkpoint", "Saved"]

# Seconds between two writings.
_EVERY = 60.0
_KIND = "dpsvi.rl checkpoint"


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds.

    Attributes
    ----------
    parameters : ModelParameters
        Weights, the master's momentum, the statistics of the local optimiser.
    steps : int
        Agent steps done.
    episodes : int
        Episodes finished.
    """

    parameters: ModelParameters
    steps: int
    episodes: int


class Checkpoint:
    """The file that a training is saved to.

    Parameters
    ----------
    path : str or path
        A safetensors file; its folder must exist.
    settings : mapping of str to str or number
        What defines the training; a file with other ones is refused.

    Raises
    ------
    ValueError
        If the folder does not exist.
    """

    def __init__(self, path: PathLike, settings: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self._settings = dict(settings)
        self._last = time.monotonic()
        if not self.path.parent.is_dir():
            raise ValueError(
                f"checkpoint is {str(path)!r}, and there is no folder "
                f"{str(self.path.parent)!r}; make it first"
            )

    def load(self) -> Saved | None:
        """Return what was saved; None if there is no file yet.

        Raises
        ------
        ValueError
            If the file is no checkpoint, or that of another training.
        """
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="numpy") as file:
                header = json.loads(file.metadata()["header"])
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            parameters = ModelParameters(**arrays)
        except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
            raise ValueError(
                f"{str(self.path)!r} is no checkpoint ({error}); give another path"
            ) from error
        self._check(header["settings"])
        return Saved(parameters, int(header["steps"]), int(header["episodes"]))

    def due(self) -> bool:
        """Say whether it is time to save again."""
        return time.monotonic() - self._last >= _EVERY

    def save(self, saved: Saved) -> None:
        """Write the file, in the place of the last one once it is complete."""
        parameters = saved.parameters
        header = {
            "kind": _KIND,
            "steps": saved.steps,
            "episodes": saved.episodes,
            "settings": self._settings,
        }
        content = save(
            {name: np.ascontiguousarray(a) for name, a in vars(parameters).items()},
            metadata={"header": json.dumps(header)},
        )
        with whole_file(self.path) as part, part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._last = time.monotonic()

    def _check(self, then: Mapping[str, Any]) -> None:
        differ = {k: v for k, v in then.items() if self._settings.get(k) != v}
        if differ:
            now = {name: self._settings.get(name) for name in differ}
            raise ValueError(
                f"{str(self.path)!r} is the checkpoint of a training with {differ}, "
                f"and this one has {now}; set the same, or give another path"
            )
