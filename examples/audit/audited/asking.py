"""Asks questions a few at a time, and knows of each whether its answer came.

When the gateway is killed meanwhile is decided elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle

import aiohttp

from routeiq_testkit import Question

_AT_A_TIME = 5
_MOST_TOKENS = 40
_MODELS = ("writer", "expert")


class AskingFailed(Exception):
    """The gateway refused a question that it should answer."""


@dataclass(slots=True)
class Asked:
    """`answered` are the ids of requests whose answers came, `left` the questions that have none."""

    answered: list[str] = field(default_factory=list)
    left: list[Question] = field(default_factory=list)
    cut: int = 0
    """Questions that were under way when the connection broke."""


async def ask(url: str, key: str, questions: Sequence[Question], goes_on: Callable[[int], bool]) -> Asked:
    """Ask until all are answered, or the gateway is gone. Raises `AskingFailed`.

    `goes_on` hears how many answers came so far and says whether there are to be further questions.
    """
    asked = Asked()
    waiting = list(zip(questions, cycle(_MODELS), strict=False))
    waiting.reverse()
    refused: list[str] = []
    over = asyncio.Event()

    async def one_after_another(session: aiohttp.ClientSession) -> None:
        while waiting and not over.is_set():
            question, model = waiting.pop()
            try:
                asked.answered.append(await _answer(session, model, question))
            except aiohttp.ClientError:
                asked.left.append(question)
                asked.cut += 1
                over.set()
            except AskingFailed as failure:
                refused.append(str(failure))
                over.set()
            else:
                if not goes_on(len(asked.answered)):
                    over.set()

    headers = {"authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(url, headers=headers) as session, asyncio.TaskGroup() as group:
        for _ in range(_AT_A_TIME):
            group.create_task(one_after_another(session))
    if refused:
        raise AskingFailed(refused[0])
    asked.left += [question for question, _ in reversed(waiting)]
    return asked


async def _answer(session: aiohttp.ClientSession, model: str, question: Question) -> str:
    body = {"model": model, "messages": [{"role": "user", "content": question.text}], "max_tokens": _MOST_TOKENS}
    async with session.post("/v1/chat/completions", json=body) as response:
        told = await response.text()
        if response.status != 200:
            raise AskingFailed(f"HTTP {response.status}: {told}")
        return response.headers["x-routeiq-request-id"]
