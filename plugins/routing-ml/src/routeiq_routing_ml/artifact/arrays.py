"""Named numpy arrays to safetensors bytes and back. Only finite numbers, no code, no surprise in a header.

Whether the bytes may be believed was decided before they come here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import safetensors.numpy

from routeiq_routing_ml.artifact import canonical
from routeiq_routing_ml.artifact.errors import ArtifactError

DTYPES: Final[Mapping[str, np.dtype[Any]]] = MappingProxyType(
    {
        "F16": np.dtype("<f2"),
        "F32": np.dtype("<f4"),
        "F64": np.dtype("<f8"),
        "I8": np.dtype("i1"),
        "I16": np.dtype("<i2"),
        "I32": np.dtype("<i4"),
        "I64": np.dtype("<i8"),
        "U8": np.dtype("u1"),
        "U16": np.dtype("<u2"),
        "U32": np.dtype("<u4"),
        "BOOL": np.dtype("?"),
    }
)
"""What an artifact's arrays may hold, by the name that safetensors gives it."""
MOST_ARRAYS: Final = 1000
_MOST_HEADER: Final = 1 << 20
_MOST_AXES: Final = 8
_LONGEST_AXIS: Final = 1 << 31
_LONGEST_NAME: Final = 200
_FIELDS: Final = frozenset({"dtype", "shape", "data_offsets"})


def encode(arrays: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    """The bytes of a safetensors file. Equal arrays have equal bytes. Raises `ValueError` that names the array for
    other kinds of number, NaN, infinity, and what `decode` would refuse.
    """
    if len(arrays) > MOST_ARRAYS:
        raise ValueError(f"{len(arrays)} arrays, and an artifact holds at most {MOST_ARRAYS}")
    plain = {}
    for name, array in arrays.items():
        if not 0 < len(name) <= _LONGEST_NAME or name == "__metadata__":
            raise ValueError(f"{name!r} is no name for an array")
        little = array.dtype.newbyteorder("<")
        if little not in DTYPES.values():
            raise ValueError(f"array {name!r}: numbers of the kind {array.dtype} are not stored")
        if array.ndim > _MOST_AXES:
            raise ValueError(f"array {name!r}: {array.ndim} axes, and at most {_MOST_AXES} are stored")
        plain[name] = np.asarray(array).astype(little, order="C", copy=False)
        if not _finite(plain[name]):
            raise ValueError(f"array {name!r}: NaN or infinity")
    return safetensors.numpy.save(plain)


def decode(data: bytes, path: Path | str) -> Mapping[str, np.ndarray[Any, Any]]:
    """Read-only arrays that lie in `data` itself. `path` is for the message. Raises `ArtifactError`."""
    try:
        return MappingProxyType(_decode(data))
    except ValueError as error:
        raise ArtifactError(path, f"broken arrays: {error}.", "train the router again.") from None


def _decode(data: bytes) -> dict[str, np.ndarray[Any, Any]]:
    length = int.from_bytes(data[:8], "little")
    start = 8 + length
    if len(data) < 8 or length > _MOST_HEADER or start > len(data):
        raise ValueError("the header is longer than the file or than is allowed")
    header = canonical.decode(data[8:start])
    if not isinstance(header, dict) or len(header) > MOST_ARRAYS:
        raise ValueError("the header lists no arrays, or too many")
    rows = sorted((*_row(name, row), name) for name, row in header.items())
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    end_before = 0
    for begin, end, shape, dtype, name in rows:
        if begin != end_before:
            raise ValueError(f"array {name!r} overlaps another or leaves a hole")
        end_before = end
        if start + end > len(data):
            raise ValueError(f"array {name!r} ends after the file")
        arrays[name] = _array(data, start + begin, shape, DTYPES[dtype], name)
    if start + end_before != len(data):
        raise ValueError("bytes that belong to no array")
    return arrays


def _row(name: str, row: Any) -> tuple[int, int, tuple[int, ...], str]:
    if not 0 < len(name) <= _LONGEST_NAME or not isinstance(row, dict) or row.keys() != _FIELDS:
        raise ValueError(f"the header's entry {name[:_LONGEST_NAME]!r} describes no array")
    dtype, shape, offsets = row["dtype"], row["shape"], row["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"array {name!r} holds numbers of a kind that is not allowed")
    if not _counts(shape) or len(shape) > _MOST_AXES or any(axis > _LONGEST_AXIS for axis in shape):
        raise ValueError(f"array {name!r} has an impossible shape")
    if not _counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ValueError(f"array {name!r} has impossible offsets")
    if math.prod(shape) * DTYPES[dtype].itemsize != offsets[1] - offsets[0]:
        raise ValueError(f"array {name!r} has a shape that its bytes do not fill")
    return offsets[0], offsets[1], tuple(shape), dtype


def _counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _array(data: bytes, at: int, shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any] = np.frombuffer(data, dtype, math.prod(shape), at).reshape(shape)
    if dtype.kind == "b" and array.size and array.view("u1").max() > 1:
        raise ValueError(f"array {name!r} has truth values that are neither true nor false")
    if not _finite(array):
        raise ValueError(f"array {name!r} has NaN or infinity")
    if not array.flags.aligned:
        array = array.copy()
        array.flags.writeable = False
    return array


def _finite(array: np.ndarray[Any, Any]) -> bool:
    if array.dtype.kind != "f":
        return True
    if array.dtype.itemsize == 2:
        # numpy widens each half to answer; all ones in the exponent say the same, several times as fast
        return not bool(((array.view("<u2") & 0x7C00) == 0x7C00).any())
    return bool(np.isfinite(array).all())
