"""scikit-learn's own checks of estimators."""

from __future__ import annotations

from sklearn.utils.estimator_checks import parametrize_with_checks

from dpsvi import DPSVILatentDirichletAllocation


@parametrize_with_checks(
    [
        DPSVILatentDirichletAllocation(n_components=3, random_state=0, n_jobs=1),
        DPSVILatentDirichletAllocation(n_components=3, inference="cvb0", n_jobs=1),
        DPSVILatentDirichletAllocation(n_components=3, learning_method="batch"),
    ]
)
def test_check_estimator(estimator, check):
    check(estimator)
