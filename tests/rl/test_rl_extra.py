"""The package without what its extra installs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dpsvi import rl

EXTRA = ("torch", "gymnasium", "ale_py", "cv2", "safetensors", "imageio")


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_importing_it_loads_nothing() -> None:
    done = run("import sys, dpsvi.rl, dpsvi.rl.protocol; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "dpsvi.rl.protocol" in loaded
    assert not loaded & {*EXTRA, "numpy"}


def test_environments_need_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from dpsvi.rl.environments import make\n"
        "print(make('CartPole-v1', 2).reset(0).shape)"
    )
    assert run(code).stdout.strip() == "(2, 4)"


@pytest.mark.parametrize(
    ("missing", "statement"),
    [
        ("torch", "from dpsvi.rl import evaluate"),
        ("safetensors", "from dpsvi.rl import load"),
        ("gymnasium", "from dpsvi.rl.environments import make; make('CartPole-v1', 1)"),
        ("ale_py", "from dpsvi.rl.environments import make; make('CartPole-v1', 1)"),
    ],
)
def test_what_is_missing_is_named(missing: str, statement: str) -> None:
    done = run(f"import sys; sys.modules[{missing!r}] = None; {statement}")
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: dpsvi.rl needs {missing}")
    assert 'pip install "dpsvi[rl]"' in last


def test_an_error_of_another_package_passes_unchanged() -> None:
    from dpsvi.rl.extra import needs_extra

    def fail() -> None:
        raise ModuleNotFoundError("No module named 'other'", name="other")

    with pytest.raises(ModuleNotFoundError, match="other"), needs_extra():
        fail()


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'dqn'"):
        _ = rl.dqn
    assert {"train", "evaluate", "load", "record"} <= set(dir(rl))


@pytest.mark.parametrize("name", ["evaluate", "load", "record", "Policy", "Protocol"])
def test_no_name_is_hidden_by_a_module(name: str) -> None:
    import dpsvi.rl.evaluation
    import dpsvi.rl.recording  # noqa: F401

    assert callable(getattr(rl, name))
