"""What the routing gate adds to a request: a real gateway, one client, a routed and a concrete model in turns.
The upstream is scripted and answers at once, so the difference is the gate's."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import numpy as np

from bench.routers import ours
from bench.routers.entrants import Ours
from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row

REQUESTS, WARM_UP = 300, 30


def gate_p50_ms(entrant: Ours, texts: Sequence[str]) -> float:
    """Median milliseconds of a routed request less that of a request for a concrete model."""
    with tempfile.TemporaryDirectory(prefix="bench-gate-") as name:
        return asyncio.run(_measure(entrant, list(texts)[: REQUESTS + WARM_UP], Path(name)))


async def _measure(entrant: Ours, texts: list[str], folder: Path) -> float:
    models = entrant.trained.router.models
    ours.write_artifact(entrant.trained, folder)
    async with ScriptedUpstream() as upstream:
        plugin = {
            "artifact": str(folder / "router"),
            "trusted_keys": [str(path) for path in (folder / "keys").glob("*.pub")],
            "reload_seconds": 0,
        }
        config = {
            "model_list": [openai_row(model, upstream.base_url, model) for model in models],
            "routeiq": {
                "virtual_models": {"auto": {"models": list(models)}},
                "plugins": {"routing-ml": plugin},
                "logs": {"level": "error"},
            },
        }
        async with TestGateway(folder, config) as gateway:
            routed, concrete = [], []
            for text in texts:
                routed.append(await _ask(gateway.session, "auto", text))
                concrete.append(await _ask(gateway.session, models[0], text))
            decided = gateway.records()[1].decision
            if decided is None or decided.strategy != entrant.trained.strategy:
                raise RuntimeError("the gateway did not decide with the trained router")
    return float(np.median(routed[WARM_UP:]) - np.median(concrete[WARM_UP:]))


async def _ask(session: aiohttp.ClientSession, model: str, text: str) -> float:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    began = time.perf_counter()
    async with session.post("/v1/chat/completions", json=body) as response:
        await response.read()
        if response.status != 200:
            raise RuntimeError(f"the gateway answered {response.status}")
    return (time.perf_counter() - began) * 1000
