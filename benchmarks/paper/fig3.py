"""Figure 3: speed-up with as many threads as workers, for several B."""

from __future__ import annotations

from dpsvi.experiments.findings import Claim, Finding
from dpsvi.experiments.speed_ups import draw, network_costs, simulated_rows
from dpsvi.experiments.topics import TopicStudy

__all__ = ["find"]


def find(*, full: bool = False) -> Finding:
    """Run; `full` uses larger models and goes on to nine workers of nine threads."""
    study = TopicStudy(n_topics=100 if full else 20)
    sizes = [1, 2, 4, 6, *([8, 9] if full else [])]
    lengths = [1, 5, 15]
    layouts = [(n, n, B) for B in lengths for n in sizes]
    rows = simulated_rows(study, network_costs(study), layouts)
    found = {(row["n"], row["B"], row["rule"]): row for row in rows}
    most = sizes[-1]
    paces = [found[most, B, "samples"]["pace"] for B in lengths]
    times = [found[most, B, "samples"]["TSP"] for B in lengths]
    return Finding(
        "fig3",
        "Speed-up with as many threads as workers, n = p",
        rows,
        [
            Claim.judged(
                "Longer rounds lose less to communication",
                paces[0] < paces[1] <= paces[2] * 1.01,
                f"n = p = {most} does {paces[0]:.1f}, {paces[1]:.1f} and "
                f"{paces[2]:.1f} times the work of one thread with B = 1, 5 and 15.",
            ),
            Claim.judged(
                "and so reach the perplexity sooner",
                times[0] < times[2],
                f"To the perplexity: {times[0]:.1f}, {times[1]:.1f} and {times[2]:.1f} "
                f"times as soon. With B = 15, {most * most * 15 * study.batch_size:,} "
                f"of {study.train.shape[0]:,} documents are under way at once.",
            ),
        ],
        lambda figure: draw(figure, rows, "n", "n = p"),
    )
