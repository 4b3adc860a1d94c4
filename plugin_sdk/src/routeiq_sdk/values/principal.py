"""Who calls: the identity that authentication found.

What an identity may do is decided by `authorize` hooks, not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller.

    `id` names the credential for records (never the credential itself: a hash or a key id);
    `kind` is `admin`, `key`, `user` or `service`. `models` is the set of model names the credential may ask
    for; `None` means every model, a name that ends in `*` every name that begins so. `aliases` are the caller's own
    names for models. `attributes` carries what the authenticating plugin wants others to know.
    """

    id: str
    kind: str = "key"
    alias: str | None = None
    user: str | None = None
    team: str | None = None
    organization: str | None = None
    models: frozenset[str] | None = None
    tags: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def may_use(self, model: str) -> bool:
        """Whether `models` allows this name."""
        if self.models is None or model in self.models:
            return True
        return any(name.endswith("*") and model.startswith(name[:-1]) for name in self.models)

    @property
    def tenants(self) -> tuple[str, ...]:
        """The ids of the team and the organization, as far as there are any: whose egress lists bind the requests."""
        return tuple(name for name in (self.team, self.organization) if name is not None)

    @property
    def is_admin(self) -> bool:
        """True for the holder of the master key and whoever a plugin says equals it."""
        return self.kind == "admin"
