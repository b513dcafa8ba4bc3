"""The pictures of a report, as SVG that takes its colours from the page."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from dpsvi.report.drawing import (
    MAX_SHOWN,
    Colours,
    draw_bars_of_topics,
    draw_circles,
    draw_curve,
    draw_steps,
)
from dpsvi.report.summary import Measurement, Pace, Summary
from dpsvi.report.topics import Topic

__all__ = ["draw_convergence", "draw_map", "draw_pace", "draw_shares"]

# Stand-ins for the page's colours: CSS variables take their place in the SVG, so
# that one picture reads well on a light and on a dark page.
_COLOURS = Colours(*(f"#00000{digit}" for digit in range(1, 6)))
_VARIABLES = {colour: f"var(--{name})" for name, colour in _COLOURS._asdict().items()}
_RC: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "dpsvi",
    "font.size": 9.0,
    "text.color": _COLOURS.ink,
    "axes.labelcolor": _COLOURS.muted,
    "axes.edgecolor": _COLOURS.line,
    "xtick.color": _COLOURS.muted,
    "ytick.color": _COLOURS.muted,
    "xtick.major.pad": 6.0,
    "ytick.major.pad": 6.0,
}


def draw_convergence(curve: Sequence[Measurement]) -> str:
    """Draw held-out perplexity against seconds and against documents.

    Parameters
    ----------
    curve : sequence of Measurement
        At least one.

    Returns
    -------
    str
        An ``svg`` element.
    """
    values = [point.perplexity for point in curve]
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(10.4, 3.3), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        draw_curve(left, [point.time for point in curve], values, _COLOURS)
        draw_curve(right, [point.documents for point in curve], values, _COLOURS)
        left.set_xlabel("seconds of training")
        left.set_ylabel("held-out perplexity")
        right.set_xlabel("documents seen")
        return _svg(
            figure,
            "convergence",
            f"Held-out perplexity during training, from {values[0]:,.0f} at the first "
            f"measurement to {values[-1]:,.0f} at the last.",
        )


def draw_pace(pace: Pace) -> str:
    """Draw documents per second against seconds, and staleness if there is any.

    Parameters
    ----------
    pace : Pace

    Returns
    -------
    str
        An ``svg`` element.
    """
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(10.4, 2.6), layout="constrained")
        shown = {"documents per second": pace.documents_per_second}
        told = f"Documents per second, {max(pace.documents_per_second):,.0f} at most"
        if any(pace.staleness):
            shown["staleness, in versions"] = pace.staleness
            told += f", and staleness of pushes, {max(pace.staleness):,.1f} versions"
            told += " at most"
        panels = figure.subplots(1, len(shown), squeeze=False)[0]
        for axes, (label, values) in zip(panels, shown.items(), strict=True):
            draw_steps(axes, pace.edges, values, _COLOURS)
            axes.set(xlabel="seconds of training", ylabel=label)
        return _svg(figure, "pace", f"{told}, during training.")


def draw_shares(topics: Sequence[Topic]) -> str:
    """Draw the shares of the largest topics as bars.

    Parameters
    ----------
    topics : sequence of Topic
        The largest first; at least one.

    Returns
    -------
    str
        An ``svg`` element.
    """
    shown = topics[:MAX_SHOWN]
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(5.0, 0.4 + 0.235 * len(shown)), layout="constrained")
        draw_bars_of_topics(figure.subplots(), shown, _COLOURS)
        return _svg(
            figure,
            "shares",
            "Bars of the topics' shares of all tokens, the largest first: topic "
            f"{shown[0].number} ({shown[0].label()}) with {shown[0].share:.1%}.",
        )


def draw_map(summary: Summary) -> str:
    """Draw topics as circles, similar ones close together.

    Parameters
    ----------
    summary : Summary

    Returns
    -------
    str
        An ``svg`` element.
    """
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(5.0, 5.0), layout="constrained")
        draw_circles(figure.subplots(), summary, _COLOURS)
        return _svg(
            figure,
            "map",
            f"A map of {len(summary.topics)} topics as circles: the area is the share "
            "of all tokens, and topics with similar words lie close together.",
        )


def _svg(figure: Figure, name: str, description: str) -> str:
    """Return `figure` as an element to stand in a page among others."""
    figure.patch.set_visible(False)
    for axes in figure.axes:
        axes.patch.set_visible(False)
    file = io.StringIO()
    with warnings.catch_warnings():
        # The page's fonts show the words, not those that Matplotlib measures with.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format="svg", metadata=nothing)
    return _embeddable(file.getvalue(), name, description)


def _embeddable(svg: str, name: str, description: str) -> str:
    """Take away what only a file of its own needs; keep names apart."""
    box = re.search(r'viewBox="([^"]*)"', svg)
    if box is None:
        raise RuntimeError("Matplotlib wrote an SVG without a viewBox.")
    body = svg[svg.index(">", svg.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.S)
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, variable)
    label = escape(description)
    return f'<svg viewBox="{box[1]}" role="img" aria-label="{label}">{body}'
