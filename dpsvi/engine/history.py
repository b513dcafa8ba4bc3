"""What a run leaves behind: a table with one row per merged version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["History"]

_SHOWN_ROWS = 5


class History:
    """A growing table of numbers with named columns.

    Every run fills the columns

    ==================  ============================================================
    time                seconds since the start of the run
    version             merges done
    steps               local steps merged
    amount              units of data merged (documents, frames)
    staleness_mean      of the pushes merged last, in versions
    staleness_max       of the same pushes
    bytes               sent over the network so far; 0 within one process
    monitor_time        seconds of `time` that were spent in the monitor
    ==================  ============================================================

    and problems and monitors add theirs. A row without a value for a column has nan
    there.

    Examples
    --------
    >>> history = History()
    >>> history.append(time=0.5, version=1)
    >>> history.append(time=1.0, version=2, perplexity=310.0)
    >>> history["perplexity"]
    array([ nan, 310.])
    >>> history
    time  version  perplexity
     0.5        1         nan
       1        2         310
    """

    def __init__(self) -> None:
        self._rows: list[dict[str, float]] = []
        # A dict for its order: columns stand as they first appeared.
        self._names: dict[str, None] = {}

    @classmethod
    def from_dict(cls, columns: Mapping[str, Sequence[float]]) -> History:
        """Build a history from the columns that `to_dict` gave.

        Raises
        ------
        ValueError
            If the columns are not of one length.
        """
        history = cls()
        for values in zip(*columns.values(), strict=True):
            history.append(**dict(zip(columns, values, strict=True)))
        return history

    def append(self, **values: float) -> None:
        """Add a row.

        Raises
        ------
        TypeError
            If a value is not a number.
        """
        self._rows.append(_numbers(values))
        self._names.update(dict.fromkeys(values))

    def amend(self, **values: float) -> None:
        """Add columns to the last row; errors as `append`."""
        self._rows[-1].update(_numbers(values))
        self._names.update(dict.fromkeys(values))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order of appearance."""
        return tuple(self._names)

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """Return one column as an ndarray of shape (n_rows,)."""
        if name not in self._names:
            raise KeyError(f"no column {name!r}; there are {', '.join(self.columns)}")
        return np.array([row.get(name, np.nan) for row in self._rows])

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[dict[str, float]]:
        """Iterate over the rows as dicts of the values they have."""
        return (dict(row) for row in self._rows)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, History):
            return NotImplemented
        return self.columns == other.columns and all(
            np.array_equal(self[name], other[name], equal_nan=True)
            for name in self.columns
        )

    __hash__ = None  # type: ignore[assignment]

    def to_dict(self) -> dict[str, list[float]]:
        """Return the columns as lists, nan where a row has no value."""
        return {name: self[name].tolist() for name in self.columns}

    def to_pandas(self) -> Any:
        """Return the table as a `pandas.DataFrame`.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "to_pandas needs pandas: pip install pandas, or use to_dict"
            ) from error
        return pd.DataFrame(self.to_dict())

    def __repr__(self) -> str:
        if not self._rows:
            return "History()"
        table = [list(self.columns)]
        for row in self._rows[-_SHOWN_ROWS:]:
            table.append([f"{row.get(name, np.nan):.6g}" for name in self.columns])
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(
                cell.rjust(width) for cell, width in zip(cells, widths, strict=True)
            )
            for cells in table
        ]
        if len(self) > _SHOWN_ROWS:
            lines.append(f"(last {_SHOWN_ROWS} of {len(self)} rows)")
        return "\n".join(lines)


def _numbers(values: dict[str, float]) -> dict[str, float]:
    for name, value in values.items():
        if not isinstance(value, (int, float, np.number)):
            raise TypeError(f"{name} is {value!r}; a history holds only numbers")
    return values
