"""Kernels that are kept on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CALLEE = """
from dpsvi.compiling import kernel

@kernel(fastmath=False)
def number():
    return {number}
"""
CALLER = """
from some_package.callee import number
from dpsvi.compiling import kernel

@kernel(fastmath=False)
def twice():
    return 2 * number()
"""
ASK = (
    "from some_package.caller import twice; "
    "print(twice(), sum(twice.stats.cache_hits.values()))"
)


def ask(folder: Path) -> list[str]:
    """What a new process gets, and how much of it was on disk."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stdout.split()


def test_a_kernel_is_kept_until_one_that_it_calls_has_changed(tmp_path: Path) -> None:
    package = tmp_path / "some_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "caller.py").write_text(CALLER)
    (package / "callee.py").write_text(CALLEE.format(number=3))
    assert ask(tmp_path) == ["6", "0"]
    assert ask(tmp_path) == ["6", "1"]
    (package / "callee.py").write_text(CALLEE.format(number=4))
    assert ask(tmp_path) == ["8", "0"]
    assert ask(tmp_path) == ["8", "1"]
