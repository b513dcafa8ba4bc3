"""What travels: every reply names the protocol, arrays go without a copy."""

from __future__ import annotations

import pickle
from typing import Any

from distributed.protocol import Pickled
from distributed.protocol.pickle import dumps

__all__ = ["PROTOCOL", "check_reply", "operation", "pack", "unpack"]

#: Changes whenever host and callers of different versions would misunderstand.
PROTOCOL = 1


def operation(name: str) -> str:
    """Return the name under which the scheduler knows an operation of the host."""
    return f"dpsvi_{name}"


def pack(message: Any) -> tuple[Pickled, int]:
    """Pickle a message without copying its arrays; tell its size in bytes.

    The arrays must not change before the message has left.
    """
    buffers: list[pickle.PickleBuffer] = []
    # By value if need be: a class of a notebook is not found elsewhere.
    header = dumps(message, buffer_callback=buffers.append)
    frames = [buffer.raw() for buffer in buffers]
    size = len(header) + sum(frame.nbytes for frame in frames)
    return Pickled({"pickled-obj": header}, frames), size


def unpack(message: Any) -> Any:
    """Return what was packed; connections have done so, but for those in a process."""
    if isinstance(message, Pickled):
        return pickle.loads(message.header["pickled-obj"], buffers=message.frames)
    return message


def check_reply(reply: Any, name: str) -> dict[str, Any]:
    """Return the reply of a host of the same protocol.

    Raises
    ------
    RuntimeError
        If there is no host, as schedulers answer None to unknown operations, or one
        of another version.
    """
    spoken = reply.get("dpsvi") if isinstance(reply, dict) else None
    if spoken == PROTOCOL:
        return {key: unpack(value) for key, value in reply.items()}
    other = "nothing" if spoken is None else f"protocol {spoken}"
    raise RuntimeError(
        f"the scheduler's dpsvi answers {name!r} with {other}; this process speaks "
        f"protocol {PROTOCOL}: install one version of dpsvi everywhere, and restart "
        "the scheduler"
    )
