"""Getting a card from its agent: bounded, conditional, never redirected.

How long it is kept and whether its signature counts is told elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson

from routeiq_a2a.registry.agent import Agent
from routeiq_a2a.upstream.failures import WrongAnswer
from routeiq_sdk import Gateway

PATHS = ("/.well-known/agent-card.json", "/.well-known/agent.json")
_MOST_BYTES = 1024 * 1024
_TIMEOUT_SECONDS = 15.0
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_LEAST_SECONDS, _USUAL_SECONDS, _MOST_SECONDS = 30.0, 300.0, 86_400.0
_OK, _NOT_MODIFIED, _NOT_FOUND = 200, 304, 404


@dataclass(frozen=True, slots=True)
class Found:
    """A card as it came; `document` is `None` when it has not changed. It may be kept for `seconds`."""

    document: Any
    etag: str | None
    seconds: float


async def fetch(gateway: Gateway, agent: Agent, etag: str | None) -> Found:
    """The agent's card. Raises `WrongAnswer`, and what the egress raises."""
    if agent.card_url is not None:
        urls: tuple[str, ...] = (agent.card_url,)
    else:
        urls = tuple(agent.address.rstrip("/") + path for path in PATHS)
    for url in urls:
        found = await _fetched(gateway, agent, url, etag)
        if found is not None:
            return found
    raise WrongAnswer("has no card where one is looked for")


async def _fetched(gateway: Gateway, agent: Agent, url: str, etag: str | None) -> Found | None:
    headers = {"accept": "application/json", "a2a-version": agent.version or "1.0"}
    if agent.auth.mode == "static":
        headers |= {name: value.get_secret_value() for name, value in agent.auth.headers.items()}
    if etag:
        headers["if-none-match"] = etag
    call = gateway.egress.call(
        "GET",
        url,
        headers=headers,
        timeout_seconds=_TIMEOUT_SECONDS,
        max_bytes=_MOST_BYTES,
        untrusted=agent.untrusted,
    )
    async with call as answer:
        seconds = freshness(answer.headers.get("cache-control", ""))
        if answer.status == _NOT_MODIFIED and etag:
            return Found(None, etag, seconds)
        if answer.status == _NOT_FOUND:
            return None
        if answer.status != _OK:
            raise WrongAnswer(f"answered with status {answer.status} when asked for its card")
        raw = await answer.read()
        told = answer.headers.get("etag")
    try:
        document = orjson.loads(raw)
    except ValueError:
        raise WrongAnswer("has a card that is no JSON") from None
    if not isinstance(document, dict):
        raise WrongAnswer("has a card that is no JSON object")
    return Found(document, told, seconds)


def freshness(cache_control: str) -> float:
    """Seconds for which a card is taken as it is."""
    found = _MAX_AGE.search(cache_control)
    if found is None:
        return _LEAST_SECONDS if "no-" in cache_control.lower() else _USUAL_SECONDS
    return min(max(float(found[1]), _LEAST_SECONDS), _MOST_SECONDS)
