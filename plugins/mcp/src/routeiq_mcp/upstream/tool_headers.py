"""`Mcp-Param-*` headers: which arguments of a tool are repeated in headers, as its schema says by `x-mcp-header`.

The schemas come from lists that passed through; nothing is fetched here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from routeiq_mcp.wire.fields import written
from routeiq_mcp.wire.keys import PARAM_HEADER_PREFIX

KEY: Final = "x-mcp-header"

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TYPES = frozenset({"string", "integer", "boolean"})
_ONE = frozenset(
    {"items", "contains", "unevaluatedItems", "additionalProperties", "propertyNames", "unevaluatedProperties", "not",
     "if", "then", "else", "contentSchema"}
)  # fmt: skip
_MANY = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED = frozenset({"patternProperties", "dependentSchemas", "$defs", "definitions"})
_MOST_TOOLS = 4096

Path = tuple[str, ...]


class ToolHeaders:
    """What the last lists said, by tool. A tool that no list named has no such headers."""

    def __init__(self) -> None:
        self._by_tool: dict[str, Mapping[Path, str]] = {}

    def learn(self, tools: Sequence[Any]) -> list[Any]:
        """Note the tools of a page; those whose annotations are not valid are left out, as the protocol demands."""
        kept = []
        for tool in tools:
            if not isinstance(tool, Mapping) or not isinstance(tool.get("name"), str):
                kept.append(tool)
                continue
            paths = header_paths(tool.get("inputSchema"))
            self._by_tool.pop(tool["name"], None)
            if paths is None:
                continue
            kept.append(tool)
            if paths:
                self._by_tool[tool["name"]] = paths
        while len(self._by_tool) > _MOST_TOOLS:
            del self._by_tool[next(iter(self._by_tool))]
        return kept

    def headers(self, tool: Any, arguments: Any) -> dict[str, str]:
        """The headers of one call."""
        found: dict[str, str] = {}
        for path, token in self._by_tool.get(tool, {}).items() if isinstance(tool, str) else ():
            text = _text(_value(arguments, path))
            if text is not None:
                found[PARAM_HEADER_PREFIX + token.lower()] = written(text)
        return found


def header_paths(schema: Any) -> Mapping[Path, str] | None:
    """Where in the arguments the values stand, and the headers' tokens; `None` for a schema whose annotations are not
    valid."""
    found: dict[Path, str] = {}
    for path, node in _positions(schema):
        if KEY not in node:
            continue
        token = node[KEY]
        if not path or not isinstance(token, str) or not _TOKEN.fullmatch(token):
            return None
        kind = node.get("type")
        if not isinstance(kind, str) or kind not in _TYPES:
            return None
        if token.lower() in (taken.lower() for taken in found.values()):
            return None
        found[path] = token
    return found


def _positions(root: Any) -> Iterator[tuple[Path | None, Mapping[str, Any]]]:
    """Every schema inside a schema; the path is `None` where it is not a chain of `properties` alone."""
    waiting: list[tuple[Path | None, Any]] = [((), root)]
    while waiting:
        path, node = waiting.pop()
        if not isinstance(node, Mapping):
            continue
        yield path, node
        for word, value in node.items():
            if word == "properties" and isinstance(value, Mapping):
                waiting += [(None if path is None else (*path, name), part) for name, part in value.items()]
            elif word in _ONE:
                waiting.append((None, value))
            elif word in _MANY and isinstance(value, list):
                waiting += [(None, part) for part in value]
            elif word in _NAMED and isinstance(value, Mapping):
                waiting += [(None, part) for part in value.values()]


def _value(node: Any, path: Path) -> Any:
    for step in path:
        if not isinstance(node, Mapping):
            return None
        node = node.get(step)
    return node


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None
