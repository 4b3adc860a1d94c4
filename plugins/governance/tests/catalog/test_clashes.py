"""The YAML takes the name of an added model: a reload is refused; a start leaves the added one out, and it can go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from routeiq_sdk import ConfigError
from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row

from .client import Client


def config(upstream: ScriptedUpstream, *names: str) -> dict[str, Any]:
    rows = [openai_row(name, upstream.base_url, model=f"yaml-{name}") for name in names]
    return {"model_list": rows, "routeiq": {"egress": {"allow": ["127.0.0.1"]}, "plugins": {"governance": {}}}}


async def test_a_clash_stops_a_reload_and_not_a_start(tmp_path: Path, scripted_upstream: ScriptedUpstream) -> None:
    async with TestGateway(tmp_path, config(scripted_upstream, "written")) as running:
        client = Client(running, scripted_upstream, running.key)
        id = (await client.add("fresh", model="openai/added"))["model_id"]
        await client.add("other")
        running.write(config(scripted_upstream, "written", "fresh"))
        with pytest.raises(ConfigError, match="written in the YAML"):
            await running.app.reload()
        assert await client.chat("fresh") == 200
        assert scripted_upstream.requests[-1].json["model"] == "added"
    async with TestGateway(tmp_path, config(scripted_upstream, "written", "fresh")) as running:
        client = Client(running, scripted_upstream, running.key)
        assert (await client.chat("fresh"), await client.chat("other")) == (200, 200)
        models = {request.json["model"] for request in scripted_upstream.requests[-2:]}
        assert models == {"yaml-fresh", "scripted"}
        await client.ok("POST", "/model/delete", {"id": id})
        await client.add("another")
        assert await client.chat("another") == 200
