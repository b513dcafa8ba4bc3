"""What a model keeps, as JSON and arrays: for files that outlive Python's own.

Numbers, strings, None and lists of them stand in the JSON as they are. All else is a
mapping of one item there, from the kind of the value to what it is made of again; of
arrays that is the name under which they are stored beside the JSON.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dpsvi.engine import History

__all__ = ["Arrays", "pack", "unpack"]

Arrays: TypeAlias = dict[str, NDArray[Any]]


class _Kind(NamedTuple):
    """How values of a kind are told, packed (name, value, arrays) and made again."""

    is_one: Callable[[Any], bool]
    pack: Callable[[str, Any, Arrays], Any]
    unpack: Callable[[Any, Callable[[str], Any]], Any]


def pack(name: str, value: Any, arrays: Arrays) -> Any:
    """Return a value as JSON; the arrays that are a part of it go beside it.

    Parameters
    ----------
    name : str
        Of the value; its arrays are named after it.
    value : object
        A number, a string, None, an array of numbers or of strings, a dtype, a
        `History`, a `RandomState`, or a list, tuple or dict of these.
    arrays : dict of str to ndarray
        Filled.

    Raises
    ------
    TypeError
        If there is no such way to write the value.

    Examples
    --------
    >>> arrays = {}
    >>> pack("rate", np.float32(0.5), arrays), pack("words", ["a", None], arrays)
    (0.5, ['a', None])
    >>> pack("prior", np.ones(3), arrays), list(arrays)
    ({'array': 'prior'}, ['prior'])
    >>> unpack({"array": "prior"}, arrays.__getitem__)
    array([1., 1., 1.])
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list):
        return _pack_items(name, value, arrays)
    if _is_plain(value):
        return value
    for kind, how in _KINDS.items():
        if how.is_one(value):
            return {kind: how.pack(name, value, arrays)}
    raise TypeError(f"{name} is {value!r}, of type {type(value).__name__}")


def unpack(packed: Any, array: Callable[[str], NDArray[Any]]) -> Any:
    """Return the value that was packed.

    Parameters
    ----------
    packed : object
        What `pack` gave.
    array : callable
        Gives an array by its name.

    Raises
    ------
    AttributeError, KeyError, TypeError, ValueError
        If `pack` has not given that.
    """
    if isinstance(packed, list):
        return [unpack(item, array) for item in packed]
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    return _KINDS[kind].unpack(content, array)


def _is_plain(value: Any) -> bool:
    """Say whether strict JSON has a word for it: it has none for infinity."""
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)


def _pack_items(name: str, items: Any, arrays: Arrays) -> list[Any]:
    return [pack(f"{name}.{i}", item, arrays) for i, item in enumerate(items)]


def _pack_dict(name: str, value: dict[Any, Any], arrays: Arrays) -> list[Any]:
    """Pack as a list of pairs: the keys of JSON's own mappings are strings."""
    return _pack_items(name, [list(pair) for pair in value.items()], arrays)


def _is_numbers(value: Any) -> bool:
    if not isinstance(value, np.ndarray):
        return False
    return value.dtype.kind in "biuf" and value.dtype.itemsize <= 8


def _is_word_major(value: Any) -> bool:
    """Say whether the first axis is the fast one: sums follow the order in memory."""
    return (
        _is_numbers(value) and value.ndim == 2 and value.strides[0] < value.strides[1]
    )


def _pack_array(name: str, value: NDArray[Any], arrays: Arrays) -> str:
    # The format writes memory as it lies.
    arrays[name] = np.asarray(value, order="C")
    return name


def _is_words(value: Any) -> bool:
    if not isinstance(value, np.ndarray) or value.ndim != 1:
        return False
    return value.dtype.kind in "OU" and all(isinstance(word, str) for word in value)


def _pack_words(name: str, value: NDArray[Any], arrays: Arrays) -> dict[str, str]:
    texts = [word.encode("utf-8", "surrogatepass") for word in value.tolist()]
    letters = np.frombuffer(b"".join(texts), dtype=np.uint8)
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    return {
        "utf8": _pack_array(f"{name}.utf8", letters, arrays),
        "ends": _pack_array(f"{name}.ends", ends, arrays),
    }


def _words(packed: dict[str, str], array: Callable[[str], Any]) -> NDArray[Any]:
    letters, ends = array(packed["utf8"]).tobytes(), array(packed["ends"]).tolist()
    words = np.empty(len(ends), dtype=object)
    words[:] = [
        letters[start:end].decode("utf-8", "surrogatepass")
        for start, end in zip([0, *ends][:-1], ends, strict=True)
    ]
    return words


def _pack_history(name: str, value: History, arrays: Arrays) -> list[list[str]]:
    return [
        [column, _pack_array(f"{name}.{column}", value[column], arrays)]
        for column in value.columns
    ]


def _history(packed: list[list[str]], array: Callable[[str], Any]) -> History:
    return History.from_dict({name: array(key).tolist() for name, key in packed})


def _is_random_state(value: Any) -> bool:
    if not isinstance(value, np.random.RandomState):
        return False
    state: Any = value.get_state(legacy=False)
    return bool(state["bit_generator"] == "MT19937")


def _pack_random_state(name: str, value: Any, arrays: Arrays) -> list[Any]:
    _, key, *rest = value.get_state()
    return [_pack_array(f"{name}.key", key, arrays), *rest]


def _random_state(packed: list[Any], array: Callable[[str], Any]) -> Any:
    key, *rest = packed
    found = np.random.RandomState()
    found.set_state(("MT19937", array(key), *rest))
    return found


def _is_number_type(value: Any) -> bool:
    if not isinstance(value, type) or not issubclass(value, np.number | int | float):
        return False
    return np.dtype(value).kind in "iuf"


def _dtype_name(name: str, value: Any, arrays: Arrays) -> str:
    return str(np.dtype(value).name)


# The first kind that fits counts.
_KINDS = {
    "float": _Kind(
        lambda value: isinstance(value, float),
        lambda name, value, arrays: str(value),
        lambda packed, array: float(packed),
    ),
    "tuple": _Kind(
        lambda value: isinstance(value, tuple),
        _pack_items,
        lambda packed, array: tuple(unpack(packed, array)),
    ),
    "dict": _Kind(
        lambda value: isinstance(value, dict),
        _pack_dict,
        lambda packed, array: dict(unpack(packed, array)),
    ),
    "transposed array": _Kind(
        _is_word_major,
        lambda name, value, arrays: _pack_array(name, value.T, arrays),
        lambda packed, array: array(packed).T,
    ),
    "array": _Kind(_is_numbers, _pack_array, lambda packed, array: array(packed)),
    "words": _Kind(_is_words, _pack_words, _words),
    "dtype": _Kind(
        lambda value: isinstance(value, np.dtype) and value.kind in "iuf",
        _dtype_name,
        lambda packed, array: np.dtype(packed),
    ),
    "type": _Kind(
        _is_number_type,
        _dtype_name,
        lambda packed, array: np.dtype(packed).type,
    ),
    "history": _Kind(lambda value: isinstance(value, History), _pack_history, _history),
    "random state": _Kind(_is_random_state, _pack_random_state, _random_state),
}
