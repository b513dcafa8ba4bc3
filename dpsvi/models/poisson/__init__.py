"""Bayesian Poisson matrix factorisation by DPSVI (Gopalan, Hofman, Blei 2013)."""

from __future__ import annotations

from dpsvi.models.poisson.estimator import DPSVIPoissonFactorization

__all__ = ["DPSVIPoissonFactorization"]
