"""The example from beginning to end: start the servers, record, train, let the gateway take the router up, ask.

Each step is a part of its own; here is only their order.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import openai
from live_demo.processes import ServerFailed, serving

from learned.asking import Answer, Asker, AskingFailed
from learned.result import Result, Way
from learned.screen import Screen
from learned.training import TrainingFailed, command, train, write_outcomes
from routeiq_testkit import MODELS, multiply

_TRAINED_ON, _HELD_OUT, _SEED = 600, 40, 7
_PROFILES = ("quality", "balanced", "economy")
_CONFIG = Path(__file__).resolve().parent.parent / "routeiq.yaml"
_WAIT_SECONDS = 30.0
_LOOK_AGAIN_SECONDS = 0.05


def run(folder: Path, *, as_json: bool) -> int:
    """Give the tour; the exit code."""
    screen = Screen(stderr=as_json)
    try:
        result = asyncio.run(_Tour(folder, screen).give())
    except (ServerFailed, AskingFailed, TrainingFailed) as failure:
        screen.say(f"learned-routing: {failure}")
        return 1
    screen.result(result)
    screen.say(
        f"\nLook at {folder / 'router' / 'report.html'}, and try `routeiq route --help` on the artifact beside it."
    )
    if as_json:
        print(json.dumps(result.as_json(), indent=2), flush=True)
    return 0


class _Tour:
    def __init__(self, folder: Path, screen: Screen) -> None:
        self._screen = screen
        self._data_dir, self._router = folder / "data", folder / "router"
        self._outcomes, self._logs = folder / "outcomes.jsonl", folder
        for old in (self._data_dir, self._router):
            shutil.rmtree(old, ignore_errors=True)
        self._data_dir.mkdir(parents=True)

    async def give(self) -> Result:
        key = "sk-" + secrets.token_urlsafe(32)
        async with AsyncExitStack() as stack:
            simulated = ("-m", "routeiq_testkit.simulated", "--port", "0", "--time-scale", "0")
            models = await stack.enter_async_context(
                serving("the simulated models", *simulated, log=self._logs / "models.log")
            )
            variables = {
                "SIMULATED_MODELS": models.url,
                "ROUTEIQ_MASTER_KEY": key,
                "DATA_DIR": str(self._data_dir),
                "ROUTER": str(self._router),
            }
            serve = ("-m", "routeiq", "serve", "--config", _CONFIG, "--port", "0")
            gateway = await stack.enter_async_context(
                serving("the gateway", *serve, log=self._logs / "gateway.log", environment=variables)
            )
            client = openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0)
            asker = Asker(await stack.enter_async_context(client))
            bearer = {"authorization": f"Bearer {key}"}
            records = await stack.enter_async_context(aiohttp.ClientSession(gateway.url, headers=bearer))
            return await self._visit(asker, records)

    async def _visit(self, asker: Asker, records: aiohttp.ClientSession) -> Result:
        names = [model.name for model in MODELS]
        questions = multiply(_TRAINED_ON + _HELD_OUT, _SEED)
        seen, held_out = questions[:_TRAINED_ON], questions[_TRAINED_ON:]
        self._screen.say(f"1. {len(seen)} questions go to each of {len(names)} simulated models, and are scored.")
        write_outcomes(self._outcomes, await asker.each_model(names, seen))
        words = command(self._outcomes, self._router, self._data_dir)
        self._screen.say(f"2. routeiq {' '.join(words)}")
        default = await train(words)
        await _until(records, "/routeiq/v1/routers", lambda told: "main" in told["routers"])
        self._screen.say(f"3. The gateway, which was running, took the router up. {len(held_out)} other questions:")
        by_model = await asker.each_model(names, held_out)
        singles = tuple(Way.of(name, [answers[place] for answers in by_model]) for place, name in enumerate(names))
        routed = {profile: await asker.ask_all("auto", held_out, profile) for profile in _PROFILES}
        example = _telling(routed["balanced"], default)
        record = await _until(records, f"/routeiq/v1/decisions/{example.decision}", lambda told: "decision" in told)
        return Result(
            trained_on=len(seen),
            best=next(way for way in singles if way.name == default),
            singles=singles,
            profiles=tuple(Way.of(profile, answers) for profile, answers in routed.items()),
            question=example.question.text,
            decision=record["decision"],
        )


def _telling(answers: list[Answer], default: str) -> Answer:
    """The first answer for which the router left the best single model."""
    return next((answer for answer in answers if answer.model != default), answers[0])


async def _until(records: aiohttp.ClientSession, path: str, holds: Any) -> Any:
    """What the gateway tells once it holds: routers are taken up, and records written, shortly after their cause."""
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            while True:
                async with records.get(path) as response:
                    told = await response.json()
                    if response.status == 200 and holds(told):
                        return told
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    except TimeoutError:
        raise AskingFailed(f"{path} does not tell what it should") from None
