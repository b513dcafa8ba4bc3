"""One pass over all documents of a table with a model that stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dpsvi.engine.lockfree import ThreadTeam
from dpsvi.models.conjugate import NaturalParameters
from dpsvi.models.lda.inference import Inference
from dpsvi.models.lda.word_table import WordTable
from dpsvi.models.minibatches import MiniBatches

__all__ = ["Pass"]

_BATCH = 512


class Pass:
    """Infers mini-batch by mini-batch; subclasses use what was inferred.

    Parameters
    ----------
    counts : csr_array of shape (n_documents, n_words)
        Canonical, without stored zeros, in the dtype to compute in.
    inference : callable
        Makes the state of one thread.
    parameters : NaturalParameters
        λ, which must not change.
    scale : float
        What a weight of it counts now.
    """

    def __init__(
        self,
        counts: sp.csr_array,
        inference: Callable[[], Inference],
        parameters: NaturalParameters,
        scale: float,
    ) -> None:
        self.counts = counts
        self._inference = inference
        self._parameters, self._scale = parameters, scale
        self._batches = MiniBatches(counts.shape[0], _BATCH, seed=None)
        self._table: WordTable | None = None

    def go(self, n_threads: int) -> None:
        """Visit all documents; the result does not depend on the threads."""
        n_batches = self._batches.n_batches
        with ThreadTeam(min(n_threads, n_batches), "dpsvi-pass") as team:
            # Of all words, unless there are fewer entries than words.
            if self.counts.nnz > self.counts.shape[1]:
                table = self._inference().table(self._parameters, self._scale)
                team.run(table, range(table.n_pieces))
                self._table = table
            team.run(self, range(n_batches))

    def run(self, thread: int, steps: Iterator[int]) -> None:
        """Visit mini-batches on one thread."""
        inference = self._inference()
        for step in steps:
            batch = self._batches[step]
            if self._table is None:
                inference.infer(batch, self._parameters, self._scale)
            else:
                inference.infer_with(self._table, batch)
            self.use(batch, inference)

    def use(self, batch: NDArray[np.int32], inference: Inference) -> None:
        """Take what is wanted from the mini-batch that was just inferred."""
        raise NotImplementedError
