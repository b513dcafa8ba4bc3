"""A fit on disk: written now and then, whole or not at all, and taken up again."""

from __future__ import annotations

import json
import os
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Checkpoint", "Saved"]

# Seconds between two writings.
_EVERY = 30.0


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds.

    Attributes
    ----------
    components : ndarray of shape (n_topics, n_words)
        λ.
    steps : int
        Local steps done.
    """

    components: NDArray[np.floating]
    steps: int


class Checkpoint:
    """The file that a fit is saved to.

    Parameters
    ----------
    path : str or path
        An `.npz` file; its folder must exist.
    settings : mapping
        What must be the same for a fit to go on: numbers and strings.

    Raises
    ------
    ValueError
        If the folder does not exist.
    """

    def __init__(self, path: str | os.PathLike[str], settings: Mapping[str, Any]):
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
            If the file is no checkpoint, or that of another fit.
        """
        if not self.path.exists():
            return None
        try:
            with np.load(self.path, allow_pickle=False) as file:
                settings = json.loads(str(file["settings"]))
                saved = Saved(file["components"], int(file["steps"]))
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{str(self.path)!r} is no checkpoint ({error}); give another path"
            ) from error
        other = {
            name: value
            for name, value in settings.items()
            if self._settings.get(name) != value
        }
        if other:
            here = {name: self._settings.get(name) for name in other}
            raise ValueError(
                f"{str(self.path)!r} is the checkpoint of a fit with {other}, and this "
                f"one has {here}; set the same, or give another path"
            )
        return saved

    def due(self) -> bool:
        """Say whether it is time to save again."""
        return time.monotonic() - self._last >= _EVERY

    def save(self, saved: Saved) -> None:
        """Write the file, in the place of the last one once it is complete."""
        part = self.path.with_name(self.path.name + ".part")
        with part.open("wb") as file:
            np.savez(
                file,
                components=saved.components,
                steps=saved.steps,
                settings=json.dumps(self._settings),
            )
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)
        self._last = time.monotonic()
