"""What travels between workers and master: how much, and in which numbers."""

from __future__ import annotations

from typing import Any

import dask
import lda_replay as replay
import numpy as np
import pytest
import scipy.sparse as sp

from dpsvi import DPSVILatentDirichletAllocation
from dpsvi.engine import Plan, Result, Snapshot, run
from dpsvi.engine.backends.dask import Dask
from dpsvi.engine.backends.dask.wire import pack, unpack
from dpsvi.models.lda.network import bfloat16_pushes

# Names, versions and statistics of a message, whatever the model.
SMALL = 1000


def touched(counts: sp.csr_array) -> int:
    """Words that occur."""
    return int(np.unique(counts.indices).size)


def a_round(counts: sp.csr_array, n_words: int, **more: Any) -> tuple[int, int]:
    """Bytes of the pull and of the push of one round over all documents."""
    counts = counts.copy()
    counts.resize(counts.shape[0], n_words)
    problem = replay.make_problem([0.5], counts.shape[0], n_words=n_words, **more)
    start = problem.initial_parameters(np.random.default_rng(0))
    local = problem.open_worker(counts, 1, np.random.SeedSequence(0))
    pulled = problem.extract(start, local.request(1))
    local.load(Snapshot(pulled, 0, range(1)))
    local.run(0, iter(range(1)))
    return pack(pulled)[1], pack(local.update())[1]


@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_pull_and_a_push_weigh_what_their_rows_do(bfloat16: bool) -> None:
    counts = replay.make_counts(30, 200, length=20)
    rows = touched(counts)
    more = {"batch_size": 30, "bfloat16_pushes": bfloat16}
    for n_words in (2000, 20_000):
        pull, push = a_round(counts, n_words, **more)
        # Four topics of eight bytes, and the number of the row.
        assert 0 <= pull - rows * (4 * 8 + 4) < SMALL
        each = 4 * (2 if bfloat16 else 8) + 4
        assert 0 <= push - rows * each < SMALL


def test_rows_go_without_numbers_when_that_is_smaller() -> None:
    # Of 200 words some do not occur. A number weighs an eighth of a row's topics.
    for missing, dense in ((0, True), (20, True), (60, False)):
        counts = sp.csr_array(np.ones((3, 200)) * (np.arange(200) >= missing))
        problem = replay.make_problem([0.5], 3, n_words=200)
        local = problem.open_worker(counts, 1, np.random.SeedSequence(0))
        request = local.request(1)
        assert (request == slice(None)) if dense else (request.size == 200 - missing)
        pull, push = a_round(counts, 200)
        smallest = min(200 * 4 * 8, (200 - missing) * (4 * 8 + 4))
        assert 0 <= pull - smallest < SMALL
        assert 0 <= push - smallest < SMALL


def fit(client: Any, n_words: int, **more: Any) -> Result:
    """Fifteen rounds of four documents each, on the cluster."""
    counts = replay.make_counts(60, 400, length=20)
    counts.resize(60, n_words)
    given = {"n_words": n_words, "n_topics": 50, "doc_topic_prior": np.full(50, 0.1)}
    problem = replay.make_problem(np.full(15, 0.1), 60, **given, **more)
    return run(problem, [counts], Plan(total_steps=15, seed=0), backend=Dask(client))


def test_bytes_on_the_wire_do_not_know_the_vocabulary(cluster_client: Any) -> None:
    counts = replay.make_counts(60, 400, length=20)
    sizes = [fit(cluster_client, n).history["bytes"][-1] for n in (4000, 40_000)]
    # Each document came once, four in a round; a row goes both ways.
    most = 2 * counts.nnz * (50 * 8 + 4) + 15 * 2 * SMALL
    assert sizes[0] < most
    assert abs(sizes[1] - sizes[0]) < 0.02 * sizes[0]
    dense = 15 * 2 * 4000 * 50 * 8
    assert sizes[0] < 0.2 * dense


def test_pushes_of_two_byte_numbers_are_as_good(cluster_client: Any) -> None:
    full = fit(cluster_client, 4000)
    half = fit(cluster_client, 4000, bfloat16_pushes=True)
    saved = full.history["bytes"] - half.history["bytes"]
    # Six of the eight bytes of half of the numbers.
    share = saved[-1] / full.history["bytes"][-1]
    assert 0.3 < share < 0.375
    now = float(np.log(0.9) * 15)
    ours, exact = half.parameters.value(now), full.parameters.value(now)
    np.testing.assert_allclose(ours.sum(), exact.sum(), rtol=2.0**-8)
    np.testing.assert_allclose(ours, exact, rtol=0.1, atol=0.01)
    assert np.any(ours != exact)


def test_numbers_of_two_bytes_come_as_they_are() -> None:
    bits = np.arange(10, dtype=np.uint16)
    packed, size = pack({"bits": bits})
    assert size < bits.nbytes + 500
    arrived = unpack(packed)["bits"]
    assert arrived.dtype == np.uint16
    np.testing.assert_array_equal(arrived, bits)


def test_the_configuration_of_dask_chooses_the_numbers() -> None:
    assert not bfloat16_pushes(apart=True)
    with dask.config.set({"dpsvi.bfloat16-pushes": True}):
        assert bfloat16_pushes(apart=True)
        assert not bfloat16_pushes(apart=False)
    with (
        dask.config.set({"dpsvi.bfloat16-pushes": "yes"}),
        pytest.raises(ValueError, match="'yes'; it must be True or False"),
    ):
        bfloat16_pushes(apart=True)


def test_a_fit_listens_to_the_configuration(cluster_client: Any) -> None:
    counts = replay.make_counts(200, 400, length=20)
    counts.resize(200, 1000)
    sizes = []
    for chosen in (False, True):
        model = DPSVILatentDirichletAllocation(
            20, max_iter=1, batch_size=10, local_steps=2, random_state=0
        )
        with dask.config.set({"dpsvi.bfloat16-pushes": chosen}):
            model.fit(counts.astype(np.float32), client=cluster_client)
        sizes.append(model.history_["bytes"][-1])
    # Of four bytes each way, and the number of the row, two are saved.
    assert 0.7 < sizes[1] / sizes[0] < 0.85
