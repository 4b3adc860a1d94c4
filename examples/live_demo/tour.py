"""The demo from beginning to end: start the servers, ask, sum up, serve on, stop.

Each step is a part of its own; here is only their order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from live_demo.asking import Answer, AskingFailed, ask_all
from live_demo.processes import Server, ServerFailed, serving
from live_demo.screen import Screen
from live_demo.summary import summarize
from routeiq_testkit import QUESTIONS, Question, multiply

_ORDER_SEED = 4


def run(options: argparse.Namespace) -> int:
    """Give the tour; the exit code: 0 also for Ctrl-C after the summary, 130 before it, 1 for a failure."""
    options.folder.mkdir(parents=True, exist_ok=True)
    return asyncio.run(_Tour(options).give())


class _Tour:
    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._screen = Screen(stderr=options.json)
        self._told = False

    async def give(self) -> int:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        visit = asyncio.create_task(self._visit(), name="tour")

        def stop() -> None:
            if not stopped.is_set():  # a second Ctrl-C must not leave servers behind
                stopped.set()
                visit.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        try:
            await visit
        except asyncio.CancelledError:
            self._screen.say("\nstopped")
            return 0 if self._told else 130
        except (ServerFailed, AskingFailed) as failure:
            self._screen.say(f"demo: {failure}")
            return 1
        return 0

    async def _visit(self) -> None:
        folder: Path = self._options.folder
        config: Path = self._options.config
        log = folder / "gateway.log"
        key = "sk-" + secrets.token_urlsafe(32)
        self._screen.welcome(config, log)
        async with AsyncExitStack() as servers:
            models = await servers.enter_async_context(
                serving(
                    "the simulated models", "-m", "routeiq_testkit.simulated", "--port", "0", log=folder / "models.log"
                )
            )
            gateway = await servers.enter_async_context(
                serving(
                    "the gateway",
                    *("-m", "routeiq", "serve", "--config", config, "--port", "0"),
                    log=log,
                    environment={"SIMULATED_MODELS": models.url, "ROUTEIQ_MASTER_KEY": key},
                )
            )
            self._tell(await self._ask(gateway.url, key))
            if not self._options.once:
                self._screen.keeps_serving(gateway.url, key)
                await _first_end(gateway, models)

    async def _ask(self, url: str, key: str) -> list[Answer]:
        questions = choose(self._options.questions or len(QUESTIONS))
        with self._screen.progress(len(questions)) as progress:
            return await ask_all(url, key, questions, lambda answer: self._screen.answer(answer, progress))

    def _tell(self, answers: Sequence[Answer]) -> None:
        summary = summarize(answers)
        self._screen.summary(summary)
        if self._options.json:
            print(json.dumps(summary.as_json(), indent=2), flush=True)
        self._told = True


def choose(count: int) -> list[Question]:
    """This many questions, topics mixed, the same ones each time; templates make what is missing."""
    written = random.Random(_ORDER_SEED).sample(QUESTIONS, len(QUESTIONS))
    return [*written[:count], *multiply(max(0, count - len(written)), _ORDER_SEED)]


async def _first_end(*servers: Server) -> None:
    """Wait until a server ends by itself. Raises `ServerFailed`."""
    try:
        async with asyncio.TaskGroup() as group:
            for server in servers:
                group.create_task(server.ended(), name=server.name)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
