"""Where a run takes place: in this process, or on a cluster; with how many threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dpsvi.engine.backends import BACKENDS, Backend, cluster_at_hand

__all__ = ["Placement", "goes_to_cluster"]


@dataclass(frozen=True)
class Placement:
    """Where a run takes place.

    Attributes
    ----------
    backend : str or Backend
        Of the engine.
    n_workers, n_threads : int
        n and p in the paper.
    """

    backend: str | Backend
    n_workers: int
    n_threads: int

    @property
    def apart(self) -> bool:
        """Whether parameters travel between workers and master."""
        return not isinstance(self.backend, str)


def goes_to_cluster(
    backend: str, client: Any = None, *, purpose: str, automatic: bool = True
) -> bool:
    """Say whether a run goes to a cluster, as far as its user has a say in it.

    Parameters
    ----------
    backend : {"auto", "local", "dask", "simulated"}
        "auto": to the cluster of the current Dask client, if there is one.
    client : distributed.Client or None, default=None
        As given by the user.
    purpose : str
        What the user wants, in messages: "fit" or "train".
    automatic : bool, default=True
        Whether "auto" takes a client that happens to be there.

    Raises
    ------
    ValueError
        If there is no such backend, or it is no cluster and a client is given.

    Examples
    --------
    >>> goes_to_cluster("local", purpose="fit")
    False
    >>> goes_to_cluster("dask", purpose="fit")
    True
    """
    if backend != "auto" and backend not in BACKENDS:
        raise ValueError(
            f"no backend {backend!r}; choose one of auto, {', '.join(sorted(BACKENDS))}"
        )
    if client is not None and backend not in ("auto", "dask"):
        raise ValueError(
            f'a client was given, and backend is {backend!r}; give backend="dask" or '
            f'"auto" to {purpose} on its cluster'
        )
    if client is not None or backend == "dask":
        return True
    return automatic and backend == "auto" and cluster_at_hand()
