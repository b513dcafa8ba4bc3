"""A fit on disk: written now and then, whole or not at all, and taken up again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

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
    settings : mapping
        Of the fit.
    """

    components: NDArray[np.floating]
    steps: int
    settings: Mapping[str, Any] = field(default_factory=dict)


class Checkpoint:
    """The file that a fit is saved to.

    Parameters
    ----------
    path : str or path
        An `.npz` file; its folder must exist.

    Raises
    ------
    ValueError
        If the folder does not exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._settings: dict[str, Any] = {}
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
            If the file is no checkpoint.
        """
        if not self.path.exists():
            return None
        try:
            with np.load(self.path, allow_pickle=False) as file:
                saved = Saved(
                    file["components"],
                    int(file["steps"]),
                    json.loads(str(file["settings"])),
                )
        except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
            raise ValueError(
                f"{str(self.path)!r} is no checkpoint ({error}); give another path"
            ) from error
        self._settings = dict(saved.settings)
        return saved

    def set(self, settings: Mapping[str, Any]) -> None:
        """Say what defines the fit: numbers and strings.

        Raises
        ------
        ValueError
            If the file is that of another fit.
        """
        then = {k: v for k, v in self._settings.items() if settings.get(k) != v}
        if then:
            now = {name: settings.get(name) for name in then}
            raise ValueError(
                f"{str(self.path)!r} is the checkpoint of a fit with {then}, and this "
                f"one has {now}; set the same, or give another path"
            )
        self._settings = dict(settings)

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
