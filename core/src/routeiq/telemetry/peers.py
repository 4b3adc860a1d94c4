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
_LOOK_SECONDS = 60.0

Handler = Callable[[Any], Awaitable[Any]]


class Peers:
    """One worker among others. `handlers` answer questions by their names; both sides are plain JSON data.

    Other gateways on the same store answer too. Whoever was heard of once is waited for, until it keeps silent; once a
    minute a question waits its full time for those who were not heard of.
    """

    def __init__(self, state: StateService, workers: int, handlers: Mapping[str, Handler]) -> None:
        self._state = state
        self._others = workers - 1
        self._handlers = handlers
        self._me = secrets.token_hex(8)
        self._known: set[str] = set()
        self._looked = -_LOOK_SECONDS
        self.listening = asyncio.Event()

    async def listen(self) -> None:
        """Answer for ever."""
        while True:
            try:
                async with self._state.subscribe(_QUESTIONS) as questions:
                    await self._state.publish(_QUESTIONS, orjson.dumps({"from": self._me}))
                    self.listening.set()
                    async for message in questions:
                        await self._hear(message)
            except StoreUnavailable:
                pass  # whoever needs the store says so
            await asyncio.sleep(_AGAIN_SECONDS)

    async def ask(self, name: str, about: Any = None) -> list[Any]:
        """What the others say, this worker left out: at most half a second later, as a rule as soon as all who are
        known answered. A store that is away leaves this worker alone."""
        now = asyncio.get_running_loop().time()
        looking = now - self._looked >= _LOOK_SECONDS  # others of whom nothing is known may answer, too
        if not (looking or self._known or self._others):
            return []
        question = secrets.token_hex(8)
        answers: dict[str, Any] = {}
        told = {"from": self._me, "id": question, "name": name, "about": about}
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._state.subscribe(_ANSWERS + question) as incoming:
                await self._state.publish(_QUESTIONS, orjson.dumps(told, default=str))
                async for message in incoming:
                    if (answer := _read(message)) is not None:
                        answers[answer["from"]] = answer
                    if not looking and len(answers) >= self._others and self._known <= answers.keys():
                        break
            self._known |= answers.keys()
        except TimeoutError:
            self._known, self._looked = set(answers), now
        except StoreUnavailable:
            pass
        return [answer["answer"] for answer in answers.values() if "answer" in answer]

    async def _hear(self, message: bytes) -> None:
        question = _read(message)
        if question is None or question["from"] == self._me:
            return
        self._known.add(question["from"])
        if "id" in question:
            answer = {"from": self._me, **await self._answer(question.get("name"), question.get("about"))}
            await self._state.publish(f"{_ANSWERS}{question['id']}", orjson.dumps(answer, default=str))

    async def _answer(self, name: Any, about: Any) -> dict[str, Any]:
        """The answer, or nothing: another release may ask what this one does not know."""
        handler = self._handlers.get(str(name))
        if handler is None:
            return {}
        try:
            return {"answer": await handler(about)}
        except Exception as error:
            log.warning("a question could not be answered", name=name, error=type(error).__name__)
            return {}


def _read(message: bytes) -> dict[str, Any] | None:
    try:
        told = orjson.loads(message)
    except orjson.JSONDecodeError:
        told = None
    if isinstance(told, dict) and isinstance(told.get("from"), str):
        return told
    log.warning("a message of another worker is not understood")
    return None
