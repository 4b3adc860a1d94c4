"""Rules of the operator over every request: addresses, closed routes, parameters that must or must not be sent.

Roles and models are decided elsewhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from routeiq_governance.access import refusals
from routeiq_governance.access.routes import RouteScope, compiled
from routeiq_governance.access.settings import RolePermission
from routeiq_governance.config import GovernanceConfig
from routeiq_governance.identity.caller import Caller
from routeiq_sdk import Context, PluginError, Reject

_SIGNED_IN = ("user", "service")


class Rules:
    """The rules of one configuration. Raises `PluginError` for settings that would protect nothing."""

    def __init__(self, config: GovernanceConfig) -> None:
        self._allowed = _networks(config.allowed_ips) if config.allowed_ips is not None else None
        self._proxies = _networks(config.trusted_proxy_ranges)
        self._forwarded = config.use_x_forwarded_for
        if self._allowed is not None and self._forwarded and not self._proxies:
            raise PluginError(
                "governance",
                "general_settings.use_x_forwarded_for believes any client about its address",
                mend="name your front proxies in general_settings.trusted_proxy_ranges",
            )
        self._open = compiled(config.allowed_routes) if config.allowed_routes is not None else None
        self._admins = compiled(config.admin_only_routes) if config.admin_only_routes else None
        self._params = config.enforced_params
        self._user_param = config.enforce_user_param
        self._no_tags = config.reject_clientside_metadata_tags
        self._blocked = blocked_users(config.blocked_user_list)
        self._rbac = config.enforce_rbac
        self._by_role = config.role_permissions

    def address(self, ctx: Context) -> Reject | None:
        """Whether the client's address is served."""
        if self._allowed is None:
            return None
        client = self.client_of(ctx)
        if client is not None and _inside(client, self._allowed):
            return None
        return refusals.address_refused(client)

    def client_of(self, ctx: Context) -> str | None:
        """The client's address: the nearest one that is no trusted proxy."""
        nearest = ctx.client
        if not self._forwarded or nearest is None or not _inside(nearest, self._proxies):
            return nearest
        hops = [hop.strip() for hop in (ctx.headers.get("x-forwarded-for") or "").split(",") if hop.strip()]
        for hop in reversed(hops):
            if not _inside(hop, self._proxies):
                return hop
        return hops[0] if hops else nearest

    def route(self, ctx: Context, caller: Caller) -> Reject | None:
        """Whether the operator leaves the route open to this caller."""
        if self._open is not None and caller.kind != "admin" and not self._open.allows(ctx.path):
            return refusals.closed_route(ctx.path)
        if self._admins is not None and not caller.is_admin and self._admins.allows(ctx.path):
            return refusals.admins_alone(ctx.path)
        if caller.kind in _SIGNED_IN and (self._rbac or self._by_role):
            return self._signed_in(ctx.path, caller)
        return None

    def role_models(self, caller: Caller) -> tuple[str, ...] | None:
        """The only models that the rows of `role_permissions` leave a caller that signed in; `None` does not narrow."""
        rows = self._rows(caller) if caller.kind in _SIGNED_IN else ()
        lists = [row.models for row in rows if row.models is not None]
        return tuple(dict.fromkeys(name for names in lists for name in names)) if lists else None

    def body(self, ctx: Context, caller: Caller) -> Reject | None:
        """Whether the body has what it must and nothing that it must not."""
        if ctx.end_user is not None and ctx.end_user in self._blocked:
            return Reject(400, f"User blocked from making LLM API Calls. User={ctx.end_user}", param="user")
        if self._user_param and ctx.end_user is None and "user" not in ctx.request.json():
            return Reject(400, "'user' param not passed in. 'enforce_user_param'=True", param="user")
        if self._no_tags and _sends_tags(ctx):
            message = "Client-side 'metadata.tags' not allowed in request. 'reject_clientside_metadata_tags'=True."
            return Reject(400, message, type="bad_request_error", param="metadata.tags")
        wanted = (*self._params, *_own_params(caller))
        for param in dict.fromkeys(wanted):
            name, _, inner = param.partition(".")
            value = ctx.request.json().get(name)
            if value is None or (inner and not (isinstance(value, Mapping) and inner in value)):
                told = f"[{name}][{inner}]" if inner else name
                message = f"BadRequest please pass param={told} in request body. This is a required param"
                return Reject(400, message, param=param)
        return None

    def _signed_in(self, path: str, caller: Caller) -> Reject | None:
        rows = self._rows(caller)
        if self._rbac and not (caller.role or caller.roles):
            return Reject(
                403, "Your token carries no role, and general_settings.enforce_rbac is on.", type="auth_error"
            )
        routes: list[RouteScope] = [compiled(row.routes) for row in rows if row.routes is not None]
        if routes and not any(scope.allows(path) for scope in routes):
            return refusals.narrowed_key(path, [entry for scope in routes for entry in scope.entries])
        return None

    def _rows(self, caller: Caller) -> tuple[RolePermission, ...]:
        return tuple(row for row in self._by_role if row.role == caller.role or row.role in caller.roles)


def blocked_users(written: str | tuple[str, ...] | None) -> frozenset[str]:
    """`litellm_settings.blocked_user_list`: ids, or a file with one a line. Raises `PluginError`."""
    if written is None:
        return frozenset()
    if not isinstance(written, str):
        return frozenset(written)
    try:
        lines = Path(written).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PluginError(
            "governance",
            f"litellm_settings.blocked_user_list names {written!r}, which cannot be read: {type(error).__name__}",
            mend="name a text file with one id a line, or write a list",
        ) from None
    return frozenset(line.strip() for line in lines if line.strip())


def _own_params(caller: Caller) -> Iterable[str]:
    key = caller.entity("key")
    if key is None:
        return ()
    written = key.settings.get("enforced_params") or key.metadata.get("enforced_params") or ()
    return [param for param in written if isinstance(param, str)] if isinstance(written, list | tuple) else ()


def _sends_tags(ctx: Context) -> bool:
    body = ctx.request.json()
    inside = (body.get(name) for name in ("metadata", "litellm_metadata"))
    held = any(isinstance(value, Mapping) and "tags" in value for value in inside)
    return held or "tags" in body or "x-litellm-tags" in ctx.headers


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(written: Iterable[str]) -> tuple[_Network, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in written)


def _inside(text: str, networks: tuple[_Network, ...]) -> bool:
    try:
        address: Any = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    return any(address.version == network.version and address in network for network in networks)
