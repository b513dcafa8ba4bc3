"""Theorem 3.1 and Corollary 1 on short runs, and how claims are judged."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from dpsvi.experiments.theorem import judge, looks, row_of, sized, slope
from dpsvi.experiments.theorem_figure import draw
from dpsvi.experiments.theorem_study import Measured, Study, factors_norm
from dpsvi.theory import Layout


@cache
def study() -> Study:
    return Study(replicates=16)


@cache
def measured(layout: Layout, step: float | None = None, rho: float = 1.0) -> Measured:
    return study().measure(layout, step=step, rho=rho)


@pytest.mark.parametrize(
    "layout",
    [
        Layout(merges=500),
        Layout(merges=200, master_batch_size=4, staleness=1),
        Layout(merges=500, staleness=3),
        Layout(merges=100, n_threads=2, local_steps=2, read_delay=3),
        Layout(merges=500, kept=0.5),
    ],
    ids=["serial", "M", "D", "D'", "alpha"],
)
def test_gradients_are_below_the_bound_where_it_is_guaranteed(layout: Layout) -> None:
    found = measured(layout)
    assert found.condition <= 1
    assert 0 < found.norm < found.bound


def test_the_rate_is_the_root_of_the_merges() -> None:
    merges = [250, 500, 2000]
    norms = [measured(Layout(merges=T)).norm for T in merges]
    assert -0.6 < slope(merges, norms) < -0.4


def test_only_the_product_of_the_sizes_counts() -> None:
    ways = [(1, 1, 1), (4, 1, 1), (2, 2, 2)]
    norms = [measured(sized(2000, *sizes)).norm for sizes in ways]
    assert norms == pytest.approx([norms[0]] * 3, rel=0.05)


def test_staleness_harms_only_where_steps_are_large() -> None:
    # Eq. 10 allows D = 5 in so many merges.
    fresh, late = (measured(Layout(merges=1200, staleness=D)) for D in (0, 5))
    assert late.fewest < 1200
    assert late.norm == pytest.approx(fresh.norm, rel=0.1)
    fresh, late = (measured(Layout(merges=600, staleness=D), 0.3) for D in (0, 16))
    assert late.norm > 1.5 * fresh.norm
    assert late.condition > 1


def test_late_reads_harm_only_where_steps_are_large() -> None:
    layouts = [Layout(merges=150, local_steps=5, read_delay=late) for late in (0, 2)]
    fresh, late = (measured(layout) for layout in layouts)
    assert late.fewest < 150
    assert late.norm == pytest.approx(fresh.norm, rel=0.05)
    layouts = [Layout(merges=150, local_steps=5, read_delay=late) for late in (0, 4)]
    fresh, late = (measured(layout, 0.3) for layout in layouts)
    assert late.norm > 1.05 * fresh.norm


def test_lost_writes_cost_their_share() -> None:
    norms = [measured(Layout(merges=2000, kept=kept)).norm for kept in (1.0, 0.5)]
    assert 0.5 * norms[1] == pytest.approx(norms[0], rel=0.15)


def test_long_local_steps_are_worse_but_not_as_the_bound_has_it() -> None:
    whole, split = (
        measured(Layout(merges=100, local_steps=10), rho=rho) for rho in (1.0, 0.03)
    )
    assert 1 < split.norm / whole.norm < 3
    assert split.bound > 20 * whole.bound


def test_rounds_of_many_steps_need_fewer_exchanges_and_cost_nothing() -> None:
    short, long = (measured(sized(2000, 4, 1, B)) for B in (1, 10))
    assert (short.exchanges, long.exchanges) == (2000, 200)
    assert long.norm == pytest.approx(short.norm, rel=0.05)


def test_matrix_factorisation_has_the_same_rate() -> None:
    merges = [500, 2000]
    norms = [factors_norm(T, 2.0, runs=2)[0] for T in merges]
    assert -0.65 < slope(merges, norms) < -0.35


def test_a_row_tells_whether_anything_is_guaranteed() -> None:
    inside = row_of(study(), "D", 0, Layout(merges=1200), {})
    assert (inside["guaranteed"], inside["corollary_1"]) == (True, True)
    # (7) holds where Eq. 10, which is sufficient for it, does not.
    late = row_of(study(), "D", 7, Layout(merges=1200, staleness=7), {})
    assert (late["guaranteed"], late["corollary_1"]) == (True, False)
    large = row_of(study(), "D", 0, Layout(merges=1200), {"step": 0.3})
    assert (large["guaranteed"], large["corollary_1"]) == (False, False)


def table(**changes: Any) -> list[dict[str, Any]]:
    """Rows on which every claim holds, without a run."""
    rows = []
    for sweep, value, layout, given in looks(16000):
        norm = layout.steps**-0.5 / layout.kept
        rho = given.get("rho", 1)
        norm *= 1 + value * (sweep == "D, γ = 0.3") + 0.1 * (rho < 1)
        row = {"sweep": sweep, "value": value, "norm": norm, "bound": 9 * norm / rho}
        row |= {"guaranteed": not given.get("step"), "corollary_1": value < 64}
        # The last of the late reads is beyond the corollary.
        row["corollary_1"] &= (sweep, value) != ("D'", 9)
        exchanges = layout.merges * layout.master_batch_size
        rows.append(row | {"error": norm / 99, "exchanges": exchanges})
    for scale in (2, 4, 6):
        for T in (1000, 4000):
            row = dict.fromkeys(rows[0], "") | {"sweep": f"T, factors, {scale} / √T"}
            rows.append(row | {"value": T, "norm": T**-0.5, "error": 0.0})
    for row in rows:
        row.update(changes if row["sweep"] == "B" and row["value"] == 5 else {})
    return rows


def test_claims_are_judged_by_the_rows_that_count() -> None:
    assert {claim.verdict for claim in judge(table())} == {"supported"}
    above = table(bound=0.0001)
    assert judge(above)[0].verdict == "not supported"
    # A bound that is not guaranteed is no bound.
    assert judge(table(bound=0.0001, guaranteed=False))[0].verdict == "supported"
    assert judge(table(exchanges=20000))[-1].verdict == "not supported"
    assert judge(table(norm=0.02))[-1].verdict == "not supported"
    # What Corollary 1 does not speak of is left out.
    assert "over the 3 values" in judge(table())[6].found


def test_each_claim_falls_with_its_own_sweep() -> None:
    spoiled = {
        "T": 1,
        "T, factors, 4 / √T": 2,
        "MpB": 3,
        "D": 4,
        "D, γ = 0.3": 5,
        "D'": 6,
        "alpha": 7,
        "rho": 8,
        "B": 9,
    }
    for sweep, place in spoiled.items():
        rows = table()
        # Ever larger from row to row, and then as small as the first.
        for number, row in enumerate(row for row in rows if row["sweep"] == sweep):
            row["norm"] *= 1.0 if sweep == "D, γ = 0.3" else 4.0 ** (number % 2)
            if sweep == "D, γ = 0.3":
                row["norm"] = 1.0
            row["bound"] = row["bound"] and 9 * row["norm"]
        verdicts = [claim.verdict for claim in judge(rows)]
        assert verdicts.pop(place) == "not supported", sweep
        assert set(verdicts) == {"supported"}, sweep


def test_the_figure_tells_what_is_beyond_the_corollary() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    draw(figure, table())
    by_delay = figure.axes[1]
    faces = [
        it.get_markerfacecolor() for it in by_delay.lines if len(it.get_xdata()) == 1
    ]
    assert faces.count("white") == 2
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert {"location", "factors, 2 / √T", "bound, location"} <= set(labels)
    # The exchanges have an axis of their own.
    assert len(figure.axes) == 7


@pytest.mark.parametrize(
    "layout",
    [
        Layout(merges=40),
        Layout(merges=40, master_batch_size=4),
        Layout(merges=40, staleness=3),
        Layout(merges=40, master_batch_size=4, staleness=1),
    ],
    ids=["serial", "M", "D", "M and D"],
)
def test_runs_have_the_staleness_they_are_asked_for(layout: Layout) -> None:
    assert measured(layout).staleness == layout.staleness
