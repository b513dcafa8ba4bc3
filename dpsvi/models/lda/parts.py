"""Measuring a model on more documents than fit into memory, part by part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpsvi.models.lda.evaluation import completed

__all__ = ["Evaluation", "evaluate_parts"]

_OBSERVED = 0.5


@dataclass(frozen=True)
class Evaluation:
    """How well a model explains documents.

    Attributes
    ----------
    heldout_perplexity : float
        By document completion, as `heldout_perplexity` measures it: half of the tokens
        of each document are predicted from the other half.
    bound_per_word : float
        Evidence lower bound in nats, divided by the tokens; without the topics' term.
    n_documents : int
        Documents, empty ones included.
    n_tokens : int or float
        Tokens of words that the model knows.
    """

    heldout_perplexity: float
    bound_per_word: float
    n_documents: int
    n_tokens: float


def evaluate_parts(model: Any, parts: Iterable[Any], *, seed: int = 0) -> Evaluation:
    """Measure a model on documents, of which one part is in memory at a time.

    Parameters
    ----------
    model : DPSVILatentDirichletAllocation
        Fitted.
    parts : iterable of sparse matrices of shape (n_documents, n_words)
        Counts of the model's words.
    seed : int, default=0
        Of the split of tokens; it is another one for each part.

    Returns
    -------
    Evaluation
        Of all documents together.

    Raises
    ------
    ValueError
        If no token is left to predict, or a part is not valid.

    Examples
    --------
    >>> from dpsvi import DPSVILatentDirichletAllocation
    >>> from dpsvi.datasets import make_corpus
    >>> corpus = make_corpus(200, n_words=50, n_topics=3, random_state=0)
    >>> model = DPSVILatentDirichletAllocation(3, random_state=0).fit(corpus[:150])
    >>> found = evaluate_parts(model, [corpus[150:180].counts, corpus[180:].counts])
    >>> found.n_documents, found.heldout_perplexity < 50
    (50, True)
    """
    completion, bound = np.zeros(2), np.zeros(3)
    for number, part in enumerate(parts):
        if part.shape[0]:
            completion += model._completion_sums(part, _OBSERVED, seed + number)
            bound += model._bound_sums(part, "evaluate_parts")
    perplexity = completed(*completion.tolist())
    total, n_tokens, n_documents = bound.tolist()
    bound_per_word = total / n_tokens
    if n_tokens.is_integer():
        n_tokens = int(n_tokens)
    return Evaluation(perplexity, bound_per_word, int(n_documents), n_tokens)
