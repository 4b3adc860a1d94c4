"""Workers as an operator runs them: `routeiq serve` with several processes on one socket, and a plugin that uses what
they share."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import aiohttp
import pytest
import yaml

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row
from routeiq_testkit.installed import PluginFolder

KEY = "sk-workers-6b1f0c9d27ae83fa"
DEADLINE = 60.0
SHARES = dedent(
    """
    from __future__ import annotations
    import contextlib
    from typing import Any
    from routeiq_sdk import *
    from routeiq_sdk.values.http import HttpRequest, HttpResponse
    from routeiq_sdk.values.meters import Charge, Held

    @contextlib.contextmanager
    def refused_while_away() -> Any:
        try:
            yield
        except StoreUnavailable:
            raise RequestError(503, "The store is away.", type="no_db_connection") from None

    class Fixture(Plugin[PluginConfig]):
        @hookimpl
        def register_routes(self, routes: Any) -> None:
            for name in ("take", "lease", "tell", "heard"):
                handler = getattr(self, name)
                routes.add("POST", f"/fixture/{name}/{{word}}", handler, access="admin", action="f:use", summary="F")

        @hookimpl
        async def setup(self, gateway: Any) -> None:
            self.gateway = gateway
            self.messages: list[str] = []
            self.listens = False
            with contextlib.suppress(StoreUnavailable):
                await gateway.meters.restore([])
            gateway.spawn("listen", self.listen)

        async def listen(self) -> None:
            async with self.gateway.state.subscribe("c") as messages:
                self.listens = True
                async for message in messages:
                    self.messages.append(message.decode())

        async def take(self, request: HttpRequest) -> HttpResponse:
            with refused_while_away():
                got = await self.gateway.meters.reserve(request.path_params["word"], [Charge("m", 40, base=1)])
            return self.answer(isinstance(got, Held))

        async def lease(self, request: HttpRequest) -> HttpResponse:
            owner = f"worker-{self.gateway.worker}"
            with refused_while_away():
                lease = await self.gateway.state.acquire(request.path_params["word"], owner, 600)
            return self.answer(lease is not None)

        async def tell(self, request: HttpRequest) -> HttpResponse:
            with refused_while_away():
                await self.gateway.state.publish("c", request.path_params["word"].encode())
            return self.answer(True)

        async def heard(self, request: HttpRequest) -> HttpResponse:
            return self.answer(self.listens if request.path_params["word"] == "listens" else self.messages)

        def answer(self, value: Any) -> HttpResponse:
            return HttpResponse.json({"worker": self.gateway.worker, "value": value})
    """
)


@dataclass
class Workers:
    """A gateway of several processes. `lines` are what it said so far."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    url: str = ""

    async def listening(self) -> None:
        """Wait until it serves."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            while raw := await self.process.stdout.readline():
                self.lines.append(raw.decode().rstrip())
                if found := re.search(r"listening on (http://[^\s,]+)", self.lines[-1]):
                    self.url = found[1]
                    return
        raise AssertionError(f"it ended without listening: {self.lines}")

    async def ended(self) -> int:
        """Wait for its end; the exit code. Then `lines` are all it said."""
        async with asyncio.timeout(DEADLINE):
            told, _ = await self.process.communicate()
        self.lines += told.decode().splitlines()
        assert self.process.returncode is not None
        return self.process.returncode

    async def ask(self, what: str, word: str) -> tuple[int, int, Any]:
        """Call the fixture's route on a connection of its own: the status, which worker answered, and what."""
        headers = {"authorization": f"Bearer {KEY}", "connection": "close"}
        async with (
            aiohttp.ClientSession(self.url, headers=headers) as session,
            session.post(f"/fixture/{what}/{word}") as response,
        ):
            body = await response.json()
            return response.status, body.get("worker", -1), body.get("value")

    async def surely(self, what: str, word: str) -> tuple[int, Any]:
        """The same, asked again while a busy machine keeps the store from answering in time."""
        async with asyncio.timeout(DEADLINE):
            while True:
                status, worker, value = await self.ask(what, word)
                if status != 503:
                    assert status == 200
                    return worker, value

    async def ask_all(self, what: str, word: str, workers: int = 2) -> dict[int, Any]:
        """Ask until each worker answered once; the last answer of each."""
        answers: dict[int, Any] = {}
        async with asyncio.timeout(DEADLINE):
            while len(answers) < workers:
                worker, value = await self.surely(what, word)
                answers[worker] = value
        return answers


StartWorkers = Callable[..., AbstractAsyncContextManager[Workers]]


@pytest.fixture
def workers(tmp_path: Path, plugin_folder: PluginFolder, scripted_upstream: ScriptedUpstream) -> StartWorkers:
    """A function that serves with two workers (or as told) and the plugin that shares."""
    plugin_folder.install("shares", SHARES)

    @asynccontextmanager
    async def start(**block: Any) -> AsyncIterator[Workers]:
        written = {
            "model_list": [openai_row("fast", scripted_upstream.base_url)],
            "general_settings": {"master_key": KEY},
            "routeiq": {
                "profile": "minimal",
                "data_dir": str(tmp_path / "data"),
                "server": {"workers": 2, "grace_seconds": 5},
                "plugins": {"shares": {}},
                **block,
            },
        }
        path = tmp_path / "routeiq.yaml"
        path.write_text(yaml.safe_dump(written, sort_keys=False), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "routeiq", "serve", "--config", str(path), "--port", "0"),
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(plugin_folder.folder), "NO_COLOR": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            process_group=0,
        )
        try:
            yield Workers(process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    return start
