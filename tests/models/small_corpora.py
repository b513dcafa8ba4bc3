"""Small inputs and models that the tests of the estimator share."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from dpsvi import DPSVILatentDirichletAllocation

Array = npt.NDArray[Any]


def make_model(n_components: int = 3, **parameters: Any) -> Any:
    """An estimator whose every choice is spelled out."""
    given: dict[str, Any] = {
        "batch_size": 8,
        "learning_offset": 5.0,
        "learning_decay": 0.7,
        "max_iter": 3,
        "n_jobs": 1,
        "random_state": 0,
    }
    return DPSVILatentDirichletAllocation(n_components, **{**given, **parameters})


def make_table(n_documents: int = 30, n_words: int = 20, seed: int = 0) -> Array:
    """Whole counts, dense, float64; a document and a word are empty."""
    table = np.random.default_rng(seed).poisson(0.6, (n_documents, n_words))
    table[0] = 0
    table[:, 1] = 0
    return table.astype(float)


def make_counts(n_documents: int = 30, n_words: int = 20, seed: int = 0) -> Any:
    """The same in CSR."""
    return sp.csr_array(make_table(n_documents, n_words, seed))


def fitted_attributes(model: Any) -> dict[str, Any]:
    """All that a fit leaves behind, by name; arrays are copied."""
    return {
        name: np.array(value) if isinstance(value, np.ndarray) else value
        for name, value in vars(model).items()
        if name.endswith("_") and not name.startswith("_")
    }


def assert_same_attributes(one: dict[str, Any], two: dict[str, Any]) -> None:
    """Compare bit for bit, but for times and random states."""
    assert one.keys() == two.keys()
    for name in one.keys() - {"history_", "random_state_"}:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)
    if "history_" in one:
        columns = {*one["history_"].columns} - {"time"}
        for column in columns:
            np.testing.assert_array_equal(
                one["history_"][column], two["history_"][column], err_msg=column
            )
