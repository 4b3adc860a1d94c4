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
from routeiq_sdk.events import ToolCallV1, ToolSessionV1
from routeiq_sdk.values.tools import SERVER_METHODS

NAME, SESSION = ToolCallV1.NAME, ToolSessionV1.NAME
_CALL = "tools/call"
_EXECUTE, _INVOKE = names.TOOL_OPERATIONS["mcp"], names.TOOL_OPERATIONS["a2a"]
_TCP, _HTTP = "tcp", "http"
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
    what[names.PROMPT_NAME] = told["attributes"].get("prompt") if error[names.ERROR_TYPE] is None else None
    if _is_inbound(told):
        to.mcp_server.of({**what, **_on_the_wire(told, SERVER)}).add(told["latency_ms"] * _MS)
    if asked is not None:
        to.mcp_client.of({**what, **_on_the_wire(told, CLIENT)}).add(asked * _MS)


def add_session(to: Instruments, event: Event) -> None:
    """Count a session that is over."""
    told = event.payload
    carried: Labels = {
        names.MCP_VERSION: told["protocol_version"],
        names.NETWORK_TRANSPORT: told["transport"],
        names.NETWORK_PROTOCOL: _HTTP if told["transport"] == _TCP else None,
        names.UPSTREAM: told["server"] if told["side"] == "client" else None,
    }
    sessions = to.mcp_client_sessions if told["side"] == "client" else to.mcp_server_sessions
    sessions.of(carried).add(told["duration_ms"] * _MS)


def _on_the_wire(told: Payload, kind: int) -> Labels:
    """How MCP was spoken on one side of the gateway. Its own side is always HTTP."""
    facts = told["attributes"]
    if kind == SERVER:
        return {
            names.MCP_VERSION: facts.get("protocol_version"),
            names.NETWORK_TRANSPORT: _TCP,
            names.NETWORK_PROTOCOL: _HTTP,
            names.RPC_STATUS: facts.get("rpc_status_code"),
        }
    return {
        names.MCP_VERSION: facts.get("upstream_version"),
        names.NETWORK_TRANSPORT: facts.get("upstream_transport"),
        names.NETWORK_PROTOCOL: facts.get("upstream_protocol"),
        names.RPC_STATUS: facts.get("upstream_rpc_status_code"),
    }


def _is_of_a_chat(told: Payload) -> bool:
    return told.get("action") in names.OPERATIONS


def _is_inbound(told: Payload) -> bool:
    return told["protocol"] == "mcp" and not _is_of_a_chat(told)


def _method(told: Payload) -> tuple[str, str | None]:
    """MCP's method, and the tool that it calls."""
    tool: str = told["tool"]
    method = told["attributes"].get("method") or (tool if tool in SERVER_METHODS else _CALL)
    return method, tool if method == _CALL else None


def _port(told: str | None) -> int | None:
    return int(told) if told is not None and told.isdecimal() else None


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
    facts, prompt = told["attributes"], told["attributes"].get("prompt")
    side = "upstream_" if kind == CLIENT else ""
    target = tool or prompt
    return f"{method} {target}" if target else method, {
        names.OPERATION: _EXECUTE if tool is not None else None,
        names.MCP_METHOD: method,
        names.TOOL_NAME: tool,
        names.PROMPT_NAME: prompt,
        names.MCP_RESOURCE: facts.get("resource_uri"),
        names.MCP_SESSION: facts.get(f"{side}session_sha256"),
        names.JSONRPC_ID: facts.get(f"{side}request_id"),
        **_on_the_wire(told, kind),
        **(_place(facts) if kind == CLIENT else {}),
        names.VIRTUAL_SERVER: facts.get("virtual_server"),
        names.UPSTREAM_ERA: facts.get("upstream_era"),
    }


def _place(facts: Payload) -> Labels:
    return {names.SERVER_ADDRESS: facts.get("upstream_address"), names.SERVER_PORT: _port(facts.get("upstream_port"))}


def _of_agent(told: Payload) -> tuple[str, Labels]:
    facts = told["attributes"]
    return f"{_INVOKE} {told['server']}", {
        names.OPERATION: _INVOKE,
        names.AGENT_NAME: told["server"],
        names.AGENT_ID: facts.get("agent_id"),
        names.AGENT_VERSION: facts.get("agent_version"),
        names.A2A_METHOD: facts.get("method") or told["tool"],
        names.A2A_VERSION: facts.get("protocol_version"),
        names.A2A_TASK: facts.get("task_id"),
        names.A2A_TASK_STATE: facts.get("task_state"),
        names.CONVERSATION: facts.get("conversation_id"),
        names.NETWORK_TRANSPORT: facts.get("upstream_transport"),
        names.NETWORK_PROTOCOL: facts.get("upstream_protocol"),
        **_place(facts),
    }
