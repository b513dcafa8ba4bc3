"""What is written beside a training: a CSV table always, and for TensorBoard."""

from __future__ import annotations

import csv
import math
import re
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dpsvi.engine.files import whole_file

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
_WHOLE = ("steps", "episodes")
_TEXT: dict[str, Any] = {"newline": "", "encoding": "utf-8"}


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
    tensorboard : bool or None, default=False
        Whether to write for TensorBoard; None: if it is installed.
    steps_before : int, default=0
        Agent steps done by an earlier run that this one goes on from. Of its table the
        rows up to there are kept: what a killed run wrote later is done again. 0: the
        table begins anew, and one that is there is moved to ``progress.old.csv``.

    Attributes
    ----------
    earlier : list of dict
        The rows that were kept; values by column, of those that have one.

    Raises
    ------
    ImportError
        If TensorBoard is wanted and not installed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tensorboard: bool | None = False,
        steps_before: int = 0,
    ) -> None:
        self._writer = _summary_writer(folder, tensorboard, steps_before)
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "progress.csv"
        self.earlier = _kept(self.path, steps_before) if steps_before else []
        if self.path.exists() and not steps_before:
            self.path.replace(folder / "progress.old.csv")
        with whole_file(self.path) as part, part.open(**_TEXT, mode="w") as file:
            table = csv.DictWriter(file, COLUMNS, restval="")
            table.writeheader()
            table.writerows(_in_short(row) for row in self.earlier)
        self._file = self.path.open(**_TEXT, mode="a")
        self._table = csv.DictWriter(self._file, COLUMNS, restval="")

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
        self._table.writerow(_in_short(row))
        # Whoever looks at the file sees the last row, also after a crash.
        self._file.flush()
        if self._writer is not None:
            for name, value in row.items():
                self._writer.add_scalar(f"train/{name}", value, int(row["steps"]))


def _in_short(row: Mapping[str, float]) -> dict[str, str]:
    return {k: _short(v) for k, v in row.items() if k in COLUMNS}


def _short(value: float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _kept(path: Path, steps: int) -> list[dict[str, float]]:
    """Rows of a table up to some number of steps."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = [_numbers(row) for row in csv.DictReader(file)]
    return [row for row in rows if row.get("steps", math.inf) <= steps]


def _numbers(row: Mapping[str | None, Any]) -> dict[str, float]:
    """Values of a row; nothing of one that a crash has cut short."""
    cells = {name: row.get(name) for name in COLUMNS}
    if None in cells.values():
        return {}
    try:
        found = {name: float(cell) for name, cell in cells.items() if cell}
    except ValueError:
        return {}
    # Without digits behind the point, and not rounded to six of them.
    whole = {name: int(found[name]) for name in _WHOLE if name in found}
    return {**found, **whole}


def _summary_writer(folder: Path, wanted: bool | None, steps_before: int) -> Any:
    if wanted is False:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        if wanted is None:
            return None
        raise ImportError(
            "tensorboard=True needs TensorBoard: pip install tensorboard; or read "
            "progress.csv, which is always written"
        ) from error
    # What a killed run wrote beyond its checkpoint is not shown.
    return SummaryWriter(str(folder), purge_step=steps_before + 1)
