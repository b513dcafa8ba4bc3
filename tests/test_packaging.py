"""What is installed is whole, is there once, and works away from home."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import textwrap
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dpsvi
from dpsvi import DPSVILatentDirichletAllocation, datasets

X = np.random.default_rng(0).poisson(0.5, (20, 10)).astype(np.float32)


def python(
    code: str, folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter, elsewhere; the folder is not on its path."""
    return subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(code)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def test_files_that_are_not_code() -> None:
    assert (files("dpsvi") / "py.typed").is_file()
    for package in ("dpsvi.report", "dpsvi.engine.backends.dask"):
        assert (files(package) / "page.html").is_file()
    assert dpsvi.__version__ == version("dpsvi")


def test_installed_and_elsewhere(tmp_path: Path) -> None:
    code = """
        import importlib.util, sys
        import dpsvi, dpsvi.datasets, dpsvi.engine, dpsvi.models.lda, dpsvi.report
        from dpsvi import datasets
        assert sys.modules["dpsvi.datasets"] is datasets
        print(*sorted(name for name in sys.modules if "dpsvi" in name))
        for name in ("datasets", "rl", "engine", "models", "report"):
            spec = importlib.util.find_spec(name)
            assert spec is None or "dpsvi" not in str(spec.origin), spec
    """
    done = python(code, tmp_path)
    assert done.stderr == ""
    assert {"dpsvi.datasets.corpus", "dpsvi.models.lda.estimator"} <= set(
        done.stdout.split()
    )


def test_every_module_is_loaded_once() -> None:
    seen: dict[Path, str] = {}
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is not None and (name == "dpsvi" or name.startswith("dpsvi.")):
            # Links and the folders they lead to are the same file.
            other = seen.setdefault(Path(file).resolve(), name)
            assert other == name
    assert sys.modules["dpsvi.datasets"] is datasets
    assert datasets.Corpus.__module__ == "dpsvi.datasets.corpus"


def _transform(pickled: bytes) -> Any:
    return pickle.loads(pickled).transform(X)


def test_a_spawned_process_can_use_a_fitted_model() -> None:
    model = DPSVILatentDirichletAllocation(3, n_jobs=1, random_state=0).fit(X)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        topics = pool.apply(_transform, (pickle.dumps(model),))
    np.testing.assert_array_equal(topics, model.transform(X))


KERNEL = """
    import numpy as np
    import dpsvi
    from dpsvi import DPSVILatentDirichletAllocation
    from dpsvi.models.lda.kernels import cvb0, scores, topics, vb
    from dpsvi.models.lda.kernels.special import exp_each
    x = np.zeros(3)
    exp_each(x, x)
    print(dpsvi.__file__, x.tolist())
"""


def kernel_where_closed(folder: Path, *closed: str) -> subprocess.CompletedProcess[str]:
    """Run a kernel of a copy of the package where Numba finds some doors closed.

    A file stands where the folder would have to be made. That closes it to every user,
    as a read-only file system does; rights would not hold back the superuser.
    """
    package, home = folder / "site" / "dpsvi", folder / "home"
    ignore = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc")
    shutil.copytree(Path(dpsvi.__file__).parent, package, ignore=ignore)
    if "in tree" in closed:
        (package / "models" / "lda" / "kernels" / "__pycache__").touch()
    if "in home" in closed:
        home.touch()
    else:
        home.mkdir()
    # The copy comes first on the path.
    paths = {"PYTHONPATH": folder / "site", "HOME": home, "USERPROFILE": home}
    environment = {name: str(path) for name, path in paths.items()}
    environment |= {"XDG_CACHE_HOME": str(home / "cache"), "NUMBA_CACHE_DIR": ""}
    return python(KERNEL, folder, **environment, PYTHONDONTWRITEBYTECODE="1")


@pytest.mark.parametrize("closed", [["in tree"], ["in tree", "in home"]], ids=str)
def test_kernels_work_where_their_cache_cannot_be_written(
    tmp_path: Path, closed: list[str]
) -> None:
    done = kernel_where_closed(tmp_path, *closed)
    assert done.returncode == 0, done.stderr[-500:]
    where = tmp_path / "site" / "dpsvi" / "__init__.py"
    assert done.stdout.split(" ", 1) == [str(where), "[1.0, 1.0, 1.0]\n"]
