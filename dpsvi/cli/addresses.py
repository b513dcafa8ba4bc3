"""Where a Dask cluster is: looked at before a client is made, which would hang."""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["scheduler_address"]


def scheduler_address(address: str | None, file: Path | None) -> str:
    """Return the address of a scheduler, given by itself or in the scheduler's file.

    Parameters
    ----------
    address : str or None
        Of the scheduler, such as ``tcp://10.0.0.1:8786``.
    file : Path or None
        In place of it: the file that the scheduler has written.

    Raises
    ------
    ImportError
        If Dask is not installed.
    ValueError
        If there is no address, or it cannot be one.
    """
    try:
        from distributed.comm.addressing import parse_address, parse_host_port
        from distributed.comm.registry import backends
    except ImportError as error:
        raise ImportError('a cluster needs Dask: pip install "dpsvi[dask]"') from error
    place = "--scheduler"
    if file is not None:
        address, place = _read(file), f"the address in '{file}'"
    try:
        scheme, where = parse_address(address)
        host, port = parse_host_port(where)
        if scheme in backends and host and 0 < port < 2**16:
            return str(address)
        wrong = f"it names {scheme}, {host or 'no host'} and port {port}"
    except (TypeError, ValueError) as error:
        wrong = str(error)
    raise ValueError(
        f"{place} is {address!r}, which is no address of a scheduler ({wrong}); give "
        "one such as tcp://10.0.0.1:8786, as the scheduler says when it starts"
    )


def _read(file: Path) -> str:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        address: str = found["address"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"'{file}' has not been written by a scheduler ({type(error).__name__}: "
            f"{error}); give the file of dask scheduler --scheduler-file: JSON with an "
            '"address"'
        ) from error
    return address
