"""The checks one by one: `nox -l` lists them, `nox -s lint` runs one."""

from __future__ import annotations

from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "tests"]

PINS = ("-c", "constraints.txt")
WHEEL_TESTS = ("tests/models", "tests/test_cli.py", "tests/test_packaging.py")
NEIGHBOURS = (
    *("gensim", "pyLDAvis", "polars", "imageio[ffmpeg]"),
    *("stable-baselines3", "opencv-python-headless"),
)
NEIGHBOURLY_TESTS = (
    "tests/models/test_exchange.py",
    "tests/datasets/test_corpus_on_disk.py",
    "tests/rl/test_sb3.py",
    "tests/rl/test_recording.py",
)
# A prefetch has no counterpart in Python, so zero-order kernels run compiled only.
NOJIT_TESTS = ("tests/models/test_kernels.py", "tests/models/test_conjugate.py")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests and doctests; arguments after -- go to pytest."""
    session.install("-q", "-e", ".[test]", *PINS)
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types, and which module may import which."""
    session.install("-q", "-e", ".[dev]", *PINS)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def nojit(session: nox.Session) -> None:
    """Kernels as plain Python: what a debugger and coverage can look into."""
    session.install("-q", "-e", ".[test]", *PINS)
    # Compiled, the generator of random starts wraps around in silence.
    quiet = ("-W", "ignore:overflow encountered:RuntimeWarning")
    session.run(
        *("pytest", "-q", "-k", "not cvb0", *quiet, *NOJIT_TESTS, *session.posargs),
        env={"NUMBA_DISABLE_JIT": "1"},
    )


@nox.session
def neighbours(session: nox.Session) -> None:
    """What other packages read from us and give to us, with these packages at hand."""
    session.install("-q", "-e", ".[test]", *PINS)
    session.install("-q", *NEIGHBOURS, *PINS)
    session.run("pytest", "-q", *NEIGHBOURLY_TESTS, *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """What is shipped: sdist, then wheel, tested in a folder without the sources."""
    root, elsewhere = Path.cwd(), Path(session.create_tmp()).resolve()
    session.install("-q", "build")
    session.run("python", "-m", "build", "--outdir", str(elsewhere / "dist"))
    (built,) = (elsewhere / "dist").glob("*.whl")
    session.install("-q", f"{built}[test]", *PINS)
    for name in ("tests", "pyproject.toml"):
        session.run("cp", "-r", str(root / name), str(elsewhere), external=True)
    session.chdir(elsewhere)
    session.run("pytest", "-q", *WHEEL_TESTS)


@nox.session
def docs(session: nox.Session) -> None:
    """The pages as HTML in docs/_build/html; a warning is an error."""
    session.install("-q", "-e", ".[docs]", *PINS)
    session.run("sphinx-build", "-W", "-q", "-b", "html", "docs", "docs/_build/html")
