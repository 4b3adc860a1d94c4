"""The agents' own cards: fetched once, kept as long as they say, renewed in the background.

A card that cannot be renewed, or whose new form is not signed as it must be, stays as it was.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import dataclass, replace
from typing import Any

import orjson
from a2a.client.card_resolver import parse_agent_card
from a2a.types import AgentCard

from routeiq_a2a.cards import trust
from routeiq_a2a.cards.fetching import Found, fetch
from routeiq_a2a.registry.agent import Agent
from routeiq_a2a.upstream.failures import AgentUnreachable, WrongAnswer, translated
from routeiq_a2a.upstream.interfaces import Interface, NoInterface, chosen
from routeiq_sdk import Gateway

log = logging.getLogger(__name__)
_FAILED_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Card:
    """`upstream` is the card as the agent wrote it, in the form of 1.0."""

    upstream: AgentCard
    interface: Interface
    digest: str
    etag: str | None
    fresh_until: float


@dataclass(frozen=True, slots=True)
class _Failure:
    error: BaseException
    until: float


class Cards:
    """One card an agent. Many that ask at once wait for one fetch."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._cards: dict[str, tuple[Agent, Card]] = {}
        self._failures: dict[str, tuple[Agent, _Failure]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._renewing: set[str] = set()

    async def of(self, agent: Agent) -> Card:
        """The card of an agent. Raises an `A2AError`."""
        kept = self._kept(agent)
        if kept is None:
            return await self._first(agent)
        if self._gateway.clock.monotonic() >= kept.fresh_until and agent.id not in self._renewing:
            self._renewing.add(agent.id)
            self._gateway.spawn(f"renew the card of {agent.name}", lambda: self._renew(agent, kept))
        return kept

    def peek(self, agent: Agent) -> Card | None:
        """The card as it is kept, fresh or not; `None` when it was never had."""
        return self._kept(agent)

    def failing(self) -> list[str]:
        """Names of the agents whose card could not be had or renewed at last."""
        return sorted(agent.name for agent, _ in self._failures.values())

    def _kept(self, agent: Agent) -> Card | None:
        kept = self._cards.get(agent.id)
        return kept[1] if kept is not None and kept[0] == agent else None

    async def _first(self, agent: Agent) -> Card:
        async with self._locks.setdefault(agent.id, asyncio.Lock()):
            kept = self._kept(agent)
            if kept is not None:
                return kept
            failed = self._failures.get(agent.id)
            if failed and failed[0] == agent and self._gateway.clock.monotonic() < failed[1].until:
                raise failed[1].error
            return await self._take(agent, None)

    async def _renew(self, agent: Agent, kept: Card) -> None:
        try:
            await self._take(agent, kept)
        except Exception as error:
            log.warning("the card of the agent %s was not renewed: %s", agent.name, error)
            later = self._gateway.clock.monotonic() + _FAILED_SECONDS * 6
            self._cards[agent.id] = (agent, replace(kept, fresh_until=later))
        finally:
            self._renewing.discard(agent.id)

    async def _take(self, agent: Agent, kept: Card | None) -> Card:
        try:
            if agent.card is not None:
                found = Found(dict(agent.card), None, float("inf"))
            else:
                found = await fetch(self._gateway, agent, kept.etag if kept is not None else None)
            until = self._gateway.clock.monotonic() + found.seconds
            if found.document is None and kept is not None:
                card = replace(kept, fresh_until=until)
            else:
                card = _made(agent, found, until)
        except Exception as error:
            told = translated(agent, error)
            if not isinstance(told, Exception):
                raise
            until = self._gateway.clock.monotonic() + _FAILED_SECONDS
            self._failures[agent.id] = (agent, _Failure(told, until))
            raise told from None
        self._failures.pop(agent.id, None)
        self._cards[agent.id] = (agent, card)
        return card


def _made(agent: Agent, found: Found, until: float) -> Card:
    raw: dict[str, Any] = found.document
    digest = hashlib.sha256(orjson.dumps(raw, option=orjson.OPT_SORT_KEYS)).hexdigest()
    # The parser rewrites what it is given, so it gets a copy.
    upstream = parse_agent_card(orjson.loads(orjson.dumps(raw)))
    try:
        if agent.verify:
            trust.verify(upstream, agent.trusted_keys)
        interface = chosen(agent, upstream)
    except trust.Untrusted as error:
        raise AgentUnreachable(f"The card of the agent {agent.name!r} {error}, so it is not called.") from None
    except NoInterface as error:
        raise WrongAnswer(str(error)) from None
    return Card(upstream, interface, digest, found.etag, until)
