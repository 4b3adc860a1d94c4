"""Honest pickles become skops; hostile ones touch nothing, whatever they call and however they are packed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from routeiq_routing_ml.artifact import convert, convert_child, estimators
from routeiq_routing_ml.artifact.convert_child import Reader, Refusal, unpack
from routeiq_routing_ml.artifact.errors import ArtifactError

X = np.random.default_rng(7).normal(size=(60, 4))
LABELS = np.where(X[:, 0] > 0, "fast", "strong")
LISTED = frozenset(convert.ESTIMATORS | convert_child._PLAIN)
MOST = 1 << 22

CALLS = (
    "os.system", "posix.system", "nt.system", "os.popen", "os.execv", "os.remove", "subprocess.Popen", "subprocess.run",
    "builtins.eval", "builtins.exec", "builtins.getattr", "builtins.open", "builtins.compile", "builtins.__import__",
    "__builtin__.eval", "importlib.import_module", "pkgutil.resolve_name", "runpy.run_path", "pydoc.pipepager",
    "timeit.timeit", "functools.partial", "operator.attrgetter", "types.FunctionType", "pathlib.Path.touch",
    "shutil.rmtree", "socket.create_connection", "ctypes.CDLL", "pickle.loads", "joblib.load", "numpy.load",
    "numpy.memmap", "numpy.fromfile", "torch.load", "sklearn.datasets.load_svmlight_file", "code.interact",
)  # fmt: skip
PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "zlib": zlib.compress,
}


def text(value: str) -> bytes:
    return b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()


def looked_up(name: str, protocol: int) -> bytes:
    module, _, attribute = name.rpartition(".")
    if protocol >= 4:
        return text(module) + text(attribute) + b"\x93"
    return f"c{module}\n{attribute}\n".encode()


def call(name: str, argument: str, protocol: int) -> bytes:
    start = b"\x80" + bytes([protocol]) if protocol >= 2 else b""
    return start + looked_up(name, protocol) + b"(" + text(argument) + b"tR."


def read(data: bytes) -> Any:
    return Reader(io.BytesIO(unpack(data, MOST)), LISTED).load()


def test_a_thousand_hostile_files_run_nothing(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    files = [
        pack(call(name, f"touch {canary}", protocol))
        for name in CALLS
        for protocol in range(6)
        for pack in PACKINGS.values()
    ]
    assert len(files) > 1000
    for data in files:
        with pytest.raises(Refusal, match="not listed"):
            read(data)
    assert not canary.exists()


class Evil:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


def joblib_bytes(value: object, **options: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(value, buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["system", "attribute", "popped", "inst", "obj", "newobj", "joblib", "object array"])
def test_each_way_to_a_call_is_closed(tmp_path: Path, name: str) -> None:
    canary = tmp_path / "canary"
    argument = f"touch {canary}"
    data = {
        "system": pickle.dumps({"model": [Evil(argument)]}),
        "attribute": b"\x80\x04" + text("numpy") + text("dtype.__class__") + b"\x93.",
        "popped": call("posix.system", argument, 2)[:-1] + b"0N.",
        "inst": b"(" + text(argument) + b"iposix\nsystem\n.",
        "obj": b"(" + looked_up("posix.system", 2) + text(argument) + b"o.",
        "newobj": b"\x80\x02" + looked_up("subprocess.Popen", 2) + b"(" + text(argument) + b"t\x81.",
        "joblib": joblib_bytes([Evil(argument)]),
        "object array": joblib_bytes(np.array([Evil(argument)], dtype=object)),
    }[name]
    with pytest.raises(Refusal, match="not listed"):
        read(data)
    assert not canary.exists()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x80\x02" + looked_up("numpy.ndarray", 2) + b"}" + text("x") + b"K\x01sb.", "changes a class"),
        (b"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\n}b.", "changes a class"),
        (b"\x80\x02" + text("id") + b"Q.", "outside of the file"),
        (b"\x80\x02" + looked_up("_codecs.encode", 2) + b"(" + text("a") + text("rot13") + b"tR.", "the codec"),
        (b"PK\x03\x04" + bytes(30), "PyTorch or numpy"),
        (b"\x93NUMPY\x01\x00", "PyTorch or numpy"),
        (gzip.compress(bytes(MOST + 1)), "unpacks to more"),
        (bz2.compress(bytes(MOST + 1)), "unpacks to more"),
        (zlib.compress(bytes(MOST + 1)), "unpacks to more"),
        (lzma.compress(bytes(MOST + 1)), "unpacks to more"),
        (joblib_bytes(np.arange(1000))[:-100], "ends after the file"),
    ],
)
def test_what_no_trainer_writes_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(Refusal, match=says):
        read(data)


@pytest.mark.parametrize("how", ["pickle 0", "pickle 2", "pickle 5", "joblib", "gzip", "bz2", "lzma", "xz", "zlib"])
def test_arrays_and_containers_are_read_as_they_were(how: str) -> None:
    value = {
        "c": np.arange(12.0).reshape(3, 4),
        "f": np.asfortranarray(np.arange(12, dtype="i2").reshape(3, 4)),
        "swapped": np.arange(3, dtype=">f4"),
        "objects": np.array(["fast", None, 3], dtype=object),
        "empty": np.zeros((0, 3), "f2"),
        "scalar": np.float32(2.5),
        "plain": [1, (2.0, "three"), {4}, b"five", None, slice(1, 2)],
    }
    kind, _, protocol = how.partition(" ")
    if kind == "pickle":
        data = pickle.dumps(value, int(protocol))
    else:
        data = joblib_bytes(value, **({} if kind == "joblib" else {"compress": (kind, 3)}))
    result = read(data)
    for name in ("c", "f", "swapped", "objects", "empty", "scalar"):
        assert np.array_equal(result[name], value[name])
    assert result["f"].flags.f_contiguous
    assert result["plain"] == value["plain"]


HOSTILE = {
    "socket": "socket.socket()",
    "name look-up": "socket.getaddrinfo('localhost', 80)",
    "connect": "kept.connect('PLACE')",
    "child": "subprocess.Popen(['/bin/sh', '-c', 'touch PLACE'])",
    "shell": "os.system('touch PLACE')",
    "exec": "os.execv('/usr/bin/touch', ['touch', 'PLACE'])",
    "spawn": "os.posix_spawn('/usr/bin/touch', ['touch', 'PLACE'], {})",
    "fork": "os.fork()",
    "library": "ctypes.CDLL(None)",
    "write": "open('PLACE', 'w')",
    "append": "open('PLACE', 'ab')",
    "low-level write": "os.open('PLACE', os.O_CREAT | os.O_WRONLY)",
    "read": "open('/etc/passwd')",
    "low-level read": "os.open('/etc/passwd', os.O_RDONLY)",
    "descriptor": "open(0, 'w')",
    "remove": "os.remove('/nowhere')",
    "rename": "os.rename('/nowhere', '/elsewhere')",
    "folder": "os.mkdir('PLACE')",
    "link": "os.symlink('/etc/passwd', 'PLACE')",
    "signal": "os.kill(os.getppid(), 0)",
    "caught": "\ntry: os.system('touch PLACE')\nexcept BaseException: pass",
}


@pytest.mark.parametrize("attempt", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_child_that_tries_more_than_it_may_ends_at_once(attempt: str, tmp_path: Path) -> None:
    place = tmp_path / "canary"
    code = (
        f"import sys; sys.path.insert(0, {str(Path(convert_child.__file__).parent)!r})\n"
        "import convert_child, ctypes, os, socket, subprocess\n"
        "kept = socket.socket(socket.AF_UNIX)\n"
        "convert_child.guard((os.path.dirname(os.__file__) + '/',), 1)\n"
        f"{attempt.replace('PLACE', str(place))}\n"
        "os.write(1, b'went on')\n"
    )
    ended = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, check=False)
    assert ended.returncode == convert_child.REFUSED, ended.stderr
    assert ended.stdout.startswith(b"-it tried to do what an estimator never does: ")
    assert not os.path.lexists(place)


def test_the_kernel_bounds_time_memory_and_output_of_a_child(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(convert_child.__file__).parent)!r})\n"
        "import convert_child\n"
        "convert_child.limit(1, 1 << 30)\n"
        "try: bytearray(2 << 30)\n"
        "except MemoryError: print('memory', flush=True)\n"
        f"try: open({str(tmp_path / 'x')!r}, 'wb', buffering=0).write(b'x')\n"
        "except OSError: print('output', flush=True)\n"
        "while True: pass\n"
    )
    ended = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, check=False)
    assert ended.stdout.split() == [b"memory", b"output"]
    assert ended.returncode in {-signal.SIGXCPU, -signal.SIGKILL}


def test_a_guarded_child_still_imports_and_computes() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(convert_child.__file__).parent)!r})\n"
        "import convert_child, os\n"
        "convert_child.guard((os.path.dirname(os.__file__) + '/',), 1)\n"
        "import fractions, collections\n"
        "os.write(1, str(fractions.Fraction(1, 2) + 1).encode())\n"
    )
    ended = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, b"3/2")


def test_whole_conversions(tmp_path: Path) -> None:
    """Three runs of the real child side by side, since each loads all of scikit-learn."""
    model = RandomForestClassifier(3, random_state=0).fit(X, LABELS)
    joblib.dump(model, tmp_path / "forest.joblib", compress=("zlib", 3))
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Evil(f"touch {tmp_path / 'canary'}")))
    (tmp_path / "huge.pkl").write_bytes(
        b"\x80\x02" + looked_up("builtins.bytearray", 2) + b"(\x8a\x06" + (1 << 45).to_bytes(6, "little") + b"tR."
    )

    def attempt(name: str) -> tuple[str, ...] | ArtifactError:
        try:
            return convert.convert(tmp_path / name, tmp_path / f"{name}.skops")
        except ArtifactError as error:
            return error

    with ThreadPoolExecutor(3) as pool:
        forest, evil, huge = pool.map(attempt, ("forest.joblib", "evil.pkl", "huge.pkl"))
    assert forest == ("sklearn.tree._tree.Tree",)
    loaded = estimators.load((tmp_path / "forest.joblib.skops").read_bytes(), forest)
    assert (loaded.predict(X) == model.predict(X)).all()
    assert isinstance(evil, ArtifactError)
    assert "posix.system, which is not listed" in evil.reason
    assert isinstance(huge, ArtifactError)
    assert "MemoryError" in huge.reason
    assert sorted(os.listdir(tmp_path)) == ["evil.pkl", "forest.joblib", "forest.joblib.skops", "huge.pkl"]


def test_a_file_that_is_no_file_is_refused_before_any_child_starts(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name, says in (("fifo", "not a plain file"), ("link", "a link"), ("none", "no such file")):
        with pytest.raises(ArtifactError, match=says):
            convert.convert(tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_child_imports_nothing_of_the_gateway() -> None:
    source = Path(convert_child.__file__).read_text(encoding="utf-8")
    assert "import routeiq" not in source
    assert "from routeiq" not in source
