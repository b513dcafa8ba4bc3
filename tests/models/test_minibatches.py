"""Every document once an epoch, in an order that the seed and the epoch decide."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dpsvi.models.minibatches import MiniBatches

SEED = np.random.SeedSequence(5)


def epoch(batches: MiniBatches, number: int) -> list[int]:
    first = number * batches.n_batches
    return np.concatenate(
        [batches[first + i] for i in range(batches.n_batches)]
    ).tolist()


@given(
    n_documents=st.integers(1, 60),
    batch_size=st.integers(1, 70),
    shuffled=st.booleans(),
)
def test_each_epoch_is_a_partition(
    n_documents: int, batch_size: int, shuffled: bool
) -> None:
    batches = MiniBatches(n_documents, batch_size, SEED if shuffled else None)
    for number in (0, 1, 7):
        assert sorted(epoch(batches, number)) == list(range(n_documents))
    sizes = [batches[i].size for i in range(batches.n_batches)]
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1


def test_each_epoch_has_an_order_of_its_own() -> None:
    batches = MiniBatches(50, 7, SEED)
    orders = [epoch(batches, number) for number in range(4)]
    assert len({tuple(order) for order in orders}) == 4
    assert list(range(50)) not in orders
    other = MiniBatches(50, 7, np.random.SeedSequence(6))
    assert epoch(other, 0) != orders[0]


def test_it_does_not_matter_who_asks_first() -> None:
    expected = [MiniBatches(50, 7, SEED)[i].tolist() for i in range(40)]
    shared = MiniBatches(50, 7, SEED)
    asked = np.random.default_rng(0).permutation(40).tolist()
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda i: (i, shared[i].tolist()), asked))
    assert [batch for _, batch in sorted(got)] == expected


def test_without_a_seed_the_order_is_kept() -> None:
    assert epoch(MiniBatches(50, 7, None), 3) == list(range(50))
