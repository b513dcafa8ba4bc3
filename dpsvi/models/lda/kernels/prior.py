"""The prior of the topics as kernels see it: a number, or a row for each word.

Which of the two it is, is known when a kernel is compiled: with a number nothing is
looked up.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import overload

__all__ = ["above", "beneath", "of_topic"]


def above(weights: Any, prior: Any, word: Any, k: Any, inverse: Any) -> Any:
    """Return a weight, and the word's own prior in units of the weights.

    λ of a word and a topic is ``beneath(prior) + scale * above(...)``.

    Parameters
    ----------
    weights : ndarray of shape (n_words, n_padded)
        Global array.
    prior : float or ndarray of the shape of `weights`
        Dirichlet prior, η.
    word, k : int
        Which entry.
    inverse : float
        1 / scale.
    """
    raise NotImplementedError("for kernels only")


def beneath(prior: Any) -> Any:
    """Return the prior that all words have: none, if each has its own."""
    raise NotImplementedError("for kernels only")


def of_topic(mass: Any, k: Any) -> Any:
    """Return the entry of a topic, or the number that stands for all topics."""
    raise NotImplementedError("for kernels only")


def _own(weights: Any, prior: Any, word: Any, k: Any, inverse: Any) -> Any:
    return weights[word, k] + inverse * prior[word, k]


def _plain(weights: Any, prior: Any, word: Any, k: Any, inverse: Any) -> Any:
    return weights[word, k]


def _nothing(prior: Any) -> Any:
    return prior.dtype.type(0)


def _all(prior: Any) -> Any:
    return prior


def _entry(mass: Any, k: Any) -> Any:
    return mass[k]


def _number(mass: Any, k: Any) -> Any:
    return mass


@overload(above, inline="always")
def _above(weights: Any, prior: Any, word: Any, k: Any, inverse: Any) -> Any:
    return _own if isinstance(prior, types.Array) else _plain


@overload(beneath, inline="always")
def _beneath(prior: Any) -> Any:
    return _nothing if isinstance(prior, types.Array) else _all


@overload(of_topic, inline="always")
def _of_topic(mass: Any, k: Any) -> Any:
    return _entry if isinstance(mass, types.Array) else _number
