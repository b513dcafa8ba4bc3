"""A cluster whose scheduler is a process of its own, as on several hosts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from distributed import Client

__all__ = ["separate_cluster"]


@contextmanager
def separate_cluster(n_workers: int) -> Iterator[Client]:
    """A client of a scheduler and so many workers of one thread, all processes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        file = folder / "scheduler.json"
        log = stack.enter_context((folder / "log").open("wb"))

        def start(name: str, *arguments: str) -> None:
            given = ["--scheduler-file", str(file), "--host", "127.0.0.1"]
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", f"distributed.cli.{name}"),
                    *(*given, "--no-dashboard", *arguments),
                ],
                stdout=log,
                stderr=log,
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)

        start("dask_scheduler", "--port", "0")
        for _ in range(n_workers):
            start("dask_worker", "--nthreads", "1", "--local-directory", str(folder))
        client = stack.enter_context(
            Client(scheduler_file=str(file), timeout=60, set_as_default=False)
        )
        client.wait_for_workers(n_workers, timeout=60)
        yield client
