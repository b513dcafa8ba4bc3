"""Texts that do not fit into memory: words counted in two passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from numbers import Integral
from typing import Any, Literal

import numpy as np

from dpsvi.datasets.blocks import Block, Stream

# Words held while they are counted. Beyond, the rarest are forgotten: all that were
# found in one document so far, then in two, and so on.
_MOST_WORDS = 2_000_000
_TEXTS_AT_ONCE = 500
_EMPTY = "there are no texts: the file or list is empty."


@dataclass(frozen=True)
class Tokens:
    """What is a word, and which words count; as in scikit-learn's `CountVectorizer`.

    Attributes
    ----------
    stop_words : "english", list of str or None
        Words to leave out.
    min_df, max_df : int or float
        Keep words found in at least / at most this many documents (int) or this share
        of them (float).
    max_features : int or None
        Keep only this many words, the most frequent ones.
    token_pattern : str
        Regular expression of a word.
    lowercase : bool
        Whether to lower the case first.
    """

    stop_words: Literal["english"] | list[str] | None = "english"
    min_df: int | float = 1
    max_df: int | float = 1.0
    max_features: int | None = None
    token_pattern: str = r"(?u)\b\w\w+\b"
    lowercase: bool = True

    def vectorizer(self, words: list[str] | None = None) -> Any:
        """Return a `CountVectorizer`, of these words if they are known."""
        # Imported here: reading a corpus from disk must not load scikit-learn.
        from sklearn.feature_extraction.text import CountVectorizer

        return CountVectorizer(
            stop_words=self.stop_words,
            token_pattern=self.token_pattern,
            lowercase=self.lowercase,
            vocabulary=words,
            dtype=np.int32,
        )


class TextStream(Stream):
    """Documents made of texts, which are gone through twice.

    Parameters
    ----------
    texts : iterable of str
        Must give the same texts each time that it is iterated.
    tokens : Tokens
        What is a word.
    name : str
        Of the corpus.
    titles : iterable of str or None
        One for each text, in the same order.
    words : iterable of str or None
        The only words to count, in this order; None: those of the texts.

    Raises
    ------
    TypeError
        If `texts` is one string, or can be iterated only once.
    """

    def __init__(
        self,
        texts: Iterable[str],
        tokens: Tokens,
        name: str,
        titles: Iterable[str] | None = None,
        words: Iterable[str] | None = None,
    ) -> None:
        if isinstance(texts, str | bytes):
            raise TypeError("texts is one string; give an iterable, one per document.")
        if iter(texts) is texts:
            raise TypeError(
                f"texts is a {type(texts).__name__}, which can be gone through once; "
                "texts are read twice. Give a list, a file, or an object whose "
                "__iter__ starts anew."
            )
        self.name = name
        self._texts = texts
        self._titles = titles
        self._tokens = tokens
        self._words: list[str] = [] if words is None else list(words)
        self._given = words is not None
        self.tokens = asdict(tokens)

    def blocks(self) -> Iterator[Block]:
        """Yield the documents of some texts at a time, after a pass over all."""
        n_texts = None
        if self._given:
            self.n_unknown_tokens = 0
        else:
            n_texts, self._words = self._count()
        vectorizer = self._tokens.vectorizer(self._words)
        analyse = vectorizer.build_analyzer()
        n_again = 0
        titles = None if self._titles is None else iter(self._titles)
        for texts in self._batches():
            n_again += len(texts)
            counts = vectorizer.transform(texts)
            counts.sort_indices()
            if self.n_unknown_tokens is not None:
                n_tokens = sum(len(analyse(text)) for text in texts)
                self.n_unknown_tokens += n_tokens - int(counts.sum())
            named = None
            if titles is not None:
                named = np.array(list(islice(titles, len(texts))), dtype=object)
            yield Block(counts.indptr, counts.indices, counts.data, named)
        if not n_again:
            raise ValueError(_EMPTY)
        if n_texts is not None and n_again != n_texts:
            raise ValueError(
                f"there were {n_texts:,} texts at first and {n_again:,} when they were "
                "read again; they must not change meanwhile."
            )

    @property
    def n_words(self) -> int:
        """Number of words kept."""
        return len(self._words)

    @property
    def vocabulary(self) -> tuple[str, ...] | None:
        """The words kept, in alphabetical order."""
        return tuple(self._words)

    def _batches(self) -> Iterator[list[str]]:
        texts = iter(self._texts)
        position = 0
        while batch := list(islice(texts, _TEXTS_AT_ONCE)):
            for text in batch:
                if not isinstance(text, str):
                    raise TypeError(
                        f"text {position} is of type {type(text).__name__}; texts "
                        "must be str."
                    )
                position += 1
            yield batch

    def _count(self) -> tuple[int, list[str]]:
        """Count the texts, and choose the words."""
        analyse = self._tokens.vectorizer().build_analyzer()
        found_in: Counter[str] = Counter()
        occurs: Counter[str] = Counter()
        n_texts, rare = 0, 1
        for texts in self._batches():
            n_texts += len(texts)
            for text in texts:
                words = analyse(text)
                occurs.update(words)
                found_in.update(set(words))
            while len(found_in) > _MOST_WORDS:
                for word in [word for word, n in found_in.items() if n <= rare]:
                    del found_in[word], occurs[word]
                rare += 1
        return n_texts, _chosen(found_in, occurs, n_texts, self._tokens)


def _chosen(
    found_in: Counter[str], occurs: Counter[str], n_texts: int, tokens: Tokens
) -> list[str]:
    """The words that `CountVectorizer` would keep, in alphabetical order."""
    least = _documents(tokens.min_df, n_texts)
    most = _documents(tokens.max_df, n_texts)
    words = sorted(word for word, n in found_in.items() if least <= n <= most)
    if not n_texts:
        raise ValueError(_EMPTY)
    if not words:
        raise ValueError(
            f"no word is left of the {len(found_in):,} in {n_texts:,} texts with "
            f"min_df={tokens.min_df}, max_df={tokens.max_df}; loosen one of them, or "
            "the stop words."
        )
    limit = tokens.max_features
    if limit is not None and len(words) > limit:
        totals = np.array([occurs[word] for word in words])
        # The same sort as scikit-learn's, so that ties end alike.
        kept = np.sort((-totals).argsort()[:limit])
        words = [words[k] for k in kept]
    return words


def _documents(limit: Any, n_texts: int) -> float:
    return float(limit if isinstance(limit, Integral) else limit * n_texts)
