"""What the labels say about deployments: looked up in the model groups that are served now.

Whether a deployment is healthy is `watch`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from routeiq_sdk import Deployment, Gateway, ModelGroup


class Place(NamedTuple):
    """The labels of a deployment, in the order of the families that have them."""

    model_id: str
    model: str
    api_base: str
    api_provider: str


class Places:
    """The deployments of the runtime that serves now, by id."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._groups: Mapping[str, ModelGroup] | None = None
        self._by_id: dict[str, Deployment] = {}
        self._models: frozenset[str] = frozenset()

    def all(self) -> Mapping[str, Deployment]:
        """Every deployment by its id."""
        groups = self._gateway.groups
        if groups is not self._groups:
            self._by_id = {each.id: each for group in groups.values() for each in group.deployments}
            self._models = frozenset(each.model for each in self._by_id.values())
            self._groups = groups
        return self._by_id

    def of(self, id: str) -> Place:
        """The labels of a deployment; of one that is gone only its id is known."""
        found = self.all().get(id)
        return Place(id, "", "", "") if found is None else place_of(found)

    def is_group(self, name: str) -> bool:
        """Whether a model group has this name; names that a wildcard matches are none."""
        return name in self._gateway.groups

    def is_served(self, name: str) -> bool:
        """Whether a model group, or a provider's model behind one, has this name."""
        self.all()
        return name in self._gateway.groups or name in self._models


def place_of(deployment: Deployment) -> Place:
    """The labels of a deployment."""
    return Place(deployment.id, deployment.model, _without_secrets(deployment.api_base or ""), deployment.provider)


def _without_secrets(url: str) -> str:
    """The URL without a user, a password and a query: somebody may have written a key there."""
    if "@" not in url and "?" not in url:
        return url
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
