"""What several tests of this folder need: the embedder opened once, and ONNX files small enough to write by hand.

The files are protobuf, field by field as onnx.proto numbers them; a package to write them would be heavier than them.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from routeiq_embed_minilm import MiniLM, MiniLMConfig

FLOAT, INT64 = 1, 7
WriteModel = Callable[..., MiniLMConfig]


@pytest.fixture(scope="session")
def minilm() -> MiniLM:
    """The embedder as it comes, without a cache, so that each question runs the network."""
    return MiniLM(MiniLMConfig(cache=0))


@pytest.fixture
def write_model(tmp_path: Path) -> WriteModel:
    """Writes a tiny network and gives the configuration that names it: each token is a row of a table."""

    def write(
        *,
        width: int = 384,
        tokens: int = 30522,
        inputs: tuple[str, ...] = ("input_ids", "attention_mask"),
        elsewhere: bool = False,
        fill: float = 1.0,
        **config: object,
    ) -> MiniLMConfig:
        content = tiny_onnx(width, tokens, inputs, elsewhere, fill)
        path = tmp_path / "tiny.onnx"
        path.write_bytes(content)
        fields = {"model": path, "sha256": hashlib.sha256(content).hexdigest(), **config}
        return MiniLMConfig.model_validate(fields)

    return write


def tiny_onnx(width: int, tokens: int, inputs: tuple[str, ...], elsewhere: bool, fill: float) -> bytes:
    """A Gather from a table of `tokens` rows, then a sum with `width` numbers that all are `fill`."""
    rows = b"".join(struct.pack("<f", (number * 37 % 101) / 101) for number in range(tokens))
    table = _tensor("table", (tokens, 1), rows)
    wide = _tensor("wide", (width,), struct.pack("<f", fill) * width)
    if elsewhere:
        wide += _field(13, _field(1, b"location") + _field(2, b"weights.bin")) + _number(14, 1)
    nodes = _node("Gather", ("table", "input_ids"), "rows") + _node("Add", ("rows", "wide"), "last_hidden_state")
    graph = nodes + _field(2, b"tiny") + _field(5, table) + _field(5, wide)
    graph += b"".join(_field(11, _value(name, INT64, ("batch", "sequence"))) for name in inputs)
    graph += _field(12, _value("last_hidden_state", FLOAT, ("batch", "sequence", width)))
    return _number(1, 8) + _field(7, graph) + _field(8, _field(1, b"") + _number(2, 13))


def _node(operator: str, inputs: tuple[str, ...], output: str) -> bytes:
    given = b"".join(_field(1, name.encode()) for name in inputs)
    return _field(1, given + _field(2, output.encode()) + _field(4, operator.encode()))


def _tensor(name: str, shape: tuple[int, ...], raw: bytes) -> bytes:
    dimensions = b"".join(_number(1, size) for size in shape)
    return dimensions + _number(2, FLOAT) + _field(8, name.encode()) + _field(9, raw)


def _value(name: str, kind: int, shape: tuple[str | int, ...]) -> bytes:
    sizes = (_number(1, size) if isinstance(size, int) else _field(2, size.encode()) for size in shape)
    tensor = _number(1, kind) + _field(2, b"".join(_field(1, size) for size in sizes))
    return _field(1, name.encode()) + _field(2, _field(1, tensor))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])
