"""Which bytes are arrays: what we write others read, what they write we read, and hostile headers are refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from routeiq_routing_ml.artifact import arrays
from routeiq_routing_ml.artifact.errors import ArtifactError

KINDS = [np.dtype(kind) for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "?")]
FINITE = {"allow_nan": False, "allow_infinity": False}
ARRAYS = st.sampled_from(KINDS).flatmap(
    lambda kind: arrays_of.arrays(
        kind,
        arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
        elements=arrays_of.from_dtype(kind, **(FINITE if kind.kind == "f" else {})),
    )
)


def file(header: Any, data: bytes = b"", *, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@given(st.dictionaries(st.text(min_size=1, max_size=20).filter(lambda t: t != "__metadata__"), ARRAYS, max_size=4))
def test_arrays_come_back_as_they_were_and_as_the_library_reads_them(given: dict[str, np.ndarray[Any, Any]]) -> None:
    try:
        data = arrays.encode(given)
    except UnicodeEncodeError:
        return
    assert arrays.encode(given) == data
    ours, theirs = arrays.decode(data, "x"), safetensors.numpy.load(data)
    assert ours.keys() == theirs.keys() == given.keys()
    for name, array in given.items():
        for read in (ours[name], theirs[name]):
            assert read.dtype == array.dtype
            assert read.shape == array.shape
            assert read.tobytes() == array.tobytes()
        assert not ours[name].flags.writeable
        assert ours[name].flags.aligned


@pytest.mark.parametrize("array", [np.arange(6).reshape(2, 3).T, np.arange(20.0)[::3], np.arange(6, dtype=">i4")])
def test_the_layout_in_memory_does_not_matter(array: np.ndarray[Any, Any]) -> None:
    read = arrays.decode(arrays.encode({"x": array}), "x")["x"]
    assert np.array_equal(read, array)
    assert read.flags.c_contiguous
    assert read.dtype == array.dtype.newbyteorder("<")


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_neither_written_nor_read(kind: str, bad: float) -> None:
    array = np.zeros(100, kind)
    array[57] = bad
    with pytest.raises(ValueError, match="array 'x': NaN or infinity"):
        arrays.encode({"x": array})
    with pytest.raises(ArtifactError, match="'x' has NaN or infinity"):
        arrays.decode(safetensors.numpy.save({"x": array}), "x")


@pytest.mark.parametrize("kind", ["O", "c8", "U3", "S3", "M8[s]", "u8", "f2,f2"])
def test_other_kinds_of_value_are_not_written(kind: str) -> None:
    with pytest.raises(ValueError, match="are not stored"):
        arrays.encode({"x": np.zeros(2, kind)})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x02\0\0\0",
        file({}, length=3),
        file({}, length=1 << 63),
        file({}, length=(1 << 64) - 1),
        file(b"[]"),
        file(b"null"),
        file(b"{"),
        file(b"[" * 60_000),
        file(b'{"x":' * 60_000),
        file({}, b"left over"),
        file({"x": None}),
        file({"x": entry() | {"more": 1}}, bytes(8)),
        file({"x": {"dtype": "F32"}}, bytes(8)),
        file({"": entry()}, bytes(8)),
        file({"x" * 201: entry()}, bytes(8)),
        file({"__metadata__": {"format": "pt"}}),
        file({"x": entry("BF16", (4,))}, bytes(8)),
        file({"x": entry("U64", (1,))}, bytes(8)),
        file({"x": entry("f4")}, bytes(8)),
        file({"x": entry(["F32"])}, bytes(8)),
        file({"x": entry(shape=(3,))}, bytes(8)),
        file({"x": entry(shape=(-2,))}, bytes(8)),
        file({"x": entry(shape=(-1, -2))}, bytes(8)),
        file({"x": entry(shape=(2.0,))}, bytes(8)),
        file({"x": entry(shape=(True, 2))}, bytes(8)),
        file({"x": entry(shape=2)}, bytes(8)),
        file({"x": entry(shape=(1,) * 9 + (2,))}, bytes(8)),
        file({"x": entry(shape=(1 << 62, 4, 0), offsets=(0, 0))}),
        file({"x": entry(shape=(1 << 32, 1 << 32), offsets=(0, 0))}),
        file({"x": entry(offsets=(0, 8, 8))}, bytes(8)),
        file({"x": entry(offsets=(8, 0))}, bytes(8)),
        file({"x": entry(offsets=(4, 12))}, bytes(12)),
        file({"x": entry(offsets=(0, 8))}, bytes(7)),
        file({"x": entry(), "y": entry()}, bytes(8)),
        file({"x": entry(), "y": entry(offsets=(4, 12))}, bytes(12)),
        file({"x": entry(), "y": entry(offsets=(9, 17))}, bytes(17)),
        file(b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"shape":[2]}}', bytes(8)),
        file({"x": entry("BOOL", (2,), (0, 2))}, b"\x01\x02"),
        file({f"x{n}": entry(shape=(0,), offsets=(0, 0)) for n in range(1001)}),
    ],
)
def test_a_header_that_no_writer_writes_is_refused(data: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"arrays\.safetensors: broken arrays"):
        arrays.decode(data, "arrays.safetensors")


def test_arrays_at_an_odd_place_are_read_all_the_same() -> None:
    read = arrays.decode(file(b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} ', bytes(8)), "x")["x"]
    assert read.flags.aligned
    assert not read.flags.writeable


@given(st.binary(max_size=200))
def test_any_bytes_are_arrays_or_refused_and_what_we_take_the_library_takes(tail: bytes) -> None:
    for data in (tail, file({"x": entry()}, tail), file({"x": entry("BOOL", (len(tail),), (0, len(tail)))}, tail)):
        try:
            ours = arrays.decode(data, "x")
        except ArtifactError:
            continue
        theirs = safetensors.numpy.load(data)
        assert {name: array.tobytes() for name, array in ours.items()} == {n: a.tobytes() for n, a in theirs.items()}
