"""Costs measured here: of rounds, threads and exchanges; and the command."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from dpsvi.cli import main
from dpsvi.engine import History
from dpsvi.theory import speedup
from dpsvi.theory.speedup import Rounds, Sleeping, ThreadScaling, calibration

TINY = ["calibrate", "-k", "2", "--batch-size", "8", "-B", "1"]


@pytest.fixture(scope="module")
def tiny_problem() -> tuple[Any, Any]:
    return speedup.topics_problem(n_topics=3, batch_size=8, n_documents=40)


def test_a_round_is_taken_apart() -> None:
    problem = Sleeping(step_seconds=0.004, push_seconds=0.003, pull_seconds=0.002)
    found = speedup.measure_rounds(problem, None, local_steps=3, rounds=4)
    # A sleep never ends early; how late it ends is the machine's business.
    assert found.working >= 3 * 0.004
    assert found.pushing >= 0.003
    assert found.pulling >= 0.002
    assert found.samples == 3
    assert found.steps_per_second == pytest.approx(3 / found.working)


def test_bytes_are_counted_with_the_arrays() -> None:
    small, large = (
        speedup.measure_rounds(Sleeping(size=size), None, rounds=1).n_bytes
        for size in (1, 1001)
    )
    assert large - small == pytest.approx(8000, abs=40)


def rounds(**changes: float) -> Rounds:
    given = {
        "n_threads": 2,
        "local_steps": 5,
        "working": 1.0,
        "spread": 0.1,
        "pulling": 0.02,
        "pushing": 0.03,
        "loading": 0.04,
        "n_bytes": 1e6,
        "samples": 640.0,
    }
    return Rounds(**{**given, **changes})


def test_costs_are_those_of_one_thread() -> None:
    threads = ThreadScaling(contention=0.25)
    costs = speedup.costs_of(rounds(), threads, latency=0.001, handling=0.002)
    # The rounds take as long as they did, and a step what one thread alone needs.
    assert costs.working(2, 5) == pytest.approx(1.0)
    assert costs.step_seconds == pytest.approx(1.0 / 5 * 1.6 / 2)
    assert costs.service == pytest.approx(0.05)
    assert costs.samples_per_step == 64
    assert costs.think(2, 5) == pytest.approx(1.0 + 4 * 0.001 + 0.04)
    assert costs.handling_seconds == 0.002


def test_threads_that_sleep_do_not_disturb_one_another() -> None:
    problem = Sleeping(step_seconds=0.02)
    scaling, found = speedup.measure_threads(
        problem, None, n_threads=[1, 3], local_steps=2, rounds=3, cores=8
    )
    assert [one.n_threads for one in found] == [1, 3]
    assert scaling.cores == 8
    # Three that had to wait for one another would do the work of one.
    assert scaling(3) > 1.5


def test_one_turn_that_was_disturbed_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Seconds of a round of 1 and of 2 threads, in each turn.
    seconds = iter([1.0, 1.0, 3.0, 3.0, 2.0, 9.0])
    monkeypatch.setattr(
        calibration,
        "measure_rounds",
        lambda *_, n_threads, **__: rounds(n_threads=n_threads, working=next(seconds)),
    )
    scaling, found = speedup.measure_threads(None, None, n_threads=[1, 2], cores=2)
    assert scaling(2) == pytest.approx(2.0)
    assert [one.working for one in found] == [2.0, 3.0]
    for turns in (0, 2):
        with pytest.raises(ValueError, match=f"turns is {turns}; it must be odd"):
            speedup.measure_threads(None, None, n_threads=[1], turns=turns)


def test_a_tiny_problem_has_finite_costs(tiny_problem: tuple[Any, Any]) -> None:
    made = speedup.calibrate(*tiny_problem, local_steps=2, rounds=2, n_threads=[2, 1])
    assert [found.n_threads for found in made.threads] == [2, 1]
    assert made.rounds.n_threads == 1
    assert made.exchange is None
    for name in ("step_seconds", "push_seconds", "pull_seconds", "n_bytes", "service"):
        assert 0 < getattr(made.costs, name) < math.inf
    assert made.costs.samples_per_step == 8
    assert made.costs.handling_seconds == 0


def test_what_cannot_be_measured_is_refused(tiny_problem: tuple[Any, Any]) -> None:
    problem, shard = tiny_problem
    with pytest.raises(ValueError, match="measure one thread too"):
        speedup.calibrate(problem, shard, n_threads=[2])
    with pytest.raises(ValueError, match="rounds is 0"):
        speedup.calibrate(problem, shard, rounds=0, n_threads=[1])
    with pytest.raises(ValueError, match="no corpus 'news'"):
        speedup.topics_problem("news")  # type: ignore[arg-type]


def test_a_rate_leaves_out_the_start_and_the_end() -> None:
    history = History()
    # Two workers from the third merge on; ten steps a second while all is well.
    seconds = 0.0
    for number in range(20):
        seconds += 1.0 if 6 < number <= 17 else 5.0
        history.append(
            time=seconds,
            steps=10.0 * (number + 1),
            workers=1.0 if number < 2 else 2.0,
        )
    assert speedup.steady_rate(history, 2) == pytest.approx(10.0)
    with pytest.raises(ValueError, match="too few for a rate of 3 workers"):
        speedup.steady_rate(history, 3)


def test_exchanges_on_a_cluster(cluster_client: Any) -> None:
    found = speedup.measure_exchange(cluster_client, rounds=10, pause=0.005)
    assert 0 < found.handling < math.inf
    assert 0 <= found.latency < math.inf
    with pytest.raises(ValueError, match="rounds is 5"):
        speedup.measure_exchange(cluster_client, rounds=5)


def test_a_run_beside_its_forecasts(cluster_client: Any) -> None:
    # The master is what limits: without its queue it would be twice as fast.
    problem = Sleeping(step_seconds=0.02, push_seconds=0.1)
    costs = speedup.costs_of(speedup.measure_rounds(problem, None, rounds=5))
    found = speedup.compare(
        cluster_client, problem, [None, None], costs, local_steps=2, rounds=24
    )
    assert found.n_workers == 2
    assert found.service == costs.service
    assert 0 < found.measured <= 1 / 0.1
    assert abs(found.error) < 0.3
    assert found.error == pytest.approx(found.simulated / found.measured - 1)
    assert 0 <= found.staleness <= 1
    assert 0 < found.expected <= 1 / 0.1


def test_a_calibration_with_a_cluster(cluster_client: Any) -> None:
    problem = Sleeping(step_seconds=0.001, push_seconds=0.001, size=5_000)
    made = speedup.calibrate(
        problem, None, local_steps=1, rounds=3, n_threads=[1], client=cluster_client
    )
    assert made.exchange is not None
    assert made.costs.handling_seconds == made.exchange.handling
    assert made.costs.latency > made.exchange.latency
    assert made.costs.trips == 2
    assert made.costs.bandwidth > 0
    assert made.costs.visits[1] == (made.exchange.handling / 2,) * 2
    assert made.threads == []


def test_the_command_in_json() -> None:
    done = CliRunner().invoke(
        main, [*TINY, "--no-cluster", "--bandwidth", "1", "--json"]
    )
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["exchange"] is None
    assert facts["costs"]["bandwidth"] == 1e9
    assert facts["costs"]["step_seconds"] > 0
    wire = 2 * 8 * facts["costs"]["n_bytes"] / 1e9
    assert facts["service"] > wire
    rates = [found["rounds_per_second"] for found in facts["forecast"]]
    assert np.all(np.diff(rates) >= -1e-9 * rates[-1])
    assert facts["forecast"][-1]["n_workers"] == 64
    assert facts["saturating_workers"] >= 1
    assert facts["threads"][0]["n_threads"] == 1


def test_the_command_in_words() -> None:
    done = CliRunner().invoke(main, [*TINY, "--no-cluster"])
    assert done.exit_code == 0, done.output
    assert "a local step on one thread" in done.stdout
    assert "One master is saturated by" in done.stdout
    assert "Gbit/s" not in done.stdout


@pytest.fixture
def without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("dask", "distributed"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("without_dask")
def test_without_dask_the_rest_is_measured() -> None:
    done = CliRunner().invoke(main, [*TINY, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["exchange"] is None
    refused = CliRunner().invoke(main, [*TINY, "--cluster"])
    assert refused.exit_code == 1
    assert 'pip install "dpsvi[dask]"' in refused.stderr


def test_imports_are_light() -> None:
    program = (
        "import sys, dpsvi, dpsvi.theory, dpsvi.theory.speedup\n"
        "print(*sorted({'dask', 'distributed', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
