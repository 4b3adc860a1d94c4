"""What one caller sends never stops the trail of the others."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row
from routeiq_testkit.pytest_plugin import StartGateway

from .test_in_the_gateway import config, trail

_LONG = 9_000_000  # no segment of a spool holds that


@pytest.mark.parametrize("what", ["a lone surrogate", "a very long name"])
async def test_a_hostile_model_name_does_not_stop_the_trail(
    tmp_path: Path, gateway: StartGateway, scripted_upstream: ScriptedUpstream, what: str
) -> None:
    document = config(tmp_path, scripted_upstream)
    document["model_list"] = [openai_row("*", scripted_upstream.base_url), openai_row("m", scripted_upstream.base_url)]
    running = await gateway(document)
    name = b"\\ud800" if what == "a lone surrogate" else b"m" * _LONG
    body = b'{"model": "%b", "messages": [{"role": "user", "content": "x"}]}' % name
    with suppress(aiohttp.ClientError):  # what it is answered is not what this is about
        async with running.session.post("/v1/chat/completions", data=body) as answer:
            await answer.read()
    _, told, _ = await running.chat("m")
    mine = told["x-routeiq-request-id"]
    while mine not in [line["event"].get("request_id") for line in await trail(tmp_path, 1)]:
        await trail(tmp_path, len(await trail(tmp_path, 1)) + 1)
