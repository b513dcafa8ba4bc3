"""Schedulers and workers as processes of their own, on one machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gates

FOLDER = Path(__file__).parent
# Workers load the problems of the tests from here.
PATHS = [FOLDER, FOLDER.parent / "engine"]


class Processes:
    """Started one by one, ended together.

    Parameters
    ----------
    folder : Path
        For their output.
    host : str, default="127.0.0.1"
        Address that the scheduler listens at.
    """

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        self.folder = folder
        self.host = host
        self.file = folder / "scheduler.json"
        self._started: list[subprocess.Popen[bytes]] = []

    def scheduler(self, **more: Any) -> subprocess.Popen[bytes]:
        """Start a scheduler, and wait until it can be found."""
        place = ["--port", "0", "--scheduler-file", str(self.file)]
        place += ["--host", self.host, "--no-dashboard"]
        started = self._start("dask_scheduler", place, **more)
        gates.wait_until(self.file.exists, "the scheduler")
        return started

    def worker(
        self, *arguments: str, host: str = "127.0.0.1", **more: Any
    ) -> subprocess.Popen[bytes]:
        """Start a worker of one thread."""
        place = ["--scheduler-file", str(self.file), "--nthreads", "1"]
        place += ["--host", host, "--no-dashboard", *arguments]
        place += ["--local-directory", str(self.folder)]
        return self._start("dask_worker", place, **more)

    def client(self, n_workers: int = 0) -> Any:
        """A client, once there are so many workers."""
        from distributed import Client

        client: Any = Client(scheduler_file=str(self.file), set_as_default=False)
        if n_workers:
            client.wait_for_workers(n_workers, timeout=gates.PATIENCE)
        return client

    def _start(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        before: Sequence[str] = (),
        first: Sequence[Path] = (),
        settings: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process of Dask.

        `before` comes before the command, `first` before all other folders of modules.
        """
        log = self.folder / f"process-{len(self._started)}.log"
        command = [*before, sys.executable, "-m", f"distributed.cli.{name}"]
        with log.open("wb") as output:
            started = subprocess.Popen(
                [*command, *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={
                    "PYTHONPATH": os.pathsep.join(map(str, [*first, *PATHS])),
                    "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
                    **(settings or {}),
                },
                # The folder a process is started in is among those of its modules.
                cwd=self.folder,
            )
        self._started.append(started)
        return started

    def close(self) -> None:
        """End all, the scheduler last."""
        for process in reversed(self._started):
            process.terminate()
        for process in self._started:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def memory(pid: int) -> int:
    """Bytes of memory that a process really uses; Linux only."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
