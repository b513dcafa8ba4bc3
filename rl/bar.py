"""A line in the terminal that follows a training."""

from __future__ import annotations

import math
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from dpsvi.rl.monitor import TrainingProgress

__all__ = ["TrainingBar"]


class TrainingBar:
    """Steps, speed, score and staleness; used as a context around a training.

    Parameters
    ----------
    console : rich.console.Console or None, default=None
        Where to show it; None: standard error. Nothing moves if it is no terminal.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
            transient=True,
            expand=True,
        )
        # No total: the bar pulses until the first steps are through.
        self._task = self._progress.add_task("Preparing", total=None, state="")

    def __enter__(self) -> Self:
        if self._progress.console.is_interactive:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress.console.is_interactive:
            self._progress.stop()

    def show(self, progress: TrainingProgress) -> None:
        """Move the bar."""
        self._progress.update(
            self._task,
            description="Training ",
            completed=progress.steps,
            total=progress.total_steps,
            state=state_of(progress),
        )


def state_of(progress: TrainingProgress) -> str:
    """Return the figures of a moment in a few words."""
    state = [
        f"{progress.steps:,}/{progress.total_steps:,} steps",
        f"{progress.steps_per_second:,.0f} steps/s",
    ]
    if not math.isnan(progress.score):
        state.append(f"score {progress.score:.1f}")
    if progress.staleness > 0:
        state.append(f"staleness {progress.staleness:.1f}")
    return "  ".join(state)
