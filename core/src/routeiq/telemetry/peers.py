"""Asks the other workers of a gateway: whoever shares the state store hears the question and may answer.

What is asked and what is answered is the business of whoever gives the handlers.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
import structlog

from routeiq_sdk import StoreUnavailable
from routeiq_sdk.gateway import StateService

log = structlog.get_logger("routeiq.peers")

_QUESTIONS = "routeiq.ask"
_ANSWERS = "routeiq.answer."
_PATIENCE_SECONDS = 0.5
_AGAIN_SECONDS = 2.0

Handler = Callable[[Any], Awaitable[Any]]


class Peers:
    """One worker among others. `handlers` answer questions by their names; both sides are plain JSON data."""

    def __init__(self, state: StateService, workers: int, handlers: Mapping[str, Handler]) -> None:
        self._state = state
        self._workers = workers
        self._handlers = handlers
        self._me = secrets.token_hex(8)
        self.listening = asyncio.Event()

    async def listen(self) -> None:
        """Answer for ever."""
        while True:
            try:
                async with self._state.subscribe(_QUESTIONS) as questions:
                    self.listening.set()
                    async for message in questions:
                        await self._answer(orjson.loads(message))
            except StoreUnavailable:
                await asyncio.sleep(_AGAIN_SECONDS)

    async def ask(self, name: str, about: Any = None) -> list[Any]:
        """What the others say, this worker left out: at most half a second later, as soon as all workers of this
        gateway answered. A store that is away leaves this worker alone."""
        question = secrets.token_hex(8)
        answers: list[Any] = []
        told = {"from": self._me, "id": question, "name": name, "about": about}
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._state.subscribe(_ANSWERS + question) as incoming:
                await self._state.publish(_QUESTIONS, orjson.dumps(told, default=str))
                async for message in incoming:
                    answers.append(orjson.loads(message))
                    if len(answers) >= self._workers - 1 > 0:
                        break
        except (TimeoutError, StoreUnavailable):
            pass
        return answers

    async def _answer(self, question: Mapping[str, Any]) -> None:
        handler = self._handlers.get(str(question.get("name")))
        if handler is None or question.get("from") == self._me:
            return
        try:
            answer = await handler(question.get("about"))
            await self._state.publish(_ANSWERS + str(question["id"]), orjson.dumps(answer, default=str))
        except StoreUnavailable:
            raise
        except Exception as error:
            log.warning("a question could not be answered", name=question.get("name"), error=type(error).__name__)
