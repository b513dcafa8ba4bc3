"""scikit-learn's own tests of its LDA, from the installed version, run on ours.

Every test of the module runs with the class swapped, but for those named below.
"""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.decomposition.tests.test_online_lda as theirs

from dpsvi import DPSVILatentDirichletAllocation

LEFT_OUT = {
    "test_lda_preplexity_mismatch": "calls a private method with made-up topics",
    "test_dirichlet_expectation": "tests a private function, not the class",
}


class LatentDirichletAllocation(DPSVILatentDirichletAllocation):
    """Ours under their name, which their tests expect in names and messages."""


@pytest.fixture(autouse=True)
def _swap(monkeypatch):
    monkeypatch.setattr(theirs, "LatentDirichletAllocation", LatentDirichletAllocation)


@pytest.fixture(params=[np.float32, np.float64])
def global_dtype(request):
    """As in scikit-learn's own test configuration."""
    return request.param


@pytest.fixture(params=[0, 42])
def global_random_seed(request):
    """As in scikit-learn's own test configuration."""
    return request.param


_tests = [name for name in vars(theirs) if name.startswith("test_")]
globals().update(
    {name: getattr(theirs, name) for name in _tests if name not in LEFT_OUT}
)


def test_nothing_is_left_out_in_silence():
    assert set(LEFT_OUT) <= set(_tests)
    assert len(_tests) > 15
