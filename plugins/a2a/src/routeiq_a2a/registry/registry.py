"""All agents, by name and by id: the YAML's, which nothing changes, and beside them those of the store.

Who may see or call one is decided on the road of the call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from routeiq_a2a.registry.agent import Agent
from routeiq_a2a.registry.stored import StoredAgents


class Registry:
    """Finds agents. A stored row never shadows one of the YAML."""

    def __init__(self, configured: Sequence[Agent], stored: StoredAgents) -> None:
        self._names: Mapping[str, Agent] = {agent.name: agent for agent in configured}
        self._ids: Mapping[str, Agent] = {agent.id: agent for agent in configured}
        self.stored = stored

    def find(self, key: str) -> Agent | None:
        """The agent of this name or id."""
        agent = self._names.get(key) or self._ids.get(key) or self.stored.agents().get(key)
        if agent is None:
            agent = next((each for each in self.stored.agents().values() if each.name == key), None)
        return agent

    def configured(self, key: str) -> bool:
        """Whether the YAML has an agent of this name or id."""
        return key in self._names or key in self._ids

    def __iter__(self) -> Iterator[Agent]:
        yield from self._names.values()
        yield from (agent for agent in self.stored.agents().values() if agent.name not in self._names)
