"""The litellm lane against a scripted provider: real litellm, real connections on loopback, the gateway's egress."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from routeiq.egress import Egress, EgressPolicy
from routeiq.upstream import litellm_library
from routeiq.upstream.base import Limits, Reply, Whole
from routeiq.upstream.litellm import LitellmAdapter
from routeiq.wires.body import Body, read_fields
from routeiq.wires.sse import SseSplitter, parse_frame
from routeiq_sdk import Attempt, Deployment, Secret
from routeiq_sdk.testing import make_context
from routeiq_testkit import ScriptedUpstream

KEY = "sk-operators-own-key"
LIMITS = Limits(connect=5, answer=10, idle=5, max_bytes=1 << 22)
HELLO: Mapping[str, Any] = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}


@dataclass
class Lane:
    """An adapter, the provider the operator wrote in the YAML, and a stranger nobody may reach."""

    adapter: LitellmAdapter
    egress: Egress
    upstream: ScriptedUpstream
    stranger: ScriptedUpstream

    def deployment(self, provider: str = "openai", **changes: Any) -> Deployment:
        base = self.upstream.origin if provider == "anthropic" else self.upstream.base_url
        values = {"api_base": base, "api_key": Secret(KEY), "model": "m", **changes}
        return Deployment(id="d", group="fast", provider=provider, wire="litellm", **values)

    async def ask(
        self,
        fields: Mapping[str, Any] = HELLO,
        *,
        provider: str = "openai",
        wire: str = "openai-chat",
        limits: Limits = LIMITS,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> Reply:
        deployment = self.deployment(provider, **changes)
        body = Body(wire, read_fields(orjson.dumps(fields)), "fast", fields.get("stream") is True)
        attempt = Attempt(1, deployment, dict(headers or {}), dict(extra or {}))
        return await self.adapter.exchange(make_context(), deployment, attempt, body, limits)

    async def answer(self, fields: Mapping[str, Any] = HELLO, **how: Any) -> Any:
        """The JSON of a whole answer."""
        reply = await self.ask(fields, **how)
        assert isinstance(reply, Whole)
        return orjson.loads(reply.body)

    async def stream(self, fields: Mapping[str, Any] = HELLO, **how: Any) -> list[Any]:
        """The events of a streamed answer; `[DONE]` is None."""
        reply = await self.ask({**fields, "stream": True}, **how)
        assert not isinstance(reply, Whole)
        try:
            raw = b"".join([block async for block in reply.blocks()])
        finally:
            await reply.close()
        datas = [parse_frame(frame)[1] for frame in SseSplitter().feed(raw)]
        return [None if data == b"[DONE]" else orjson.loads(data) for data in datas]


@pytest.fixture(scope="session")
def library() -> litellm_library.Library:
    """litellm, imported once."""
    return litellm_library.load()


@pytest.fixture
async def lane(library: litellm_library.Library) -> AsyncIterator[Lane]:
    """A lane of the test's own. At its end no connection and no task may be left."""
    before = asyncio.all_tasks()
    async with ScriptedUpstream() as upstream, ScriptedUpstream() as stranger:

        async def look_up(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        allowed = f"pictures.example:{upstream.origin.rpartition(':')[2]}"
        egress = Egress(EgressPolicy.compile([upstream.origin], [allowed]), lookup=look_up)
        await egress.open()
        adapter = LitellmAdapter(egress)
        await adapter.load()
        yield Lane(adapter, egress, upstream, stranger)
        # What is idle may stay open for the next call; what is not idle was forgotten.
        await upstream.until(lambda: all(r.answered.is_set() or r.disconnected.is_set() for r in upstream.requests))
        await adapter.close()
        await egress.close()
        await upstream.until_idle()
        assert stranger.connections_seen == 0
        left = asyncio.all_tasks() - before - {asyncio.current_task()}
        if left:
            _, pending = await asyncio.wait(left, timeout=2)
            assert not pending, pending
