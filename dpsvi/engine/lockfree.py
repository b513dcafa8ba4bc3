"""Lock-free threads of one worker: several threads, one set of arrays, no lock."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from operator import length_hint
from types import TracebackType
from typing import Protocol, Self

__all__ = ["Dealt", "Steps", "ThreadTeam", "Threadable"]

# Waiting in slices lets Ctrl-C through on every platform.
_SLICE = 0.1


class Steps(Iterator[int]):
    """The steps of one round, dealt to whichever thread asks.

    Parameters
    ----------
    steps : range
        The steps of the round.

    Examples
    --------
    >>> steps = Steps(range(10, 20))
    >>> next(steps), next(steps)
    (10, 11)
    >>> steps.stop()
    >>> list(steps), steps.done
    ([], range(10, 12))
    """

    def __init__(self, steps: range) -> None:
        self._steps = steps
        self._iterator = iter(steps)
        self._stopped = False

    def __next__(self) -> int:
        if self._stopped:
            raise StopIteration
        # Advancing a range iterator is one operation under the GIL: every step goes
        # to exactly one thread without a lock of ours.
        return next(self._iterator)

    def stop(self) -> None:
        """Deal no further steps; those dealt are still to be done."""
        self._stopped = True

    @property
    def done(self) -> range:
        """The steps that were dealt."""
        return self._steps[: len(self._steps) - length_hint(self._iterator)]


class Dealt(Protocol):
    """Steps that can be stopped: those of a round, or of many."""

    def __iter__(self) -> Iterator[int]: ...
    def __next__(self) -> int: ...

    def stop(self) -> None:
        """Deal no further steps."""


class Threadable(Protocol):
    """What a team of threads can do: `LocalProblem`, or any other work in steps."""

    def run(self, thread: int, steps: Iterator[int]) -> None:
        """Do steps on one thread until none are left."""


class ThreadTeam:
    """The threads of one worker, kept alive from round to round.

    Parameters
    ----------
    n_threads : int
        p in the paper. A single thread is the calling one, which saves the hand-over.
    name : str, default="worker"
        Prefix of the names of the threads.
    """

    def __init__(self, n_threads: int, name: str = "worker") -> None:
        if n_threads < 1:
            raise ValueError(f"n_threads is {n_threads}; it must be at least 1")
        self.n_threads = n_threads
        self._steps: Dealt = Steps(range(0))
        self._stopped = False
        self._pool = None if n_threads == 1 else ThreadPoolExecutor(n_threads, name)

    def run(self, local: Threadable, steps: range) -> range:
        """Do one round on all threads and wait for them (Alg. 2 lines 4-9).

        Parameters
        ----------
        local : Threadable
            What to do: a `LocalProblem` that is loaded with a snapshot.
        steps : range
            The steps of the round, shared by the threads.

        Returns
        -------
        range
            The steps done: all of them, unless `stop` was called.

        Raises
        ------
        Exception
            The first one of any thread, after all threads have ended their step.
        KeyboardInterrupt
            Likewise, if Ctrl-C comes while waiting.
        """
        dealt = Steps(steps)
        self.follow(local, dealt)
        return dealt.done

    def follow(self, local: Threadable, steps: Dealt) -> None:
        """Do steps on all threads until none are dealt; errors as `run`."""
        self._steps = steps
        # After the assignment, so that a stop() in between is not missed.
        if self._stopped:
            steps.stop()
        if self._pool is None:
            local.run(0, steps)
        else:
            self._run_pool(self._pool, local, steps)

    def stop(self) -> None:
        """End the round in progress after the current steps, and all later ones.

        May be called from any thread and from a signal handler.
        """
        self._stopped = True
        self._steps.stop()

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run_pool(
        self, pool: ThreadPoolExecutor, local: Threadable, steps: Dealt
    ) -> None:
        errors: list[BaseException] = []
        futures: list[Future[None]] = []
        try:
            # Ctrl-C may come while the first are at work already.
            for thread in range(self.n_threads):
                futures.append(pool.submit(_run_thread, local, thread, steps, errors))
            _wait(futures)
        except BaseException:
            steps.stop()
            _wait(futures)
            raise
        if errors:
            raise errors[0]


def _run_thread(
    local: Threadable, thread: int, steps: Dealt, errors: list[BaseException]
) -> None:
    try:
        local.run(thread, steps)
    except BaseException as error:
        errors.append(error)
        steps.stop()


def _wait(futures: list[Future[None]]) -> None:
    while wait(futures, timeout=_SLICE).not_done:
        pass
