"""What `fit` does at the end of each epoch: scikit-learn's habits and callbacks."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsvi.models.lda.fitting import Fit
from dpsvi.models.lda.monitor import Look

__all__ = ["EpochHooks"]


class EpochHooks:
    """Training perplexity, a line for `verbose`, and the callbacks of `set_callbacks`.

    Parameters
    ----------
    model : DPSVILatentDirichletAllocation
        The estimator that is being fitted.
    fit : Fit
        The fit.
    X, y : object
        As given to `fit`, for the callbacks.
    """

    def __init__(self, model: Any, fit: Fit, X: Any, y: Any) -> None:
        self._model = model
        self._fit = fit
        self._data = {"X": X, "y": y}
        self._watched = fit.past.watched
        self._root = model._init_callback_context(max_subtasks=model.max_iter)
        self._root.call_on_fit_task_begin(estimator=model, **self._data)
        if model.max_iter:
            self.begin()

    def begin(self) -> None:
        """Tell the callbacks that an epoch begins."""
        self._task = self._root.subcontext(task_name="epoch")
        self._task.call_on_fit_task_begin(estimator=self._model, **self._data)

    def end(self, n_passes: int, look: Look) -> bool:
        """Evaluate if it is time, tell everybody; True if the fit is to stop."""
        model, line, stop = self._model, "", False
        if model.evaluate_every > 0 and n_passes % model.evaluate_every == 0:
            parameters, log_scale = look()
            perplexity = self._fit.perplexity(parameters, parameters.scale(log_scale))
            # Before the first there is nothing to compare with: nan.
            stop = abs(self._watched.training - perplexity) < model.perp_tol
            self._watched.training = perplexity
            line = f", training perplexity {perplexity:.4f}"
        if model.verbose:
            sys.stdout.write(f"epoch {n_passes} of {model.max_iter}{line}\n")
        asked_to: bool = self._task.call_on_fit_task_end(
            estimator=model,
            **self._data,
            reconstruction_attributes=lambda: {
                **self._fit.priors(look()[0]),
                "components_": _components(look),
                "n_iter_": n_passes,
            },
        )
        return stop or asked_to

    def close(self) -> None:
        """Tell the callbacks that the fit has ended."""
        self._root.call_on_fit_task_end(
            estimator=self._model,
            **self._data,
            reconstruction_attributes=lambda: {
                name: value
                for name, value in vars(self._model).items()
                if name.endswith("_")
            },
        )


def _components(look: Look) -> NDArray[np.floating]:
    parameters, log_scale = look()
    return parameters.value(log_scale).T
