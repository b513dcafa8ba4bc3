"""One runner per system, all with the same signature.

``fit(train, n_topics, alpha, eta, settings, budget_s, threads, seed, snapshot)``
trains on a CSR table of counts for `budget_s` training seconds, calls
``snapshot(training_seconds, topic_word)`` at geometrically growing times and returns
the seconds of start-up: imports, conversion of the corpus, warm-up of a JVM.
`topic_word` has shape (n_topics, n_words), and rows that sum to one.

To add a system, copy the shortest runner, ``sklearn_lda.py``, and name it below.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple, Protocol

from scipy import sparse

from peers.clock import Snapshot


class Fit(Protocol):
    """What a runner's ``fit`` must accept."""

    def __call__(
        self,
        train: sparse.csr_matrix,
        n_topics: int,
        alpha: float,
        eta: float,
        settings: dict[str, Any],
        budget_s: float,
        threads: int,
        seed: int,
        snapshot: Snapshot,
    ) -> float: ...


class System(NamedTuple):
    """A runner with the settings that make it this system.

    Attributes
    ----------
    module : str
        File in this folder.
    preset : dict
        Settings over those shared by all.
    distribution : str
        Name under which the library is installed.
    """

    module: str
    preset: dict[str, Any]
    distribution: str


SYSTEMS = {
    "dpsvi-cvb0": System("dpsvi_lda", {"inference": "cvb0"}, "dpsvi"),
    "dpsvi-vb": System("dpsvi_lda", {"inference": "vb"}, "dpsvi"),
    "sklearn": System("sklearn_lda", {}, "scikit-learn"),
    # Its processes cost more than they bring with small mini-batches.
    "sklearn-1": System("sklearn_lda", {"n_jobs": 1}, "scikit-learn"),
    "gensim": System("gensim_lda", {}, "gensim"),
    "gensim-multicore": System("gensim_lda", {"multicore": True}, "gensim"),
    "tomotopy": System("tomotopy_lda", {"scheme": "COPY_MERGE"}, "tomotopy"),
    "tomotopy-partition": System("tomotopy_lda", {"scheme": "PARTITION"}, "tomotopy"),
    "vw": System("vw_lda", {}, "vowpalwabbit"),
    "bigartm": System("artm_lda", {}, "bigartm10"),
    "spark": System("spark_lda", {}, "pyspark"),
}


def runner(system: str) -> Fit:
    """The ``fit`` of a system; loads the runner's file, not yet its library."""
    fit: Fit = import_module(f"peers.{SYSTEMS[system].module}").fit
    return fit
