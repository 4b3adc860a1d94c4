"""The child process that reads a pickle so that the gateway never does. Runs alone; imports nothing of RouteIQ.

Reads a pickle or joblib file on stdin, writes b"+" and skops bytes, or b"-" and a reason, on stdout. It gives up all
rights it can before it reads, and looks up no class that is not listed. `convert` starts it; nothing imports it.
"""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import json
import lzma
import math
import os
import pickle
import resource
import sys
import zlib
from typing import Any, NoReturn, cast

REFUSED = 77
"""The exit code when something was attempted that no honest pickle needs."""

_PLAIN = frozenset(
    {
        "builtins.bool", "builtins.bytearray", "builtins.bytes",
        "builtins.complex", "builtins.dict", "builtins.float", "builtins.frozenset",
        "builtins.int", "builtins.list", "builtins.object", "builtins.range", "builtins.set", "builtins.slice",
        "builtins.str", "builtins.tuple", "collections.OrderedDict", "collections.defaultdict",
        "copyreg._reconstructor", "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct",
        "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.core.numeric._frombuffer",
        "numpy._core.numeric._frombuffer", "numpy.dtype", "numpy.ndarray", "numpy.bool_", "numpy.float16",
        "numpy.float32", "numpy.float64", "numpy.int8", "numpy.int16", "numpy.int32", "numpy.int64",
        "numpy.intp", "numpy.str_",
        "numpy.uint8", "numpy.uint16", "numpy.uint32", "numpy.uint64", "numpy.random._mt19937.MT19937",
        "numpy.random._pcg64.PCG64", "numpy.random._pickle.__bit_generator_ctor",
        "numpy.random._pickle.__generator_ctor", "numpy.random._pickle.__randomstate_ctor",
        "numpy.random.bit_generator.SeedSequence", "numpy.random.bit_generator.__pyx_unpickle_SeedSequence",
    }
)  # fmt: skip
"""What each pickle of an estimator is made of. None of it runs code, opens a file or imports by a name it is given."""
_QUIET_EVENTS = frozenset(
    {
        "array.__new__", "builtins.id", "code.__new__", "compile", "exec", "import", "marshal.loads",
        "object.__delattr__", "object.__getattr__", "object.__setattr__", "os.listdir", "os.scandir",
        "pickle.find_class", "sys._getframe", "sys._getframemodulename", "sys.unraisablehook", "sys.excepthook",
        "gc.get_objects", "cpython._PySys_ClearAuditHooks", "cpython.PyInterpreterState_Clear",
        "cpython.PyInterpreterState_New",
    }
)  # fmt: skip
"""What Python reports (PEP 578) when modules are imported and objects made. Whatever else it reports ends the child."""

_OLD_NAMES = {"__builtin__": "builtins", "copy_reg": "copyreg"}
"""What protocol 2 and below call two modules."""
_BUILD: Any = pickle._Unpickler.dispatch[pickle.BUILD[0]]


class Wrapper:
    """Stands for joblib's NumpyArrayWrapper: the description of an array whose bytes follow in the stream."""

    subclass: Any = None
    shape: Any = ()
    order: Any = "C"
    dtype: Any = None
    allow_mmap: Any = False
    numpy_array_alignment_bytes: Any = None


class Reader(pickle._Unpickler):
    """An unpickler that knows joblib's arrays and looks up listed names only, each by its exact spelling."""

    dispatch = pickle._Unpickler.dispatch.copy()
    stack: list[Any]

    def __init__(self, file: io.BytesIO, allowed: frozenset[str]) -> None:
        super().__init__(file)
        self._file = file
        self._allowed = allowed
        self._found: list[Any] = []

    def find_class(self, module: str, name: str) -> Any:
        found = self._look_up(_OLD_NAMES.get(module, module), name)
        self._found.append(found)
        return found

    def _look_up(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full in _STAND_INS:
            return _STAND_INS[full]
        if full not in self._allowed or "." in name:
            raise Refusal(f"it asks for {full[:200]}, which is not listed")
        return getattr(importlib.import_module(module), name)

    def persistent_load(self, pid: Any) -> NoReturn:
        raise Refusal("it asks for an object outside of the file")

    def load_build(self) -> None:
        target = self.stack[-2]
        if any(target is found for found in self._found):
            raise Refusal("it changes a class or a function")
        if not isinstance(target, Wrapper):
            _BUILD(self)
            return
        state = self.stack.pop()
        if not isinstance(state, dict) or not state.keys() <= Wrapper.__annotations__.keys():
            raise Refusal("an array that joblib did not write")
        target.__dict__.update(state)
        self.stack[-1] = self._array(target)

    dispatch[pickle.BUILD[0]] = cast(Any, load_build)

    def _array(self, wrapper: Wrapper) -> Any:
        import numpy as np

        if not isinstance(wrapper.dtype, np.dtype) or not isinstance(wrapper.shape, tuple):
            raise Refusal("an array without shape or dtype")
        if wrapper.dtype.hasobject:
            return Reader(self._file, self._allowed).load()
        if not all(type(axis) is int and axis >= 0 for axis in wrapper.shape):
            raise Refusal("an array of an impossible shape")
        if wrapper.numpy_array_alignment_bytes is not None:
            self._file.read(self._file.read(1)[0])
        size = math.prod(wrapper.shape) * wrapper.dtype.itemsize
        data = self._file.read(size)
        if len(data) != size:
            raise Refusal("an array that ends after the file")
        flat = np.frombuffer(data, wrapper.dtype).astype(wrapper.dtype.newbyteorder("="))
        if wrapper.order == "F":
            return flat.reshape(wrapper.shape[::-1]).transpose()
        return flat.reshape(wrapper.shape)


class Refusal(Exception):
    """A pickle that asks for more than an estimator needs."""


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """What pickles of protocol 2 call to spell bytes, and no other codec."""
    if encoding != "latin1":
        raise Refusal(f"it asks for the codec {encoding!r}")
    return text.encode("latin1")


_STAND_INS: dict[str, Any] = {"joblib.numpy_pickle.NumpyArrayWrapper": Wrapper, "_codecs.encode": _latin1}
"""What a pickle gets in place of what it asks for."""


def unpack(data: bytes, most: int) -> bytes:
    """The pickle itself, if joblib packed it, and at most `most` bytes of it."""
    raw = io.BytesIO(data)
    if data.startswith(b"\x1f\x8b"):
        unpacked = gzip.GzipFile(fileobj=raw).read(most + 1)
    elif data.startswith(b"BZh"):
        unpacked = bz2.BZ2File(raw).read(most + 1)
    elif data.startswith((b"\xfd7zXZ\x00", b"\x5d\x00")):  # what joblib calls xz and lzma
        with lzma.LZMAFile(raw) as file:
            unpacked = file.read(most + 1)
    elif data.startswith(b"\x78"):
        unpacked = zlib.decompressobj().decompress(data, most + 1)
    else:
        unpacked = data
    if len(unpacked) > most:
        raise Refusal(f"it unpacks to more than {most} bytes")
    if unpacked.startswith((b"PK", b"\x93NUMPY")):
        raise Refusal("it is a PyTorch or numpy file and no estimator")
    return bytes(unpacked)


def limit(seconds: int, memory: int) -> None:
    """Bounds that the kernel keeps: processor seconds, address space, no file output, no process, few open files."""
    for kind, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        hard = resource.getrlimit(kind)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))


def guard(readable: tuple[str, ...], output: int) -> None:
    """From now on the process may import from `readable` and compute; whatever else it tries is its end."""

    def end(what: str) -> NoReturn:
        os.write(output, f"-it tried to do what an estimator never does: {what}".encode())
        os._exit(REFUSED)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            reads = (mode is None or not set("wax+") & set(str(mode))) and not flags & (os.O_WRONLY | os.O_RDWR)
            inside = isinstance(path, str) and os.path.realpath(path).startswith(readable)
            if not (reads and inside):
                end("open a file")
        elif event not in _QUIET_EVENTS:
            end(event)

    sys.addaudithook(hook)


def main(job: dict[str, Any]) -> bytes:
    """The skops bytes of the estimator on stdin."""
    limit(job["seconds"], job["memory"])
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    sys.path += job["paths"]
    import skops.io
    from sklearn.base import BaseEstimator

    data = sys.stdin.buffer.read(job["bytes"] + 1)
    readable = tuple(os.path.join(os.path.realpath(path), "") for path in sys.path if path)
    guard(readable, job["output"])
    if len(data) > job["bytes"]:
        raise Refusal(f"it has more than {job['bytes']} bytes")
    estimator = Reader(io.BytesIO(unpack(data, job["bytes"])), _PLAIN | frozenset(job["allowed"])).load()
    if not isinstance(estimator, BaseEstimator):
        raise Refusal(f"it holds no scikit-learn estimator but {type(estimator).__name__}")
    return bytes(skops.io.dumps(estimator))


def run() -> NoReturn:
    """One job, named in the only argument; the answer goes to what stdout was, so that nothing else can print there."""
    job = json.loads(sys.argv[1])
    job["output"] = os.dup(1)
    try:
        answer = b"+" + main(job)
    except Refusal as refusal:
        answer = f"-{refusal}".encode()
    except BaseException as error:
        answer = f"-it cannot be read: {type(error).__name__}: {str(error)[:200]}".encode(errors="replace")
    view = memoryview(answer)
    while view:
        view = view[os.write(job["output"], view) :]
    os._exit(0 if answer.startswith(b"+") else 1)


if __name__ == "__main__":
    run()
