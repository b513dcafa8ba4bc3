"""A run on disk: written now and then, whole or not at all, and taken up again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from dpsvi.engine.files import PathLike, whole_file

__all__ = ["Checkpoint", "Saved"]

# Between two writings: seconds, and multiples of the time that the last one took.
_EVERY, _PAUSE = 30.0, 100.0


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds.

    Attributes
    ----------
    arrays : mapping of str to ndarray
        Parameters, and whatever else the run goes on from.
    counters : mapping of str to int
        How much has been done.
    settings : mapping
        What defines the run; filled in by `Checkpoint`.
    """

    arrays: Mapping[str, NDArray[Any]]
    counters: Mapping[str, int]
    settings: Mapping[str, Any] = field(default_factory=dict)


class Checkpoint:
    """The file that a run is saved to.

    Parameters
    ----------
    path : str or path
        An `.npz` file; its folder must exist.
    what : str, default="run"
        The run's name in messages.

    Attributes
    ----------
    saved : Saved or None
        What the file held to begin with; None if there was none.

    Raises
    ------
    ValueError
        If the folder does not exist, or the file is no checkpoint.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     new = Checkpoint(f"{folder}/run.npz")
    ...     new.save(Saved({"weights": np.ones(3)}, {"steps": 7}))
    ...     again = Checkpoint(f"{folder}/run.npz")
    >>> new.saved, again.saved.arrays["weights"].tolist(), again.saved.counters
    (None, [1.0, 1.0, 1.0], {'steps': 7})
    """

    def __init__(self, path: PathLike, what: str = "run") -> None:
        self.path = Path(path)
        self._what = what
        # When to save again.
        self._next = time.monotonic() + _EVERY
        if not self.path.parent.is_dir():
            raise ValueError(
                f"checkpoint is {str(path)!r}, and there is no folder "
                f"{str(self.path.parent)!r}; make it first"
            )
        self.saved = self._read()
        self._settings = dict(self.saved.settings) if self.saved else {}

    def _read(self) -> Saved | None:
        if not self.path.exists():
            return None
        try:
            # NumPy leaves a broken file open that it has opened itself.
            with self.path.open("rb") as file, np.load(file) as content:
                arrays = dict(content)
            header = json.loads(str(arrays.pop("header")))
            return Saved(arrays, header["counters"], header["settings"])
        except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
            raise ValueError(
                f"{str(self.path)!r} is no checkpoint ({error}); give another path"
            ) from error

    def define(self, settings: Mapping[str, Any]) -> None:
        """Say what defines the run: numbers, strings, and mappings of them.

        Raises
        ------
        ValueError
            If the file is that of another run.
        """
        then = {k: v for k, v in self._settings.items() if settings.get(k) != v}
        if then:
            now = {name: settings.get(name) for name in then}
            raise ValueError(
                f"{str(self.path)!r} is the checkpoint of a {self._what} with {then}, "
                f"and this one has {now}; set the same, or give another path"
            )
        self._settings = dict(settings)

    def due(self) -> bool:
        """Say whether it is time to save again."""
        return time.monotonic() >= self._next

    def save(self, saved: Saved) -> None:
        """Write the file, in the place of the last one once it is complete."""
        begun = time.monotonic()
        header = {"counters": dict(saved.counters), "settings": self._settings}
        with whole_file(self.path) as part, part.open("wb") as file:
            np.savez(file, header=np.array(json.dumps(header)), **saved.arrays)  # type: ignore[arg-type]
        now = time.monotonic()
        self._next = now + max(_EVERY, _PAUSE * (now - begun))

    @contextmanager
    def named_in_errors(self) -> Iterator[None]:
        """Tell the reader of an error where the run so far is to be found."""
        try:
            yield
        except Exception as error:
            if self.path.exists():
                error.add_note(
                    f"The {self._what} so far is in {str(self.path)!r}: do it again "
                    "with the same checkpoint= to go on from there."
                )
            raise
