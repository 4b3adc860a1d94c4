"""From litellm's answers to JSON on the wires of OpenAI: a whole answer, an embedding, a running stream.

Failures are told by `litellm_failures`; connections are `litellm_line`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from routeiq.errors import UpstreamError
from routeiq.upstream.litellm_failures import failure, garbage
from routeiq.wires import sse

if TYPE_CHECKING:
    from routeiq.upstream.litellm_line import Line

_CLOSE_SECONDS = 5.0
_MAY_BE_EMPTY = frozenset({"choices", "data", "delta", "embedding", "message", "usage"})
_DONE = sse.frame(b"[DONE]")


def whole(answer: Any) -> bytes:
    """A complete answer as JSON. Raises `UpstreamError` when it is none."""
    return orjson.dumps(_document(answer))


def chunk_frame(chunk: Any) -> bytes:
    """One `chat.completion.chunk` as an event."""
    document = _document(chunk)
    choices = document.get("choices") or []
    for choice in choices:
        choice.setdefault("delta", {})
        choice.setdefault("finish_reason", None)
    if document.get("usage") and not any(choice["delta"] or choice["finish_reason"] for choice in choices):
        document["choices"] = []  # OpenAI's usage chunk has none, which is how clients know it
    return sse.frame(orjson.dumps(document))


def _document(answer: Any) -> dict[str, Any]:
    try:
        document = answer.model_dump(mode="json", exclude_none=True)
    except AttributeError:
        raise garbage("litellm gave no answer on the wire of OpenAI") from None
    _tidy(document)
    for choice in document.get("choices") or ():
        _tidy(choice)
        _tidy(choice.get("delta"))
        if "message" in choice:
            _tidy(choice["message"])
            choice["message"].setdefault("content", None)  # null beside tool calls, never absent
    return dict(document)


def _tidy(holder: Any) -> None:
    """What litellm found beyond the wire stays, since some of it has to come back (signatures); its blanks go."""
    if not isinstance(holder, dict):
        return
    extras = holder.get("provider_specific_fields")
    if isinstance(extras, dict):
        holder["provider_specific_fields"] = {name: value for name, value in extras.items() if value is not None}
    for name in [name for name, value in holder.items() if value in ([], {}) and name not in _MAY_BE_EMPTY]:
        del holder[name]


class LitellmStream:
    """A running answer. litellm's chunks become events one by one."""

    wire = "openai-chat"

    def __init__(self, chunks: Any, line: Line, idle: float, secrets: frozenset[str]) -> None:
        self._chunks = chunks
        self._line = line
        self._idle = idle
        self._secrets = secrets
        self._first = b""
        self.headers: Mapping[str, str] = line.headers

    async def begin(self) -> None:
        """Wait for the first chunk. Raises `UpstreamError`."""
        if not hasattr(self._chunks, "__anext__"):
            raise garbage("litellm gave no stream")
        first = await self._next()
        if first is None:
            raise UpstreamError("cut", 0, "APIConnectionError", "the provider closed the stream before its first event")
        self._first = first
        self.headers = self._line.headers

    async def blocks(self) -> AsyncIterator[bytes]:
        """The events after one another; the first one has arrived already."""
        yield self._first
        while True:
            try:
                async with asyncio.timeout(self._idle):
                    block = await self._next()
            except TimeoutError:
                raise UpstreamError("timeout", 0, "Timeout", f"the provider was silent for {self._idle:g} s") from None
            if block is None:
                break
            yield block
        yield _DONE

    async def _next(self) -> bytes | None:
        self._line.use()  # some providers are asked again between chunks
        try:
            chunk = await anext(self._chunks)
        except StopAsyncIteration:
            return None
        except Exception as error:
            raise failure(error, self._line, self._secrets) from error
        return chunk_frame(chunk)

    async def close(self) -> None:
        """End litellm's iteration and give the connection back, or cut it when the answer is not over."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._chunks.aclose()
        except Exception:  # noqa: S110 (what its iterator says on the way out helps nobody; the line is closed anyway)
            pass
        finally:
            await self._line.close()
