"""Race LDA systems to a held-out perplexity, one run after another, on one machine.

python benchmarks/lda_race.py --corpus 20ng --systems sklearn,tomotopy --budget 45
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import corpora
import results
import tuning
from peers import SYSTEMS
from report import difference, write_report
from run_one import Curve, Task
from scipy import sparse

HERE = Path(__file__).resolve().parent

# One maths thread per process: the systems bring threads of their own.
_QUIET_MATHS = {
    name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
}


@dataclass(frozen=True)
class Race:
    """What all runs of a race have in common; the model, the machine, the files."""

    folder: Path
    n_topics: int
    alpha: float
    eta: float
    threads: int

    def run(
        self,
        system: str,
        settings: dict[str, Any],
        seed: int,
        part: str,
        budget_s: float,
    ) -> Curve:
        """Train a system in a process of its own and score it on a part of the data."""
        task_file, result = self.folder / "task.json", self.folder / "result.json"
        result.unlink(missing_ok=True)
        task = Task(
            system=system,
            settings=settings,
            seed=seed,
            train=str(self.folder / "train.npz"),
            held_out=str(self.folder / f"{part}.npz"),
            n_topics=self.n_topics,
            alpha=self.alpha,
            eta=self.eta,
            budget_s=budget_s,
            threads=self.threads,
            result=str(result),
        )
        task_file.write_text(json.dumps(asdict(task)))
        error = _run_alone(task_file, limit_s=600 + 6 * budget_s)
        if result.exists():
            return Curve(**json.loads(result.read_text()))
        return Curve(system, settings, seed, error=error or "ended without a result")

    def tune(self, system: str, budget_s: float) -> dict[str, Any]:
        """The settings, of a system's candidates, that are best on validation."""
        scores = []
        for settings in tuning.candidates(system):
            curve = self.run(system, settings, 0, "validation", budget_s)
            scores.append((curve.perplexity or [float("inf")])[-1])
            click.echo(f"  {system} {difference(settings)} -> {scores[-1]:.0f}")
        return tuning.candidates(system)[scores.index(min(scores))]


@click.command()
@click.option("--corpus", type=click.Choice(list(corpora.CORPORA)), default="20ng")
@click.option("--data", help="Folder of corpora; else DPSVI_BENCH_DATA.")
@click.option(
    "--documents", type=int, help="Training documents; else the corpus's own."
)
@click.option("--systems", default=",".join(SYSTEMS), show_default=True)
@click.option("--settings", default="shared", help="shared, tuned, or shared,tuned.")
@click.option("--budget", default=45.0, help="Training seconds of a run.")
@click.option("--tuning-budget", default=15.0, help="Seconds of each candidate.")
@click.option("--seeds", default=2, help="Runs of each system.")
@click.option("--topics", default=100)
@click.option("--alpha", default=0.1)
@click.option("--eta", default=0.01)
@click.option("--threads", default=os.cpu_count() or 1, show_default=True)
@click.option("--ours", default="dpsvi-cvb0", help="System that ratios refer to.")
@click.option(
    "--levels", help="Perplexities for the tables, as 4000,3500; else chosen."
)
@click.option("--out", type=click.Path(path_type=Path), default=HERE / "results")
def main(
    corpus: str,
    data: str | None,
    documents: int | None,
    systems: str,
    settings: str,
    budget: float,
    tuning_budget: float,
    seeds: int,
    topics: int,
    alpha: float,
    eta: float,
    threads: int,
    ours: str,
    levels: str | None,
    out: Path,
) -> None:
    """Race LDA systems to a held-out perplexity, one run after another."""
    names = _names(systems, list(SYSTEMS))
    kinds = _names(settings, ["shared", "tuned"])
    split = corpora.load(corpus, corpora.data_folder(data), documents)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for part, counts in split._asdict().items():
            sparse.save_npz(Path(folder, f"{part}.npz"), counts)
        race = Race(Path(folder), topics, alpha, eta, threads)
        for kind in kinds:
            curves = _race(race, names, kind, seeds, budget, tuning_budget)
            chosen = [float(level) for level in levels.split(",")] if levels else None
            about = _about(split, corpus, kind, race, budget)
            stem = out / f"lda-race-{corpus}-{kind}"
            click.echo(write_report(curves, about, chosen, ours, stem))


def _race(
    race: Race,
    names: list[str],
    kind: str,
    seeds: int,
    budget_s: float,
    tuning_budget_s: float,
) -> list[Curve]:
    """All runs of one kind of settings: seed by seed, so that drift hits everyone."""
    settings = {
        name: race.tune(name, tuning_budget_s)
        if kind == "tuned"
        else tuning.settings_for(name)
        for name in names
    }
    curves = []
    for seed in range(seeds):
        for name in names:
            curve = race.run(name, settings[name], seed, "test", budget_s)
            shown = curve.error or f"best {results.best(curve):.0f}"
            click.echo(f"{kind} seed {seed} {name}: {shown}")
            curves.append(curve)
    return curves


def _run_alone(task_file: Path, limit_s: float) -> str:
    """Run a task in its own process group; the last line of its errors if it failed."""
    # A file, not a pipe: helpers that a run leaves behind would hold a pipe open.
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "run_one.py"), str(task_file)],
            env={**os.environ, **_QUIET_MATHS},
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        try:
            if process.wait(timeout=limit_s) == 0:
                return ""
        except subprocess.TimeoutExpired:
            return f"no end after {limit_s:.0f} s"
        finally:
            _end_group(process)
        errors.seek(0)
        return "".join(errors.read().strip().splitlines()[-1:])[-300:]


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what a run may have left behind: a JVM, worker processes."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _about(
    split: corpora.Split, corpus: str, kind: str, race: Race, budget_s: float
) -> dict[str, Any]:
    """The facts of a race that belong beside its numbers."""
    from evaluation import split_tokens, unigram_perplexity

    return {
        "corpus": corpus,
        "settings": kind,
        "n_train": split.train.shape[0],
        "n_test": split.test.shape[0],
        "n_words": split.train.shape[1],
        "nnz_train": int(split.train.nnz),
        "unigram_perplexity": unigram_perplexity(split.train, split_tokens(split.test)),
        "n_topics": race.n_topics,
        "alpha": race.alpha,
        "eta": race.eta,
        "threads": race.threads,
        "budget_s": budget_s,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
    }


def _names(given: str, known: list[str]) -> list[str]:
    names = [name.strip() for name in given.split(",") if name.strip()]
    unknown = sorted(set(names) - set(known))
    if unknown or not names:
        raise click.BadParameter(f"unknown {unknown}; choose from {', '.join(known)}")
    return names


if __name__ == "__main__":
    main()
