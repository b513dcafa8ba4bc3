"""The bar that follows a fit, and what it is told."""

from __future__ import annotations

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import dpsvi
from dpsvi import DPSVILatentDirichletAllocation, ProgressBar, progress_bar
from dpsvi.progress_bar import facts

X = np.random.default_rng(0).poisson(0.5, (40, 20))


def told(**more: Any) -> Any:
    """A moment of a fit."""
    given = {
        "time": 2.0,
        "documents": 1200.0,
        "total_documents": 4800.0,
        "documents_per_second": 600.0,
        "seconds_left": 6.0,
        "share_done": 0.25,
        "version": 7,
        "staleness": 0.5,
        "heldout_perplexity": None,
        "n_workers": None,
    }
    return SimpleNamespace(**{**given, **more})


def terminal(**more: Any) -> Console:
    """A console that believes to be a terminal, and keeps what is drawn."""
    given = {"force_terminal": True, "force_interactive": True, "width": 100}
    return Console(file=io.StringIO(), **{**given, **more})


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def make(**more: Any) -> Any:
    given = {"max_iter": 3, "batch_size": 8, "n_jobs": 1, "random_state": 0, **more}
    return DPSVILatentDirichletAllocation(3, **given)


def test_facts() -> None:
    assert facts(told()) == ["1,200 of 4,800 documents", "600/s", "version 7"]
    more = facts(told(heldout_perplexity=812.34, n_workers=2))
    assert more[2:] == ["perplexity 812.3", "version 7", "staleness 0.5", "2 workers"]
    assert facts(told(n_workers=1))[-1] == "1 worker"


def test_a_bar_on_a_terminal() -> None:
    console = terminal()
    with ProgressBar(console=console) as bar:
        assert "Preparing" in written(console)
        bar(told())
    last = written(console).rsplit("Training", 1)[1]
    assert "25%" in last
    assert "1,200 of 4,800 documents · 600/s" in last
    # The cursor is back.
    assert last.endswith("\x1b[?25h")
    assert "left" not in last


def test_frames_of_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(progress_bar.time, "monotonic", lambda: now[0])
    display = progress_bar._Moving(terminal(), transient=False)
    display._live.stop()

    def frame() -> str:
        console = Console(file=io.StringIO(), width=100)
        console.print(display._draw())
        return written(console)

    now[0] = 3.0
    assert "0:03" in frame()
    display.show(told(seconds_left=3700.0))
    assert "0:03, 1:01:40 left" in frame()
    now[0] = 13.0
    assert "0:13, 1:01:30 left" in frame()
    assert "no news" not in frame()
    now[0] = 14.0
    assert "no news for 0:11" in frame()
    display.show(told(seconds_left=None))
    assert "left" not in frame()
    assert "no news" not in frame()


def test_lines_where_no_bar_can_move(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(progress_bar.time, "monotonic", lambda: now[0])
    console = Console(file=io.StringIO(), width=20)
    with ProgressBar(console=console, interval=10.0) as bar:
        for second in range(25):
            now[0] = float(second)
            bar(told(version=second))
    lines = written(console).splitlines()
    # Two on the way, and how it ended.
    assert [line.split("version ")[1].split(" ·")[0] for line in lines] == [
        *("10", "20", "24")
    ]
    assert lines[0] == (
        "Training 25% · 1,200 of 4,800 documents · 600/s · version 10 · 0:06 left"
    )
    assert "left" not in lines[-1]


def test_nothing_is_said_twice_or_of_nothing() -> None:
    console = Console(file=io.StringIO())
    with ProgressBar(console=console):
        pass
    assert written(console) == ""
    with ProgressBar(console=console, interval=1e-9) as bar:
        bar(told())
    assert len(written(console).splitlines()) == 1


def test_a_fit_begins_and_ends_the_bar(capsys: Any) -> None:
    bar = ProgressBar()
    model = make().fit(X, X_val=X[:9], callbacks=[bar])
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("Training 100% · 120 of 120 documents · ")
    assert "perplexity" in line
    assert bar.last is not None
    assert bar.last.version == model.history_["version"][-1]
    # And again.
    make(max_iter=1).fit(X, callbacks=[bar])
    assert "40 of 40 documents" in capsys.readouterr().out


def test_an_error_ends_the_bar() -> None:
    def fail(progress: Any) -> None:
        raise ArithmeticError("too much")

    console = terminal()
    bar = ProgressBar(console=console)
    with pytest.raises(ArithmeticError, match="too much"):
        make().fit(X, callbacks=[bar, fail])
    assert written(console).endswith("\x1b[?25h")
    assert bar._display is None


INTERRUPTED = """
    import io, os
    import numpy as np
    from rich.console import Console
    from dpsvi import DPSVILatentDirichletAllocation, ProgressBar

    def ready(progress):
        if not told:
            told.append(1)
            # Past the display, which takes what is printed.
            os.write(1, b"ready\\n")

    told = []
    console = Console(file=io.StringIO(), force_terminal=True, force_interactive=True)
    X = np.random.default_rng(0).poisson(0.5, (1000, 50))
    model = DPSVILatentDirichletAllocation(5, max_iter=20_000, n_jobs=1)
    model.fit(X, callbacks=[ProgressBar(console=console), ready])
    print(console.file.getvalue().endswith("\\x1b[?25h"))
"""


def test_ctrl_c_ends_the_bar(press_ctrl_c: Callable[..., list[str]]) -> None:
    assert press_ctrl_c(INTERRUPTED) == ["True"]


def test_bad_intervals() -> None:
    with pytest.raises(ValueError, match="interval is 0"):
        ProgressBar(interval=0)


def test_where_the_bar_is_found() -> None:
    assert "ProgressBar" in dir(dpsvi)
    assert dpsvi.ProgressBar is progress_bar.ProgressBar
