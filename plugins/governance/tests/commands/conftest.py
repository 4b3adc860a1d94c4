"""A running gateway with governance, and its commands as somebody types them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

import pytest_asyncio

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

_START = "from routeiq_governance.commands.{0} import {0}; {0}(prog_name='routeiq {0}')"


@dataclass(frozen=True)
class Result:
    """What became of a command."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass
class Terminal:
    """Where commands are typed; they call the gateway as any other process does."""

    gateway: TestGateway

    async def run(self, *words: str, key: str | None = None, typed: str | None = None, url: str = "") -> Result:
        """One command in a process of its own."""
        environment = {
            **os.environ,
            "ROUTEIQ_MASTER_KEY": key or self.gateway.key,
            "COLUMNS": "250",  # a width at which no cell is folded
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _START.format(words[0]), *words[1:], "--url", url or self.gateway.url),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        out, err = await process.communicate((typed or "").encode())
        return Result(process.returncode or 0, out.decode(), err.decode())

    async def told(self, *words: str, **more: Any) -> str:
        """What a command that must succeed prints."""
        result = await self.run(*words, **more)
        assert result.exit_code == 0, result.stderr
        return result.stdout.strip()

    async def json(self, *words: str, **more: Any) -> Any:
        """The same as data."""
        return json.loads(await self.told(*words, "--json", **more))

    async def refused(self, *words: str, **more: Any) -> str:
        """The one line of a command that must fail."""
        result = await self.run(*words, **more)
        assert result.exit_code == 1, result
        (line,) = result.stderr.strip().splitlines()
        return line

    async def chat(self, key: str, model: str = "fast") -> int:
        """The status of one chat completion."""
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 5}
        headers = {"authorization": f"Bearer {key}"}
        async with self.gateway.session.post("/v1/chat/completions", json=body, headers=headers) as response:
            await response.read()
            return response.status


@pytest_asyncio.fixture
async def terminal(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> Terminal:
    """Beside a gateway whose model costs 1 dollar a million tokens."""
    row = openai_row("fast", scripted_upstream.base_url, input_cost_per_token=1e-6, output_cost_per_token=1e-6)
    running = await gateway({"model_list": [row], "routeiq": {"plugins": {"governance": {}}}})
    return Terminal(running)
