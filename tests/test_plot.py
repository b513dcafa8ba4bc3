"""`dpsvi.plot`: what is drawn, and where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from dpsvi import DPSVILatentDirichletAllocation, plot
from dpsvi.datasets import make_corpus

CORPUS = make_corpus(300, n_words=40, n_topics=4, random_state=0)


@pytest.fixture(scope="module")
def model() -> DPSVILatentDirichletAllocation:
    train, test = CORPUS.split(0.2, random_state=0)
    made = DPSVILatentDirichletAllocation(4, n_jobs=1, batch_size=24, random_state=0)
    return made.fit(train, X_val=test)


@pytest.fixture(autouse=True)
def no_windows() -> Iterator[None]:
    import matplotlib.pyplot as plt

    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


def drawn(axes: Any) -> str:
    """All words of a picture, once it has been drawn."""
    axes.figure.canvas.draw()
    texts = axes.texts + axes.get_yticklabels() + [axes.xaxis.label, axes.yaxis.label]
    return " ".join(text.get_text() for text in texts)


@pytest.mark.parametrize("against", ["time", "documents"])
def test_convergence(model: Any, against: Any) -> None:
    axes = plot.convergence(model, against=against)
    measured = np.isfinite(model.history_["heldout_perplexity"])
    (line,) = axes.get_lines()
    np.testing.assert_array_equal(line.get_xdata(), model.history_[against][measured])
    assert f"{model.history_['heldout_perplexity'][measured][-1]:,.0f}" in drawn(axes)


def test_pace(model: Any) -> None:
    axes = plot.pace(model)
    edges, rates = axes.patches[0].get_data().edges, axes.patches[0].get_data().values
    # The area is what was seen.
    assert (np.diff(edges) * rates).sum() == pytest.approx(
        model.history_["documents"][-1]
    )
    assert "documents per second" in drawn(axes)
    stale = plot.pace(model, show="staleness")
    assert set(stale.patches[0].get_data().values) == {0.0}


def test_shares(model: Any) -> None:
    axes = plot.shares(model)
    sizes = np.sort(model.components_.sum(axis=1))[::-1]
    found = [bar.get_width() for bar in axes.patches]
    np.testing.assert_allclose(found, sizes / sizes.sum(), rtol=1e-5)
    assert f"{found[0]:.1%}" in drawn(axes)


def test_map(model: Any) -> None:
    assert len(plot.topic_map(model, CORPUS).patches) == 4


def test_words(model: Any) -> None:
    axes = plot.words(model, 2, 5, relevance_weight=1.0)
    best = [float(share) for _, share in model.topics(5)[2]]
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], best)
    assert axes.get_title("left") == "Topic 2"


def test_axes_that_are_given(model: Any) -> None:
    axes = Figure().subplots()
    for draw in (plot.convergence, plot.pace, plot.shares, plot.topic_map):
        assert draw(model, ax=axes) is axes
    assert plot.words(model, 0, ax=axes) is axes


def test_mistakes(model: Any) -> None:
    unwatched = DPSVILatentDirichletAllocation(2, n_jobs=1, max_iter=1)
    unwatched.fit(CORPUS)
    cases: list[tuple[str, Any]] = [
        ("X_val", lambda: plot.convergence(unwatched)),
        ("'epochs'", lambda: plot.convergence(model, against="epochs")),
        ("'speed'", lambda: plot.pace(model, show="speed")),
        ("too short", lambda: plot.pace(unwatched)),
        ("0 to 3", lambda: plot.words(model, 4)),
        ("fit", lambda: plot.shares(DPSVILatentDirichletAllocation(2))),
    ]
    for message, wrong in cases:
        with pytest.raises(ValueError, match=message):
            wrong()
