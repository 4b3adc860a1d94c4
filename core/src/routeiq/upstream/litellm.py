"""The adapter for the providers that speak no native wire: litellm translates, the gateway connects.

litellm is imported by `load`, off the start path. What is asked, answered and told as a failure is in its neighbours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from routeiq.egress import Egress
from routeiq.errors import UpstreamError
from routeiq.upstream import litellm_library, litellm_media
from routeiq.upstream.base import Limits, Reply, Whole
from routeiq.upstream.litellm_answers import LitellmStream, whole
from routeiq.upstream.litellm_failures import failure
from routeiq.upstream.litellm_release import check_release, installed_version
from routeiq.upstream.litellm_request import EMBEDDING, arguments
from routeiq.wires.body import Body
from routeiq_sdk import Attempt, ConfigError, Context, Deployment, Secret

if TYPE_CHECKING:
    from routeiq.upstream.litellm_line import Line

_BYPASSING = frozenset({"aiohttp_openai"})
"""Providers for which litellm opens sessions that nobody can give it; `openai` says the same on the wire."""


class LitellmAdapter:
    """Calls a deployment through litellm. Its retries, fallbacks and caches are off: the attempt loop owns those.

    Egress: litellm's HTTP clients, async and blocking, OpenAI's SDK among them, get the gateway's transport, so that
    an address nobody wrote stays out of reach and no redirect is followed. A call has a line of its own; without one
    litellm cannot connect. Images and files named by URL are fetched by the gateway.

    Not so pinned are libraries that a provider brings along for its credentials, and they run only for deployments of
    that provider: botocore's credential chain (bedrock, sagemaker), google-auth (vertex_ai), `requests` (databricks,
    gdc), SAP's certificate login (sap).
    """

    def __init__(self, egress: Egress, untrusted: Collection[str] = frozenset()) -> None:
        """`untrusted` are the ids of deployments whose addresses the operator did not write.

        Raises `ConfigError` when litellm is missing or a release that must not be imported."""
        check_release(installed_version())
        self._egress = egress
        self._untrusted = untrusted
        self._library: litellm_library.Library | None = None
        self._loading = asyncio.Lock()

    @property
    def loaded(self) -> bool:
        """Whether litellm can be called."""
        return self._library is not None

    async def load(self) -> None:
        """Import litellm in a thread; a second caller waits for the first. Raises `ConfigError`."""
        async with self._loading:
            if self._library is None:
                self._library = await asyncio.to_thread(litellm_library.load)

    async def exchange(
        self, ctx: Context, deployment: Deployment, attempt: Attempt, body: Body, limits: Limits
    ) -> Reply:
        """One call. Replies are in OpenAI's wires, whatever the client's."""
        if deployment.provider in _BYPASSING:
            raise UpstreamError(
                "error", 0, "APIConnectionError", f"{deployment.provider} goes around the egress", dispatched=False
            )
        try:
            async with asyncio.timeout(limits.answer):
                return await self._call(deployment, attempt, body, limits)
        except TimeoutError:
            raise UpstreamError("timeout", 0, "Timeout", f"no answer within {limits.answer:g} s") from None

    async def close(self) -> None:
        """Stop litellm's background worker; the egress owns the connections."""
        library, self._library = self._library, None
        if library is not None:
            await library.stop()

    async def _call(self, deployment: Deployment, attempt: Attempt, body: Body, limits: Limits) -> Reply:
        call = arguments(deployment, attempt, body, limits)
        await litellm_media.inline(self._egress, call.get("messages"), limits.reach)
        library = await self._ready()
        from routeiq.upstream.litellm_line import Line

        secrets = frozenset(_secrets([deployment.api_key, deployment.params]))
        streamed = bool(call.get("stream"))
        line = Line(
            self._egress,
            None if streamed else limits.max_bytes,
            untrusted=deployment.id in self._untrusted,
            reach=limits.reach,
        )
        line.use()
        kept = False
        try:
            answer = await _asked(library, call, body, line, secrets)
            if not streamed:
                wire = EMBEDDING if body.wire == EMBEDDING else "openai-chat"
                return Whole(wire, whole(answer), line.headers)
            stream = LitellmStream(answer, line, limits.idle, secrets)
            try:
                await stream.begin()
                kept = True
            finally:
                if not kept:
                    await stream.close()
            return stream
        finally:
            if not kept:
                await line.close()

    async def _ready(self) -> litellm_library.Library:
        try:
            await self.load()
        except ConfigError as error:
            raise UpstreamError("error", 0, "APIConnectionError", str(error), dispatched=False) from error
        assert self._library is not None
        return self._library


async def _asked(
    library: litellm_library.Library, call: dict[str, Any], body: Body, line: Line, secrets: frozenset[str]
) -> Any:
    try:
        return await (library.embed if body.wire == EMBEDDING else library.chat)(**call)
    except Exception as error:
        raise failure(error, line, secrets) from error


def _secrets(value: Any) -> Iterator[str]:
    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, Mapping):
        yield from _secrets(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _secrets(item)
