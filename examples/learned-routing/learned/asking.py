"""Asks the gateway with the official OpenAI client: single models to record outcomes, `auto` to be routed.

What is asked and what becomes of the answers is decided elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import openai

from routeiq_testkit import Question

_AT_A_TIME = 16


class AskingFailed(Exception):
    """The gateway did not answer a question as it should."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered question. `cost` is in US dollars; `good` is known because the model is simulated.

    `decision` is the id of the record that says why `model` was chosen.
    """

    question: Question
    model: str
    good: bool
    cost: Decimal
    tokens_in: int
    tokens_out: int
    decision: str


class Asker:
    """Asks a few questions at a time."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self._client = client
        self._turns = asyncio.Semaphore(_AT_A_TIME)

    async def ask_all(self, model: str, questions: Iterable[Question], profile: str | None = None) -> list[Answer]:
        """The answers in the order of the questions. Raises `AskingFailed`."""
        headers = {} if profile is None else {"x-routeiq-profile": profile}
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._ask(model, question, headers)) for question in questions]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [task.result() for task in tasks]

    async def each_model(self, models: Sequence[str], questions: Sequence[Question]) -> list[list[Answer]]:
        """For each question the answers of all models. Raises `AskingFailed`."""
        by_model = [await self.ask_all(model, questions) for model in models]
        return [list(answers) for answers in zip(*by_model, strict=True)]

    async def _ask(self, model: str, question: Question, headers: dict[str, str]) -> Answer:
        async with self._turns:
            try:
                raw = await self._client.chat.completions.with_raw_response.create(
                    model=model, messages=[{"role": "user", "content": question.text}], extra_headers=headers
                )
            except openai.OpenAIError as error:
                raise AskingFailed(f"{model} did not answer {question.text!r}: {error}") from error
        completion = raw.parse()
        if completion.usage is None:
            raise AskingFailed(f"{model} told no usage")
        return Answer(
            question=question,
            model=raw.headers["x-routeiq-model"],
            good=(completion.model_extra or {})["simulated"]["correct"],
            cost=Decimal(raw.headers["x-litellm-response-cost"]),
            tokens_in=completion.usage.prompt_tokens,
            tokens_out=completion.usage.completion_tokens,
            decision=raw.headers["x-routeiq-decision-id"],
        )
