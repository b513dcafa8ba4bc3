"""scikit-learn's own checks, on Poisson factorisation."""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from dpsvi.models.poisson import DPSVIPoissonFactorization


@parametrize_with_checks(
    [
        DPSVIPoissonFactorization(n_components=3, random_state=0, n_jobs=1),
        DPSVIPoissonFactorization(n_components=2, backend="simulated"),
    ]
)
def test_check_estimator(estimator: Any, check: Any) -> None:
    check(estimator)


def test_the_docstring_tells_every_parameter_and_its_default() -> None:
    text = inspect.getdoc(DPSVIPoissonFactorization) or ""
    section = text.split("Parameters\n---")[1].split("Attributes\n---")[0]
    told = re.findall(r"^(\w+) : .*, default=(.+)$", section, re.MULTILINE)
    parameters = inspect.signature(DPSVIPoissonFactorization).parameters.values()
    assert [(name, ast.literal_eval(value)) for name, value in told] == [
        (parameter.name, parameter.default) for parameter in parameters
    ]
    constraints = DPSVIPoissonFactorization._parameter_constraints
    assert set(constraints) == {parameter.name for parameter in parameters}
