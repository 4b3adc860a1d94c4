"""Asks the questions with the official OpenAI client, a few at a time, and looks up why each model was chosen.

How that is shown and summed up is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import aiohttp
import openai

from routeiq_testkit import Question

_AT_A_TIME = 3
_ANSWER_SECONDS = 60.0
_RECORD_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.02


class AskingFailed(Exception):
    """The gateway did not answer a question as it should."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered question. `cost` is in US dollars; `good` is known because the model is simulated."""

    question: Question
    model: str
    strategy: str
    reason: str
    cost: Decimal
    seconds: float
    input_tokens: int
    good: bool


async def ask_all(
    url: str, key: str, questions: Sequence[Question], on_answer: Callable[[Answer], None]
) -> list[Answer]:
    """Ask the virtual model `auto`; `on_answer` is called as each answer comes. Raises `AskingFailed`."""
    bearer = {"authorization": f"Bearer {key}"}
    turns = asyncio.Semaphore(_AT_A_TIME)
    answers: list[Answer] = []

    async def ask(question: Question) -> None:
        async with turns:
            answers.append(await _ask(client, records, question))
        on_answer(answers[-1])

    async with (
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, timeout=_ANSWER_SECONDS, max_retries=0) as client,
        aiohttp.ClientSession(url, headers=bearer, timeout=aiohttp.ClientTimeout(_RECORD_SECONDS)) as records,
    ):
        try:
            async with asyncio.TaskGroup() as group:
                for question in questions:
                    group.create_task(ask(question))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
    return answers


async def _ask(client: openai.AsyncOpenAI, records: aiohttp.ClientSession, question: Question) -> Answer:
    started = time.perf_counter()
    try:
        raw = await client.chat.completions.with_raw_response.create(
            model="auto", messages=[{"role": "user", "content": question.text}]
        )
    except openai.OpenAIError as error:
        raise AskingFailed(f"{question.text!r} was not answered: {error}") from error
    seconds = time.perf_counter() - started
    headers, completion = raw.headers, raw.parse()
    simulated: dict[str, Any] = (completion.model_extra or {})["simulated"]
    return Answer(
        question=question,
        model=headers["x-routeiq-model"],
        strategy=headers["x-routeiq-strategy"],
        reason=await _reason(records, headers["x-routeiq-decision-id"]),
        cost=Decimal(headers["x-litellm-response-cost"]),
        seconds=seconds,
        input_tokens=completion.usage.prompt_tokens if completion.usage is not None else 0,
        good=simulated["correct"],
    )


async def _reason(records: aiohttp.ClientSession, decision_id: str) -> str:
    """Why the model was chosen. A record is written after the client has its last byte, so it may take a moment."""
    try:
        async with asyncio.timeout(_RECORD_SECONDS):
            while True:
                async with records.get(f"/routeiq/v1/decisions/{decision_id}") as response:
                    if response.status == 200:
                        return str((await response.json())["decision"]["reason"])
                    if response.status != 404:
                        raise AskingFailed(f"the look-up of {decision_id} answered {response.status}")
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    except TimeoutError:
        raise AskingFailed(f"there is no record of the decision {decision_id}") from None
