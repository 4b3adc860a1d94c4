"""Calls of tools and agents as spans and data points, in the words of the MCP and GenAI conventions.

Arguments and results are never here: the event that tells of a call has neither. Requests for models are in `spans` and
`measuring`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from routeiq_otel import names
from routeiq_otel.attributes import SPAN, Value, attributes
from routeiq_otel.instruments import Instruments
from routeiq_otel.privacy import hashed
from routeiq_otel.protobuf import block, fixed64, integer, text
from routeiq_otel.spans import CLIENT, LOCAL_PARENT, REMOTE_PARENT, SERVER, failure, finished
from routeiq_sdk import Event
from routeiq_sdk.events import ToolCallV1

NAME = ToolCallV1.NAME
_CALL = "tools/call"
_EXECUTE, _INVOKE = names.TOOL_OPERATIONS["mcp"], names.TOOL_OPERATIONS["a2a"]
_NO_TOOLS = ("prompts/", "resources/", "completion/")
"""Beginnings of MCP's methods that call no tool; such a method stands where a tool's name would."""
_MS = 1e-3
_NANO = 1e-9

Labels = dict[str, Value | None]
Payload = Mapping[str, Any]


def spans_of(event: Event) -> bytes:
    """The spans of a call, as fields of `ScopeSpans`. What an MCP client asked is one, and what its server was asked,
    if it was, one below it. Of an agent, and of a tool that a model asked for, there is the latter alone."""
    told = event.payload
    own, above, asked = told["span_id"], told.get("parent_span_id"), told.get("upstream_ms")
    end = event.at + int(told["latency_ms"] * 1e6)
    if not _is_inbound(told):
        flags = LOCAL_PARENT if above is None or _is_of_a_chat(told) else REMOTE_PARENT
        return _span(told, CLIENT, own, above, flags, event.at, end)
    spans = _span(told, SERVER, own, above, LOCAL_PARENT if above is None else REMOTE_PARENT, event.at, end)
    if asked is not None:
        spans += _span(told, CLIENT, _below(own), own, LOCAL_PARENT, end - int(asked * 1e6), end)
    return spans


def add_to(to: Instruments, event: Event) -> None:
    """Count a call."""
    told, asked = event.payload, event.payload.get("upstream_ms")
    error = {names.ERROR_TYPE: told.get("error_type")}
    if told["protocol"] != "mcp":
        if asked is not None:
            agent = {names.OPERATION: _INVOKE, names.AGENT_NAME: told["server"]}
            to.operations.of({**agent, **error}).add(asked * _MS)
        return
    method, tool = _method(told)
    what: Labels = {names.MCP_METHOD: method, names.TOOL_NAME: tool, names.UPSTREAM: told["server"], **error}
    if _is_inbound(told):
        to.mcp_server.of(what).add(told["latency_ms"] * _MS)
    if asked is not None:
        to.mcp_client.of(what).add(asked * _MS)


def _is_of_a_chat(told: Payload) -> bool:
    return told.get("action") in names.OPERATIONS


def _is_inbound(told: Payload) -> bool:
    return told["protocol"] == "mcp" and not _is_of_a_chat(told)


def _method(told: Payload) -> tuple[str, str | None]:
    """MCP's method, and the tool that it calls."""
    tool: str = told["tool"]
    return (tool, None) if tool.startswith(_NO_TOOLS) else (_CALL, tool)


def _below(span_id: str) -> str:
    """The id of the span below: the same each time that its event comes."""
    return hashlib.blake2b(bytes.fromhex(span_id), digest_size=8).hexdigest()


def _span(told: Payload, kind: int, own: str, above: str | None, flags: bytes, start: int, end: int) -> bytes:
    name, what = _of_mcp(told, kind) if told["protocol"] == "mcp" else _of_agent(told)
    error, principal, user = told.get("error_type"), told.get("principal"), told.get("user")
    facts: Labels = {
        **what,
        names.UPSTREAM: told["server"],
        names.AUTH_MODE: told["attributes"].get("auth_mode") or told["attributes"].get("delegation"),
        names.REQUEST_ID: told["request_id"],
        names.PRINCIPAL: hashed(principal) if principal is not None else None,
        names.USER_HASH: hashed(user) if user is not None else None,
        names.TEAM: told.get("team"),
        names.TOOL_OUTCOME: told["outcome"],
        names.COST: told["cost"] * _NANO if told.get("cost") else None,
        names.ERROR_TYPE: error,
    }
    parts = [
        block(1, bytes.fromhex(told["trace_id"])) + block(2, bytes.fromhex(own)),
        block(4, bytes.fromhex(above)) if above is not None else b"",
        flags + text(5, name) + integer(6, kind) + fixed64(7, start) + fixed64(8, end),
        attributes(facts, SPAN),
        failure(None, error) if error is not None else b"",
    ]
    return finished(parts)


def _of_mcp(told: Payload, kind: int) -> tuple[str, Labels]:
    method, tool = _method(told)
    facts = told["attributes"]
    version = "upstream_version" if kind == CLIENT else "protocol_version"
    return f"{method} {tool}" if tool is not None else method, {
        names.OPERATION: _EXECUTE if tool is not None else None,
        names.MCP_METHOD: method,
        names.TOOL_NAME: tool,
        names.MCP_VERSION: facts.get(version),
        names.VIRTUAL_SERVER: facts.get("virtual_server"),
        names.UPSTREAM_ERA: facts.get("upstream_era"),
    }


def _of_agent(told: Payload) -> tuple[str, Labels]:
    facts = told["attributes"]
    return f"{_INVOKE} {told['server']}", {
        names.OPERATION: _INVOKE,
        names.AGENT_NAME: told["server"],
        names.A2A_METHOD: told["tool"],
        names.A2A_VERSION: facts.get("protocol_version"),
        names.CONVERSATION: facts.get("conversation_id"),
    }
