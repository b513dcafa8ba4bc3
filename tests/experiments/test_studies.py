"""The parts that experiments are made of."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest

from dpsvi.datasets import make_corpus
from dpsvi.experiments import agents, fig5, fig6, table2
from dpsvi.experiments.speed_ups import simulated_rows
from dpsvi.experiments.topics import Curve, TopicStudy
from dpsvi.theory.speedup import Costs


@cache
def study() -> TopicStudy:
    counts = make_corpus(400, 80, 3, random_state=0).counts
    return TopicStudy(n_topics=3, epochs=2, counts=counts)


def test_documents_are_read_off_a_curve() -> None:
    curve = Curve(np.array([10.0, 100.0, 1000.0]), np.array([400.0, 100.0, 200.0]))
    # Straight on logarithmic axes; what was reached once is reached.
    assert curve.documents_to(200.0) == pytest.approx(math.sqrt(1000.0))
    assert curve.documents_to(100.0) == 100.0
    assert curve.documents_to(500.0) == 10.0
    assert curve.documents_to(99.0) == math.inf


def test_a_serial_run_is_the_measure_of_efficiency() -> None:
    assert study().efficiency("samples", 1, 1, 1) == 1.0
    # Two passes, but for the last mini-batches.
    assert 2 * 380 - 16 <= study().serial.documents[-1] <= 2 * 380
    assert study().serial.perplexity[-1] < study().serial.perplexity[0]


@pytest.mark.parametrize(("p", "B"), [(1, 6), (3, 2)])
def test_threads_and_rounds_of_one_worker_change_nothing(p: int, B: int) -> None:
    # One worker is never stale, whatever the length of its rounds.
    together = study().replay(1, p, B)
    assert together.perplexity[-1] == pytest.approx(
        study().replay(1, 1, 6).perplexity[-1], rel=1e-5
    )


def test_rates_under_both_rules() -> None:
    base = study().best_step
    assert study().step("samples", 4, 2, 2) == pytest.approx(base)
    assert study().step("corollary", 4, 2, 2) == pytest.approx(base / 4)


def test_a_lone_worker_has_no_network() -> None:
    slow = Costs(step_seconds=0.1, push_seconds=5.0)
    rows = simulated_rows(study(), {"slow": slow}, [(1, 1, 1), (2, 1, 1)])
    alone, two = (row for row in rows if row["rule"] == "samples")
    assert alone["pace"] == 1.0
    assert alone["TSP"] == 1.0
    assert two["pace"] < 0.1


def test_steps_until_a_score() -> None:
    found = agents.samples_to("CartPole-v1", 15.0, 2, 1, most=20_000)
    assert 0 < found.samples < 20_000
    assert found.score >= 15.0
    never = agents.samples_to("CartPole-v1", 500.0, 1, 2, most=1_000)
    assert never.samples == math.inf


def test_costs_of_agents() -> None:
    problem = agents.agent_problem("CartPole-v1")
    assert problem.settings.schedule == "constant"
    here, there = agents.node_costs("CartPole-v1", rounds=2)
    assert here.samples_per_step == problem.settings.samples
    assert there.threads.cores == 12
    assert there.service > here.service > 0


def test_a_pace_leaves_out_start_and_end() -> None:
    steps = np.array([100, 400, 700, 1000, 1000])
    time = np.array([9.0, 10.0, 11.0, 12.0, 20.0])
    assert fig5.steady_pace(steps, time) == 300.0
    with pytest.raises(RuntimeError, match="fewer than two merges"):
        fig5.steady_pace(np.array([100, 100]), np.array([1.0, 2.0]))


def test_figure_5_judges_by_rates_and_by_errors() -> None:
    where = fig5._THERE
    rates = {(1, 1): 100.0, (10, 1): 200.0, (60, 1): 220.0}
    rates |= {(1, 20): 100.0, (10, 20): 900.0, (60, 20): 4000.0}
    rows = [fig5._row(where, "simulated", n, B, it) for (n, B), it in rates.items()]
    rows += [
        fig5._row(fig5._HERE, kind, 1, 1, rate)
        for kind, rate in {"simulated": 109.0, "measured": 100.0}.items()
    ]
    claims = fig5._claims(rows)
    assert [claim.verdict for claim in claims] == ["supported"] * 3
    assert "off by 9% at most" in claims[2].found
    rows[2]["steps_per_second"] = 1000.0
    assert fig5._claims(rows)[0].verdict == "not supported"
    rows[-2]["steps_per_second"] = 112.0
    assert fig5._claims(rows)[2].verdict == "not supported"


def test_figure_6_judges_by_seconds() -> None:
    seconds = {(1, 1): 10.0, (1, 5): 10.0, (1, 20): 15.0}
    seconds |= dict.fromkeys([(2, 1), (2, 5), (2, 20)], 8.0)
    seconds |= {(4, 1): 12.0, (4, 5): 5.0, (4, 20): 7.0}
    seconds |= {(8, 1): math.inf, (8, 5): 8.0, (8, 20): 6.0}
    rows: list[dict[str, Any]] = [
        {"game": "g", "nodes": n, "B": B, "seconds": it}
        for (n, B), median in seconds.items()
        for it in (0.5 * median, median, 3 * median)
    ]
    claims = fig6._claims(rows, "g")
    assert [claim.verdict for claim in claims] == ["supported"] * 3
    assert "12 s with B = 1, 5 s with B = 5" in claims[0].found
    rows[-2]["seconds"] = 1.0
    assert fig6._claims(rows, "g")[2].verdict == "not supported"


def test_scores_are_placed_between_random_and_human() -> None:
    row = table2._row("SpaceInvaders", "A3C FF, 1 day", "published", 1668.7, None)
    assert row["human_normalised"] == pytest.approx(1.0)
    assert table2._row("Pong", "x", "measured", -20.7, 1.0)["human_normalised"] == 0
    games = {game for scores in table2._PUBLISHED.values() for game in scores}
    assert games == set(agents.GAMES)
