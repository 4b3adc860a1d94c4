"""A server of the SDK, in the era that a test asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from routeiq_mcp.upstream import ServerSpec, WatchedUpstream, open_upstream
from routeiq_sdk.testing import FakeGateway

from .parts import calling
from .servers import Gate, Mind, Recorder, legacy_only, modern_only, sdk_server, serving

GATES: dict[str, Gate | None] = {"legacy": legacy_only, "modern": modern_only, "both": None}


@dataclass
class Field:
    """A running server and the upstream in front of it."""

    upstream: WatchedUpstream
    recorder: Recorder
    gateway: FakeGateway
    mind: Mind
    url: str


Serve = Callable[..., AbstractAsyncContextManager[Field]]


@pytest.fixture
def serve() -> Serve:
    """`async with serve("legacy") as field`: a server of that era over streamable HTTP."""

    @asynccontextmanager
    async def start(era: str, app: Any = None, **spec: Any) -> AsyncIterator[Field]:
        mind = Mind()
        recorder = Recorder(sdk_server(mind).streamable_http_app(**(app or {})), GATES[era])
        async with serving(recorder) as base, calling(base) as gateway:
            made = ServerSpec("field", url=f"{base}/mcp", **{"trusted": True, **spec})
            upstream = open_upstream(made, gateway)
            try:
                yield Field(upstream, recorder, gateway, mind, f"{base}/mcp")
            finally:
                await upstream.close()

    return start
