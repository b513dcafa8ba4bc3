"""Scalable inference by lock-free threads and asynchronous workers."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dpsvi.engine.files import PathLike
    from dpsvi.models.lda import DPSVILatentDirichletAllocation
    from dpsvi.models.mixture import DPSVIGaussianMixture
    from dpsvi.models.poisson import DPSVIPoissonFactorization
    from dpsvi.progress_bar import ProgressBar

__all__ = [
    "DPSVIGaussianMixture",
    "DPSVILatentDirichletAllocation",
    "DPSVIPoissonFactorization",
    "ProgressBar",
    "__version__",
    "load",
]

__version__ = _version("dpsvi")


def load(path: PathLike) -> DPSVILatentDirichletAllocation:
    """Read a topic model that `save` has written.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    DPSVILatentDirichletAllocation
        Fitted.

    Raises
    ------
    FileNotFoundError, ValueError
        As `DPSVILatentDirichletAllocation.load`.
    """
    from dpsvi.models.lda import DPSVILatentDirichletAllocation

    return DPSVILatentDirichletAllocation.load(path)


# Lazy: numba and scikit-learn are loaded when an estimator is first named.
_LAZY = {
    "DPSVIGaussianMixture": "dpsvi.models.mixture",
    "DPSVILatentDirichletAllocation": "dpsvi.models.lda",
    "DPSVIPoissonFactorization": "dpsvi.models.poisson",
    "ProgressBar": "dpsvi.progress_bar",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'dpsvi' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
