"""Pictures of a fitted topic model, on Matplotlib's axes.

Each function draws on the axes given as `ax`, or on new ones, and returns them: change
what you like, and save with ``axes.figure.savefig("picture.png")``.

    from dpsvi import plot

    plot.convergence(model)
    plot.topic_map(model, corpus)
"""

from __future__ import annotations

from typing import Any, Literal

from matplotlib.axes import Axes

from dpsvi.report.drawing import (
    MAX_SHOWN,
    Colours,
    draw_bars_of_topics,
    draw_bars_of_words,
    draw_circles,
    draw_curve,
    draw_steps,
)
from dpsvi.report.summary import TopicModel, summarise
from dpsvi.report.topics import RELEVANCE_WEIGHT, Word

__all__ = ["convergence", "pace", "shares", "topic_map", "words"]

_COLOURS = Colours()
_LABELS = {"time": "seconds of training", "documents": "documents seen"}


def convergence(
    model: TopicModel,
    *,
    against: Literal["time", "documents"] = "time",
    ax: Axes | None = None,
) -> Axes:
    """Draw held-out perplexity during the fit.

    Parameters
    ----------
    model : DPSVILatentDirichletAllocation
        Fitted with `X_val`.
    against : {"time", "documents"}, default="time"
        Training seconds, or documents seen.
    ax : Axes or None, default=None
        Where to draw; None: on a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If there is nothing of the kind, or the model has not been measured.

    Examples
    --------
    >>> from dpsvi import DPSVILatentDirichletAllocation, plot
    >>> from dpsvi.datasets import make_corpus
    >>> train, test = make_corpus(200, n_topics=3, random_state=0).split(0.2)
    >>> model = DPSVILatentDirichletAllocation(3, n_jobs=1, random_state=0)
    >>> plot.convergence(model.fit(train, X_val=test)).get_xlabel()
    'seconds of training'
    """
    if against not in _LABELS:
        raise ValueError(f"against is {against!r}; it must be 'time' or 'documents'")
    curve = summarise(model).curve
    if not curve:
        raise ValueError(
            "the model has no held-out perplexities; fit it with X_val=documents"
        )
    axes = _axes(ax)
    places = [getattr(point, against) for point in curve]
    draw_curve(axes, places, [point.perplexity for point in curve], _COLOURS)
    axes.set(xlabel=_LABELS[against], ylabel="held-out perplexity")
    return axes


def pace(
    model: TopicModel,
    *,
    show: Literal["documents_per_second", "staleness"] = "documents_per_second",
    ax: Axes | None = None,
) -> Axes:
    """Draw how fast the fit was, or how stale pushes were, against time.

    Parameters
    ----------
    model : DPSVILatentDirichletAllocation
        Fitted.
    show : {"documents_per_second", "staleness"}, default="documents_per_second"
        Staleness in versions, 0 for one worker.
    ax : Axes or None, default=None
        Where to draw; None: on a new figure.

    Raises
    ------
    ValueError
        If there is nothing of the kind, or the fit had fewer than three merges.
    """
    labels = {
        "documents_per_second": "documents per second",
        "staleness": "staleness, in versions",
    }
    if show not in labels:
        raise ValueError(f"show is {show!r}; it must be one of {', '.join(labels)}")
    seen = summarise(model).pace
    if seen is None:
        raise ValueError("the fit was too short, or the model has no history_")
    axes = _axes(ax)
    draw_steps(axes, seen.edges, getattr(seen, show), _COLOURS)
    axes.set(xlabel=_LABELS["time"], ylabel=labels[show])
    return axes


def shares(model: TopicModel, corpus: Any = None, *, ax: Axes | None = None) -> Axes:
    """Draw the shares of the largest topics of all tokens, 24 at most.

    Parameters
    ----------
    model : DPSVILatentDirichletAllocation or alike
        Fitted.
    corpus : Corpus, table of counts, or None, default=None
        Whose shares; None: those of the documents that the model was fitted to.
    ax : Axes or None, default=None
        Where to draw; None: on a new figure.
    """
    topics = summarise(model, corpus).topics[:MAX_SHOWN]
    axes = _axes(ax, height=0.6 + 0.26 * len(topics))
    draw_bars_of_topics(axes, topics, _COLOURS)
    return axes


def topic_map(model: TopicModel, corpus: Any = None, *, ax: Axes | None = None) -> Axes:
    """Draw topics as circles: areas are shares, and similar topics lie together.

    Parameters
    ----------
    model, corpus, ax
        As for `shares`.
    """
    summary = summarise(model, corpus)
    axes = _axes(ax, height=6.4)
    draw_circles(axes, summary, _COLOURS)
    return axes


def words(
    model: TopicModel,
    topic: int,
    n_words: int = 10,
    *,
    relevance_weight: float = RELEVANCE_WEIGHT,
    ax: Axes | None = None,
) -> Axes:
    """Draw the probabilities of a topic's most relevant words.

    Parameters
    ----------
    model : DPSVILatentDirichletAllocation
        Fitted.
    topic : int
        Its row in `components_`.
    n_words : int, default=10
        How many.
    relevance_weight : float, default=0.6
        As `topics` of the model takes it.
    ax : Axes or None, default=None
        Where to draw; None: on a new figure.

    Raises
    ------
    ValueError
        If the model has no such topic.
    """
    table: Any = model
    rows = table.topics(n_words, relevance_weight=relevance_weight)
    if not 0 <= topic < len(rows):
        raise ValueError(f"topic is {topic}; the topics are 0 to {len(rows) - 1}")
    listed = tuple(Word(str(word), share) for word, share in rows[topic])
    axes = _axes(ax, height=0.9 + 0.26 * n_words)
    draw_bars_of_words(axes, listed, _COLOURS)
    axes.set_title(f"Topic {topic}", loc="left")
    return axes


def _axes(ax: Axes | None, height: float = 4.0) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    made: Axes = plt.subplots(figsize=(6.4, height), layout="constrained")[1]
    return made
