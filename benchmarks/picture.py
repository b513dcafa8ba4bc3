"""The picture of a race: held-out perplexity against training seconds."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from peers import SYSTEMS
from run_one import Curve

# Okabe and Ito's colours, told apart by colour-blind readers too; the two variants
# of one library share a colour and differ in the dash.
_COLOURS = {
    "dpsvi_lda": "#d55e00",
    "sklearn_lda": "#0072b2",
    "gensim_lda": "#009e73",
    "tomotopy_lda": "#cc79a7",
    "vw_lda": "#56b4e9",
    "spark_lda": "#8a6d00",
    "artm_lda": "#444444",
}


def draw(curves: list[Curve], title: str, path: Path) -> None:
    """Draw one line per run, one entry of the legend per system, and save it."""
    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    named: set[str] = set()
    for curve in curves:
        if curve.perplexity:
            _line(axes, curve, named)
    axes.set(xscale="log", yscale="log", title=title)
    axes.set_xlabel("training seconds (start-up and snapshots left out)")
    axes.set_ylabel("held-out perplexity (lower is better)")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:.0f}")
    axes.yaxis.set_minor_formatter("{x:.0f}")
    axes.grid(True, which="both", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    figure.savefig(path, dpi=150, facecolor="white")
    plt.close(figure)


def _line(axes: Axes, curve: Curve, named: set[str]) -> None:
    first_of_module = next(
        name
        for name, system in SYSTEMS.items()
        if system.module == SYSTEMS[curve.system].module
    )
    axes.plot(
        curve.seconds,
        curve.perplexity,
        color=_COLOURS[SYSTEMS[curve.system].module],
        linestyle="-" if curve.system == first_of_module else (0, (4, 1.5)),
        linewidth=2.4 if curve.system.startswith("dpsvi") else 1.5,
        marker="o",
        markersize=2.5,
        label=None if curve.system in named else curve.system,
    )
    named.add(curve.system)
