"""Ready-made contexts, requests, model groups and records, and a gateway handle in memory.

For authors' tests; nothing of it runs in a gateway.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from routeiq_sdk.context import Context
from routeiq_sdk.errors import RequestError
from routeiq_sdk.gateway import Directory, Embedder, MeterService
from routeiq_sdk.secret import Secret
from routeiq_sdk.testing.services import FakeClock, FakeEgress, FakeSpool, FakeState
from routeiq_sdk.values.delegation import Delegation, ProtectedResource
from routeiq_sdk.values.http import Headers
from routeiq_sdk.values.models import Deployment, ModelGroup, Price, Usage
from routeiq_sdk.values.principal import Principal
from routeiq_sdk.values.records import Event, Record
from routeiq_sdk.values.tools import ToolCall, ToolDefinition, ToolResult, ToolServer
from routeiq_sdk.values.vitals import Vitals


class FakeRequest:
    """A request with the given body. `text()` joins the text of its messages."""

    def __init__(self, body: Mapping[str, Any], *, wire: str = "openai-chat") -> None:
        self._body = dict(body)
        self._wire = wire

    @property
    def wire(self) -> str:
        """Name of the client's protocol."""
        return self._wire

    @property
    def model(self) -> str:
        """The model name the client asked for."""
        return str(self._body.get("model", ""))

    @property
    def stream(self) -> bool:
        """True when the client wants a stream."""
        return bool(self._body.get("stream", False))

    def json(self) -> Mapping[str, Any]:
        """The whole body."""
        return self._body

    def text(self) -> str:
        """All text of the messages, joined by newlines."""
        return "\n".join(text for _, text in self._texts())

    def last_user_text(self) -> str:
        """The newest text of the user."""
        return next((text for role, text in reversed(self._texts()) if role == "user"), "")

    def param(self, name: str, default: Any = None) -> Any:
        """One top-level field of the body."""
        return self._body.get(name, default)

    def _texts(self) -> list[tuple[str, str]]:
        texts: list[tuple[str, str]] = []
        for message in self._body.get("messages", ()):
            content = message.get("content") or ""
            parts = [{"text": content}] if isinstance(content, str) else content
            texts += [(message.get("role", "user"), part["text"]) for part in parts if "text" in part]
        return texts


def make_request(
    text: str = "Hello.",
    *,
    model: str = "auto",
    stream: bool = False,
    wire: str = "openai-chat",
    **fields: Any,
) -> FakeRequest:
    """A chat request whose user says `text`. `fields` are laid over its body (`messages=[...]`, `tools=[...]`)."""
    messages = [{"role": "user", "content": text}]
    return FakeRequest({"model": model, "stream": stream, "messages": messages, **fields}, wire=wire)


def make_context(
    text: str = "Hello.",
    *,
    request: Any = None,
    principal: Principal | None = None,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    request_id: str = "req-test",
    route: str = "/v1/chat/completions",
    **fields: Any,
) -> Context:
    """A context as hooks after `authorize` see it. Without `request`, one is made of `text` and `fields`.

    `headers` may be pairs, to repeat a name. Without `principal`, a plain key called `test`.
    """
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    context = Context(
        request_id=request_id,
        surface="openai",
        route=route,
        method="POST",
        path=route,
        headers=Headers([(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]),
        client="127.0.0.1",
        config="test",
    )
    context._request = request if request is not None else make_request(text, **fields)
    context._principal = principal or Principal("test")
    return context


def make_groups(*names: str) -> tuple[ModelGroup, ...]:
    """One group a name, each with one deployment, priced dearer from left to right."""
    return tuple(
        ModelGroup(
            name,
            (
                Deployment(
                    id=f"{name}-1",
                    group=name,
                    provider="openai",
                    model=name,
                    wire="openai",
                    price=Price(input=rank * 100, output=rank * 400, cached=rank * 50, cache_write=rank * 100),
                ),
            ),
        )
        for rank, name in enumerate(names or ("small", "medium", "large"), start=1)
    )


def make_record(request_id: str = "req-test", **fields: Any) -> Record:
    """The record of a small successful request. `fields` replace its values."""
    values: dict[str, Any] = {
        "request_id": request_id,
        "decision_id": None,
        "at": 1_700_000_000_000_000_000,
        "surface": "openai",
        "route": "/v1/chat/completions",
        "status": 200,
        "stream": False,
        "requested_model": "auto",
        "model": "small",
        "deployment_id": "small-1",
        "provider": "openai",
        "principal": "test",
        "team": None,
        "user": None,
        "end_user": None,
        "tags": (),
        "decision": None,
        "attempts": (),
        "usage": Usage(12, 34),
        "cost": 14_800,
        "price_version": "test",
        "latency_ms": 210.0,
        "first_byte_ms": 95.0,
        "overhead_ms": 0.4,
        "config": "test",
    }
    return Record(**{**values, **fields})


class FakeTools:
    """The road of tool calls without gates: `hidden` tools (`(server, tool)`) are refused, `calls` shows the rest."""

    def __init__(self) -> None:
        self.hidden: set[tuple[str, str]] = set()
        self.calls: list[ToolCall] = []

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
        """All but the hidden ones."""
        return frozenset(tool for tool in tools if (server, tool) not in self.hidden)

    async def guard_definition(self, ctx: Context, definition: ToolDefinition) -> Mapping[str, Any]:
        """The definition as it is."""
        return definition.definition

    async def call(self, ctx: Context, call: ToolCall, run: Callable[[ToolCall], Awaitable[ToolResult]]) -> ToolResult:
        """Refuse a hidden tool, run any other."""
        if (call.server, call.tool) in self.hidden:
            raise RequestError(403, "you may not call this tool", type="tool_access_denied", code="tool_access_denied")
        self.calls.append(call)
        return await run(call)

    async def guard_call(self, ctx: Context, call: ToolCall) -> ToolCall:
        """The call as it is."""
        return call

    async def guard_result(self, ctx: Context, call: ToolCall, result: ToolResult) -> ToolResult:
        """The result as it is."""
        return result


class FakeGateway:
    """What a plugin gets at `setup`, in memory. `events` shows what was emitted; `answers` scripts nested calls.

    A plugin that holds quotas gets the `meters` that the test gives; `reloads` counts calls of `reload`;
    `committed` shows what was given to `commit`. `caller` is whom `identify` finds, `resources` what is protected, by
    path.
    """

    def __init__(
        self,
        plugin: str = "under-test",
        *,
        groups: Iterable[ModelGroup] = (),
        meters: MeterService | None = None,
        directory: Directory | None = None,
    ) -> None:
        self.plugin = plugin
        self.clock = FakeClock()
        self.egress = FakeEgress()
        self.state = FakeState(self.clock)
        self.groups: Mapping[str, ModelGroup] = {group.name: group for group in groups or make_groups()}
        self.embedders: dict[str, Embedder] = {}
        self.running: dict[str, int] = {}
        self.directory = directory
        self.litellm_profile = "1.109"
        self.workers = 1
        self.worker = 0
        self.reloads = 0
        self._meters = meters
        self.tools = FakeTools()
        self.tool_servers: dict[str, ToolServer] = {}
        self.delegation: Delegation | None = None
        self.loopback = True
        self.caller: Principal | None = None
        self.resources: dict[str, ProtectedResource] = {}
        self.events: list[Event] = []
        self.committed: list[Event] = []
        self.vital_signs = Vitals()
        self.calls: list[Mapping[str, Any]] = []
        self.answers: list[Mapping[str, Any]] = []
        self.spools: dict[str, FakeSpool] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    @property
    def meters(self) -> MeterService:
        """The meters that the test gave."""
        if self._meters is None:
            raise LookupError("this test gave no meters: FakeGateway(meters=...)")
        return self._meters

    @property
    def data_dir(self) -> Path:
        """A temporary directory; removed by `aclose`."""
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="routeiq-")
        return Path(self._directory.name)

    @property
    def keys_dir(self) -> Path:
        """A folder in the temporary directory; empty unless the test writes keys into it."""
        return self.data_dir / "keys"

    async def spool(
        self, name: str, *, directory: Path | None = None, most_bytes: int = 512 * 1024 * 1024
    ) -> FakeSpool:
        """Open (or create) a queue; `spools` shows them."""
        return self.spools.setdefault(name, FakeSpool())

    async def call(self, parent: Context | None, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Note the call and give the next of `answers`; without one, fail as a gateway without a healthy model does."""
        self.calls.append(body)
        if not self.answers:
            raise RequestError(503, "no healthy deployment", type="api_error")
        return self.answers.pop(0)

    def protected_resource(self, path: str) -> ProtectedResource | None:
        """What the test put at `path`."""
        return self.resources.get(path)

    def challenge(self, ctx: Context, error: RequestError) -> Mapping[str, str]:
        """None."""
        return {}

    async def identify(self, ctx: Context, credential: Secret | None = None) -> Principal:
        """The `caller` that the test set, else nobody."""
        if self.caller is None:
            raise RequestError(401, "no key", type="auth_error")
        return self.caller

    @asynccontextmanager
    async def admitted(
        self, door: str, headers: Headers, *, action: str, client: str | None = None, long_lived: bool = False
    ) -> AsyncIterator[Context]:
        """Let in the `caller` that the test set, else nobody."""
        ctx = make_context(principal=await self.identify(make_context()), route=door)
        ctx.headers, ctx.action, ctx.client = headers, action, client
        yield ctx

    def check_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Accept any rows."""

    async def reload(self) -> None:
        """Count the call."""
        self.reloads += 1

    def emit(self, event: Event) -> None:
        """Note the event."""
        self.events.append(event)

    async def commit(self, event: Event) -> None:
        """Note the event."""
        self.committed.append(event)

    def vitals(self) -> Vitals:
        """What the test set, else an idle process."""
        return self.vital_signs

    def spawn(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` until it ends or `aclose`."""

        async def run() -> None:
            await work()

        self._tasks[name] = asyncio.create_task(run(), name=name)

    async def aclose(self) -> None:
        """Cancel what was spawned, raise what it raised, remove the directory."""
        for task in self._tasks.values():
            task.cancel()
        ended = await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._directory is not None:
            self._directory.cleanup()
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome
