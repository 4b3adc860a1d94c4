"""Where deployments are: host and port of each, looked up in the model groups that are served now.

How they fare is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from routeiq_sdk import Gateway, ModelGroup

Place = tuple[str | None, int | None]
_NOWHERE: Place = (None, None)
_PORTS = {"http": 80, "https": 443}


class Places:
    """The deployments of the runtime that serves now."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._groups: Mapping[str, ModelGroup] | None = None
        self._bases: dict[str, str | None] = {}

    def of(self, deployment_id: str) -> Place:
        """Host and port; of one that is gone, or whose address its library knows alone, nothing."""
        self._look()
        base = self._bases.get(deployment_id)
        if base is None:
            return _NOWHERE
        try:
            parts = urlsplit(base)
            return parts.hostname, parts.port or _PORTS.get(parts.scheme)
        except ValueError:
            return _NOWHERE

    def is_group(self, name: str) -> bool:
        """Whether a model group has this name."""
        return name in self._gateway.groups

    def _look(self) -> None:
        groups = self._gateway.groups
        if groups is not self._groups:
            self._bases = {each.id: each.api_base for group in groups.values() for each in group.deployments}
            self._groups = groups
