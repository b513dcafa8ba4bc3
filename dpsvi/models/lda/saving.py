"""Models on disk: one safetensors file with a header in JSON, and no pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from sklearn.utils.validation import check_is_fitted

from dpsvi.engine.files import PathLike, whole_file
from dpsvi.models.lda.identity import digest_of_array
from dpsvi.models.lda.packing import Arrays, pack, unpack

__all__ = ["FORMAT", "Persistent"]

# Raised when an older release could misread what a newer one wrote.
FORMAT = 1

_REMEDY = "save the model again, or give another path"

# Where the digest of the header stands, beside it.
_DIGEST = "dpsvi.blake2b"

# Of this process, or of a fit that is going on.
_LEFT_OUT = {"_skl_callbacks", "_callback_fit_ctx", "_skl_callbacks_to_teardown"}


class Persistent:
    """An estimator that is kept in a file."""

    def save(self, path: PathLike) -> None:
        """Write the fitted model to a file, whole or not at all.

        The file holds everything that is needed to go on: topics, priors, words,
        parameters, the history and the state of the random numbers, but neither
        callbacks nor documents. It is in the safetensors format: arrays, with a header
        in JSON and digests of both, so that damage is noticed. Nothing in it is a
        program: files of strangers are safe to load. An older file is replaced in one
        step.

        Parameters
        ----------
        path : str or path
            A file, by custom one that ends in `.safetensors`; its folder must exist.

        Raises
        ------
        NotFittedError
            If there is nothing to save yet.
        ValueError
            If a parameter or an attribute is something that no file can hold; nothing
            is written then.
        FileNotFoundError
            If the folder does not exist.

        Examples
        --------
        >>> import tempfile
        >>> import dpsvi
        >>> from dpsvi.datasets import make_corpus
        >>> corpus = make_corpus(100, n_words=20, n_topics=2, random_state=0)
        >>> model = dpsvi.DPSVILatentDirichletAllocation(2, random_state=0).fit(corpus)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(f"{folder}/topics.safetensors")
        ...     again = dpsvi.load(f"{folder}/topics.safetensors")
        >>> bool((again.transform(corpus) == model.transform(corpus)).all())
        True
        """
        from dpsvi import __version__

        check_is_fitted(self)
        if hasattr(self, "_bound"):
            # Documents stay here; the number that they are kept for does not.
            _ = self.bound_  # type: ignore[attr-defined]
        model: Any = self
        arrays: Arrays = {}
        parameters = _packed_parameters(model, arrays)
        attributes = _packed_attributes(model, arrays)
        n_topics, n_words = model.components_.shape
        header = {
            "format": FORMAT,
            "version": __version__,
            "estimator": type(self).__name__,
            "n_topics": n_topics,
            "n_words": n_words,
            "parameters": parameters,
            "attributes": attributes,
            "digests": {name: digest_of_array(arrays[name]) for name in arrays},
        }
        text = json.dumps(header, allow_nan=False)
        with whole_file(path) as part:
            save_file(arrays, part, metadata={"dpsvi": text, _DIGEST: _digest(text)})

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Read a model that `save` has written.

        Parameters
        ----------
        path : str or path
            The file.

        Returns
        -------
        estimator
            Fitted; it does what the one that was saved would do.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged, holds no topic model, or was written by a newer
            release in a format that this one cannot read.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"there is no file '{path}'")
        try:
            with safe_open(path, framework="numpy") as file:
                header = _header(path, file.metadata())
                model: Self = _restored(cls, path, header, file)
                return model
        except SafetensorError as error:
            raise ValueError(
                f"{path} is damaged, or no safetensors file ({error}); {_REMEDY}"
            ) from error


def _packed_parameters(model: Any, arrays: Arrays) -> dict[str, Any]:
    packed = {}
    for name, value in model.get_params(deep=False).items():
        try:
            if isinstance(value, np.random.RandomState):
                raise TypeError("its state would not be the one that was given")
            packed[name] = pack(f"parameters.{name}", value, arrays)
        except TypeError as error:
            raise ValueError(
                f"the parameter {name} is {value!r}, which no file can hold; before "
                f"save, set_params({name}=...) to None, a number or a string"
            ) from error
    return packed


def _packed_attributes(model: Any, arrays: Arrays) -> dict[str, Any]:
    left_out = {*model.get_params(deep=False), *_LEFT_OUT}
    packed = {}
    for name, value in vars(model).items():
        if name in left_out:
            continue
        try:
            packed[name] = pack(name, value, arrays)
        except TypeError as error:
            raise ValueError(
                f"the attribute {name} is {value!r}, which no file can hold; delete "
                "it before save"
            ) from error
    return packed


def _header(path: PathLike, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the header of a file of ours, in a format that we know."""
    text = (metadata or {}).get("dpsvi")
    if text is None:
        raise ValueError(
            f"{path} is a safetensors file, but no model of dpsvi; give one that "
            "save() has written"
        )
    try:
        if _digest(text) != (metadata or {}).get(_DIGEST, _digest(text)):
            raise ValueError(f"{path} is damaged: its header has changed; {_REMEDY}")
        header: dict[str, Any] = json.loads(text)
        if "environment" in header:
            raise ValueError(f"{path} holds an agent; read it with dpsvi.rl.load")
        number = header["format"]
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise _damaged(path, error) from error
    if number != FORMAT:
        raise ValueError(
            f"{path} is written in format {number}, and this release reads format "
            f"{FORMAT}; use the release that wrote it ({header.get('version')}), or a "
            "newer one"
        )
    return header


def _restored(cls: Any, path: PathLike, header: Mapping[str, Any], file: Any) -> Any:
    """Make the estimator; arrays are read once, straight to where they stay."""
    read = _checked(path, header.get("digests", {}), file.get_tensor)
    try:
        parameters, attributes = (
            {name: unpack(item, read) for name, item in header[part].items()}
            for part in ("parameters", "attributes")
        )
        _check_shapes(attributes, header["n_topics"], header["n_words"])
    except _Damage:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error
    unknown = sorted(parameters.keys() - set(cls._get_param_names()))
    if unknown:
        raise ValueError(
            f"{path} was written by version {header.get('version')}, with parameters "
            f"that {cls.__name__} has not ({', '.join(unknown)}); use that version, or "
            "a newer one"
        )
    model = cls(**parameters)
    vars(model).update(attributes)
    return model


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _checked(
    path: PathLike, digests: Mapping[str, str], read: Callable[[str], NDArray[Any]]
) -> Callable[[str], NDArray[Any]]:
    """Compare arrays with their digests as they are read; older files have none."""

    def checked(name: str) -> NDArray[Any]:
        array = read(name)
        if name in digests and digest_of_array(array) != digests[name]:
            raise _Damage(f"{path} is damaged: {name} has changed; {_REMEDY}")
        return array

    return checked


class _Damage(ValueError):
    """An array is not what was written."""


def _check_shapes(found: Mapping[str, Any], n_topics: int, n_words: int) -> None:
    names = found.get("feature_names_in_")
    sizes = {
        "components_": (found["components_"].shape, (n_topics, n_words)),
        "n_features_in_": (found["n_features_in_"], n_words),
        "feature_names_in_": (n_words if names is None else len(names), n_words),
    }
    for name, (size, expected) in sizes.items():
        if size != expected:
            raise ValueError(f"{name} is of size {size} and not {expected}")


def _damaged(path: PathLike, error: Exception) -> ValueError:
    return ValueError(f"the header of {path} is damaged ({error!r}); {_REMEDY}")
