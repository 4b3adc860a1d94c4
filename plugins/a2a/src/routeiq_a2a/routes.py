"""The table of the plugin's routes: path, access, action.

What a route does is its handler's business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from routeiq_a2a.config import A2AConfig
from routeiq_sdk.values.http import HttpRequest, Routes

if TYPE_CHECKING:
    from routeiq_a2a.parts import Parts

Handle = Callable[[HttpRequest], Any]
Choose = Callable[["Parts"], Handle]
_CALL = "agent:call"
_CARDS = ("/.well-known/agent-card.json", "/.well-known/agent.json")
# Paths with a verb come before those without: a task's id may hold a colon.
_OPERATIONS = (
    ("POST", "/message:send", "send", "Send a message to an agent"),
    ("POST", "/message:stream", "stream", "Send a message to an agent and stream the answer"),
    ("POST", "/tasks/{id}:cancel", "cancel", "Cancel a task"),
    ("POST", "/tasks/{id}:subscribe", "subscribe", "Stream what becomes of a task"),
    ("GET", "/tasks/{id}:subscribe", "subscribe", "Stream what becomes of a task"),
    ("GET", "/tasks/{id}/pushNotificationConfigs/{push_id}", "push_get", "Read a webhook of a task"),
    ("DELETE", "/tasks/{id}/pushNotificationConfigs/{push_id}", "push_delete", "Delete a webhook of a task"),
    ("POST", "/tasks/{id}/pushNotificationConfigs", "push_create", "Add a webhook to a task"),
    ("GET", "/tasks/{id}/pushNotificationConfigs", "push_list", "List the webhooks of a task"),
    ("GET", "/tasks/{id}", "get", "Read a task"),
    ("GET", "/tasks", "list", "List your tasks"),
    ("GET", "/extendedAgentCard", "extended", "The extended card of an agent"),
    ("GET", "/card", "extended", "The extended card of an agent, as A2A 0.3 calls it"),
)
_RPC_PATHS = ("/a2a/{agent}", "/a2a/{agent}/", "/a2a/{agent}/message/send", "/a2a/{agent}/message/stream")
_RPC_PATHS_OF_LITELLM = ("/v1/a2a/{agent}/message/send", "/v1/a2a/{agent}/message/stream")


def register(routes: Routes, config: A2AConfig, handler: Callable[[Choose], Handle]) -> None:
    """Add all of them."""
    cards: dict[str, Any] = {"access": "public"} if config.public_cards else {"access": "key", "action": _CALL}
    for path in _CARDS:
        routes.add(
            "GET", f"/a2a/{{agent}}{path}", handler(lambda parts: parts.door.card), summary="An agent's card", **cards
        )
        if config.default_agent is not None:
            routes.add(
                "GET", path, handler(lambda parts: parts.door.default_card), summary="This gateway's card", **cards
            )
    jwks = handler(lambda parts: parts.door.jwks)
    routes.add("GET", "/.well-known/jwks-a2a.json", jwks, access="public", summary="The key that signs cards")
    catalog = handler(lambda parts: parts.door.catalog)
    routes.add("GET", "/a2a", catalog, access="key", action=_CALL, summary="The agents that you may use")
    routes.add(
        "POST",
        "/a2a/{agent}/push/{hook}",
        handler(lambda parts: parts.inbox.post),
        access="public",
        summary="Where an agent posts push notifications",
    )
    for method, path, name, summary in _OPERATIONS:
        routes.add(
            method, f"/a2a/{{agent}}/v1{path}", handler(_rest(name)), access="key", action=_CALL, summary=summary
        )
    for path in (*_RPC_PATHS, *_RPC_PATHS_OF_LITELLM):
        rpc = handler(lambda parts: parts.door.rpc)
        routes.add("POST", path, rpc, access="key", action=_CALL, summary="Call an agent by JSON-RPC")
    _register_admin(routes, handler)


def _register_admin(routes: Routes, handler: Callable[[Choose], Handle]) -> None:
    one = "/v1/agents/{id}"
    reading = {"access": "key", "action": _CALL}
    routes.add("GET", "/v1/agents", handler(lambda parts: parts.admin.list), summary="List agents", **reading)
    routes.add("GET", one, handler(lambda parts: parts.admin.read), summary="Read an agent", **reading)
    add = routes.add
    create = handler(lambda parts: parts.admin.create)
    add("POST", "/v1/agents", create, access="admin", action="agent:create", summary="Add an agent")
    update = handler(lambda parts: parts.admin.update)
    add("PUT", one, update, access="admin", action="agent:update", summary="Replace an agent")
    patch = handler(lambda parts: parts.admin.patch)
    add("PATCH", one, patch, access="admin", action="agent:update", summary="Change an agent")
    delete = handler(lambda parts: parts.admin.delete)
    add("DELETE", one, delete, access="admin", action="agent:delete", summary="Delete an agent")


def _rest(name: str) -> Choose:
    def choose(parts: Parts) -> Handle:
        return parts.door.rest(name)

    return choose
