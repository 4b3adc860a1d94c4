"""Files that attack who loads them as a model: pickles in every dress, and formats without code that lie about sizes.

Each one that can run code would make the file `canary`. Nothing here loads any of them.
"""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import json
import lzma
import pickle
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np

Dress = Callable[[bytes], bytes]


def text(value: str) -> bytes:
    """Push a string, in each protocol."""
    return b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()


def found(name: str) -> bytes:
    """Push what `module:attribute` names, by GLOBAL."""
    module, _, attribute = name.partition(":")
    return f"c{module}\n{attribute}\n".encode()


def stacked(name: str) -> bytes:
    """The same by STACK_GLOBAL."""
    module, _, attribute = name.partition(":")
    return text(module) + text(attribute) + b"\x93"


def calls(canary: Path) -> dict[str, tuple[str, bytes]]:
    """A callable and the pickled tuple's content that make it write the canary."""
    touch, code = f"touch {canary}", f"open({str(canary)!r}, 'w').close()"
    return {
        "system": ("os:system", text(touch)),
        "posix": ("posix:system", text(touch)),
        "popen": ("os:popen", text(touch)),
        "run": ("subprocess:getoutput", text(touch)),
        "shell": ("subprocess:check_output", b"]" + text("touch") + b"a" + text(str(canary)) + b"a"),
        "eval": ("builtins:eval", text(code)),
        "exec": ("builtins:exec", text(code)),
        "open": ("builtins:open", text(str(canary)) + text("w")),
        "resolve": ("pkgutil:resolve_name", text("os:system")),
        "cProfile": ("cProfile:run", text(code)),
        "profile": ("profile:run", text(code)),
        "fileinput": ("io:FileIO", text(str(canary)) + text("w")),
        "logging": ("logging:FileHandler", text(str(canary))),
        "numpy": ("numpy:save", text(str(canary)) + b"K\x01"),
        "shelve": ("sqlite3:connect", text(str(canary))),
    }


def pickles(canary: Path) -> Iterator[tuple[str, bytes]]:
    """Each callable through each opcode that calls."""
    for name, (function, argument) in calls(canary).items():
        if name == "resolve":  # a name is looked up by a callable that an allow-list may trust, then called
            argument_of = text(f"touch {canary}")
            yield "resolve/reduce", b"\x80\x02" + found(function) + b"(" + argument + b"tR(" + argument_of + b"tR."
            yield "resolve/stack", b"\x80\x04" + stacked(function) + b"(" + argument + b"tR(" + argument_of + b"tR."
            continue
        module, _, attribute = function.partition(":")
        start = b"\x80\x04"
        yield f"{name}/reduce", found(function) + b"(" + argument + b"tR."
        yield f"{name}/stack", start + stacked(function) + b"(" + argument + b"tR."
        yield f"{name}/inst", b"(" + argument + f"i{module}\n{attribute}\n.".encode()
        yield f"{name}/obj", b"(" + found(function) + argument + b"o."
        yield f"{name}/popped", start + stacked(function) + b"(" + argument + b"tR0N."
        yield f"{name}/memo", start + stacked(function) + b"\x940h\x00(" + argument + b"tR."
        yield f"{name}/list", start + b"](" + stacked(function) + b"(" + argument + b"tRe."
        yield f"{name}/late", start + text("weights") + b"0" + stacked(function) + b"(" + argument + b"tR."


def dresses() -> dict[str, Dress]:
    """What a pickle goes about in."""
    return {
        "pkl": bytes,
        "gz": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
        "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
        "zlib": zlib.compress,
        "npy": npy_of_objects,
        "npz": lambda data: archive({"x.npy": npy_of_objects(data)}),
        "pt": torch_like,
        "pt-crc": lambda data: wrong_crc(torch_like(data)),
        "nested": lambda data: archive({"inner.zip": archive({"model.pkl": data})}),
        "skops": lambda data: archive({"schema.json": json.dumps(schema("ndarray.npy")).encode(), "ndarray.npy": data}),
        "safetensors": lambda data: safetensors({"x": entry("O", [len(data)], 0, len(data))}, data),
    }


def npy_of_objects(data: bytes) -> bytes:
    """A .npy whose header says: objects; numpy would unpickle what follows."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    return buffer.getvalue() + data


def torch_like(data: bytes) -> bytes:
    """The archive that PyTorch writes."""
    return archive({"archive/data.pkl": data, "archive/version": b"3\n", "archive/data/0": bytes(16)})


def archive(members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


def wrong_crc(data: bytes) -> bytes:
    """The same archive with other check sums, in both places: scanners give up on it, loaders may not."""
    changed = bytearray(data)
    for mark, offset in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        at = changed.find(mark)
        while at >= 0:
            changed[at + offset : at + offset + 4] = b"\xde\xad\xbe\xef"
            at = changed.find(mark, at + 4)
    return bytes(changed)


def joblib_files(canary: Path) -> Iterator[tuple[str, bytes]]:
    """Written by joblib itself, with each of its compressors."""
    for compressor, value in itertools.product(
        (0, "zlib", "gzip", "bz2", "lzma", "xz"), (Evil(canary), np.array([Evil(canary)], dtype=object))
    ):
        buffer = io.BytesIO()
        joblib.dump({"model": value}, buffer, compress=(compressor, 3) if compressor else 0)
        yield f"joblib/{compressor}/{type(value).__name__}", buffer.getvalue()


class Evil:
    """Calls a program when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return subprocess.call, (["touch", str(self.canary)],)


def schema(file: str = "", **changes: Any) -> dict[str, Any]:
    """What skops writes about an object."""
    plain = {"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy", "file": file}
    return {**plain, "__id__": 1, "protocol": 2, "_skops_version": "0.16.0", **changes}


def node(name: str, loader: str, number: int, **more: Any) -> dict[str, Any]:
    """A part of such a schema."""
    return {"__class__": name, "__module__": "builtins", "__loader__": loader, "__id__": number, **more}


def skops_files(canary: Path) -> Iterator[tuple[str, bytes]]:
    """Schemas that ask for what no estimator needs, through each loader that looks something up."""
    touch = f"touch {canary}"
    content = node("str", "JsonNode", 2, content=json.dumps(touch))
    arguments = node("tuple", "TupleNode", 3, content=[content])
    loaders = (
        "FunctionNode", "TypeNode", "PartialNode", "MethodNode", "ObjectNode", "ReduceNode", "OperatorFuncNode",
        "JsonNode", "CachedNode", "DictNode", "ListNode", "NdArrayNode", "BytesNode", "LossNode", "TreeNode",
        "NoSuchNode",
    )  # fmt: skip
    targets = ("os.system", "posix.system", "subprocess.Popen", "builtins.eval", "builtins.exec", "operator.attrgetter")
    for loader, target in itertools.product(loaders, targets):
        module, _, attribute = target.rpartition(".")
        state = {
            "__class__": attribute, "__module__": module, "__loader__": loader, "content": arguments, "args": arguments,
            "attrs": arguments, "constructor": {"__class__": attribute, "__module__": module}, "reduce": arguments,
            "func": {"__class__": attribute, "__module__": module, "__loader__": "FunctionNode", "__id__": 4},
        }  # fmt: skip
        yield f"skops/{loader}/{target}", archive({"schema.json": json.dumps({**schema(), **state}).encode()})
    npy = npy_of_objects(pickle.dumps(Evil(canary)))
    yield "skops/objects", archive({"schema.json": json.dumps(schema("x.npy")).encode(), "x.npy": npy})
    yield "skops/traversal", archive({"schema.json": json.dumps(schema("../../x.npy")).encode(), "../../x.npy": npy})
    yield "skops/absolute", archive({"schema.json": json.dumps(schema(str(canary))).encode(), str(canary): npy})
    yield "skops/bomb", archive({"schema.json": json.dumps(schema("x.npy")).encode(), "x.npy": bytes(8 << 20)})
    yield "skops/lying bomb", lying_size(archive({"schema.json": b"{}", "x.npy": bytes(1 << 16)}), 3 << 30)
    yield "skops/deep", archive({"schema.json": b'{"a":' * 50_000 + b"1" + b"}" * 50_000})
    yield "skops/stored twice", archive({"schema.json": b"{}"}) + archive({"schema.json": b"[]"})
    yield "skops/no schema", archive({"model.pkl": pickle.dumps(Evil(canary))})


def lying_size(data: bytes, size: int) -> bytes:
    """An archive that says of each member, in its directory, that it unpacks to `size` bytes."""
    changed = bytearray(data)
    at = changed.find(b"PK\x01\x02")
    while at >= 0:
        changed[at + 24 : at + 28] = struct.pack("<I", size)
        at = changed.find(b"PK\x01\x02", at + 4)
    return bytes(changed)


def entry(dtype: Any, shape: Any, begin: Any, end: Any) -> dict[str, Any]:
    """One array's row in a safetensors header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with any header, as long as it says."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def safetensors_files() -> Iterator[tuple[str, bytes]]:
    """Headers that lie."""
    good = entry("F32", [2], 0, 8)
    one = json.dumps(good)
    for length in (0, 1, 1 << 20, (1 << 20) + 1, 1 << 31, 1 << 32, 1 << 62, (1 << 64) - 1):
        yield f"safetensors/length {length}", safetensors({"x": good}, bytes(8), length)
    rows = {
        "overlap": {"x": entry("F32", [2], 0, 8), "y": entry("F32", [2], 4, 12)},
        "same bytes": {"x": entry("F32", [2], 0, 8), "y": entry("F32", [2], 0, 8)},
        "hole": {"x": entry("F32", [2], 0, 8), "y": entry("F32", [2], 16, 24)},
        "after the end": {"x": entry("F32", [1 << 20], 0, 4 << 20)},
        "reversed": {"x": entry("F32", [2], 8, 0)},
        "negative": {"x": entry("F32", [2], -8, 0)},
        "negative axis": {"x": entry("F32", [-2], 0, 8)},
        "overflow": {"x": entry("F32", [1 << 40, 1 << 40], 0, 8)},
        "overflow to fit": {"x": entry("F32", [1 << 63, 2], 0, 8)},
        "zero by huge": {"x": entry("F32", [0, 1 << 62], 0, 0)},
        "floats": {"x": entry("F32", [2.0], 0, 8)},
        "truth": {"x": entry("F32", [True], 0, 4)},
        "texts": {"x": entry("F32", ["2"], "0", "8")},
        "objects": {"x": entry("O", [1], 0, 8)},
        "dtype list": {"x": entry(["F32"], [2], 0, 8)},
        "metadata": {"__metadata__": {"pickle": "cos\nsystem\n(S'true'\ntR."}, "x": good},
        "traversal": {"../../x": good},
        "empty name": {"": good},
        "many axes": {"x": entry("F32", [1] * 9, 0, 4)},
        "many": {f"x{number}": entry("F32", [0], 0, 0) for number in range(1001)},
        "no offsets": {"x": {"dtype": "F32", "shape": [2]}},
        "more": {"x": {**good, "hook": "os.system"}},
        "list": [good],
        "null": None,
    }
    for name, header in rows.items():
        yield f"safetensors/{name}", safetensors(header, bytes(16))
    raw = {
        "twice": f'{{"x":{one},"x":{one}}}'.encode(),
        "latin-1": b'{"\xe4":' + one.encode() + b"}",
        "deep": b'{"x":' * 20_000 + b"1" + b"}" * 20_000,
        "NaN": b'{"x":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}}',
        "huge number": b'{"x":{"dtype":"F32","shape":[1e999],"data_offsets":[0,8]}}',
        "long number": b'{"x":{"dtype":"F32","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,8]}}',
    }
    for name, header in raw.items():
        yield f"safetensors/{name}", safetensors(header, bytes(8))
    yield "safetensors/not a number", safetensors({"x": good}, struct.pack("<2f", float("nan"), float("inf")))
    yield "safetensors/more bytes", safetensors({"x": good}, bytes(9))
    yield "safetensors/empty", b""
    yield "safetensors/short", b"\x08\x00"


def corpus(canary: Path) -> Iterator[tuple[str, bytes]]:
    """All of them, each with its name."""
    for (name, data), (dress, put_on) in itertools.product(pickles(canary), dresses().items()):
        yield f"{name}.{dress}", put_on(data)
    yield from joblib_files(canary)
    yield from skops_files(canary)
    yield from safetensors_files()
