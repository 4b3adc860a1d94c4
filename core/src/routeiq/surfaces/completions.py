"""OpenAI's legacy text completions.

Providers without this endpoint are reached by translation to chat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from routeiq.errors import Errors
from routeiq.surfaces.base import StreamWriter
from routeiq.surfaces.chat import ChatSurface
from routeiq.wires import completions, sse
from routeiq.wires.body import Raw


class CompletionWriter:
    """Chat chunks as text-completion chunks."""

    def feed(self, chunk: dict[str, Any]) -> bytes:
        """One event, or none for a chunk that text completions have no word for."""
        turned = completions.chunk_from_chat(chunk)
        return b"" if turned is None else sse.frame(orjson.dumps(turned))

    def end(self) -> bytes:
        """`[DONE]`."""
        return b"data: [DONE]\n\n"


class CompletionSurface(ChatSurface):
    """`POST /v1/completions`."""

    name = "completions"
    wire = "openai-completion"

    def check(self, fields: Mapping[str, Raw], errors: Errors) -> None:
        """`prompt` must be there."""
        prompt = fields.get("prompt")
        if prompt is None:
            raise errors.missing("prompt")
        if bytes(prompt)[:1] not in (b'"', b"["):
            raise errors.wrong_type("prompt", "a string or a list")

    def answer(self, chat: dict[str, Any], model: str) -> dict[str, Any]:
        """A text completion."""
        return {**completions.from_chat(chat), "model": model}

    def writer(self, model: str) -> StreamWriter:
        """Text-completion chunks."""
        return CompletionWriter()
