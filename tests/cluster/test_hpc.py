"""The examples for HPC allocations."""

from __future__ import annotations

import importlib.util
import inspect
import os
import shutil
import subprocess
import sys
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


def test_slurm_example_fits_its_runner() -> None:
    jobqueue = pytest.importorskip("dask_jobqueue.slurm")
    spec = importlib.util.spec_from_file_location(
        "slurm_fit", EXAMPLES / "slurm_fit.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert callable(module.main)
    options = inspect.signature(jobqueue.SLURMRunner).parameters
    assert "scheduler_file" in options
