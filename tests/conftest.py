"""Settings of all tests, and clusters of real processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import settings

# The first example of a kernel pays for its compilation. The same examples in every
# run: a change is not to fail for what it did not touch.
settings.register_profile("dpsvi", deadline=None, derandomize=True)
settings.load_profile("dpsvi")

# As in a terminal, however the tests were started; children inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Workers are started with this path, and find the problems of the tests too.
for folder in ("engine", "models", "cluster"):
    sys.path.insert(0, str(Path(__file__).parent / folder))

collect_ignore = [] if find_spec("distributed") else ["cluster"]


@pytest.fixture(scope="session")
def cluster_client() -> Iterator[Any]:
    """A Dask client of two worker processes; never the current client."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def small_cluster() -> Iterator[Callable[..., Any]]:
    """Make a client of a new cluster, which the test may damage."""
    from distributed import Client, LocalCluster

    made: list[Any] = []

    def make(n_workers: int) -> Any:
        cluster = LocalCluster(
            n_workers=n_workers, threads_per_worker=1, dashboard_address=":0"
        )
        client = Client(cluster, set_as_default=False)
        made[:] = [client, cluster]
        return client

    yield make
    for thing in made:
        thing.close()


@pytest.fixture
def press_ctrl_c() -> Callable[..., list[str]]:
    """Run a program, press Ctrl-C when it says "ready", return the lines after that.

    It must end as if all were well.
    """
    if sys.platform == "win32":
        pytest.skip("SIGINT cannot be sent to a child")

    def press(program: str, *arguments: object, cwd: Path | None = None) -> list[str]:
        with subprocess.Popen(
            [sys.executable, "-c", dedent(program), *map(str, arguments)],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as child:
            try:
                assert child.stdout is not None
                assert child.stdout.readline() == "ready\n"
                child.send_signal(signal.SIGINT)
                output, error = child.communicate(timeout=60)
            finally:
                child.kill()
        assert error == ""
        assert child.returncode == 0
        return output.splitlines()

    return press


@pytest.fixture
def in_background() -> Iterator[Callable[..., Future[Any]]]:
    """Run a function beside the test."""
    with ThreadPoolExecutor(4) as pool:
        yield pool.submit
