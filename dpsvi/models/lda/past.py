"""What a fit must know of its past, to go on as if it had never stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dpsvi.engine import History, Saved
from dpsvi.models.conjugate import NaturalParameters
from dpsvi.models.lda.priors import TopicParameters, arrays_of
from dpsvi.models.lda.settings import LDASettings

__all__ = ["Past", "Watched", "history_of", "restored"]


@dataclass
class Watched:
    """What has been measured so far, and when to measure next.

    Attributes
    ----------
    next_measurement : float
        Documents seen when held-out perplexity is measured again.
    best, latest : float
        Held-out perplexities; inf and nan before the first.
    fruitless : float
        Measurements since the best one.
    training : float
        Perplexity of the training documents, as measured last; nan before.
    """

    next_measurement: float = 0.0
    best: float = np.inf
    latest: float = np.nan
    fruitless: float = 0.0
    training: float = np.nan


@dataclass
class Past:
    """What was done before this run of a fit; of a new fit nothing.

    Attributes
    ----------
    steps : int
        Local steps done.
    seed : int or None
        Of the run; None: not drawn yet.
    history : History
        As `history_` has it.
    watched : Watched
        Goes on being written.
    """

    steps: int = 0
    seed: int | None = None
    history: History = field(default_factory=History)
    watched: Watched = field(default_factory=Watched)

    @classmethod
    def read(cls, saved: Saved) -> Self:
        """Return the past that a checkpoint holds."""
        names, table = saved.arrays["history_columns"], saved.arrays["history"]
        columns = dict(zip(names.tolist(), table.T.tolist(), strict=True))
        return cls(
            saved.counters["steps"],
            saved.counters["seed"],
            History.from_dict(columns),
            Watched(*saved.arrays["watched"].tolist()),
        )

    @property
    def documents(self) -> float:
        """Documents seen."""
        return float(self.history["documents"][-1]) if len(self.history) else 0.0

    def and_now(
        self, parameters: NaturalParameters, engine: History, steps: int
    ) -> Saved:
        """Return what a checkpoint is to hold after so many steps.

        Parameters
        ----------
        parameters : NaturalParameters
            As they are now.
        engine : History
            Of this run.
        steps : int
            Done by now, with those before.
        """
        history = history_of(engine, self.history)
        table = [history[name] for name in history.columns]
        arrays = {
            **_arrays_to_go_on(parameters),
            "history": np.array(table, dtype=float).reshape(len(table), -1).T,
            "history_columns": np.array(history.columns, dtype=str),
            "watched": np.array(list(asdict(self.watched).values())),
        }
        return Saved(arrays, {"steps": steps, "seed": self.seed or 0})


def _arrays_to_go_on(parameters: NaturalParameters) -> dict[str, NDArray[Any]]:
    """Return the parameters bit for bit: in the units and sums they have."""
    arrays = arrays_of(parameters)
    if isinstance(parameters, TopicParameters) and parameters.unfinished is not None:
        arrays["unfinished"] = parameters.unfinished
    n_topics = parameters.totals.shape[1]
    return {
        **arrays,
        "weights": parameters.weights[:, :n_topics],
        "totals": parameters.totals,
        "log_base": np.array(parameters.log_base),
    }


def restored(
    problem: LDASettings, arrays: Mapping[str, NDArray[Any]]
) -> NaturalParameters:
    """Return the parameters that a checkpoint holds.

    Priors that are learned are those of the problem.
    """
    parameters = problem.empty_parameters()
    parameters.weights[:, : problem.n_topics] = arrays["weights"]
    parameters.totals = arrays["totals"]
    parameters.log_base = float(arrays["log_base"])
    if isinstance(parameters, TopicParameters):
        parameters.unfinished = arrays.get("unfinished")
    return parameters


def history_of(engine: History, before: History | None = None) -> History:
    """Return the history of a fit: that of earlier runs, then that of the engine's.

    Columns: time (training seconds), version, documents, staleness, bytes,
    heldout_perplexity, and whatever else was measured.
    """
    history, last = (
        History(),
        dict.fromkeys(("time", "version", "documents", "bytes"), 0.0),
    )
    for row in before or ():
        history.append(**row)
        last = row
    for row in engine:
        monitor_time = row.pop("monitor_time")
        history.append(
            time=last["time"] + row.pop("time") - monitor_time,
            version=last["version"] + row.pop("version"),
            documents=last["documents"] + row.pop("amount"),
            heldout_perplexity=row.pop("heldout_perplexity", np.nan),
            staleness=row.pop("staleness_mean"),
            bytes=last["bytes"] + row.pop("bytes"),
            **{k: v for k, v in row.items() if k not in ("steps", "staleness_max")},
        )
    return history
