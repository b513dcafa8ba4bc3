"""Who may know whom, and what every kernel has in common."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dpsvi
from dpsvi import datasets

ROOT = Path(dpsvi.__file__).parent
CLUSTER_AND_PICTURES = ["torch", "distributed", "dask", "matplotlib"]
NO_CLUSTER = ["torch", "matplotlib", "numba", "sklearn", "scipy", "click", "rich"]
HEAVY = [*CLUSTER_AND_PICTURES, "numba", "sklearn", "scipy", "click", "rich"]


def folder_of(package: str) -> Path:
    """Where a package lies, without importing it."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def modules_of(package: str) -> list[Path]:
    files = sorted(folder_of(package).rglob("*.py"))
    assert files, f"no modules in {package}"
    return files


def imports_of(file: Path) -> Iterator[str]:
    """Absolute names that a module imports anywhere, also inside functions."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def named(package: str, *prefixes: str) -> list[str]:
    """The imports of a package that begin with one of the prefixes."""
    return [
        f"{file.name}: {name}"
        for file in modules_of(package)
        for name in imports_of(file)
        if any(f"{name}.".startswith(f"{prefix}.") for prefix in prefixes)
    ]


def newly_loaded(statement: str) -> set[str]:
    """Top-level modules that a statement loads, in a fresh interpreter."""
    code = (
        "import sys; before = set(sys.modules)\n"
        f"{statement}\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_import_dpsvi_is_light() -> None:
    loaded = newly_loaded("import dpsvi")
    assert "dpsvi" in loaded
    assert not loaded & {*HEAVY, "numpy"}


def test_the_engine_needs_numpy_alone() -> None:
    loaded = newly_loaded("import dpsvi.engine, dpsvi.engine.backends.local")
    foreign = loaded - sys.stdlib_module_names - {"dpsvi", "numpy"}
    assert not foreign


def test_the_estimator_needs_no_pictures_and_no_cluster() -> None:
    loaded = newly_loaded("from dpsvi import DPSVILatentDirichletAllocation")
    assert {"numba", "sklearn"} <= loaded
    assert not loaded & {*CLUSTER_AND_PICTURES}


def test_documents_are_read_without_pandas(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    datasets.make_corpus(n_documents=20, random_state=0).save(folder)
    loaded = newly_loaded(
        "from dpsvi.datasets import open_corpus\n"
        f"assert open_corpus({str(folder)!r}).read(0).nnz"
    )
    assert "pyarrow" in loaded
    assert "pandas" not in loaded


def test_a_name_that_is_not_there() -> None:
    assert "DPSVILatentDirichletAllocation" in dir(dpsvi)
    with pytest.raises(AttributeError, match="has no attribute 'Topics'"):
        _ = dpsvi.Topics


@pytest.mark.parametrize(
    ("package", "unknown"),
    [
        ("dpsvi.engine", ["dpsvi.models", "dpsvi.rl", "dpsvi.datasets", *NO_CLUSTER]),
        ("dpsvi.models", ["dpsvi.rl", "dpsvi.cli", "dpsvi.report"]),
        ("dpsvi.models.lda.kernels", ["dpsvi.engine", "sklearn", "scipy"]),
    ],
)
def test_lower_layers_do_not_know_higher_ones(package: str, unknown: list[str]) -> None:
    assert not named(package, *unknown)


def test_one_backend_alone_knows_the_cluster() -> None:
    knowing = named("dpsvi.engine", "dask", "distributed")
    assert knowing
    of_backend = named("dpsvi.engine.backends.dask", "dask", "distributed")
    assert sorted(knowing) == sorted(of_backend)


def test_models_and_agents_do_not_know_each_other() -> None:
    # Without importing: the agents may need what is not installed.
    rl = ROOT / "rl"
    files = sorted(rl.rglob("*.py"))
    assert files
    names = [name for file in files for name in imports_of(file)]
    assert not [name for name in names if name.startswith("dpsvi.models")]
    assert not named("dpsvi.models", "dpsvi.rl")


def test_datasets_stand_alone() -> None:
    others = [
        name
        for name in named("dpsvi.datasets", "dpsvi")
        if ": dpsvi.datasets" not in name
    ]
    assert not others


def test_kernels_need_numpy_and_numba_alone() -> None:
    ours = ("dpsvi.models.lda.kernels", "dpsvi.compiling", "dpsvi.models.arrays")
    allowed = ("numpy", "numba", "llvmlite", *ours)
    foreign = [
        name
        for file in modules_of("dpsvi.models.lda.kernels")
        for name in imports_of(file)
        if name.partition(".")[0] not in sys.stdlib_module_names
        and not name.startswith(allowed)
    ]
    assert not foreign


def decorated(word: str) -> dict[str, ast.expr]:
    """Decorators whose name contains a word, by function."""
    return {
        f"{file.stem}.{node.name}": decorator
        for file in modules_of("dpsvi")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if word in ast.unparse(decorator).partition("(")[0]
    }


KERNELS = decorated("kernel")


def test_all_that_is_compiled_is_compiled_in_one_way() -> None:
    assert len(KERNELS) > 5
    # Part of the function that calls it, and under that one's flags.
    others = {ast.unparse(decorator) for decorator in decorated("jit").values()}
    assert others <= {"register_jitable"}


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_state_their_arithmetic(name: str) -> None:
    decorator = KERNELS[name]
    assert isinstance(decorator, ast.Call)
    flags = {word.arg: ast.unparse(word.value) for word in decorator.keywords}
    assert flags["fastmath"] in ("FASTMATH", "ORDERED", "False")


def test_kernels_release_the_gil_and_divide_as_numpy_does() -> None:
    from dpsvi.compiling import FASTMATH, kernel

    @kernel(fastmath=FASTMATH)
    def nothing(x: float) -> float:
        return x

    options = nothing.targetoptions
    assert options["nogil"]
    assert options["error_model"] == "numpy"
    assert not options.get("parallel", False)
    # NaN and infinity keep their meaning.
    assert FASTMATH
    assert not FASTMATH & {"nnan", "ninf", "fast"}


def test_no_thread_pool_but_our_own() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in modules_of("dpsvi"))
    assert "prange" not in text
    assert "parallel=True" not in text
