"""Sends the requests: plain ones, streams, and one to a model that fails, within a trace of the client's.

What is told of them comes back by other ways.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

import aiohttp

from routeiq_testkit import multiply

PLAIN, STREAMS = 12, 7
REQUESTS = PLAIN + STREAMS + 1
_AT_A_TIME = 4
_MOST_TOKENS = 40
_SEED = 7


class AskingFailed(Exception):
    """A request was not answered."""


@dataclass(frozen=True, slots=True)
class Failing:
    """The request to the retired model: its trace, and the model group that answered in the end."""

    trace: str
    answered_by: str


async def ask(url: str, key: str) -> Failing:
    """Send all requests. Raises `AskingFailed`."""
    texts = [question.text for question in multiply(REQUESTS, _SEED)]
    turns = asyncio.Semaphore(_AT_A_TIME)

    async def in_turn(number: int, text: str) -> None:
        async with turns:
            await _ask(session, "strong" if number % 4 == 3 else "fast", text, stream=number >= PLAIN)

    async with aiohttp.ClientSession(url, headers={"authorization": f"Bearer {key}"}) as session:
        await asyncio.gather(*(in_turn(number, text) for number, text in enumerate(texts[:-1])))
        trace = secrets.token_hex(16)
        traceparent = f"00-{trace}-{secrets.token_hex(8)}-01"
        return Failing(trace, await _ask(session, "retired", texts[-1], traceparent=traceparent))


async def _ask(
    session: aiohttp.ClientSession, model: str, text: str, *, stream: bool = False, traceparent: str | None = None
) -> str:
    """One request; the model group that answered."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "max_tokens": _MOST_TOKENS,
        "stream": stream,
    }
    headers = {"traceparent": traceparent} if traceparent is not None else {}
    async with session.post("/v1/chat/completions", json=body, headers=headers) as response:
        told = await response.text()
        if response.status != 200 or (stream and "[DONE]" not in told):
            raise AskingFailed(f"{model} answered HTTP {response.status}: {told[-500:]}")
        return response.headers["x-routeiq-model"]


async def metrics(url: str, key: str) -> list[str]:
    """The lines of `/metrics`. Raises `AskingFailed`."""
    headers = {"authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(url, headers=headers) as session, session.get("/metrics") as response:
        told = await response.text()
        if response.status != 200:
            raise AskingFailed(f"/metrics answered HTTP {response.status}: {told}")
        return told.splitlines()
