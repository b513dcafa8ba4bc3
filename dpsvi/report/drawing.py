"""Pictures of a topic model on Matplotlib's axes, in whatever colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from dpsvi.report.summary import Summary
from dpsvi.report.topics import Topic, Word

__all__ = [
    "MAX_SHOWN",
    "Colours",
    "draw_bars_of_topics",
    "draw_bars_of_words",
    "draw_circles",
    "draw_curve",
    "draw_steps",
]

#: Topics that get a bar; more cannot be read.
MAX_SHOWN = 24

# Beyond this ratio of the highest to the lowest value a linear axis hides the end.
_LOG_RATIO = 5.0

# Of the map, in points: its width inside the margins, and a letter's width, roughly.
_MAP_POINTS = 300.0
_LETTER = 3.7
# Fewer letters of a word say nothing.
_MIN_LETTERS = 7


class Colours(NamedTuple):
    """What pictures are drawn in, as Matplotlib takes it.

    Attributes
    ----------
    ink, muted, line : str
        Text, text of less weight, lines of the frame.
    accent, soft : str
        Of what is shown: lines, and areas.
    """

    ink: str = "#1d2329"
    muted: str = "#5c6670"
    line: str = "#e3e1dc"
    accent: str = "#1f6f78"
    soft: str = "#d3e6e6"


def draw_curve(
    axes: Axes, places: Sequence[float], values: Sequence[float], colours: Colours
) -> None:
    """Draw values that fall, and write the last one; at least one."""
    axes.plot(
        places, values, color=colours.accent, linewidth=1.8, marker="o", markersize=3.2
    )
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
    _quiet_frame(axes, colours)


def draw_steps(
    axes: Axes, edges: Sequence[float], values: Sequence[float], colours: Colours
) -> None:
    """Draw the means of intervals; one edge more than values."""
    axes.stairs(values, edges, baseline=0.0, fill=True, color=colours.soft, linewidth=0)
    axes.stairs(values, edges, baseline=None, color=colours.accent, linewidth=1.8)
    axes.set_ylim(0.0, 1.15 * (max(values) or 1.0))
    _quiet_frame(axes, colours)


def draw_bars_of_topics(axes: Axes, topics: Sequence[Topic], colours: Colours) -> None:
    """Draw the shares of topics as bars, the largest first; at least one."""
    rows = range(len(topics))
    axes.barh(
        rows, [topic.share for topic in topics], height=0.62, color=colours.accent
    )
    axes.set_yticks(rows, [_clip(topic.label()) for topic in topics], parse_math=False)
    axes.tick_params(axis="y", labelcolor=colours.ink, pad=22)
    for row, topic in zip(rows, topics, strict=True):
        _beside(axes, f"{topic.share:.1%}", topic.share, row, color=colours.muted)
        _beside(axes, str(topic.number), 0.0, row, weight="bold", ha="right")
    _finish_bars(axes, topics[0].share, len(topics))


def draw_bars_of_words(axes: Axes, words: Sequence[Word], colours: Colours) -> None:
    """Draw the probabilities of words as bars; at least one."""
    rows = range(len(words))
    longest = max(word.probability for word in words)
    axes.barh(
        rows, [word.probability for word in words], height=0.62, color=colours.accent
    )
    axes.set_yticks(rows, [_clip(word.text) for word in words], parse_math=False)
    axes.tick_params(axis="y", labelcolor=colours.ink)
    for row, word in zip(rows, words, strict=True):
        text = f"{word.probability:.2%}"
        _beside(axes, text, word.probability, row, color=colours.muted)
    _finish_bars(axes, longest, len(words))


def draw_circles(axes: Axes, summary: Summary, colours: Colours) -> None:
    """Draw topics as circles, similar ones close together."""
    width = float(np.ptp(summary.centres, axis=0).max() + 2 * summary.radii.max())
    items = zip(summary.topics, summary.centres, summary.radii, strict=True)
    for topic, (x, y), radius in items:
        circle = Circle(
            (x, y), radius, facecolor=colours.soft, edgecolor=colours.accent
        )
        axes.add_patch(circle)
        _name(axes, topic, (x, y), room=2 * radius / width * _MAP_POINTS)
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.margins(0.06)
    axes.xaxis.set_visible(False)
    axes.yaxis.set_visible(False)
    _bare(axes)


def _quiet_frame(axes: Axes, colours: Colours) -> None:
    axes.set_xlim(left=0.0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.grid(axis="y", color=colours.line, linewidth=0.7)
    axes.set_axisbelow(True)
    _bare(axes, "bottom")


def _finish_bars(axes: Axes, longest: float, n_bars: int) -> None:
    axes.set_xlim(0.0, 1.16 * longest)
    axes.set_ylim(n_bars - 0.4, -0.6)
    axes.xaxis.set_visible(False)
    _bare(axes)


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
