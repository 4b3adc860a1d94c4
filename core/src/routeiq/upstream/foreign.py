"""Providers that plugins bring: their adapters speak OpenAI's chat form as Python values, the road speaks it as bytes.

What such a provider is, an agent or a program, is its plugin's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any, TypeVar

import orjson

from routeiq.errors import UpstreamError
from routeiq.upstream.base import Limits, Reply, Whole
from routeiq.wires import anthropic_requests, sse
from routeiq.wires.body import Body
from routeiq.wires.extensions import without_extensions
from routeiq_sdk import Attempt, Context, Deployment, PluginError, RequestError
from routeiq_sdk.gateway import ModelAdapter

T = TypeVar("T")

WIRES = frozenset({"openai-chat", "anthropic-messages"})


class AdapterRegistry:
    """Implements the SDK's `ModelAdapters`."""

    def __init__(self) -> None:
        self.by_provider: dict[str, ModelAdapter] = {}

    def add_adapter(self, provider: str, adapter: ModelAdapter) -> None:
        """Serve a provider's rows."""
        if provider in self.by_provider:
            raise PluginError(provider, "the provider is offered twice.", mend="disable one of the plugins.")
        self.by_provider[provider] = adapter


class ForeignAdapter:
    """One plugin's adapter, as the road calls it."""

    def __init__(self, adapter: ModelAdapter) -> None:
        self._adapter = adapter

    async def exchange(
        self, ctx: Context, deployment: Deployment, attempt: Attempt, body: Body, limits: Limits
    ) -> Reply:
        """One call; the reply is in OpenAI's chat wire."""
        asked = dict(body.json())
        if body.wire == "anthropic-messages":
            asked = without_extensions(anthropic_requests.to_chat(asked))
        asked |= {"model": deployment.model, **attempt.params}
        answer = await _in_time(self._adapter.complete(ctx, deployment, asked), limits.answer)
        if isinstance(answer, Mapping):
            return Whole("openai-chat", _bytes(answer))
        stream = ForeignStream(answer, limits.idle)
        await stream.begin(limits.answer)
        return stream

    async def close(self) -> None:
        """The plugin owns what it opened."""


class ForeignStream:
    """Chunks of a plugin as server-sent events."""

    wire = "openai-chat"

    def __init__(self, chunks: AsyncIterator[Mapping[str, Any]], idle_seconds: float) -> None:
        self._chunks = chunks
        self._idle = idle_seconds
        self._first = b""
        self.headers: Mapping[str, str] = {}

    async def begin(self, seconds: float) -> None:
        """Wait for the first chunk. Raises `UpstreamError`."""
        try:
            self._first = await self._next(seconds)
        except BaseException:
            await self.close()
            raise

    async def blocks(self) -> AsyncIterator[bytes]:
        """The events, and the end of the stream."""
        block = self._first
        while block:
            yield block
            block = await self._next(self._idle)
        yield sse.frame(b"[DONE]")

    async def close(self) -> None:
        """Tell the plugin that nobody reads on."""
        aclose = getattr(self._chunks, "aclose", None)
        if aclose is not None:
            await aclose()

    async def _next(self, seconds: float) -> bytes:
        chunk = await _in_time(anext(self._chunks, None), seconds)
        return b"" if chunk is None else sse.frame(_bytes(chunk))


async def _in_time(work: Awaitable[T], seconds: float) -> T:
    """What a plugin gives. Raises `UpstreamError` for its refusals and failures."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise UpstreamError("timeout", 0, "Timeout", f"no answer within {seconds:g} s") from None
    except RequestError as error:
        raise UpstreamError(
            "error", error.status, "APIError", error.message, type=error.type, code=error.code, param=error.param
        ) from error


def _bytes(value: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise UpstreamError("garbage", 200, "BadGatewayError", f"the adapter's answer is no JSON: {error}") from error
