"""The pictures of a report, as SVG that takes its colours from the page."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from dpsvi.report.summary import Measurement, Summary
from dpsvi.report.topics import Topic

__all__ = ["draw_convergence", "draw_map", "draw_shares"]

#: Topics that get a bar; more cannot be read.
MAX_SHOWN = 24

# Stand-ins for the page's colours: CSS variables take their place in the SVG, so
# that one picture reads well on a light and on a dark page.
INK, MUTED, LINE, ACCENT, SOFT = (f"#00000{digit}" for digit in range(1, 6))
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    ACCENT: "var(--accent)",
    SOFT: "var(--soft)",
}
_RC: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "dpsvi",
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.pad": 6.0,
    "ytick.major.pad": 6.0,
}
# Beyond this ratio of the highest to the lowest value a linear axis hides the end.
_LOG_RATIO = 5.0

# Of the map, in points: its width inside the margins, and a letter's width, roughly.
_MAP_POINTS = 300.0
_LETTER = 3.7
# Fewer letters of a word say nothing.
_MIN_LETTERS = 7


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
        _draw_curve(left, [point.time for point in curve], values)
        _draw_curve(right, [point.documents for point in curve], values)
        left.set_xlabel("seconds of training")
        left.set_ylabel("held-out perplexity")
        right.set_xlabel("documents seen")
        return _svg(
            figure,
            "convergence",
            f"Held-out perplexity during training, from {values[0]:,.0f} at the first "
            f"measurement to {values[-1]:,.0f} at the last.",
        )


def _draw_curve(axes: Axes, places: Sequence[float], values: Sequence[float]) -> None:
    axes.plot(places, values, color=ACCENT, linewidth=1.8, marker="o", markersize=3.2)
    axes.annotate(
        f"{values[-1]:,.0f}",
        (places[-1], values[-1]),
        xytext=(0, 7),
        textcoords="offset points",
        ha="right",
        weight="bold",
    )
    if max(values) > _LOG_RATIO * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlim(left=0.0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.grid(axis="y", color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    _bare(axes, "bottom")


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
    rows = range(len(shown))
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(5.0, 0.4 + 0.235 * len(shown)), layout="constrained")
        axes = figure.subplots()
        axes.barh(rows, [topic.share for topic in shown], height=0.62, color=ACCENT)
        words = [_clip(topic.label()) for topic in shown]
        axes.set_yticks(rows, words, parse_math=False)
        axes.tick_params(axis="y", labelcolor=INK, pad=22)
        for row, topic in zip(rows, shown, strict=True):
            _beside(axes, f"{topic.share:.1%}", topic.share, row, color=MUTED)
            _beside(axes, str(topic.number), 0.0, row, weight="bold", ha="right")
        axes.set_xlim(0.0, 1.16 * shown[0].share)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.xaxis.set_visible(False)
        _bare(axes)
        return _svg(
            figure,
            "shares",
            "Bars of the topics' shares of all tokens, the largest first: topic "
            f"{shown[0].number} ({shown[0].label()}) with {shown[0].share:.1%}.",
        )


def _beside(axes: Axes, text: str, x: float, y: float, **style: Any) -> None:
    away = -5 if style.get("ha") == "right" else 5
    axes.annotate(
        text,
        (x, y),
        xytext=(away, 0),
        textcoords="offset points",
        va="center_baseline",
        **style,
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
        axes = figure.subplots()
        width = float(np.ptp(summary.centres, axis=0).max() + 2 * summary.radii.max())
        items = zip(summary.topics, summary.centres, summary.radii, strict=True)
        for topic, (x, y), radius in items:
            axes.add_patch(Circle((x, y), radius, facecolor=SOFT, edgecolor=ACCENT))
            _name(axes, topic, (x, y), room=2 * radius / width * _MAP_POINTS)
        axes.set_aspect("equal")
        axes.autoscale_view()
        axes.margins(0.06)
        axes.xaxis.set_visible(False)
        axes.yaxis.set_visible(False)
        _bare(axes)
        return _svg(
            figure,
            "map",
            f"A map of {len(summary.topics)} topics as circles: the area is the share "
            "of all tokens, and topics with similar words lie close together.",
        )


def _name(axes: Axes, topic: Topic, centre: tuple[float, float], room: float) -> None:
    """Write the number and the first word of a topic as far as there is room."""
    n_letters = int(room / _LETTER)
    number = str(topic.number)
    if n_letters >= _MIN_LETTERS:
        _write(axes, number, centre, 1, weight="bold")
        _write(axes, _clip(topic.label(1), n_letters), centre, -1, size=7.5)
    elif n_letters > len(number):
        _write(axes, number, centre, 0, weight="bold")


def _write(
    axes: Axes, text: str, centre: tuple[float, float], lift: int, **style: Any
) -> None:
    axes.annotate(
        text,
        centre,
        xytext=(0, lift),
        textcoords="offset points",
        ha="center",
        va={1: "bottom", 0: "center_baseline", -1: "top"}[lift],
        parse_math=False,
        **style,
    )


def _bare(axes: Axes, *kept: str) -> None:
    """Take away the frame but for the sides `kept`, and all tick marks."""
    for side, spine in axes.spines.items():
        spine.set_visible(side in kept)
    axes.tick_params(which="both", length=0)


def _clip(text: str, length: int = 26) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


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
