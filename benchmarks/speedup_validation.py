"""Does the model of speed-up say what real workers do?

Runs 1, 2 and 4 Dask worker processes against a master that needs a little more time for
each push than it has to. Their steps sleep, so that few cores carry them all, or, with
``--steps topics``, they fit topics and share the cores. Costs are calibrated without
these runs: steps and pushes in this process, exchanges with workers that do nothing
else. Each repetition calibrates anew just before its runs, and the table has the
medians over repetitions. Prints Markdown.

    python benchmarks/speedup_validation.py --picture speedup_validation.png
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import click
import matplotlib

matplotlib.use("Agg")

from distributed import Client
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from dpsvi.engine import Problem
from dpsvi.theory.speedup import (
    Comparison,
    Costs,
    Sleeping,
    calibrate,
    compare,
    costs_of,
    local_cluster,
    measure_exchange,
    measure_rounds,
    simulate,
    topics_problem,
)

# Okabe and Ito's colours, told apart by colour-blind readers too.
COLOURS = ("#0072b2", "#009e73", "#d55e00", "#cc79a7", "#8a6d00")
# Coefficient of variation of a step: workers do not fall into step with one another.
SPREAD = 0.1
# Rounds of the calibration in this process.
ROUNDS = 40


class Trial(NamedTuple):
    """What runs, and what its calibration says of it."""

    problem: Problem
    shard: Any
    costs: Costs
    local_steps: int = 1
    spread: float = SPREAD
    one_host: bool = False

    @property
    def setting(self) -> dict[str, Any]:
        """What a run and its simulation have in common besides the costs."""
        return {
            "local_steps": self.local_steps,
            "spread": self.spread,
            "one_host": self.one_host,
        }


@dataclass
class Case:
    """A master's delay, with what was calibrated and measured for it."""

    delay: float
    trials: list[Trial] = field(default_factory=list)
    runs: dict[int, list[Comparison]] = field(default_factory=dict)

    def middle(self, n_workers: int, of: Callable[[Comparison], float]) -> float:
        """Median over repetitions."""
        return median(of(run) for run in self.runs[n_workers])

    def middle_costs(self) -> Costs:
        """Each cost the median over repetitions."""
        names = (
            *("step_seconds", "push_seconds", "pull_seconds"),
            *("handling_seconds", "latency"),
        )
        middles = {
            name: median(getattr(trial.costs, name) for trial in self.trials)
            for name in names
        }
        return replace(self.trials[0].costs, **middles)


class Delayed:
    """A problem whose master sleeps besides, at each push."""

    def __init__(self, problem: Any, seconds: float) -> None:
        self._problem, self._seconds = problem, seconds
        self.additive = problem.additive
        self.initial_parameters = problem.initial_parameters
        self.open_worker = problem.open_worker
        self.extract = problem.extract

    def merge(self, parameters: Any, payloads: Any, rates: Any) -> Any:
        """Sleep, and merge."""
        time.sleep(self._seconds * len(payloads))
        return self._problem.merge(parameters, payloads, rates)


def sleeping(client: Client, delay: float, step: float) -> Trial:
    """Steps that take a core no time."""
    exchange = measure_exchange(client, rounds=ROUNDS, pause=step)
    problem = Sleeping(step_seconds=step, spread=SPREAD, push_seconds=delay)
    own = measure_rounds(problem, None, rounds=ROUNDS)
    costs = costs_of(own, latency=exchange.latency, handling=exchange.handling)
    return Trial(problem, None, costs)


def topics(client: Client, delay: float, step: float) -> Trial:
    """Rounds of about so many seconds that work, on cores that all share."""
    fitted, shard = topics_problem()
    problem = Delayed(fitted, delay)
    alone = measure_rounds(problem, shard, local_steps=8).working / 8
    steps = max(1, round(step / alone))
    found = calibrate(
        problem, shard, local_steps=steps, rounds=ROUNDS // 2, client=client
    )
    return Trial(problem, shard, found.costs, steps, found.rounds.spread, True)


def repetition(
    client: Client,
    cases: list[Case],
    workers: Sequence[int],
    trial_of: Callable[[float], Trial],
    rounds: int,
) -> None:
    """Calibrate, and run all cases."""
    for case in cases:
        trial = trial_of(case.delay)
        case.trials.append(trial)
        for n in workers:
            made = compare(
                *(client, trial.problem, [trial.shard] * n, trial.costs),
                rounds=rounds * n,
                **trial.setting,
            )
            case.runs.setdefault(n, []).append(made)
            click.echo(
                f"{1000 * case.delay:g} ms, n = {n}: {made.measured:.1f} measured, "
                f"{made.simulated:.1f} simulated",
                err=True,
            )


def table(cases: list[Case], workers: Sequence[int]) -> list[str]:
    """Rows of Markdown."""
    names = ("delay", "workers", "measured", "from", "to", "simulated", "error")
    names = (*names, "mean values", "error", "staleness", "simulated")
    lines = ["| " + " | ".join(names) + " |", "|---:" * len(names) + "|"]
    for case in cases:
        for n in workers:
            rates = [run.measured for run in case.runs[n]]
            measured = median(rates)
            simulated = case.middle(n, lambda run: run.simulated)
            expected = case.middle(n, lambda run: run.expected)
            stale = case.middle(n, lambda run: run.staleness)
            told = case.middle(n, lambda run: run.simulated_staleness)
            cells = [
                *(f"{1000 * case.delay:g} ms", str(n), f"{measured:.1f}"),
                *(f"{min(rates):.1f}", f"{max(rates):.1f}"),
                *(f"{simulated:.1f}", f"{simulated / measured - 1:+.1%}"),
                *(f"{expected:.1f}", f"{expected / measured - 1:+.1%}"),
                *(f"{stale:.2f}", f"{told:.2f}"),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def costs_in_words(case: Case) -> str:
    """What a forecast starts from."""
    costs = case.middle_costs()
    parts = {
        "step": costs.step_seconds,
        "push": costs.push_seconds,
        "pull": costs.pull_seconds,
        "event loop": costs.handling_seconds,
        "message": costs.latency,
    }
    told = ", ".join(f"{name} {1000 * value:.2f}" for name, value in parts.items())
    return f"Calibrated with a delay of {1000 * case.delay:g} ms, in ms: {told}"


def draw(cases: list[Case], workers: Sequence[int], path: Path) -> None:
    """Points for what was measured, lines for the simulation; dashed: beyond it."""
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for case, colour in zip(cases, COLOURS, strict=False):
        draw_case(axes, case, workers, colour)
    axes.plot([], [], "o", color="#444444", label="measured (bar: all repetitions)")
    axes.plot([], [], "-", color="#444444", label="simulated")
    axes.plot([], [], ":", color="#444444", label="simulated, not measured")
    axes.set_xlabel("asynchronous workers")
    axes.set_ylabel("rounds per second, all workers together")
    axes.set_title("Real worker processes and their simulation, by delay of the master")
    axes.set_ylim(bottom=0)
    axes.grid(True, color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", frameon=False)
    figure.savefig(path, dpi=150, facecolor="white")
    plt.close(figure)


def draw_case(axes: Axes, case: Case, workers: Sequence[int], colour: str) -> None:
    """One delay."""
    costs, most = case.middle_costs(), max(workers)
    numbers = list(range(1, 2 * most + 1))
    setting = case.trials[0].setting
    rates = [simulate(costs, n, **setting).throughput for n in numbers]
    axes.plot(numbers[:most], rates[:most], "-", color=colour, linewidth=1.6)
    axes.plot(numbers[most - 1 :], rates[most - 1 :], ":", color=colour, linewidth=1.6)
    for n in workers:
        measured = [run.measured for run in case.runs[n]]
        axes.vlines(
            n, min(measured), max(measured), color=colour, linewidth=3, alpha=0.4
        )
        axes.plot(n, median(measured), "o", color=colour, markersize=6)
    axes.annotate(
        f"{1000 * case.delay:g} ms",
        (numbers[-1], rates[-1]),
        xytext=(6, 0),
        textcoords="offset points",
        color=colour,
        verticalalignment="center",
    )


def _numbers(context: Any, option: Any, value: str) -> list[float]:
    try:
        return [float(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter("give numbers with commas in between") from None


@click.command()
@click.option("--workers", default="1,2,4", callback=_numbers, show_default=True)
@click.option(
    "--delays",
    default="0,5,20,40",
    callback=_numbers,
    show_default=True,
    help="Of the master at each push, in ms.",
)
@click.option("--steps", type=click.Choice(["sleep", "topics"]), default="sleep")
@click.option("--step", default=50.0, show_default=True, help="A round, in ms.")
@click.option("--rounds", default=30, show_default=True, help="Per worker and run.")
@click.option("--repeats", default=5, show_default=True)
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path))
def main(
    workers: list[float],
    delays: list[float],
    steps: str,
    step: float,
    rounds: int,
    repeats: int,
    picture: Path | None,
) -> None:
    """Measure and print."""
    sizes = [int(n) for n in workers]
    cases = [Case(delay / 1000) for delay in delays]
    with (
        local_cluster(max(2, *sizes)) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        make = sleeping if steps == "sleep" else topics
        for _ in range(repeats):
            repetition(
                client,
                cases,
                sizes,
                lambda delay: make(client, delay, step / 1000),
                rounds,
            )
    click.echo("\n".join(table(cases, sizes)))
    click.echo()
    for case in cases:
        click.echo(costs_in_words(case))
    if picture is not None:
        draw(cases, sizes, picture)


if __name__ == "__main__":
    main()
