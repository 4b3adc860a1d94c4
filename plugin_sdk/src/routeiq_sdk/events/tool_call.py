"""`routeiq.tool_call.v1`: a tool was called through the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from routeiq_sdk.events.contract import Contract

FACTS: Mapping[str, str] = {
    "method": "the protocol's method as the client asked it: `tools/call`, `prompts/get`, `SendMessage`",
    "protocol_version": "the version of the protocol that the client speaks",
    "request_id": "the id of the client's JSON-RPC request, cut to 64 characters",
    "session_sha256": "the client's session (MCP until 2025-11-25): the first 16 hex digits of its id's SHA-256",
    "virtual_server": "the virtual server that was asked",
    "prompt": "the name of the prompt that was asked for, as its server has it",
    "resource_uri": "the resource that was asked for, without user, query and fragment, cut to 256 characters",
    "auth_mode": "in whose name the server was asked",
    "delegation": "the same of an agent",
    "rpc_status_code": "the code of the JSON-RPC error that the call ended with",
    "upstream_era": "`modern` or `legacy`",
    "upstream_version": "the version of the protocol that the server was asked in",
    "upstream_request_id": "the id of the gateway's JSON-RPC request to the server",
    "upstream_session_sha256": "the gateway's session with the server, told as `session_sha256` is",
    "upstream_transport": "`tcp`, or `pipe` for a program; none for a server inside the gateway",
    "upstream_protocol": "`http`, where the transport carries it",
    "upstream_address": "the host of the server's address",
    "upstream_port": "the port of the server's address",
    "upstream_rpc_status_code": "the code of the JSON-RPC error that the server answered with",
    "agent_id": "the agent's id in the gateway",
    "agent_version": "the version of the agent that its card tells",
    "conversation_id": "the context of the message, else of its answer",
    "task_id": "the task that the agent made of the message",
    "task_state": "how it stood at the end of the call, such as `TASK_STATE_COMPLETED`",
}
"""What the gateway's own adapters add to a call, by its name in `ToolCallV1.attributes`."""


@dataclass(slots=True, kw_only=True)
class ToolCallV1(Contract, name="routeiq.tool_call.v1"):
    """One invocation of one tool. Arguments are told by their names and a digest, never by their values.

    Of what is no tool, `attributes` name what was asked for: a prompt by its name, a resource by the plain part of its
    URI.
    """

    event_id: str
    """Unique."""
    timestamp_utc: str
    """When the call arrived, ISO 8601."""
    request_id: str
    """The request that carried it."""
    trace_id: str
    """The trace of the request, 32 hex digits."""
    protocol: Literal["mcp", "a2a"]
    """The protocol."""
    server: str
    """The server or agent that owns the tool."""
    tool: str
    """The tool."""
    argument_names: tuple[str, ...]
    """Names of the arguments."""
    arguments_sha256: str
    """SHA-256 of the arguments' canonical JSON (RFC 8785), in hex."""
    outcome: Literal["ok", "tool_error", "refused", "failed", "timeout"]
    """How it ended."""
    error_type: str | None = None
    """The class of a failure."""
    latency_ms: float
    """From the call to its end."""
    principal: str | None = None
    """The credential's id."""
    user: str | None = None
    """The user behind it."""
    team: str | None = None
    """The caller's team."""
    key_alias: str | None = None
    """The credential's name."""
    upstream_ms: float | None = None
    """What the server took of it; none when it was not asked."""
    cost: int = 0
    """The price of the call, in nano-USD; nothing when the server was not asked."""
    action: str | None = None
    """What the request that carried it is allowed by, such as `mcp:call`, or `chat:create` for a tool that a model
    asked for."""
    span_id: str | None = None
    """The span of the call, 16 hex digits."""
    parent_span_id: str | None = None
    """The span above it: the request's own where that has a record, else the caller's; none where the trace begins."""
    sampled: bool | None = None
    """Whether the caller wishes its trace to be kept; none when it told nothing."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What the protocol's adapter adds. The words of this version are those of `FACTS`; others may come."""
