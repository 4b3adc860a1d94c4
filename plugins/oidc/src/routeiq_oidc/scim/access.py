"""Who may provision: the holder of SCIM's own token, the master key, and whoever's token says so for all organizations.

Roles that a directory gives are asked at the gate of actions, by the plugin that knows them.
"""

from __future__ import annotations

import hmac

from routeiq_oidc.config import Scim
from routeiq_oidc.scim.errors import ScimError
from routeiq_sdk import Principal, Secret

_ID = "scim"


class ScimAccess:
    """Knows the provisioning client. Its principal exists on SCIM's routes alone."""

    def __init__(self, config: Scim) -> None:
        self._tokens = [each.reveal().encode() for each in (config.token, config.previous_token) if each is not None]
        self._roles = frozenset(config.roles)
        self.client = Principal(
            _ID,
            kind="service",
            alias="SCIM",
            organization=config.organization,
            attributes={"roles": ["owner"]},
        )

    def authenticate(self, credential: Secret | None) -> Principal | None:
        """The provisioning client, if this is its token. All tokens are compared, in constant time."""
        if credential is None:
            return None
        told = credential.reveal().encode("utf-8", "surrogateescape")
        matches = [hmac.compare_digest(told, token) for token in self._tokens]
        return self.client if any(matches) else None

    def allows(self, principal: Principal) -> bool:
        """Whether the principal may provision. Somebody of one organization may not: provisioning reaches all."""
        if principal is self.client or principal.is_admin:
            return True
        roles = principal.attributes.get("roles")
        told = frozenset(roles) if isinstance(roles, list | tuple) else frozenset()
        return principal.organization is None and bool(self._roles & told)

    def check(self, principal: Principal | None) -> None:
        """Raises `ScimError` for everybody else."""
        if principal is None or not self.allows(principal):
            raise ScimError(403, "provisioning needs SCIM's own token or a role for all organizations")
