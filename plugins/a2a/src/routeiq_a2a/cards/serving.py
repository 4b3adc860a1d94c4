"""The cards that the gateway serves: rewritten, guarded, signed, and told to be the same by their ETag.

Who may see them is asked of the road of tools.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import orjson
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.types import AgentCard

from routeiq_a2a.cards.canonical import complete
from routeiq_a2a.cards.guarded import GuardedCards
from routeiq_a2a.cards.rewriting import rewritten
from routeiq_a2a.cards.signing import CardSigner
from routeiq_a2a.cards.store import Cards
from routeiq_a2a.registry.agent import Agent
from routeiq_a2a.wire.versions import V1_0, major_minor, told_version
from routeiq_sdk import Context, Gateway
from routeiq_sdk.values.http import HttpRequest, HttpResponse

_MOST = 512
_NOT_MODIFIED = 304
_SECONDS = 60


class ServedCards:
    """Makes them, and remembers them by the agent's card and the address that they name."""

    def __init__(
        self, gateway: Gateway, cards: Cards, signer: CardSigner, *, public: bool, grpc: str | None = None
    ) -> None:
        self._gateway = gateway
        self._cards = cards
        self._guarded = GuardedCards(gateway)
        self.signer = signer
        self._scope = "public" if public else "private"
        self._grpc = grpc
        self._made: OrderedDict[tuple[Any, ...], AgentCard] = OrderedDict()

    async def card(self, ctx: Context, agent: Agent, base: str) -> AgentCard:
        """The public card of an agent. Raises an `A2AError`."""
        guarded = await self.guarded(ctx, agent)
        resource = self._gateway.protected_resource(f"/a2a/{agent.name}")
        seen = hashlib.sha256(guarded.SerializeToString(deterministic=True)).hexdigest()
        key = (agent.id, agent.name, agent.push, seen, base, resource)
        made = self._made.get(key)
        if made is None:
            made = rewritten(agent, guarded, base, resource, self._grpc)
            self.signer.sign(made, base)
            self._made[key] = made
            if len(self._made) > _MOST:
                self._made.popitem(last=False)
        return made

    async def guarded(self, ctx: Context, agent: Agent) -> AgentCard:
        """What an agent says of itself, as guards let it pass. Raises an `A2AError`."""
        kept = await self._cards.of(agent)
        return await self._guarded.of(ctx, agent, kept.upstream, kept.digest)

    async def extended(self, ctx: Context, agent: Agent, card: AgentCard, base: str) -> AgentCard:
        """What an agent tells those who signed in, in the gateway's form."""
        digest = hashlib.sha256(card.SerializeToString(deterministic=True)).hexdigest()
        guarded = await self._guarded.of(ctx, agent, card, digest)
        resource = self._gateway.protected_resource(f"/a2a/{agent.name}")
        served = rewritten(agent, guarded, base, resource, self._grpc)
        self.signer.sign(served, base)
        return served

    def answer(self, request: HttpRequest, card: AgentCard) -> HttpResponse:
        """A card as an answer; without a body for a client that has it already."""
        unsigned = AgentCard()
        unsigned.CopyFrom(card)
        del unsigned.signatures[:]
        version = told_version(request)
        document = shown(card, modern=version is not None and major_minor(version) == V1_0)
        # Signatures of one card differ from replica to replica and mean the same, hence a weak tag without them.
        body = orjson.dumps([shown(unsigned, modern=False), self.signer.kid], option=orjson.OPT_SORT_KEYS)
        etag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {
            "ETag": etag,
            "Cache-Control": f"{self._scope}, max-age={_SECONDS}",
            "Vary": "A2A-Version, Authorization",
        }
        if etag in _tags(request.headers.get("if-none-match")):
            return HttpResponse(_NOT_MODIFIED, b"", headers)
        return HttpResponse.json(document, headers=headers)


def shown(card: AgentCard, *, modern: bool) -> Mapping[str, Any]:
    """A card as JSON: of 1.0 alone for a client that says so, else with the fields of 0.3 beside those of 1.0."""
    return complete(card) if modern else agent_card_to_dict(card)


def _tags(header: str | None) -> frozenset[str]:
    if not header:
        return frozenset()
    tags = {part.strip() for part in header.split(",")}
    return frozenset(tags | {f"W/{tag}" for tag in tags if not tag.startswith("W/")})
