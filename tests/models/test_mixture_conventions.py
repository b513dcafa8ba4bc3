"""scikit-learn's own checks, on Gaussian mixtures."""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from dpsvi.models.mixture import DPSVIGaussianMixture


@parametrize_with_checks(
    [
        DPSVIGaussianMixture(2, random_state=0, n_jobs=1),
        DPSVIGaussianMixture(covariance_type="diag", backend="simulated"),
    ]
)
def test_check_estimator(estimator: Any, check: Any) -> None:
    check(estimator)


def test_the_docstring_tells_every_parameter_and_its_default() -> None:
    text = (inspect.getdoc(DPSVIGaussianMixture) or "").replace("\\\n", "")
    section = text.split("Parameters\n---")[1].split("Attributes\n---")[0]
    told = re.findall(r"^(\w+) : .*default=(.+)$", section, re.MULTILINE)
    parameters = inspect.signature(DPSVIGaussianMixture).parameters.values()
    assert [(name, ast.literal_eval(value)) for name, value in told] == [
        (parameter.name, parameter.default) for parameter in parameters
    ]
    constraints = DPSVIGaussianMixture._parameter_constraints
    assert set(constraints) == {parameter.name for parameter in parameters}
