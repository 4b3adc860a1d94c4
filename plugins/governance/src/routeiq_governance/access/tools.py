"""Which tools a caller may use: LiteLLM's `object_permission` of its key, team, organization, user and customer.

Guards, limits and prices of tool calls are decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from routeiq_governance.identity.caller import Caller, Entity
from routeiq_sdk.values.tools import SERVER_METHODS

_FIELDS = {
    "mcp": ("mcp_servers", "mcp_access_groups", "mcp_tool_permissions"),
    "a2a": ("agents", "agent_access_groups", None),
}


@dataclass(frozen=True, slots=True)
class Target:
    """A server or agent as permissions may name it."""

    protocol: str
    name: str
    aliases: frozenset[str]
    groups: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        """All its names."""
        return self.aliases | {self.name}


def permitted(
    caller: Caller, customer: Entity | None, target: Target, tools: Sequence[str], *, grant_needed: bool
) -> frozenset[str] | None:
    """Those of `tools` that everything behind the caller allows; `None` where nothing has an opinion.

    An entity without a permission for the protocol leaves all to the others. `grant_needed` asks that at least one has.
    An admin may use all.
    """
    if caller.is_admin:
        return None
    allowed: frozenset[str] | None = None
    entities = (*caller.entities, *(() if customer is None else (customer,)))
    for told in _permissions(entities, target.protocol):
        mine = _of_one(told, target, tools)
        allowed = mine if allowed is None else allowed & mine
    return frozenset() if allowed is None and grant_needed else allowed


def _permissions(entities: Sequence[Entity], protocol: str) -> Iterator[Mapping[str, Any]]:
    fields = [field for field in _FIELDS[protocol] if field is not None]
    for entity in entities:
        told = entity.settings.get("object_permission")
        if isinstance(told, Mapping) and any(told.get(field) for field in fields):
            yield told


def _of_one(told: Mapping[str, Any], target: Target, tools: Sequence[str]) -> frozenset[str]:
    servers, groups, by_tool = _FIELDS[target.protocol]
    granted = bool(_listed(told.get(servers)) & target.names or _listed(told.get(groups)) & target.groups)
    narrowed = told.get(by_tool) if by_tool is not None else None
    lists = [narrowed[name] for name in target.names if name in narrowed] if isinstance(narrowed, Mapping) else []
    if lists:  # tools one by one; the server itself may be asked, too
        return frozenset(tools) & SERVER_METHODS.union(*(_listed(each) for each in lists))
    return frozenset(tools) if granted else frozenset()


def _listed(value: object) -> frozenset[str]:
    """A list of names. What is no list names nothing."""
    return (
        frozenset(name for name in value if isinstance(name, str)) if isinstance(value, list | tuple) else frozenset()
    )
