"""Which resources and scopes may be asked for: those of this gateway, and no others (RFC 8707).

What is granted of them is the person's decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from routeiq_oauth.address import Address
from routeiq_oauth.resource.challenge import words
from routeiq_oauth.server.answers import OAuthError
from routeiq_oauth.urls import check_url, origin
from routeiq_sdk import Gateway
from routeiq_sdk.values.http import Headers

OFFLINE = "offline_access"


@dataclass(frozen=True, slots=True)
class Target:
    """A resource that a client asks for: its URL as tokens name it, and what people call it."""

    url: str
    name: str
    scopes: tuple[str, ...]


class Resources:
    """Finds them among those that plugins serve."""

    def __init__(self, gateway: Gateway, address: Address, more_scopes: Sequence[str]) -> None:
        self._gateway = gateway
        self._address = address
        self._more = tuple(more_scopes)

    def find(self, asked: Sequence[str], headers: Headers) -> Target:
        """The one resource that a client asks for. Raises `OAuthError`."""
        if len(asked) != 1:
            raise OAuthError("invalid_target", "name one resource: its URL, as its metadata says it")
        base = self._address.base(headers)
        try:
            check_url(asked[0], allow_http=True)
            path = asked[0][len(_root(asked[0])) :] if origin(asked[0]) == origin(base) else None
        except ValueError:
            path = None
        prefix = base[len(_root(base)) :]
        if path is not None and prefix:
            path = path[len(prefix) :] if path.startswith(prefix + "/") else None
        resource = self._gateway.protected_resource(path) if path and "?" not in path else None
        if resource is None or path is None:
            raise OAuthError("invalid_target", "this gateway has no such resource")
        return Target(base + path, resource.name, tuple(dict.fromkeys(resource.scopes)))

    def scopes(self, asked: str | None, target: Target) -> tuple[str, ...]:
        """The scopes that a client asks for, without `offline_access`; all of the resource's when it names none.

        Raises `OAuthError` for one that nobody has.
        """
        if asked is None:
            return tuple(scope for scope in target.scopes if scope != OFFLINE)
        wanted = tuple(scope for scope in dict.fromkeys(asked.split()) if scope != OFFLINE)
        if len(words(wanted)) < len(wanted) or not {*target.scopes, *self._more}.issuperset(wanted):
            raise OAuthError("invalid_scope", "the resource has no such scope")
        return wanted


def _root(url: str) -> str:
    """Scheme and authority, letter by letter as they stand there."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].partition('?')[0]}"
