"""The caller of a request as governance knows it: which entities stand behind the credential, resolved and immutable.

How a credential becomes a caller is `resolve`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from routeiq_governance.identity.limits import Limits


@dataclass(frozen=True, slots=True)
class Entity:
    """One bounded thing behind a caller. `scope` is `key`, `user`, `team`, `member`, `organization`, `customer`, `tag`
    or `global`; a member's id is `team/user`."""

    scope: str
    id: str
    alias: str | None = None
    limits: Limits = field(default_factory=Limits)
    models: tuple[str, ...] = ()
    blocked: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `entities` are all that bound the caller (key first), without customer and tags, which only the body
    tells. `role` is LiteLLM's role of the user (`internal_user`, ...), `roles` are the names of ours that a token
    carries, `member_role` the caller's role in its team (`admin`, `user`)."""

    kind: str
    key_id: str | None = None
    user: str | None = None
    email: str | None = None
    team: str | None = None
    organization: str | None = None
    role: str | None = None
    roles: frozenset[str] = frozenset()
    member_role: str | None = None
    organization_role: str | None = None
    service_account: bool = False
    expires_at: int | None = None
    entities: tuple[Entity, ...] = ()
    allowed_actions: frozenset[str] | None = None
    """What the key itself is scoped to (from `allowed_routes` and `key_type`); `None` is everything its owner may."""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_admin(self) -> bool:
        """Whether the caller is the proxy admin: the master key, or a user whose role says so."""
        return self.kind == "admin" or self.role == "proxy_admin"

    def entity(self, scope: str) -> Entity | None:
        """The caller's entity of this scope."""
        return next((entity for entity in self.entities if entity.scope == scope), None)
