"""Guards look at what an agent says of itself before anybody reads it: its description and each of its skills.

Which guards there are is the gateway's business.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from a2a.types import AgentCard, AgentSkill
from google.protobuf.json_format import ParseError

from routeiq_a2a.protojson import of_json, to_json
from routeiq_a2a.registry.agent import MESSAGE, Agent
from routeiq_sdk import Context, Gateway, RequestError
from routeiq_sdk.values.tools import ToolDefinition

_MOST = 4096


class GuardedCards:
    """Each definition is looked at when it is seen first and when it changed."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._seen: OrderedDict[tuple[str, str, str], Mapping[str, Any] | None] = OrderedDict()

    async def of(self, ctx: Context, agent: Agent, card: AgentCard, digest: str) -> AgentCard:
        """The card as guards let it pass. A skill that one rejects is not in it; a rejected description is empty."""
        passed = AgentCard()
        passed.CopyFrom(card)
        about = {"name": card.name, "description": card.description}
        told = await self._look(ctx, agent, MESSAGE, about, digest)
        passed.description = str(told.get("description", "")) if told is not None else ""
        if told is None:
            passed.name = agent.name
        del passed.skills[:]
        for skill in card.skills:
            told = await self._look(ctx, agent, f"skill/{skill.id}", to_json(skill), digest)
            if told is None:
                continue
            try:
                passed.skills.append(of_json(told, AgentSkill()))
            except ParseError:
                continue  # a guard made something of it that is no skill: nobody may read that
        return passed

    async def _look(
        self, ctx: Context, agent: Agent, tool: str, definition: Mapping[str, Any], digest: str
    ) -> Mapping[str, Any] | None:
        key = (agent.id, digest, tool)
        if key in self._seen:
            self._seen.move_to_end(key)
            return self._seen[key]
        try:
            told: Mapping[str, Any] | None = await self._gateway.tools.guard_definition(
                ctx, ToolDefinition("a2a", agent.name, tool, definition)
            )
        except RequestError as error:
            if error.status >= 500:
                return None
            told = None
        self._seen[key] = told
        if len(self._seen) > _MOST:
            self._seen.popitem(last=False)
        return told
