"""The parts that experiments are made of."""

from __future__ import annotations

import math
from contextlib import nullcontext
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dpsvi.datasets import make_corpus
from dpsvi.experiments import (
    agents,
    fig1,
    fig2,
    fig3,
    fig5,
    fig6,
    network,
    rules,
    table2,
)
from dpsvi.experiments.findings import Claim
from dpsvi.experiments.speed_ups import HERE, SLOW, measured_row, simulated_rows
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


def test_costs_of_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "event_loop_seconds", lambda: 0.003)
    problem = agents.agent_problem("CartPole-v1")
    assert problem.settings.schedule == "constant"
    here, there = agents.node_costs("CartPole-v1", rounds=2)
    assert here.samples_per_step == problem.settings.samples
    assert there.threads.cores == 12
    assert there.service > here.service > 0
    assert (here.handling_seconds, there.handling_seconds) == (0.0, 0.003)


def test_the_event_loop_is_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distributed.Client", lambda *args, **more: nullcontext())
    monkeypatch.setattr(network, "local_cluster", lambda n: nullcontext())
    found = iter([0.5, 0.2, 0.3])
    monkeypatch.setattr(
        network,
        "measure_exchange",
        lambda client: SimpleNamespace(handling=next(found)),
    )
    network.event_loop_seconds.cache_clear()
    try:
        assert [network.event_loop_seconds() for _ in range(2)] == [0.3, 0.3]
        made = network.over_network(Costs(step_seconds=1.0, push_seconds=0.1))
    finally:
        network.event_loop_seconds.cache_clear()
    assert (made.handling_seconds, made.bandwidth) == (0.3, 1e9)


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


def test_table_2_judges_by_scores() -> None:
    rows = [
        table2._row(game, agent, "measured", score, 1.0)
        for game in agents.GAMES
        for agent, score in [(table2._UNTRAINED, 0.0), (table2._OURS, 30_000.0)]
    ]
    rows += [
        table2._row(game, "A3C FF, 1 day", "published", score, None)
        for game, score in table2._PUBLISHED["A3C FF, 1 day"].items()
    ]
    assert [it.verdict for it in table2._claims(rows, 1.0)] == ["supported"] * 2
    # Less than one of those published; less than untrained.
    rows[1]["score"] = 19.0
    verdicts = [it.verdict for it in table2._claims(rows, 1.0)]
    assert verdicts == ["supported", "out of reach"]
    rows[1]["score"] = -1.0
    assert table2._claims(rows, 1.0)[0].verdict == "not supported"


def speed_up(n: int, p: int, B: int, kind: str = "simulated", **more: Any) -> Any:
    """A row of figures 1 to 3, of rule 13b unless another is given."""
    row = {"n": n, "p": p, "B": B, "kind": kind, "rule": "samples", "steps": SLOW}
    return {**row, "pace": 1.0 * n * p, "TSP": 1.0 * n * p, **more}


def verdicts(claims: list[Claim]) -> list[str]:
    return [claim.verdict for claim in claims]


def test_figure_1_judges_by_rows() -> None:
    rows = [
        speed_up(4, 1, 1),
        speed_up(54, 1, 1, pace=30.0),
        speed_up(54, 1, 1, steps=HERE, TSP=2.0),
        speed_up(4, 1, 1, rule="corollary"),
    ]
    assert verdicts(fig1.claims(rows)) == ["supported"] * 4
    assert "wait for the network" not in fig1.claims(rows)[2].found
    bad = [
        rows[0] | {"TSP": 2.0},
        rows[1] | {"pace": 54.0},
        rows[2] | {"TSP": 0.5, "pace": 0.5},
        rows[3] | {"TSP": 1.0},
    ]
    assert verdicts(fig1.claims(bad)) == ["not supported"] * 4
    assert "wait for the network" in fig1.claims(bad)[2].found


def test_figure_2_judges_by_what_was_measured() -> None:
    rows = [speed_up(1, p, 15) for p in (6, 12)]
    measured = {p: speed_up(1, p, 15, "measured", pace=1.9) for p in (1, 2, 4)}
    other = speed_up(1, 2, 15, "measured", rule="corollary")
    found = fig2.claims([*rows, *measured.values(), other], 2)
    assert verdicts(found) == ["supported", "out of reach", "supported", "supported"]
    measured[2]["pace"], measured[4]["pace"], other["TSP"] = 1.4, 2.8, 0.0
    found = fig2.claims([*rows, *measured.values(), other], 2)
    expected = ["not supported", "out of reach", "not supported", "not supported"]
    assert verdicts(found) == expected
    assert "never against 2.0 times" in found[3].found


@pytest.mark.parametrize(("pace", "verdict"), [(5.5, "supported"), (2.0, "not")])
def test_figure_2_measures_six_threads_where_there_are_six_cores(
    pace: float, verdict: str
) -> None:
    rows = [speed_up(1, p, 15) for p in (6, 12)]
    rows += [speed_up(1, p, 15, "measured", pace=pace) for p in (6, 12)]
    rows.append(speed_up(1, 6, 15, "measured", rule="corollary"))
    assert fig2.claims(rows, 6)[1].verdict.startswith(verdict)


def test_figure_3_judges_by_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [speed_up(n, n, B) for n in (6, 9) for B in (1, 5, 15)]
    fast = [
        speed_up(6, 6, B, steps=HERE, pace=1.0 * B, TSP=1.0 * B, rule=rule)
        for B in (1, 5, 15)
        for rule in ("samples", "corollary")
    ]
    # What the simulation is told is no finding.
    expected = ["supported", "supported", "supported", "out of reach"]
    assert verdicts(fig3.claims(rows + fast, study())) == expected
    slow = [row | {"pace": 1.0, "TSP": 0.0} for row in fast]
    found = fig3.claims(rows + slow, study())
    assert verdicts(found) == ["not supported", *["out of reach"] * 3]
    assert "never, never, never" in found[1].found
    mixed = [row | {"TSP": float(row["rule"] == "samples")} for row in fast]
    monkeypatch.setattr(TopicStudy, "has_room", lambda *layout: True)
    assert fig3.claims(rows + mixed, study())[2].verdict == "not supported"


def test_threads_that_never_reach_the_perplexity_still_have_a_pace() -> None:
    counts = make_corpus(400, 80, 3, random_state=0).counts
    made = TopicStudy(n_topics=3, epochs=1, counts=counts)
    # Nobody comes there but the serial run, which has its own documents.
    made.__dict__["serial"] = Curve(np.array([1.0, 380.0]), np.array([80.0, 1.0]))
    row = measured_row(made, 1, 1, 2, "samples")
    assert row["TSP"] == 0
    assert 0 < row["pace"] < math.inf


def test_known_topics_predict_best() -> None:
    corpus = make_corpus(400, 80, 3, random_state=0)
    # The order of topics does not matter, but their words do.
    truth = study().perplexity_of(corpus.topics)
    assert study().perplexity_of(corpus.topics[::-1]) == pytest.approx(truth, rel=1e-3)
    assert truth < study().serial.perplexity[-1]
    assert study().perplexity_of(corpus.topics[:, ::-1]) > 2 * truth


def test_the_rules_are_judged_by_their_ends_and_by_documents() -> None:
    def row(layout: str, rule: str, perplexity: float, needed: float) -> Any:
        found = {"perplexity": perplexity, "times_serial": needed, "known": 100.0}
        return {"layout": layout, "rule": rule, **found}

    good = [row("serial SVI", "", 102.0, 1.0)]
    good += [row("n = 4", rule, 103.0, 1.1) for rule in ("13a", "13b")]
    assert verdicts(rules.claims(good)) == ["supported"] * 4
    bad = [{**it, "perplexity": 120.0, "times_serial": math.inf} for it in good]
    assert verdicts(rules.claims(bad)) == ["not supported"] * 4


def test_the_rules_on_few_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "make_corpus", lambda *size, **more: small)
    monkeypatch.setattr(rules, "_LAYOUTS", ((2, 1, 2),))
    small = make_corpus(400, 80, 10, random_state=0)
    finding = rules.find()
    assert {(it["layout"], it["rule"]) for it in finding.rows} == {
        ("serial SVI", ""),
        ("n = 2, p = 1, B = 2", "13a"),
        ("n = 2, p = 1, B = 2", "13b"),
    }
    from matplotlib.figure import Figure

    figure = Figure()
    finding.draw(figure)
    assert [len(axes.lines) for axes in figure.axes] == [3, 3]
