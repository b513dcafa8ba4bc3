"""`fit` with a client."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dpsvi import DPSVILatentDirichletAllocation
from dpsvi.datasets import make_corpus

COUNTS = make_corpus(1500, n_topics=5, random_state=0).counts
CORPUS, HELD_OUT = COUNTS[:1200], COUNTS[1200:]


def make(**more: Any) -> DPSVILatentDirichletAllocation:
    given = {"max_iter": 4, "random_state": 0, **more}
    return DPSVILatentDirichletAllocation(5, **given)


@pytest.mark.parametrize("inference", ["vb", "cvb0"])
def test_as_good_as_in_one_process(cluster_client: Any, inference: str) -> None:
    here = make(inference=inference, backend="local").fit(CORPUS)
    # Now and then one misses a topic, here too: on a cluster no seed decides which.
    tries = [
        make(inference=inference, random_state=seed).fit(CORPUS, client=cluster_client)
        for seed in range(3)
    ]
    there = min(tries, key=lambda model: model.heldout_perplexity(HELD_OUT))
    assert there.history_["bytes"][-1] > 0 == here.history_["bytes"][-1]
    assert there.history_["documents"][-1] > 0.99 * 4 * 1200
    expected = here.heldout_perplexity(HELD_OUT)
    assert there.heldout_perplexity(HELD_OUT) < 1.05 * expected
    # A whole number of mini-batches on two workers.
    assert there.n_iter_ == 4


def test_a_current_client_is_used(cluster_client: Any) -> None:
    with cluster_client.as_current():
        model = make(max_iter=1).fit(CORPUS)
        here = make(max_iter=1, backend="local").fit(CORPUS)
        partial = make().partial_fit(CORPUS)
        batch = make(max_iter=1, learning_method="batch").fit(CORPUS)
    assert model.history_["bytes"][-1] > 0
    for other in (here, partial, batch):
        assert other.history_["bytes"][-1] == 0


def test_held_out_documents_and_callbacks(cluster_client: Any) -> None:
    seen: list[Any] = []

    def look(progress: Any) -> None:
        seen.append((progress.epoch, progress.components_))

    model = make(max_iter=6)
    model.fit(CORPUS, client=cluster_client, X_val=HELD_OUT, callbacks=[look])
    measured = model.history_["heldout_perplexity"]
    measured = measured[np.isfinite(measured)]
    assert measured.size >= 2
    assert measured[-1] < measured[0]
    epochs, components = zip(*seen, strict=True)
    assert epochs[-1] == 6.0
    assert all(np.isfinite(found).all() for found in components)
    np.testing.assert_allclose(components[-1], model.components_, rtol=1e-5)


def test_a_cluster_of_threads() -> None:
    from distributed import Client

    with Client(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        dashboard_address=":0",
        set_as_default=False,
    ) as client:
        model = make(max_iter=2).fit(CORPUS, client=client)
    assert model.history_["documents"][-1] > 0.99 * 2 * 1200


def test_a_fit_inside_a_task_stays_there(cluster_client: Any) -> None:
    # As a grid search with Dask's joblib backend does it, on all threads at once.
    fits = [cluster_client.submit(make(max_iter=1).fit, CORPUS, pure=False)] * 3
    for fit in fits:
        assert fit.result(60).history_["bytes"][-1] == 0


def test_dropped_pushes_leave_topics_in_their_scale(cluster_client: Any) -> None:
    model = make(
        max_staleness=0, master_batch_size=1, batch_size=10, learning_decay=0.51
    )
    totals = []

    def look(progress: Any) -> None:
        totals.append(progress.components_.sum())

    model.fit(CORPUS, client=cluster_client, callbacks=[look])
    n_tokens = CORPUS.sum()
    # λ is never much more than the tokens; dropped mass may be missing.
    assert max(totals) < 1.5 * n_tokens
    assert model.components_.sum() < 1.5 * n_tokens


def test_a_checkpoint_goes_on_with_another_cluster(
    cluster_client: Any, tmp_path: Any
) -> None:
    path = tmp_path / "fit.npz"
    first = make(max_iter=2, n_jobs=1, backend="local")
    first.fit(CORPUS, checkpoint=path)
    model = make(max_iter=4).fit(CORPUS, client=cluster_client, checkpoint=path)
    assert model.n_iter_ == 4
    documents, before = model.history_["documents"], len(first.history_)
    np.testing.assert_array_equal(documents[:before], first.history_["documents"])
    assert documents[before] > 2 * 1200
    assert documents[-1] == pytest.approx(4 * 1200, rel=0.01)


def test_what_cannot_be_done_is_said_first(cluster_client: Any) -> None:
    with pytest.raises(ValueError, match="needs a client"):
        make(backend="dask").fit(CORPUS)
    with pytest.raises(ValueError, match="backend is 'local'"):
        make(backend="local").fit(CORPUS, client=cluster_client)
    model = make(learning_method="batch")
    with pytest.raises(ValueError, match="runs in one process"):
        model.fit(CORPUS, client=cluster_client)
    assert not hasattr(model, "components_")


def test_a_closed_client_is_named(small_cluster: Any) -> None:
    client = small_cluster(1)
    client.close()
    with pytest.raises(ValueError, match="client is closed; connect a new one"):
        make().fit(CORPUS, client=client)
