"""Latent Dirichlet allocation by DPSVI (Alg. 3 and 4 of the paper)."""

from __future__ import annotations

from dpsvi.models.lda.estimator import DPSVILatentDirichletAllocation

__all__ = ["DPSVILatentDirichletAllocation"]
