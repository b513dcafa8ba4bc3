"""Topics and scores of documents in blocks: block by block, lazily if Dask's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from dpsvi.models.lda.blocks import block_sizes, blocks_of, is_lazy, n_rows, opened
from dpsvi.models.lda.pairs import counts_of_pairs

__all__ = ["rows_of_blocks", "sum_over_blocks"]


def rows_of_blocks(model: Any, X: Any, method: str, **options: Any) -> Any:
    """Return what a method gives for each document.

    Parameters
    ----------
    model : DPSVILatentDirichletAllocation
        Fitted.
    X : object
        Documents in blocks.
    method : str
        From documents to an array with a row for each, of a column per topic.
    **options
        For the method.

    Returns
    -------
    dask.array.Array or ndarray of shape (n_documents, n_components)
        A Dask array if the blocks are Dask's.
    """
    n_topics, dtype = model.components_.shape[0], model.components_.dtype
    nothing = np.empty((0, n_topics), dtype)
    parts = _applied(model, X, method, options, nothing)
    if not is_lazy(X):
        return np.concatenate(parts)
    import dask.array as da

    arrays = [
        da.from_delayed(part, (size, n_topics), dtype)
        for part, size in zip(parts, block_sizes(X), strict=True)
    ]
    return da.concatenate(arrays, allow_unknown_chunksizes=True)


def sum_over_blocks(
    model: Any,
    X: Any,
    method: str,
    n_sums: int,
    finish: Callable[[NDArray[np.float64]], float],
    seeded: str | None = None,
    **options: Any,
) -> Any:
    """Return a number that follows from sums over the documents.

    Parameters
    ----------
    model, X, method : object
        As in `rows_of_blocks`; the method returns an array of sums.
    n_sums : int
        How many sums.
    finish : callable
        From the sums over all blocks to the number.
    seeded : str or None, default=None
        Name of an option that is a seed: it is another one for each block.
    **options
        For the method.

    Returns
    -------
    dask.array.Array of shape () or float
        A Dask array if the blocks are Dask's.
    """
    parts = _applied(model, X, method, options, np.zeros(n_sums), seeded)
    if not is_lazy(X):
        return finish(sum(parts))
    import dask.array as da
    from dask import delayed

    whole = delayed(_finished)(finish, parts, dask_key_name=_name("score"))
    return da.from_delayed(whole, (), float)


def _applied(
    model: Any,
    X: Any,
    method: str,
    options: dict[str, Any],
    nothing: Any,
    seeded: str | None = None,
) -> list[Any]:
    """Apply a method to each block; delayed, if the blocks are Dask's.

    `nothing` is the result of a block without documents.
    """
    model, apply = _light(model), _apply
    if is_lazy(X):
        # Dask runs a block on each of its threads.
        model.n_jobs = 1
        from dask import delayed

        model = delayed(model, name=_name("topics"), traverse=False)
        apply = delayed(_apply, name="dpsvi-apply", pure=False)
    results = []
    for number, block in enumerate(blocks_of(X)):
        own = dict(options)
        if seeded is not None and own[seeded] is not None:
            own[seeded] += number
        named = {"dask_key_name": _name(method.strip("_"))} if is_lazy(X) else {}
        results.append(apply(model, block, number, method, own, nothing, **named))
    return results


def _apply(
    model: Any,
    block: Any,
    number: int,
    method: str,
    options: dict[str, Any],
    nothing: Any,
) -> Any:
    try:
        table = opened(block)
        if isinstance(table, list):
            table = counts_of_pairs(table, model.n_features_in_)
        return getattr(model, method)(table, **options) if n_rows(table) else nothing
    except (TypeError, ValueError) as error:
        error.add_note(f"in block {number} of the documents")
        raise


def _finished(
    finish: Callable[[NDArray[np.float64]], float], parts: list[Any]
) -> NDArray[np.float64]:
    return np.asarray(finish(sum(parts)))


def _name(what: str) -> str:
    return f"dpsvi-{what}-{uuid4().hex}"


def _light(model: Any) -> Any:
    """A copy with the topics alone: quickly sent to many workers."""
    copy = type(model)(**model.get_params(deep=False))
    for name in (
        "components_",
        "doc_topic_prior_",
        "topic_word_prior_",
        "n_features_in_",
        "feature_names_in_",
    ):
        if hasattr(model, name):
            setattr(copy, name, getattr(model, name))
    return copy
