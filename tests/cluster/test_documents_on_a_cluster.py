"""Documents that stay on the workers of a cluster, and fits that are awaited."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dask.array as da
import dask.bag
import numpy as np
import pytest
import scipy.sparse as sp
from dask import delayed

from dpsvi import DPSVILatentDirichletAllocation
from dpsvi.datasets import Corpus, make_corpus
from dpsvi.models.lda.spread import _shard
from dpsvi.models.placement import placement_for

COUNTS = make_corpus(1200, n_words=200, n_topics=5, random_state=0).counts
CUTS = [slice(start, start + 300) for start in range(0, 1200, 300)]


def make(**more: Any) -> DPSVILatentDirichletAllocation:
    given = {"max_iter": 4, "batch_size": 40, "random_state": 0, **more}
    return DPSVILatentDirichletAllocation(5, **given)


def array(folder: Path) -> Any:
    return da.from_array(COUNTS.toarray(), chunks=(300, 100))


def bag(folder: Path) -> Any:
    rows = [COUNTS[i : i + 1] for i in range(1200)]
    pairs = [list(zip(r.indices.tolist(), r.data.tolist(), strict=True)) for r in rows]
    return dask.bag.from_sequence(pairs, npartitions=3)


def corpora(folder: Path) -> Any:
    words = [f"w{number}" for number in range(200)]
    return [delayed(Corpus(COUNTS[cut], vocabulary=words)) for cut in CUTS]


def files(folder: Path) -> Any:
    paths = [folder / f"{number}.npz" for number in range(4)]
    for path, cut in zip(paths, CUTS, strict=True):
        sp.save_npz(path, sp.csr_matrix(COUNTS[cut]))
    return paths


def one_block(folder: Path) -> Any:
    return delayed(COUNTS)


def test_a_corpus_on_a_disk_that_all_see(cluster_client: Any, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    folder = Corpus(COUNTS).save(tmp_path / "corpus")
    # One start in ten ends in a poor optimum, here and there; that of 0 does there.
    model = make(random_state=1).fit(folder, client=cluster_client)
    assert model.history_["bytes"][-1] > 0
    assert model.n_iter_ == 4
    here = make(backend="local", n_jobs=1, random_state=1).fit(COUNTS)
    assert model.perplexity(folder) < 1.05 * here.perplexity(COUNTS)


@pytest.mark.parametrize("form", [array, bag, corpora, files, one_block])
def test_a_fit_to_documents_that_stay_there(
    cluster_client: Any, form: Any, tmp_path: Path
) -> None:
    X = form(tmp_path)
    model = make().fit(X, client=cluster_client)
    history = model.history_
    assert history["bytes"][-1] > 0
    # Of three blocks one worker has two: its mini-batches are larger.
    assert history["documents"][-1] > (0.9 if form is bag else 0.99) * 4 * 1200
    assert np.nanmax(history["workers"]) == 2
    # By chance it would be 200.
    here = make(backend="local").fit(COUNTS)
    assert model.perplexity(COUNTS) < 1.3 * here.perplexity(COUNTS) < 50
    assert model.bound_ == pytest.approx(model.perplexity(COUNTS), rel=0.02)
    assert hasattr(model, "feature_names_in_") == (form is corpora)


def test_matrices_of_this_process_are_dealt_as_one(cluster_client: Any) -> None:
    model = make().fit([COUNTS[cut] for cut in CUTS], client=cluster_client)
    assert model.history_["bytes"][-1] > 0
    with pytest.raises(ValueError, match="100 features"):
        make().fit([COUNTS, COUNTS[:, :100]], client=cluster_client)


def test_futures_stay_where_they_are(cluster_client: Any) -> None:
    blocks = [cluster_client.submit(COUNTS.__getitem__, cut) for cut in CUTS]
    model = make().fit(blocks, client=cluster_client, X_val=blocks[0])
    assert np.isfinite(model.history_["heldout_perplexity"]).any()
    theta, score = model.transform(blocks), model.perplexity(blocks)
    found = cluster_client.compute([theta, score])
    np.testing.assert_allclose(found[0].result(60), model.transform(COUNTS), rtol=1e-6)
    assert found[1].result(60) == pytest.approx(model.perplexity(COUNTS), rel=1e-6)


def test_a_broken_block_is_named_and_nothing_is_left(
    cluster_client: Any, tmp_path: Path
) -> None:
    model, before = make(), set(cluster_client.futures)
    with pytest.raises(ValueError, match="Negative values") as caught:
        model.fit([delayed(COUNTS), delayed(-COUNTS)], client=cluster_client)
    assert "block 1" in caught.value.__notes__[0]
    missing = tmp_path / "missing.npz"
    with pytest.raises(ValueError, match=r"cannot be read on host .* every worker"):
        model.fit([missing, missing], client=cluster_client)
    with pytest.raises(ValueError, match="bring all to one vocabulary"):
        model.fit([delayed(COUNTS), delayed(COUNTS[:, :100])], client=cluster_client)
    named = Corpus(COUNTS, vocabulary=[f"w{number}" for number in range(200)])
    with pytest.raises(ValueError, match="different vocabularies"):
        model.fit([delayed(COUNTS), delayed(named)], client=cluster_client)
    with pytest.raises(ValueError, match="there are none in the blocks"):
        model.fit([delayed(COUNTS[:0])] * 2, client=cluster_client)
    assert not hasattr(model, "n_features_in_")
    # The frames of the errors hold some.
    gc.collect()
    assert set(cluster_client.futures) <= before


def test_a_partition_that_gives_only_once(cluster_client: Any) -> None:
    # One for two workers: both look at it.
    pairs = [[(word, 1.0) for word in range(10)]] * 1000
    once = dask.bag.from_sequence(pairs, npartitions=1).map_partitions(iter)
    model = make(max_iter=2).fit(once, client=cluster_client)
    assert model.history_["documents"][-1] > 0.9 * 2 * 1000


def test_shards_are_checked_side_by_side() -> None:
    blank = make(n_jobs=1)
    narrow, wide = [[(3, 1.0)]] * 50, [[(9, 1.0)]] * 50
    with ThreadPoolExecutor(2) as pool:
        found = list(
            pool.map(
                lambda block: _shard(blank, [block], range(1), slice(None), "fit"),
                [narrow, wide] * 40,
            )
        )
    assert [counts.shape[1] for counts, _, _ in found] == [4, 10] * 40
    assert [names["n_features_in_"] for _, names, _ in found] == [4, 10] * 40


def test_all_cores_are_those_of_the_workers(cluster_client: Any) -> None:
    place = placement_for(make(n_jobs=-1), 10_000, "online", cluster_client)
    assert (place.n_workers, place.n_threads) == (2, 1)
    place = placement_for(make(n_jobs=3), 10_000, "online", cluster_client)
    assert (place.n_workers, place.n_threads) == (2, 3)


@pytest.mark.parametrize("processes", [True, False])
def test_a_fit_is_awaited_beside_an_event_loop(processes: bool) -> None:
    from distributed import Client, LocalCluster

    async def main() -> None:
        async with (
            LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                processes=processes,
                dashboard_address=":0",
                asynchronous=True,
            ) as cluster,
            Client(cluster, asynchronous=True, set_as_default=False) as client,
        ):
            model: Any = make()
            beats = 0

            async def beat() -> None:
                nonlocal beats
                while True:
                    beats += 1
                    await asyncio.sleep(0.01)

            beating = asyncio.ensure_future(beat())
            assert await model.fit(COUNTS, client=client) is model
            beating.cancel()
            assert model.n_iter_ == 4
            # The loop went on meanwhile.
            assert beats > 5
            await cancelled_fit(client)

    asyncio.run(main())


async def cancelled_fit(client: Any) -> None:
    running = asyncio.Event()
    loop = asyncio.get_running_loop()
    model: Any = make(max_iter=100_000)
    fit = asyncio.ensure_future(
        model.fit(
            COUNTS,
            client=client,
            callbacks=[lambda progress: loop.call_soon_threadsafe(running.set)],
        )
    )
    await running.wait()
    fit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fit
    assert not hasattr(model, "components_")
    with pytest.raises(ValueError, match=r"await model\.fit"):
        model.fit_transform(COUNTS, client=client)
