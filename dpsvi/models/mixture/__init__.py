"""Bayesian Gaussian mixtures by DPSVI."""

from __future__ import annotations

from dpsvi.models.mixture.estimator import DPSVIGaussianMixture

__all__ = ["DPSVIGaussianMixture"]
