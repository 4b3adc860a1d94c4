"""What the transports towards servers say of the caller and of a request, and how results look in the seam's words.

Nothing is sent or read here; the protocol's names are in `routeiq_mcp.wire`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any, Final

from routeiq_mcp.seams import Era, Peer
from routeiq_mcp.wire import keys, versions

SERVER_ERROR: Final = -32000
"""What many legacy servers say when a session or a handshake is missing."""

ASKED_OF_CLIENTS: Final = frozenset({"elicitation/create", "sampling/createMessage", "roots/list"})


def era_of(version: str) -> Era:
    """The era of a version; one that is not known is taken for a newer one."""
    return "legacy" if version in versions.LEGACY else "modern"


@cache
def own_info() -> Mapping[str, str]:
    """The gateway as an MCP `Implementation`, for calls on nobody's behalf."""
    return {"name": "routeiq", "version": version("routeiq-mcp")}


def client_of(peer: Peer | None) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """`Implementation` and `ClientCapabilities` of whoever asks."""
    if peer is None:
        return own_info(), {}
    return peer.info or own_info(), peer.capabilities


def modern_meta(version: str, peer: Peer | None) -> dict[str, Any]:
    """The keys of `_meta` that every modern request carries."""
    info, capabilities = client_of(peer)
    meta: dict[str, Any] = {
        keys.VERSION: version,
        keys.CLIENT_INFO: info,
        keys.CLIENT_CAPABILITIES: capabilities,
    }
    if peer is not None and peer.log_level is not None:
        meta[keys.LOG_LEVEL] = peer.log_level
    return meta


def with_meta(params: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, Any]:
    """`params` with these keys of `_meta`, and without the protocol's own that stood there."""
    given = params.get("_meta")
    kept = {k: v for k, v in given.items() if k not in keys.ENVELOPE} if isinstance(given, Mapping) else {}
    joined = {**kept, **meta}
    return {**params, "_meta": joined} if joined else {k: v for k, v in params.items() if k != "_meta"}


def as_modern(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result in the modern form, without what the transport put into its `_meta`."""
    changed = dict(result)
    changed.setdefault("resultType", "complete")
    meta = changed.get("_meta")
    if isinstance(meta, Mapping) and keys.SERVER_INFO in meta:
        kept = {k: v for k, v in meta.items() if k != keys.SERVER_INFO}
        if kept:
            changed["_meta"] = kept
        else:
            del changed["_meta"]
    return changed


def without_subscription(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """A notification of `subscriptions/listen` without the transport's own key in its `_meta`."""
    meta = params.get("_meta")
    if not isinstance(meta, Mapping) or keys.SUBSCRIPTION_ID not in meta:
        return params
    kept = {k: v for k, v in meta.items() if k != keys.SUBSCRIPTION_ID}
    rest = {k: v for k, v in params.items() if k != "_meta"}
    return {**rest, "_meta": kept} if kept else rest


def wanted(notifications: Mapping[str, Any], method: str, params: Mapping[str, Any]) -> bool:
    """Whether the filter of `subscriptions/listen` asks for a notification."""
    if method == "notifications/tools/list_changed":
        return bool(notifications.get("toolsListChanged"))
    if method == "notifications/prompts/list_changed":
        return bool(notifications.get("promptsListChanged"))
    if method == "notifications/resources/list_changed":
        return bool(notifications.get("resourcesListChanged"))
    if method == "notifications/resources/updated":
        return bool(notifications.get("resourceSubscriptions"))
    return False
