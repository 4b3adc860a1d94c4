"""A whole gateway in the test's own event loop: the real application on the real default engine, on a free port.

Processes, signals and several workers are tested with `routeiq serve` itself, not with this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
import yaml

from routeiq.app import App
from routeiq.config import load
from routeiq.runtime import Runtime
from routeiq.server.guards import Guards
from routeiq.server.hypercorn import HypercornEngine
from routeiq.server.listener import bind
from routeiq.server.settings import ServerSettings
from routeiq_sdk import Record

from .governance_tables import lay_tables_for

KEY = "sk-testkit-8d41f7c2a95e60b3"
_STOP_SECONDS = 20.0


class TestGateway:
    """`async with TestGateway(tmp_path, config) as gateway:` serves `config` (LiteLLM's dialect as plain data).

    What is not written gets a default: a master key (`KEY`), no plugins (`profile: minimal`), a data folder of its own.
    """

    __test__ = False

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self.folder = folder
        self.path = folder / "routeiq.yaml"
        self.key = KEY
        self.write(config)
        loaded = load(self.path, {})
        self._server, self._limits = loaded.routeiq.server, loaded.routeiq.limits
        self.app = App(loaded, config_path=self.path)
        self.session: aiohttp.ClientSession
        self._stopping = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self.url = ""

    def write(self, config: Mapping[str, Any]) -> None:
        """Write another configuration; `await gateway.app.reload()` takes it."""
        written = dict(config)
        written["general_settings"] = {"master_key": KEY, **written.get("general_settings", {})}
        written["routeiq"] = {"profile": "minimal", "data_dir": str(self.folder / "data"), **written.get("routeiq", {})}
        self.path.write_text(yaml.safe_dump(written, sort_keys=False), encoding="utf-8")
        self._written = written

    async def __aenter__(self) -> TestGateway:
        settings = ServerSettings(
            host="127.0.0.1",
            port=0,
            grace_seconds=5,
            head_kib=self._limits.head_kib,
            allowed_hosts=self._server.allowed_hosts,
            allowed_origins=self._server.allowed_origins,
        )
        sock = bind(settings)
        self.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        lay_tables_for(self._written)
        await self.app.start()
        sock.listen(128)
        app = self.app.drain.track(Guards(_WithoutLifespan(self.app), settings))
        self._serving = asyncio.create_task(HypercornEngine().serve(app, sock, settings, self._told_to_stop))
        self.session = aiohttp.ClientSession(self.url, headers={"authorization": f"Bearer {self.key}"})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()
        self.app.drain.begin()
        self._stopping.set()
        if self._serving is not None:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._serving
        await self.app.stop()

    @property
    def runtime(self) -> Runtime:
        """The runtime that serves now."""
        shared = self.app.shared
        assert shared is not None
        assert shared.current is not None
        return shared.current

    def records(self) -> Sequence[Record]:
        """The records of finished requests, newest first."""
        return tuple(self.runtime.shared.records.newest())

    async def recorded(self, count: int = 1) -> Sequence[Record]:
        """Wait until this many records are there; a record is written after the client got its last byte."""
        async with asyncio.timeout(10.0):
            while len(self.records()) < count:
                await asyncio.sleep(0.005)
        return self.records()

    async def chat(self, model: str, text: str = "hello", **fields: Any) -> tuple[int, Mapping[str, str], Any]:
        """One chat completion; status, headers and JSON body."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
        async with self.session.post("/v1/chat/completions", json=body) as response:
            return response.status, response.headers, await response.json()

    async def stream(self, model: str, text: str = "hello", **fields: Any) -> tuple[int, Mapping[str, str], bytes]:
        """One streamed chat completion; status, headers and all bytes."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], "stream": True, **fields}
        async with self.session.post("/v1/chat/completions", json=body) as response:
            return response.status, response.headers, await response.read()

    async def _told_to_stop(self) -> None:
        await self._stopping.wait()


class _WithoutLifespan:
    """The test starts and stops the application itself, so that its errors reach the test."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


def openai_row(name: str, base_url: str, model: str = "scripted-model", **params: Any) -> dict[str, Any]:
    """A `model_list` row for an OpenAI-wire upstream."""
    return {
        "model_name": name,
        "litellm_params": {"model": f"openai/{model}", "api_base": base_url, "api_key": "sk-upstream", **params},
    }


def anthropic_row(name: str, origin: str, model: str = "scripted-claude", **params: Any) -> dict[str, Any]:
    """A `model_list` row for an Anthropic-wire upstream."""
    return {
        "model_name": name,
        "litellm_params": {"model": f"anthropic/{model}", "api_base": origin, "api_key": "sk-upstream", **params},
    }
