"""The toolbox of a chat request: the tools it may use, as functions for the model, and calls of them.

The loop itself is the core's; what a call may do is decided on its road.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from routeiq_mcp.hub.face import HubFace
from routeiq_mcp.hub.lists import Silent
from routeiq_mcp.seams import Json, McpError
from routeiq_mcp.toolbox.naming import Named, asked
from routeiq_sdk import Context, RequestError
from routeiq_sdk.values.delegation import ConsentNeeded
from routeiq_sdk.values.tools import Toolbox

if TYPE_CHECKING:
    from routeiq_mcp.hub.hub import Hub

_WIRES = frozenset({"openai-chat", "anthropic-messages"})
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME = 64
_MOST = 512


class Model(Silent):
    """Stands in for a client while a model calls tools: nobody is there who could answer."""

    async def ask(self, method: str, params: Json) -> Json:
        """Nobody is there to answer."""
        raise McpError(-32601, "a model calls this tool, so nobody can be asked")


class ChatToolbox:
    """The tools of one request."""

    def __init__(
        self, functions: Sequence[Mapping[str, Any]], owners: Mapping[str, tuple[HubFace, str]], body: Mapping[str, Any]
    ) -> None:
        self._functions = functions
        self._owners = owners
        self._body = body

    @property
    def functions(self) -> Sequence[Mapping[str, Any]]:
        """The tools as functions."""
        return self._functions

    @property
    def body(self) -> Mapping[str, Any]:
        """The request without what named the gateway's servers."""
        return self._body

    def owns(self, name: str) -> bool:
        """Whether a function is one of these."""
        return name in self._owners

    async def call(self, ctx: Context, name: str, arguments: Mapping[str, Any]) -> str:
        """Call a tool; what the model reads."""
        face, tool = self._owners[name]
        try:
            result = await face.request(ctx, "tools/call", {"name": tool, "arguments": arguments}, Model())
        except ConsentNeeded as error:
            return f"The user has to agree first: {error} {error.url}"
        except RequestError as error:
            if error.status >= 500 or error.status == 401:
                raise
            return f"The call was refused: {error.message}"
        except McpError as error:
            return f"The call failed: {error}"
        if result.get("resultType") == "input_required":
            return "The call failed: the tool asks its caller for more, and nobody can answer."
        return _text_of(result)


async def open_toolbox(hub: Hub, ctx: Context) -> Toolbox | None:
    """The toolbox of a request; `None` when it names no server of the gateway. Raises `RequestError`."""
    request = ctx.request
    if request.wire not in _WIRES:
        return None
    body = request.json()
    found = asked(request.wire, body)
    if not found.named:
        return None
    taken = _names_of(found.body.get("tools"))
    functions: list[Mapping[str, Any]] = []
    owners: dict[str, tuple[HubFace, str]] = {}
    for named in found.named:
        face = hub.faces.find(ctx, named.face)
        if face is None:
            raise RequestError(400, f"there is no MCP server {named.face!r} behind this gateway", param="tools")
        for tool in await _offered(hub, ctx, face, named):
            name = _free_name(tool["name"], taken)
            taken.add(name)
            owners[name] = (face, tool["name"])
            functions.append(_function(name, tool))
    if len(functions) > _MOST:
        raise RequestError(
            400, f"{len(functions)} tools are too many for a model; name servers or allowed_tools", param="tools"
        )
    return ChatToolbox(functions, owners, found.body)


async def _offered(hub: Hub, ctx: Context, face: HubFace, named: Named) -> Sequence[Json]:
    try:
        offered = await hub.parts.tools.offered(ctx, face.spec)
    except ConsentNeeded as error:
        raise RequestError(403, f"{error} {error.url}", type="consent_required", code="consent_required") from None
    except McpError as error:
        raise RequestError(502, f"MCP server {face.name}: {error}", type="api_error") from None
    allowed = named.allowed
    return [
        each.definition
        for each in offered
        if allowed is None or {each.tool, each.definition["name"], f"{each.server.prefix}-{each.tool}"} & allowed
    ]


def _function(name: str, tool: Json) -> dict[str, Any]:
    function: dict[str, Any] = {"name": name, "parameters": tool["inputSchema"]}
    if tool.get("description"):
        function["description"] = tool["description"]
    return {"type": "function", "function": function}


def _free_name(name: str, taken: set[str]) -> str:
    """A name that providers accept and nobody has."""
    plain = _NO_NAME.sub("_", name)
    if len(plain) <= _LONGEST_NAME and plain not in taken:
        return plain
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    for length in range(8, 40, 4):
        found = f"{plain[: _LONGEST_NAME - length - 1]}_{digest[:length]}"
        if found not in taken:
            return found
    raise RequestError(400, f"no name is left for the tool {plain[:64]}", param="tools")


def _names_of(tools: Any) -> set[str]:
    """The names that the client's own tools have."""
    found = set()
    for tool in tools if isinstance(tools, list) else ():
        function = tool.get("function") if isinstance(tool, Mapping) else None
        name = function.get("name") if isinstance(function, Mapping) else None
        name = name if name is not None else tool.get("name") if isinstance(tool, Mapping) else None
        if isinstance(name, str):
            found.add(name)
    return found


def _text_of(result: Json) -> str:
    """A result as text; what is no text is named."""
    texts: list[str] = []
    for block in result.get("content") or ():
        if not isinstance(block, Mapping):
            continue
        kind, resource = block.get("type"), block.get("resource")
        if kind == "text":
            texts.append(str(block.get("text", "")))
        elif kind == "resource" and isinstance(resource, Mapping) and isinstance(resource.get("text"), str):
            texts.append(resource["text"])
        elif kind == "resource_link":
            texts.append(f"[resource {block.get('uri')}]")
        else:
            texts.append(f"[{kind}]")
    if not texts and result.get("structuredContent") is not None:
        texts.append(orjson.dumps(result["structuredContent"]).decode())
    text = "\n".join(texts)
    return f"The tool failed: {text}" if result.get("isError") else text
