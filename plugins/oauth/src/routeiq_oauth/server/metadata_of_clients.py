"""A client's metadata (RFC 7591, section 2), whether it came in a registration or in a document at its own URL.

Where it comes from is told in `cimd` and `registration`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from routeiq_oauth.server.redirects import check_redirect_uri, host_of

_MOST_URIS = 20
_LONGEST_NAME = 100
AUTH_METHODS = ("none", "client_secret_basic", "client_secret_post")


@dataclass(frozen=True, slots=True)
class ClientMetadata:
    """What counts of it here. `refreshes`: the client uses refresh tokens."""

    name: str
    redirect_uris: tuple[str, ...]
    refreshes: bool
    auth_method: str


class BadMetadata(ValueError):
    """Metadata that does not count. `code` is RFC 7591's name of it."""

    def __init__(self, reason: str, code: str = "invalid_client_metadata") -> None:
        self.code = code
        super().__init__(reason)


def read_metadata(told: Any, *, default_auth: str) -> ClientMetadata:
    """Read what a client says of itself. Raises `BadMetadata`."""
    if not isinstance(told, Mapping):
        raise BadMetadata("client metadata is a JSON object")
    uris = _texts(told, "redirect_uris")
    if not uris or len(uris) > _MOST_URIS:
        raise BadMetadata(f"redirect_uris: from one to {_MOST_URIS}", "invalid_redirect_uri")
    try:
        checked = tuple(check_redirect_uri(uri) for uri in uris)
    except ValueError as error:
        raise BadMetadata(str(error), "invalid_redirect_uri") from None
    if "code" not in _texts(told, "response_types", ("code",)):
        raise BadMetadata("response_types: this server knows only code")
    grants = _texts(told, "grant_types", ("authorization_code",))
    if "authorization_code" not in grants:
        raise BadMetadata("grant_types: this server gives people's tokens, by authorization_code")
    method = told.get("token_endpoint_auth_method", default_auth)
    if method not in AUTH_METHODS:
        raise BadMetadata(f"token_endpoint_auth_method: one of {', '.join(AUTH_METHODS)}")
    scopes = str(told.get("scope") or "").split()
    return ClientMetadata(
        _name(told.get("client_name")) or host_of(checked[0]),
        checked,
        "refresh_token" in grants or "offline_access" in scopes,
        method,
    )


def _name(value: Any) -> str:
    """A name that cannot pass for anything else: one line, no control or direction marks."""
    if not isinstance(value, str):
        return ""
    return " ".join("".join(letter for letter in value if letter.isprintable()).split())[:_LONGEST_NAME]


def _texts(told: Mapping[str, Any], name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    value = told.get(name)
    if value is None:
        return default
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise BadMetadata(f"{name}: a list of texts")
    return tuple(value)
