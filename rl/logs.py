"""What is written beside a training: a CSV table always, TensorBoard on request."""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["COLUMNS", "RunLog", "default_folder"]

#: Columns of the table, in order.
COLUMNS = (
    "time",
    "steps",
    "steps_per_second",
    "score",
    "episodes",
    "length",
    "entropy",
    "value",
    "gradient_norm",
    "live_units",
    "value_spread",
    "staleness",
    "evaluation",
)


def default_folder(name: str) -> Path:
    """Return a new folder for a run on an environment: ``runs/<env>-<time>``."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-")
    return Path("runs") / f"{plain}-{time.strftime('%Y%m%d-%H%M%S')}"


class RunLog:
    """The files of one run; used as a context around it.

    Parameters
    ----------
    folder : path
        Made if need be. Holds ``progress.csv``, and TensorBoard's files.
    tensorboard : bool
        Whether to write for TensorBoard.

    Raises
    ------
    ImportError
        If TensorBoard is wanted and not installed.
    """

    def __init__(self, folder: Path, *, tensorboard: bool = False) -> None:
        self._writer = _summary_writer(folder) if tensorboard else None
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "progress.csv"
        # A run that goes on from a checkpoint goes on with its table.
        begun = self.path.exists() and self.path.stat().st_size > 0
        self._file = self.path.open("a", newline="", encoding="utf-8")
        self._table = csv.DictWriter(self._file, COLUMNS, restval="")
        if not begun:
            self._table.writeheader()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if self._writer is not None:
            self._writer.close()

    def write(self, row: Mapping[str, float]) -> None:
        """Add a row; columns without a value stay empty."""
        self._table.writerow({k: _short(v) for k, v in row.items() if k in COLUMNS})
        # Whoever looks at the file sees the last row, also after a crash.
        self._file.flush()
        if self._writer is not None:
            for name, value in row.items():
                self._writer.add_scalar(f"train/{name}", value, int(row["steps"]))


def _short(value: float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _summary_writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError(
            "tensorboard=True needs TensorBoard: pip install tensorboard; or read "
            "progress.csv, which is always written"
        ) from error
    return SummaryWriter(str(folder))
