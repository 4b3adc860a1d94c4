"""What a refused client is told in `WWW-Authenticate` (RFC 6750, RFC 9728): where the resource describes itself, which
scopes it takes.

Why it was refused is told by whoever refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from routeiq_oauth.address import Address
from routeiq_oauth.resource.metadata import metadata_url
from routeiq_sdk import Context, Gateway, RequestError

_SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")


class Challenges:
    """Makes the challenges of protected resources."""

    def __init__(self, gateway: Gateway, address: Address) -> None:
        self._gateway = gateway
        self._address = address

    def challenge(self, ctx: Context, error: RequestError) -> Mapping[str, str] | None:
        """The header for an answer, or `None` when it is no resource or another refusal."""
        short_of_scopes = error.status == 403 and error.code == "insufficient_scope"
        if error.status != 401 and not short_of_scopes:
            return None
        resource = self._gateway.protected_resource(ctx.path)
        if resource is None:
            return None
        told = {"resource_metadata": metadata_url(self._address.base(ctx.headers), ctx.path)}
        scopes = words((error.param or "").split()) if short_of_scopes else words(lasting(resource.scopes))
        if short_of_scopes:
            told["error"] = "insufficient_scope"
        elif ctx.credential is not None:
            told["error"] = "invalid_token"
        if scopes:
            told["scope"] = " ".join(scopes)
        return {"www-authenticate": "Bearer " + ", ".join(f'{name}="{value}"' for name, value in told.items())}


def lasting(scopes: Iterable[str]) -> tuple[str, ...]:
    """The scopes of a resource. That a client may go on without its person is between it and the server, not one."""
    return tuple(scope for scope in scopes if scope != "offline_access")


def words(scopes: Iterable[str]) -> tuple[str, ...]:
    """Scopes that may stand in a header, once each."""
    return tuple(dict.fromkeys(scope for scope in scopes if _SCOPE.fullmatch(scope)))
