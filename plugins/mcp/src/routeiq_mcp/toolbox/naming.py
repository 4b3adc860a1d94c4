"""Which servers of the gateway a chat request names, and what is left of the request without them.

Addresses elsewhere are the provider's matter and stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from routeiq_sdk import RequestError

_HERE = "litellm_proxy"


@dataclass(frozen=True, slots=True)
class Named:
    """A server of the gateway in a request: which face (`None`: everything), and which of its tools."""

    label: str
    face: str | None
    allowed: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request names, and its body without that."""

    named: tuple[Named, ...]
    body: Mapping[str, Any] = field(default_factory=dict)


def face_of(url: Any) -> tuple[bool, str | None]:
    """Whether a URL names this gateway, and which face of it."""
    if not isinstance(url, str):
        return False, None
    first, *rest = url.strip().rstrip("/").split("/")
    if first != _HERE:
        return False, None
    if rest in ([], ["mcp"]):
        return True, None
    if len(rest) == 2 and "mcp" in rest and all(rest):
        return True, rest[1] if rest[0] == "mcp" else rest[0]
    raise RequestError(
        400, f"{url!r} names no server: write {_HERE}, {_HERE}/mcp or {_HERE}/mcp/NAME", param="server_url"
    )


def asked(wire: str, body: Mapping[str, Any]) -> Asked:
    """What a request names. Raises `RequestError` for a form that cannot be kept."""
    return _anthropic(body) if wire == "anthropic-messages" else _openai(body)


def _openai(body: Mapping[str, Any]) -> Asked:
    tools = body.get("tools")
    named: list[Named] = []
    kept: list[Any] = []
    for number, tool in enumerate(tools if isinstance(tools, list) else ()):
        ours, face = face_of(tool.get("server_url")) if _is_mcp(tool) else (False, None)
        if not ours:
            kept.append(tool)
            continue
        if tool.get("require_approval", "always") != "never":
            raise RequestError(
                400,
                'require_approval: the gateway calls its tools itself and nobody could approve; write "never"',
                param=f"tools[{number}].require_approval",
            )
        label = tool.get("server_label")
        named.append(Named(label if isinstance(label, str) else face or "mcp", face, _names(tool.get("allowed_tools"))))
    return Asked(tuple(named), _without(body, tools=kept))


def _anthropic(body: Mapping[str, Any]) -> Asked:
    servers, tools = body.get("mcp_servers"), body.get("tools")
    toolsets = {
        str(tool.get("mcp_server_name")): tool
        for tool in (tools if isinstance(tools, list) else ())
        if isinstance(tool, Mapping) and tool.get("type") == "mcp_toolset"
    }
    named: list[Named] = []
    kept: list[Any] = []
    for server in servers if isinstance(servers, list) else ():
        ours, face = face_of(server.get("url")) if isinstance(server, Mapping) else (False, None)
        if not ours:
            kept.append(server)
            continue
        label = str(server.get("name") or face or "mcp")
        settings = server.get("tool_configuration")
        toolset = toolsets.get(label)
        if isinstance(settings, Mapping) and settings.get("enabled") is False:
            allowed: frozenset[str] | None = frozenset()
        elif isinstance(settings, Mapping) and settings.get("allowed_tools") is not None:
            allowed = _names(settings["allowed_tools"])
        else:
            allowed = _enabled(toolset) if toolset is not None else None
        named.append(Named(label, face, allowed))
    labels = {each.label for each in named}
    rest = [
        tool
        for tool in (tools if isinstance(tools, list) else ())
        if not (
            isinstance(tool, Mapping)
            and tool.get("type") == "mcp_toolset"
            and str(tool.get("mcp_server_name")) in labels
        )
    ]
    return Asked(tuple(named), _without(body, tools=rest, mcp_servers=kept))


def _is_mcp(tool: Any) -> bool:
    return isinstance(tool, Mapping) and tool.get("type") == "mcp"


def _names(allowed: Any) -> frozenset[str] | None:
    if isinstance(allowed, Mapping):
        allowed = allowed.get("tool_names")
    if allowed is None:
        return None
    if not isinstance(allowed, list) or not all(isinstance(name, str) for name in allowed):
        raise RequestError(400, "allowed_tools is a list of names", param="allowed_tools")
    return frozenset(allowed)


def _enabled(toolset: Mapping[str, Any]) -> frozenset[str] | None:
    """The tools that a toolset switches on: all, unless its default is off."""
    default, configs = toolset.get("default_config"), toolset.get("configs")
    configs = configs if isinstance(configs, Mapping) else {}
    off = isinstance(default, Mapping) and default.get("enabled") is False
    if not off:
        if any(isinstance(config, Mapping) and config.get("enabled") is False for config in configs.values()):
            raise RequestError(
                400,
                "mcp_toolset: say which tools are on (default_config: {enabled: false}), not which are off",
                param="tools",
            )
        return None
    return frozenset(
        name for name, config in configs.items() if isinstance(config, Mapping) and config.get("enabled") is not False
    )


def _without(body: Mapping[str, Any], **lists: list[Any]) -> dict[str, Any]:
    """The body with these lists instead of its own, and without those that became empty."""
    rest = {name: value for name, value in body.items() if name not in lists}
    rest.update((name, value) for name, value in lists.items() if value and name in body)
    return rest
