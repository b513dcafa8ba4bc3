"""`dpsvi calibrate`: what a step and an exchange cost here, and what follows."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from math import isinf
from typing import TYPE_CHECKING, Any, Literal

import click

from dpsvi.cli.common import errors_in_words, in_json, tell

if TYPE_CHECKING:
    from rich.table import Table

    from dpsvi.theory.speedup import Calibration, Costs, Forecast

__all__ = ["calibrate"]

# Numbers of workers that are forecast, and processes that stand for a cluster.
_WORKERS = (1, 2, 4, 8, 16, 32, 64)
_PROCESSES = 2


@click.command()
@click.option(
    "--corpus",
    type=click.Choice(["synthetic", "docstrings"]),
    default="synthetic",
    show_default=True,
    help="Drawn from a topic model, or the docstrings of installed packages.",
)
@click.option(
    "--inference",
    type=click.Choice(["vb", "cvb0"]),
    default="vb",
    show_default=True,
    help="The local step: variational Bayes, or collapsed of order zero.",
)
@click.option(
    "-k",
    "--topics",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="How many topics.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=128,
    show_default=True,
    help="Documents of a local step.",
)
@click.option(
    "-B",
    "--local-steps",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="Steps per thread between pull and push.",
)
@click.option(
    "-t",
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Threads of each worker in the forecast.",
)
@click.option(
    "--bandwidth",
    type=click.FloatRange(min=0.0, min_open=True),
    metavar="GBIT",
    help="Of the network, in Gbit/s.  [default: as on this machine]",
)
@click.option(
    "--cluster/--no-cluster",
    default=None,
    help="Measure exchanges with Dask processes.  [default: if Dask is installed]",
)
@in_json
def calibrate(
    corpus: Literal["synthetic", "docstrings"],
    inference: Literal["vb", "cvb0"],
    topics: int,
    batch_size: int,
    local_steps: int,
    threads: int,
    bandwidth: float | None,
    cluster: bool | None,
    as_json: bool,
) -> None:
    """Measure this machine, and say what speed-up to expect of a cluster of its kind.

    Times local steps of LDA on 1 thread to all cores, the master's part of a round,
    and exchanges with two Dask workers on this machine. Then says what 1 to 64 workers
    would do with rounds of that length, and how many of them one master bears. Leave
    the machine alone meanwhile: what else runs on it is taken for its speed. What is
    said of more workers than there are is a forecast.

    \b
    Example:
        dpsvi calibrate
        dpsvi calibrate --local-steps 64 --bandwidth 1 --json
    """
    with errors_in_words():
        from dpsvi.theory import speedup

        problem, shard = speedup.topics_problem(
            corpus, inference=inference, n_topics=topics, batch_size=batch_size
        )
        with ExitStack() as stack:
            client = _client(stack, cluster)
            made = speedup.calibrate(
                problem, shard, local_steps=local_steps, client=client
            )
        costs = made.costs
        if bandwidth is not None:
            costs = costs.over(bandwidth=1e9 * bandwidth)
        layout = {"n_threads": threads, "local_steps": local_steps}
        forecasts = speedup.forecast(costs, _WORKERS, **layout)
        most = speedup.saturating_workers(costs, **layout)
    facts = {
        "costs": _finite(asdict(costs)),
        "service": costs.service,
        "rounds": asdict(made.rounds),
        "threads": [asdict(found) for found in made.threads],
        "exchange": None if made.exchange is None else asdict(made.exchange),
        "forecast": [asdict(found) for found in forecasts],
        "saturating_workers": most,
    }
    if as_json:
        tell(facts, "", as_json=True)
    else:
        _show(made, costs, forecasts, most)


def _client(stack: ExitStack, cluster: bool | None) -> Any:
    """A client of Dask processes; None if they are not wanted, or cannot be had."""
    from dpsvi.theory.speedup import local_cluster

    if cluster is False:
        return None
    try:
        made = stack.enter_context(local_cluster(_PROCESSES))
    except ImportError:
        if cluster:
            raise
        return None
    from distributed import Client

    return stack.enter_context(Client(made, set_as_default=False))


def _finite(costs: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: a link without a limit becomes null."""
    bandwidth = costs["bandwidth"]
    return {**costs, "bandwidth": None if isinf(bandwidth) else bandwidth}


def _show(
    made: Calibration, costs: Costs, forecasts: list[Forecast], most: float
) -> None:
    from rich.console import Console

    console = Console()
    console.print(_costs_table(made))
    console.print()
    console.print(_forecast_table(forecasts))
    console.print(
        f"\n{_verdict(costs, forecasts[0], most)}", highlight=False, soft_wrap=True
    )


def _verdict(costs: Costs, first: Forecast, most: float) -> str:
    """How many workers there may be, and over which network."""
    threads = "thread" if first.n_threads == 1 else "threads"
    over = ""
    if costs.wire_seconds:
        over = (
            f" At {_speed(costs.bandwidth)} an exchange takes the master "
            f"{_ms(costs.service)}."
        )
    return (
        f"One master is saturated by [bold]{most:.0f} workers[/] of {first.n_threads} "
        f"{threads} at B = {first.local_steps}; longer rounds (--local-steps) bear "
        f"more.{over}"
    )


def _costs_table(made: Calibration) -> Table:
    from rich.table import Table

    table = Table(title="Measured here", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    costs = made.costs
    rows = [
        ("a local step on one thread", _ms(costs.step_seconds)),
        ("documents of a step", f"{costs.samples_per_step:.0f}"),
        ("the master's merge and copy", _ms(costs.push_seconds + costs.pull_seconds)),
        ("a worker's part of an exchange", _ms(made.rounds.loading)),
        ("a pull, a push", f"{costs.n_bytes / 1e6:.2f} MB"),
    ]
    if made.exchange is not None:
        rows.append(("the scheduler, per exchange", _ms(costs.handling_seconds)))
        rows.append(("a message, one way", _ms(made.exchange.latency)))
        rows.append(("bytes through the scheduler", _speed(costs.bandwidth)))
    rows += [
        (
            f"{found.n_threads} threads do the work of",
            f"{found.steps_per_second / made.rounds.steps_per_second:.2f}",
        )
        for found in made.threads
        if found.n_threads > 1
    ]
    for row in rows:
        table.add_row(*row)
    return table


def _forecast_table(forecasts: list[Forecast]) -> Table:
    from rich.table import Table

    table = Table(title="Forecast", title_justify="left")
    for name in ("workers", "speed-up", "documents/s", "master busy", "staleness <="):
        table.add_column(name, justify="right")
    for found in forecasts:
        table.add_row(
            str(found.n_workers),
            f"{found.speed_up:.1f}",
            f"{found.samples_per_second:,.0f}",
            f"{found.busy:.0%}",
            f"{found.staleness:.0f}",
        )
    return table


def _speed(bandwidth: float) -> str:
    """In Gbit/s; too fast to be told from nothing is no number."""
    return "-" if isinf(bandwidth) else f"{bandwidth / 1e9:.1f} Gbit/s"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.2f} ms"
