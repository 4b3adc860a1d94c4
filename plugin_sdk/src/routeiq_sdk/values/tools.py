"""A tool invocation that passes through the gateway, and what servers offer.

Transport, sessions and the wires belong to the protocol adapters.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from routeiq_sdk.context import Context


SERVER_METHODS = frozenset(
    {
        "completion/complete",
        "prompts/get",
        "resources/directory/read",
        "resources/read",
        "resources/subscribe",
        "skills/get",
        "skills/list",
    }
)
"""What is asked of an MCP server beside its tools. It walks the road of tool calls under these names, and whoever may
use the server may ask it; a tool of such a name is not offered."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`tool` of `server` is about to be called with `arguments`. `protocol` is `mcp` or `a2a`.

    `price` is what one call costs, in nano-USD. `aliases` are other names of the server and `groups` those that it is
    in, by which permissions may name it. `attributes` are facts for the record: the virtual server, the mode of
    delegation, the client's version of the protocol; never a secret. `learned` is where `run` writes the facts that
    only the call brings, however it ends: the upstream's version, the state of a task. Copies of the call share it.

    `answers` are what the caller says to questions that the server asked in an earlier round, by the questions' names.
    Guards see them as arguments of a call of their own.
    """

    protocol: str
    server: str
    tool: str
    arguments: Mapping[str, Any]
    price: int = 0
    attributes: Mapping[str, str] = field(default_factory=dict)
    aliases: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    answers: Mapping[str, Any] = field(default_factory=dict)
    learned: MutableMapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call gave: `content` in the protocol's own form (an MCP `CallToolResult`, an A2A task or message).

    What an MCP server says beside its result comes in these forms, in every era: `{"resultType": "input_required",
    "inputRequests": {name: {"method", "params"}}}` for what it asks, `{"method", "params"}` for a notification,
    `{"error": {"message", "data"}}` for an error.

    `is_error` says that the tool itself failed; the call as such went well.
    """

    content: Mapping[str, Any]
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """What a server says of one of its tools: `definition` in the protocol's own form (an MCP `Tool`, an A2A skill).

    What an MCP server says beside its tools comes under the name of a method: a prompt as `prompts/get`, a resource,
    template or skill as `resources/read`, its `instructions` and `serverInfo` as `server/discover`.
    """

    protocol: str
    server: str
    tool: str
    definition: Mapping[str, Any]


class ToolService(Protocol):
    """The road of a tool call: permit, guard, reserve, run, guard the result, settle, record. Adapters call tools
    in no other way."""

    async def permitted(
        self,
        ctx: Context,
        protocol: str,
        server: str,
        tools: Sequence[str],
        *,
        aliases: frozenset[str] = frozenset(),
        groups: frozenset[str] = frozenset(),
    ) -> frozenset[str]:
        """Those of `tools` that the caller may see and call. Raises `RequestError` when a plugin failed."""

    async def guard_definition(self, ctx: Context, definition: ToolDefinition) -> Mapping[str, Any]:
        """The definition as guards let it pass. Raises `RequestError` when one rejected it."""

    async def call(self, ctx: Context, call: ToolCall, run: Callable[[ToolCall], Awaitable[ToolResult]]) -> ToolResult:
        """Walk a tool call down its road; `run` calls upstream, with the arguments as guards left them.

        Leaves one `routeiq.tool_call.v1`, however it ends. Raises `RequestError` for a refusal, and what `run` raised.
        """

    async def guard_call(self, ctx: Context, call: ToolCall) -> ToolCall:
        """What the caller says while a call is under way (an answer to what the server asks), as guards let it pass:
        they see it as the arguments of `call`. Raises `RequestError` when a guard denied it."""

    async def guard_result(self, ctx: Context, call: ToolCall, result: ToolResult) -> ToolResult:
        """What a call gave, as guards let it pass, beside `call`: for a part of an answer that is sent before its end,
        for what a server asks or tells meanwhile, and for what is fetched later. Raises `RequestError` when a guard
        withheld it."""


class ToolServer(Protocol):
    """A server inside the gateway, which protocol adapters serve beside those elsewhere: MCP's methods without a
    wire."""

    @property
    def name(self) -> str:
        """Its name among the servers."""

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """MCP `ServerCapabilities`, with its extensions."""

    async def handle(self, ctx: Context, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer a request (`tools/list`, `tools/call`, `resources/read`, ...) with the result's JSON.

        Raises `ToolServerError` for an error of the protocol, `RequestError` for a refusal.
        """


class ToolServerError(Exception):
    """A JSON-RPC error. The message reaches the client; keep secrets out of it."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        self.code = code
        self.message = message
        self.data = data
        super().__init__(message)


class Toolbox(Protocol):
    """The gateway's tools that one chat request may use; see `ToolHooks.open_tools`."""

    @property
    def functions(self) -> Sequence[Mapping[str, Any]]:
        """The tools as OpenAI function tools, each under a name that no tool of the client has."""

    @property
    def body(self) -> Mapping[str, Any]:
        """The request's body without what named the gateway's servers."""

    def owns(self, name: str) -> bool:
        """Whether a function's name is one of these."""

    async def call(self, ctx: Context, name: str, arguments: Mapping[str, Any]) -> str:
        """Call a tool; the text that the model reads. A tool's failure or a refusal is told in that text."""
