"""scikit-learn's callback protocol, also where the installed version has none.

From scikit-learn 1.9 on, `CallbackSupport` and `with_callbacks` are scikit-learn's own.
Below, the same hooks are called in the same order by the small stand-ins here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from copy import copy
from typing import Any, TypeVar

__all__ = ["CallbackSupport", "with_callbacks"]

Method = TypeVar("Method", bound=Callable[..., Any])

_HOOKS = ("setup", "on_fit_task_begin", "on_fit_task_end", "teardown")


class Context:
    """A task of a fit, as callbacks see it: the fit itself, or one epoch.

    Parameters
    ----------
    estimator_name, task_name : str
        What is being done.
    callbacks : iterable
        Whom to tell.
    task_id : int, default=0
        Number of the task among its siblings.
    max_subtasks : int or None, default=0
        How many subtasks may follow; None: unknown.
    parent : Context or None, default=None
        The task that this is a part of.
    """

    def __init__(
        self,
        estimator_name: str,
        task_name: str,
        callbacks: Iterable[Any],
        task_id: int = 0,
        max_subtasks: int | None = 0,
        parent: Context | None = None,
    ) -> None:
        self.estimator_name = estimator_name
        self.task_name = task_name
        self.task_id = task_id
        self.max_subtasks = max_subtasks
        self.parent = parent
        self._callbacks = list(callbacks)
        self._n_subtasks = 0

    def subcontext(self, task_name: str = "", max_subtasks: int | None = 0) -> Context:
        """Return the context of the next part of this task."""
        self._n_subtasks += 1
        return Context(
            self.estimator_name,
            task_name,
            self._callbacks,
            self._n_subtasks - 1,
            max_subtasks,
            self,
        )

    def call_on_fit_task_begin(self, *, estimator: Any, **facts: Any) -> Context:
        """Tell the callbacks that the task begins."""
        self._call("on_fit_task_begin", estimator, facts)
        return self

    def call_on_fit_task_end(self, *, estimator: Any, **facts: Any) -> bool:
        """Tell the callbacks that the task ends; True if one wants to stop."""
        return self._call("on_fit_task_end", estimator, facts)

    def _call(self, hook: str, estimator: Any, facts: Mapping[str, Any]) -> bool:
        given = {name: facts.get(name) for name in ("X", "y", "metadata")}
        attributes = facts.get("reconstruction_attributes")
        if attributes is not None and self._callbacks:
            fitted = copy(estimator)
            for name, value in attributes().items():
                setattr(fitted, name, value)
            given["fitted_estimator"] = fitted
        # A list, not any(): every callback is told.
        answers = [
            _call(getattr(c, hook), estimator, self, given) for c in self._callbacks
        ]
        return any(map(bool, answers))


def _call(
    hook: Callable[..., Any], estimator: Any, context: Context, given: dict[str, Any]
) -> Any:
    import inspect

    parameters = inspect.signature(hook).parameters.values()
    wanted = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    return hook(
        estimator, context, **{name: given.get(name) for name in sorted(wanted)}
    )


class OwnCallbackSupport:
    """What an estimator needs to have callbacks."""

    def set_callbacks(self, *callbacks: Any) -> Any:
        """Set the callbacks of `fit`; none removes them.

        Raises
        ------
        TypeError
            If one lacks a hook of the protocol.
        """
        for callback in callbacks:
            missing = [name for name in _HOOKS if not hasattr(callback, name)]
            if missing or isinstance(callback, type):
                raise TypeError(
                    f"{callback!r} is no callback: it must be an instance with the "
                    f"methods {', '.join(_HOOKS)}"
                )
        if callbacks:
            self._skl_callbacks = list(callbacks)
        else:
            self.__dict__.pop("_skl_callbacks", None)
        return self

    def _init_callback_context(
        self, task_name: str = "fit", max_subtasks: int | None = 0
    ) -> Context:
        callbacks = self.__dict__.get("_skl_callbacks", [])
        context = Context(type(self).__name__, task_name, callbacks, 0, max_subtasks)
        self._callback_fit_ctx: Context = context
        self._skl_callbacks_to_teardown: list[Any] = []
        for callback in callbacks:
            self._skl_callbacks_to_teardown.append(callback)
            callback.setup(self, context)
        return context


def own_with_callbacks(method: Method) -> Method:
    """Decorate `fit`: tear the callbacks down, however it ends."""

    @functools.wraps(method)
    def managed(estimator: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(estimator, *args, **kwargs)
        finally:
            context = estimator.__dict__.pop("_callback_fit_ctx", None)
            started = estimator.__dict__.pop("_skl_callbacks_to_teardown", [])
            with ExitStack() as stack:
                for callback in reversed(started):
                    stack.callback(callback.teardown, estimator, context)

    return managed  # type: ignore[return-value]


try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupport
    from sklearn.callback import with_callbacks
except ImportError:
    CallbackSupport = OwnCallbackSupport
    with_callbacks = own_with_callbacks
