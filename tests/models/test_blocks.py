"""Documents in blocks: the same fit, the same topics and scores as in one table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import dask.bag
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from dask import delayed
from small_corpora import make_model

from dpsvi.datasets import Corpus, make_corpus
from dpsvi.models.lda.blocks import in_blocks, is_lazy

COUNTS = make_corpus(120, n_words=40, n_topics=3, random_state=0).counts
MODEL = make_model().fit(COUNTS)
CUTS = [slice(0, 50), slice(50, 80), slice(80, 120)]


def pairs_of(counts: Any) -> list[list[tuple[int, float]]]:
    """Documents as gensim has them."""
    rows = (counts[i : i + 1] for i in range(counts.shape[0]))
    return [
        list(zip(row.indices.tolist(), row.data.tolist(), strict=True)) for row in rows
    ]


def dense_array(folder: Path) -> Any:
    return da.from_array(COUNTS.toarray().astype(np.float32), chunks=(50, 17))


def sparse_array(folder: Path) -> Any:
    return da.from_array(COUNTS.toarray(), chunks=(50, 40)).map_blocks(sp.csr_matrix)


def bag(folder: Path) -> Any:
    return dask.bag.from_sequence(pairs_of(COUNTS), npartitions=3)


def bag_of_matrices(folder: Path) -> Any:
    return dask.bag.from_sequence([COUNTS[cut] for cut in CUTS], npartitions=2)


def delayed_blocks(folder: Path) -> Any:
    return [delayed(COUNTS[cut]) for cut in CUTS]


def delayed_whole(folder: Path) -> Any:
    return delayed(COUNTS)


def files(folder: Path) -> Any:
    paths = [folder / f"{number}.npz" for number in range(3)]
    for path, cut in zip(paths, CUTS, strict=True):
        sp.save_npz(path, sp.csr_matrix(COUNTS[cut]))
    return [str(paths[0]), *paths[1:]]


def matrices(folder: Path) -> Any:
    return [COUNTS[cut] for cut in CUTS]


def corpora(folder: Path) -> Any:
    return [Corpus(COUNTS[cut]) for cut in CUTS]


def pairs(folder: Path) -> Any:
    return pairs_of(COUNTS)


ALL = [
    dense_array,
    sparse_array,
    bag,
    bag_of_matrices,
    delayed_blocks,
    delayed_whole,
    files,
    matrices,
    corpora,
    pairs,
]
LAZY = ALL[:6]


@pytest.mark.parametrize("form", ALL)
def test_a_fit_is_the_same(form: Callable[..., Any], tmp_path: Path) -> None:
    model = make_model().fit(form(tmp_path))
    np.testing.assert_array_equal(model.components_, MODEL.components_)
    assert model.n_features_in_ == 40


@pytest.mark.parametrize("form", ALL)
def test_topics_and_scores_are_the_same(
    form: Callable[..., Any], tmp_path: Path
) -> None:
    X = form(tmp_path)
    # For bags Dask starts processes, anew each time; a fit, above, has them.
    with dask.config.set(scheduler="threads"):
        theta = MODEL.transform(X)
        numbers = [MODEL.score(X), MODEL.perplexity(X, include_topics_term=True)]
        expected = [
            MODEL.score(COUNTS),
            MODEL.perplexity(COUNTS, include_topics_term=True),
        ]
        assert {isinstance(found, da.Array) for found in (theta, *numbers)} == {
            form in LAZY
        }
        np.testing.assert_allclose(
            np.asarray(theta), MODEL.transform(COUNTS), rtol=1e-6
        )
        np.testing.assert_allclose([float(n) for n in numbers], expected, rtol=1e-6)
        # The split of the tokens is another one, block by block.
        completed = float(MODEL.heldout_perplexity(X))
        assert completed == pytest.approx(MODEL.heldout_perplexity(COUNTS), rel=0.05)


def test_the_options_of_transform_reach_the_blocks() -> None:
    X = dense_array(Path())
    found = MODEL.transform(X, normalize=False)
    assert found.shape == (120, 3)
    assert found.dtype == MODEL.components_.dtype
    expected = MODEL.transform(COUNTS, normalize=False)
    np.testing.assert_allclose(found.compute(), expected, rtol=1e-6)


def test_nothing_is_computed_before_it_is_asked_for() -> None:
    asked: list[int] = []

    def block(number: int) -> Any:
        asked.append(number)
        return COUNTS[CUTS[number]]

    X = [delayed(block, pure=False)(number) for number in range(3)]
    theta, score = MODEL.transform(X), MODEL.score(X)
    assert not asked
    # One block alone.
    theta.blocks[1].compute(scheduler="synchronous")
    assert asked == [1]
    score.compute(scheduler="synchronous")
    assert sorted(asked) == [0, 1, 1, 2]


def test_seeds_differ_from_block_to_block() -> None:
    twice = [COUNTS, COUNTS]
    alone = MODEL.heldout_perplexity(COUNTS, random_state=3)
    both = MODEL.heldout_perplexity(twice, random_state=3)
    assert both != alone
    assert both == MODEL.heldout_perplexity(twice, random_state=3)


def test_blocks_without_documents_are_no_trouble() -> None:
    X = [COUNTS[:0], COUNTS, COUNTS[:0]]
    np.testing.assert_array_equal(make_model().fit(X).components_, MODEL.components_)
    np.testing.assert_array_equal(MODEL.transform(X), MODEL.transform(COUNTS))
    assert MODEL.score(X) == pytest.approx(MODEL.score(COUNTS))
    with pytest.raises(ValueError, match="needs documents; there are none"):
        make_model().fit([COUNTS[:0]])
    with pytest.raises(ValueError, match="documents with words"):
        MODEL.perplexity([COUNTS[:0]])
    with pytest.raises(ValueError, match="left to predict"):
        MODEL.heldout_perplexity([COUNTS[:0]])


def test_names_of_words_come_along() -> None:
    words = [f"w{number}" for number in range(40)]
    named = [Corpus(COUNTS[cut], vocabulary=words) for cut in CUTS]
    assert make_model().fit(named).feature_names_in_.tolist() == words
    frame = pd.DataFrame(COUNTS.toarray(), columns=words)
    model = make_model().fit([delayed(frame)])
    assert model.feature_names_in_.tolist() == words
    other = Corpus(COUNTS, vocabulary=words[::-1])
    with pytest.raises(ValueError, match="vocabulary differs") as caught:
        make_model().fit([*named, other])
    assert "block 3" in caught.value.__notes__[0]


def test_held_out_documents_and_partial_fits_in_blocks() -> None:
    model = make_model(max_iter=2).fit(COUNTS, X_val=matrices(Path()))
    assert np.isfinite(model.history_["heldout_perplexity"]).any()
    expected = make_model().partial_fit(COUNTS).partial_fit(COUNTS)
    found = make_model().partial_fit(delayed(COUNTS)).partial_fit(matrices(Path()))
    np.testing.assert_array_equal(found.components_, expected.components_)


def test_blocks_are_compared_with_the_model_too() -> None:
    words = [f"w{number}" for number in range(40)]
    named = Corpus(COUNTS, vocabulary=words)
    other = [Corpus(COUNTS, vocabulary=words[::-1])]
    with pytest.raises(ValueError, match="vocabulary differs"):
        make_model().fit(named, X_val=other)
    model = make_model().partial_fit(named)
    with pytest.raises(ValueError, match="vocabulary differs"):
        model.partial_fit(other)
    # A few documents do not use all words.
    few = dask.bag.from_sequence([[(0, 2.0), (3, 1.0)]] * 9, npartitions=2)
    model.partial_fit(few)
    found = make_model().fit(COUNTS, X_val=few).history_["heldout_perplexity"]
    assert np.isfinite(found).any()


def test_threads_are_used_unless_dask_has_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int | None] = []
    plain = type(MODEL).transform

    def transform(self: Any, X: Any, **options: Any) -> Any:
        seen.append(self.n_jobs)
        return plain(self, X, **options)

    model = make_model(n_jobs=2).fit(COUNTS)
    monkeypatch.setattr(type(model), "transform", transform)
    model.transform([COUNTS])
    model.transform(delayed(COUNTS)).compute(scheduler="synchronous")
    # First the call itself, then that for its block.
    assert seen == [2, 2, 2, 1]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([COUNTS, COUNTS[:, :30]], "30 features"),
        ([COUNTS, -COUNTS], "Negative values"),
        (["nowhere.npz"], r"'nowhere.npz' cannot be read on host .* every worker"),
        (da.ones(5), "has 1 dimensions; it needs two"),
        ([[(0, 1), (-1, 2)]], "word number -1"),
        ([[(0, 1), (1.5, 2)]], "word number 1.5"),
        ([[(0, 1), (1, 2, 3)]], "give pairs of word number"),
    ],
)
def test_bad_blocks_are_named(X: Any, message: str) -> None:
    model = make_model()
    with pytest.raises(ValueError, match=message):
        model.fit(X)
    assert not hasattr(model, "components_")


def test_a_word_that_the_model_does_not_know() -> None:
    with pytest.raises(ValueError, match=r"word number 40 is not one of 0, \.\.\., 39"):
        MODEL.transform([[(0, 1), (40, 2)]])


def test_what_is_in_blocks() -> None:
    assert is_lazy(delayed(COUNTS))
    assert is_lazy([COUNTS, delayed(COUNTS)])
    for X in (COUNTS, COUNTS.toarray(), COUNTS.toarray().tolist(), Corpus(COUNTS), []):
        assert not in_blocks(X)
        assert not is_lazy(X)
