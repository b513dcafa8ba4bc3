"""Counts in every form: accepted, equal in result, and left as they were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from small_corpora import make_model, make_table

from dpsvi.datasets import Corpus

TABLE = make_table()
CSR = sp.csr_array(TABLE)


def with_wide_indices() -> Any:
    wide = CSR.copy()
    wide.indices = wide.indices.astype(np.int64)
    wide.indptr = wide.indptr.astype(np.int64)
    return wide


def not_canonical() -> Any:
    """Counts split in two, words in reverse order, and a stored zero."""
    words = np.arange(20)[::-1]
    rows, columns = np.meshgrid(np.arange(30), words, indexing="ij")
    halves = np.stack([TABLE[:, ::-1] - 0.25, np.full(TABLE.shape, 0.25)], axis=2)
    halves[TABLE[:, ::-1] == 0] = 0.0
    rows, columns = np.repeat(rows, 2), np.repeat(columns, 2)
    indptr = np.arange(31) * 40
    return sp.csr_array((halves.ravel(), columns.ravel(), indptr), TABLE.shape)


def read_only() -> Any:
    locked = CSR.copy()
    for array in (locked.data, locked.indices, locked.indptr):
        array.flags.writeable = False
    return locked


def locked_table() -> Any:
    table = TABLE.copy()
    table.flags.writeable = False
    return table


def frame() -> Any:
    return pytest.importorskip("pandas").DataFrame(TABLE)


FORMS: dict[str, Callable[[], Any]] = {
    "ndarray": lambda: TABLE,
    "fortran": lambda: np.asfortranarray(TABLE),
    "list": lambda: TABLE.tolist(),
    "int64": lambda: TABLE.astype(np.int64),
    "uint8": lambda: TABLE.astype(np.uint8),
    "float16": lambda: TABLE.astype(np.float16),
    "float32": lambda: TABLE.astype(np.float32),
    "read-only": locked_table,
    "csr": lambda: CSR,
    "csr_matrix": lambda: sp.csr_matrix(CSR),
    "csr int64": lambda: CSR.astype(np.int64),
    "csr int64 indices": with_wide_indices,
    "csr not canonical": not_canonical,
    "csr read-only": read_only,
    "csc": lambda: sp.csc_array(CSR),
    "coo": lambda: sp.coo_array(CSR),
    "lil": lambda: sp.lil_array(CSR),
    "DataFrame": frame,
    "Corpus": lambda: Corpus(CSR),
}


def parts(X: Any) -> list[Any]:
    """The arrays that something is made of."""
    counts = getattr(X, "counts", X)
    if sp.issparse(counts):
        return [
            getattr(counts, a)
            for a in ("data", "indices", "indptr", "rows", "row")
            if hasattr(counts, a)
        ]
    return [np.asarray(counts)]


@pytest.mark.parametrize("inference", ["vb", "cvb0"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same(form: str, inference: str) -> None:
    given = FORMS[form]()
    before = [np.array(part, copy=True) for part in parts(given)]
    model = make_model(inference=inference, dtype="float64")
    expected = make_model(inference=inference, dtype="float64").fit(CSR)
    topics = model.fit(given).transform(given)
    np.testing.assert_allclose(model.components_, expected.components_, rtol=1e-12)
    np.testing.assert_allclose(topics, expected.transform(CSR), rtol=1e-12)
    assert model.perplexity(given) == pytest.approx(expected.perplexity(CSR))
    for old, new in zip(before, parts(given), strict=True):
        np.testing.assert_array_equal(old, new)
        assert old.dtype == new.dtype


@pytest.mark.parametrize("inference", ["vb", "cvb0"])
@pytest.mark.parametrize("form", ["bool", "csr bool"])
def test_presence_counts_as_one(form: str, inference: str) -> None:
    present = TABLE > 0
    given = present if form == "bool" else sp.csr_array(present)
    model = make_model(inference=inference, dtype="float64").fit(given)
    expected = make_model(inference=inference, dtype="float64").fit(present * 1.0)
    np.testing.assert_array_equal(model.components_, expected.components_)


@pytest.mark.parametrize(
    ("given", "computed"),
    [
        (np.int64, "float32"),
        (np.float16, "float32"),
        (np.float32, "float32"),
        (np.float64, "float64"),
    ],
)
def test_double_precision_stays_and_all_else_is_single(
    given: Any, computed: str
) -> None:
    model = make_model(max_iter=1).fit(TABLE.astype(given))
    assert model.components_.dtype == computed
    assert model.transform(TABLE).dtype == computed


def test_both_precisions_agree() -> None:
    one = make_model(dtype=np.float32).fit(TABLE)
    two = make_model(dtype=np.float64).fit(TABLE)
    np.testing.assert_allclose(one.components_, two.components_, rtol=0.01)


@pytest.mark.parametrize("inference", ["vb", "cvb0"])
def test_read_only_single_precision(inference: str) -> None:
    # Nothing is converted, so the kernels see the locked arrays themselves.
    locked = CSR.astype(np.float32)
    for array in (locked.data, locked.indices, locked.indptr):
        array.flags.writeable = False
    model = make_model(inference=inference).fit(locked)
    expected = make_model(inference=inference).fit(CSR.astype(np.float32))
    np.testing.assert_array_equal(model.components_, expected.components_)
    model.components_.flags.writeable = False
    np.testing.assert_array_equal(model.transform(locked), expected.transform(CSR))
    model.partial_fit(locked)


def test_a_generator_is_for_partial_fit() -> None:
    parts = [CSR[:10], CSR[10:20], CSR[20:]]
    streamed = make_model().partial_fit(part for part in parts)
    by_hand = make_model()
    for part in parts:
        by_hand.partial_fit(part)
    np.testing.assert_array_equal(streamed.components_, by_hand.components_)
    assert streamed.n_batch_iter_ == by_hand.n_batch_iter_


def test_a_generator_that_breaks_off_leaves_the_model_as_it_was() -> None:
    def broken() -> Any:
        yield CSR[:10]
        raise OSError("the disk is gone")

    model = make_model().partial_fit(CSR)
    before = model.components_
    with pytest.raises(OSError, match="disk"):
        model.partial_fit(broken())
    assert model.components_ is before
    with pytest.raises(ValueError, match="nothing to fit"):
        make_model().partial_fit(iter([]))


def test_what_is_read_once_cannot_be_fitted_again_and_again() -> None:
    message = "a generator, which can be read only once.*partial_fit"
    model = make_model().fit(CSR)
    for method in (model.fit, model.transform, model.perplexity):
        with pytest.raises(ValueError, match=message):
            method(part for part in [CSR])
    with pytest.raises(ValueError, match="fit as X_val got a list_iterator"):
        model.fit(CSR, X_val=iter([CSR]))
