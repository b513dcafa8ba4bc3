"""Which topic of one model is which of another, and how alike they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

__all__ = ["Matching", "match_topics", "stability"]


class Matching(NamedTuple):
    """Pairs of topics.

    Attributes
    ----------
    first, second : ndarray of int of shape (n_pairs,)
        Numbers of the topics, by those of the first model.
    similarity : ndarray of shape (n_pairs,)
        Of each pair, from 0 (no word in common) to 1 (the same).
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    similarity: NDArray[np.float64]


def match_topics(first: Any, second: Any) -> Matching:
    """Pair the topics of two models so that the pairs are as alike as can be.

    Parameters
    ----------
    first, second : fitted model, or array-like of shape (n_topics, n_words)
        About the same words; not necessarily of as many topics.

    Returns
    -------
    Matching
        As many pairs as the smaller model has topics. Similarity is that of
        Bhattacharyya: the sum over words of the root of both probabilities.

    Raises
    ------
    ValueError
        If the models are not about the same words.

    Examples
    --------
    >>> found = match_topics([[9, 1, 0], [0, 1, 9]], [[0, 2, 18], [18, 2, 0]])
    >>> found.second, found.similarity.round(3)
    (array([1, 0]), array([1., 1.]))
    """
    _check_words(first, second)
    alike = _roots(first) @ _roots(second).T
    rows, columns = linear_sum_assignment(-alike)
    return Matching(rows, columns, np.minimum(alike[rows, columns], 1.0))


def stability(models: Sequence[Any]) -> NDArray[np.float64]:
    """Return how surely each topic of the first model is found again by the others.

    Parameters
    ----------
    models : sequence of fitted models or arrays
        Say, of several seeds; at least two.

    Returns
    -------
    ndarray of shape (n_topics,)
        Mean similarity to the partners in the other models; 0 where there was none.

    Raises
    ------
    ValueError
        If there are fewer than two models.
    """
    if len(models) < 2:
        raise ValueError(f"there is {len(models)} model; stability needs two or more")
    scores = np.zeros((len(models) - 1, len(_components(models[0]))))
    for row, other in zip(scores, models[1:], strict=True):
        found = match_topics(models[0], other)
        row[found.first] = found.similarity
    return np.asarray(scores.mean(axis=0))


def _components(model: Any) -> NDArray[np.float64]:
    return np.asarray(getattr(model, "components_", model), dtype=np.float64)


def _roots(model: Any) -> NDArray[np.float64]:
    components = _components(model)
    shares: NDArray[np.float64] = components / components.sum(axis=1, keepdims=True)
    return np.sqrt(shares)


def _check_words(first: Any, second: Any) -> None:
    sizes = _components(first).shape[1], _components(second).shape[1]
    names, others = _names(first), _names(second)
    named = names is not None and others is not None
    if sizes[0] != sizes[1] or (named and names != others):
        raise ValueError(
            f"the models are about different words ({sizes[0]} and {sizes[1]} of "
            "them); fit both on corpora with one vocabulary"
        )


def _names(model: Any) -> list[str] | None:
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else list(names)
