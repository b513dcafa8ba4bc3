"""Documents as lists of (word, count) pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsvi.models.lda.pairs import are_pairs, counts_of_pairs

DOCUMENTS = st.lists(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5)), max_size=6), max_size=6
)


@given(DOCUMENTS)
def test_every_pair_is_counted(documents: list[list[tuple[int, int]]]) -> None:
    expected = np.zeros((len(documents), 21))
    for row, document in zip(expected, documents, strict=True):
        for word, count in document:
            row[word] += count
    np.testing.assert_array_equal(counts_of_pairs(documents, 21).toarray(), expected)


@given(DOCUMENTS)
def test_they_are_known_for_what_they_are(
    documents: list[list[tuple[int, int]]],
) -> None:
    assert are_pairs(documents) == any(documents)
    assert not are_pairs(counts_of_pairs(documents, 21).toarray().tolist())


def test_an_iterator_is_not_used_up() -> None:
    def stream() -> Iterator[list[tuple[int, int]]]:
        yield [(0, 1)]

    documents = stream()
    assert not are_pairs(documents)
    assert next(documents) == [(0, 1)]


def test_the_width_holds() -> None:
    assert counts_of_pairs([[(3, 1)]]).shape == (1, 4)
    assert counts_of_pairs([[(3, 1)]], 9).shape == (1, 9)
    with pytest.raises(ValueError, match="word number 3"):
        counts_of_pairs([[(3, 1)]], 3)
