"""Agents on disk: a safetensors file with a header in JSON, and no pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from dpsvi.engine.files import PathLike, whole_file
from dpsvi.rl.stepping import EnvironmentSpec

__all__ = ["FORMAT", "Saved", "read_saved", "write_saved"]

# Raised when an older release could misread what a newer one wrote.
FORMAT = 1

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Saved:
    """What the header holds.

    Attributes
    ----------
    spec : EnvironmentSpec
        What the agent plays.
    network : str
        Class of its network, with its module.
    provenance : dict
        How it was trained.
    """

    spec: EnvironmentSpec
    network: str
    provenance: dict[str, Any]


def write_saved(path: PathLike, saved: Saved, arrays: Arrays) -> None:
    """Write an agent, whole or not at all."""
    header = {
        "format": FORMAT,
        "environment": saved.spec.to_dict(),
        "network": saved.network,
        "provenance": saved.provenance,
    }
    # Arrays that are not contiguous would be written as they lie in memory.
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with whole_file(path) as temporary:
        save_file(whole, temporary, metadata={"dpsvi": json.dumps(header)})


def read_saved(path: PathLike) -> tuple[Saved, Arrays]:
    """Read an agent; errors as `dpsvi.rl.policy.load`."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file '{path}'.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"{path} is damaged, or no safetensors file: {error}."
        ) from error
    return _parsed(path, metadata.get("dpsvi")), arrays


def _parsed(path: PathLike, header: str | None) -> Saved:
    if header is None:
        raise ValueError(f"{path} is a safetensors file, but no agent of dpsvi.")
    try:
        fields = json.loads(header)
        _check_format(path, fields["format"])
        spec = EnvironmentSpec.from_dict(fields["environment"])
        return Saved(spec, fields["network"], fields["provenance"])
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"the header of {path} is damaged: {error!r}.") from error


def _check_format(path: PathLike, number: int) -> None:
    if number != FORMAT:
        raise ValueError(
            f"{path} is written in format {number}, and this release reads format "
            f"{FORMAT}; use the release that wrote it, or a newer one."
        )
