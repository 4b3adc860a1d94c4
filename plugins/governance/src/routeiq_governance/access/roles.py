"""The built-in roles, which LiteLLM role is which of them, and what follows from being a member. Reviewed tables.

Custom roles and bindings are rows of the database, compiled in `snapshot`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from routeiq_governance.access.permission import NOTHING, Permission

INFERENCE = (
    "agent:call",
    "audio:create",
    "batch:create",
    "batch:list",
    "batch:read",
    "chat:create",
    "completion:create",
    "decision:preview",
    "embedding:create",
    "feedback:create",
    "file:create",
    "file:delete",
    "file:list",
    "file:read",
    "image:create",
    "mcp:call",
    "mcp:list",
    "model:list",
    "model:read",
    "moderation:create",
    "realtime:create",
    "rerank:create",
    "response:create",
    "response:delete",
    "response:read",
    "telemetry:send",
    "token:count",
)
"""Calls of models and what belongs to them: what a key is for."""

SCOPED = frozenset(
    {
        *("key", "team", "user", "organization", "customer", "budget", "tag", "model", "access_group", "credential"),
        *("policy", "role", "binding", "spend"),
    }
)
"""Resources whose handlers ask where a thing lies. Routes of any other resource know no tenants: to call one, a role
must hold everywhere."""


@dataclass(frozen=True, slots=True)
class Role:
    """A named set of actions. `below` holds only strictly inside the scope at which the role is bound."""

    name: str
    description: str
    permission: Permission
    below: Permission = NOTHING


def _role(name: str, description: str, *patterns: str, below: tuple[str, ...] = ()) -> Role:
    return Role(name, description, Permission.of(patterns), Permission.of(below))


_ROLES = (
    _role("owner", "Everything in its scope.", "*:*"),
    _role(
        "org_admin",
        "Runs an organization: its teams, users, keys, models, roles and policies, but not its own limits.",
        *INFERENCE,
        "organization:read",
        "organization:list",
        "organization:update",
        "team:*",
        "user:*",
        "key:*",
        "model:*",
        "role:*",
        "binding:*",
        "policy:create",
        "policy:read",
        "policy:list",
        "budget:read",
        "budget:list",
        "tag:read",
        "tag:list",
        "customer:read",
        "customer:list",
        "access_group:read",
        "access_group:list",
        "spend:read",
        "spend:list",
        below=("policy:update", "policy:delete"),
    ),
    _role(
        "team_admin",
        "Runs a team: its members, keys and models, but not its limits.",
        *INFERENCE,
        "team:read",
        "team:list",
        "team:update",
        "user:read",
        "user:list",
        "key:*",
        "model:*",
        "policy:read",
        "policy:list",
        "binding:read",
        "binding:list",
        "binding:create",
        "binding:delete",
        "spend:read",
        "spend:list",
    ),
    _role(
        "developer",
        "Calls models and runs its own keys.",
        *INFERENCE,
        "key:*",
        "user:read",
        "user:list",
        "user:update",
        "team:list",
        "organization:list",
        "tag:list",
        "access_group:list",
        "spend:read",
        "spend:list",
    ),
    _role(
        "billing",
        "Sees what was spent and sets limits.",
        "spend:*",
        "budget:*",
        "policy:*",
        "customer:*",
        "key:limit",
        "key:read",
        "key:list",
        "team:limit",
        "team:read",
        "team:list",
        "user:limit",
        "user:read",
        "user:list",
        "organization:limit",
        "organization:read",
        "organization:list",
        "tag:limit",
        "tag:read",
        "tag:list",
        "model:read",
        "model:list",
    ),
    _role("auditor", "Reads everything, changes nothing.", "*:read", "*:list"),
    _role(
        "viewer",
        "Reads entities and spend, changes nothing.",
        "key:read",
        "key:list",
        "user:read",
        "user:list",
        "team:read",
        "team:list",
        "organization:read",
        "organization:list",
        "budget:read",
        "budget:list",
        "customer:read",
        "customer:list",
        "tag:read",
        "tag:list",
        "model:read",
        "model:list",
        "access_group:read",
        "access_group:list",
        "policy:read",
        "policy:list",
        "spend:read",
        "spend:list",
    ),
    _role("service", "Calls models.", *INFERENCE),
)
BUILT_IN: Mapping[str, Role] = MappingProxyType({role.name: role for role in _ROLES})

CALLER = _role("caller", "Any key: calls models and reads about itself.", *INFERENCE, "key:read", "access_group:list")
MEMBER = _role("member", "A plain member of a team, or a key of it: sees it.", "team:read", "team:list")
BELONGS = _role("belongs", "A plain member of an organization: sees it.", "organization:read", "organization:list")

LITELLM: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "proxy_admin": (("owner", "global"),),
        "proxy_admin_viewer": (("auditor", "global"), ("service", "user")),
        "org_admin": (("org_admin", "organization"), ("developer", "user")),
        "internal_user": (("developer", "user"),),
        "internal_user_viewer": (("viewer", "user"), ("service", "user")),
        "team": (("service", "team"),),
        "customer": (("service", "user"),),
    }
)
"""LiteLLM's role of a user: roles of ours, and whether each holds everywhere, in the caller's organization or team, or
for the caller itself."""
ORDINARY = "internal_user"
"""The LiteLLM role of a user that has none."""

TEAM_MEMBER: Mapping[str, str] = MappingProxyType({"admin": "team_admin"})
ORGANIZATION_MEMBER: Mapping[str, str] = MappingProxyType({"org_admin": "org_admin"})
"""Member roles that are more than seeing what one is a member of."""

MEMBER_ROUTES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "/key/generate": ("key:create", "key:limit"),
        "/key/service-account/generate": ("key:create",),
        "/key/update": ("key:update", "key:limit"),
        "/key/delete": ("key:delete",),
        "/key/info": ("key:read",),
        "/v2/key/info": ("key:read",),
        "/key/list": ("key:list",),
        "/key/aliases": ("key:list",),
        "/key/health": ("key:read",),
        "/key/regenerate": ("key:rotate",),
        "/key/{key_id}/regenerate": ("key:rotate",),
        "/key/block": ("key:block",),
        "/key/unblock": ("key:block",),
    }
)
"""What a team's `team_member_permissions` allow its plain members to do with their own keys of that team."""
MEMBER_DEFAULT = ("/key/info", "/key/health", "/key/list")
