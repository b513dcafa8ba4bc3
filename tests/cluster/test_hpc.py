"""The examples for HPC allocations."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
MPIRUN = next(
    (
        found
        for name in ("mpiexec", "mpirun")
        for path in (str(Path(sys.executable).parent), None)
        if (found := shutil.which(name, path=path))
    ),
    None,
)


@pytest.mark.skipif(MPIRUN is None, reason="no mpirun")
def test_mpi(tmp_path: Path) -> None:
    pytest.importorskip("dask_mpi")
    root = {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_ALLOW_RUN_AS_ROOT": "1",
        "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
    }
    done = subprocess.run(
        [str(MPIRUN), "-n", "4", sys.executable, str(EXAMPLES / "mpi_fit.py")],
        capture_output=True,
        text=True,
        timeout=200,
        cwd=tmp_path,
        env={**os.environ, **root},
    )
    assert done.returncode == 0, done.stderr
    assert "2 workers, 4" in done.stdout, done.stderr
    assert "perplexity" in done.stdout


SLURM = """
import inspect, runpy
from dask_jobqueue.slurm import SLURMRunner
example = runpy.run_path({path!r}, run_name="example")
assert callable(example["main"]) and example["SLURMRunner"] is SLURMRunner
assert "scheduler_file" in inspect.signature(SLURMRunner).parameters
"""


def test_slurm_example_fits_its_runner() -> None:
    if find_spec("dask_jobqueue") is None:
        pytest.skip("no dask-jobqueue")
    # In another process: the import takes Ctrl-C for itself.
    code = SLURM.format(path=str(EXAMPLES / "slurm_fit.py"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
