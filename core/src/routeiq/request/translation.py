"""A provider's wire turned into the client's, where the two differ. Equal wires never come here.

The shapes themselves are translated in `routeiq.wires`.
"""

from __future__ import annotations

from typing import Any, Protocol

import orjson

from routeiq.request import frames
from routeiq.surfaces.base import StreamWriter, Surface
from routeiq.wires import anthropic_answers, anthropic_streams, sse
from routeiq.wires.reading import Untranslatable


class ChunkReader(Protocol):
    """Reads canonical chat chunks out of a provider's events."""

    def read(self, raw: bytes) -> list[dict[str, Any]]:
        """The chunks that one event stands for."""


class _ChatReader:
    def read(self, raw: bytes) -> list[dict[str, Any]]:
        document = _document(raw)
        return [document] if document is not None else []


class _AnthropicReader:
    def __init__(self) -> None:
        self._state = anthropic_streams.AnthropicToChat()

    def read(self, raw: bytes) -> list[dict[str, Any]]:
        document = _document(raw)
        return self._state.feed(document) if document is not None else []


def _document(raw: bytes) -> frames.Document | None:
    frame = frames.parse(raw)
    if frame.broken:
        raise Untranslatable("event", "an event is not JSON")
    return frame.document


def chunk_reader(wire: str) -> ChunkReader:
    """The reader for a provider's wire."""
    return _AnthropicReader() if wire == "anthropic-messages" else _ChatReader()


def whole_answer(body: bytes, wire: str, surface: Surface, model: str) -> dict[str, Any]:
    """A complete answer in the client's wire."""
    document = orjson.loads(body)
    chat = anthropic_answers.to_chat(document) if wire == "anthropic-messages" else document
    return surface.answer(chat, model)


class StreamTranslation:
    """One stream, block by block."""

    def __init__(self, wire: str, surface: Surface, model: str) -> None:
        self._reader = chunk_reader(wire)
        self._writer: StreamWriter = surface.writer(model)
        self._model = model

    def feed(self, block: bytes) -> bytes:
        """The client's events for a block of the provider's."""
        out: list[bytes] = []
        for raw in sse.SseSplitter().feed(block):
            for chunk in self._reader.read(raw):
                chunk["model"] = self._model
                out.append(self._writer.feed(chunk))
        return b"".join(out)

    def end(self) -> bytes:
        """The client's closing events."""
        return self._writer.end()
