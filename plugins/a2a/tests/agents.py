"""Agents for the tests: the SDK's own servers under uvicorn, of 1.0 and of 0.3, which write down what reaches them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import httpx
import uvicorn
from a2a.compat.v0_3.a2a_v0_3_pb2_grpc import add_A2AServiceServicer_to_server as add_legacy
from a2a.compat.v0_3.grpc_handler import CompatGrpcHandler
from a2a.helpers import new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.request_handlers.grpc_handler import GrpcHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import (
    BasePushNotificationSender,
    InMemoryPushNotificationConfigStore,
    InMemoryTaskStore,
    TaskUpdater,
)
from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentProvider,
    AgentSkill,
    HTTPAuthSecurityScheme,
    Role,
    SecurityScheme,
    Task,
    TaskState,
    TaskStatus,
)
from a2a.types.a2a_pb2_grpc import add_A2AServiceServicer_to_server
from a2a.utils import errors
from starlette.applications import Starlette


class Executor(AgentExecutor):
    """Does what the message's first word says; anything else is echoed."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.canceled = asyncio.Event()
        self.contexts: list[str] = []

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        text = context.get_user_input()
        word = text.partition(" ")[0]
        assert context.task_id
        assert context.context_id
        self.contexts.append(context.context_id)
        if word == "raise":
            raise getattr(errors, text.split()[1])
        if word == "message":
            told = new_text_message(f"said: {text}", context_id=context.context_id, role=Role.ROLE_AGENT)
            await event_queue.enqueue_event(told)
            return
        if context.current_task is None:
            task = Task(
                id=context.task_id,
                context_id=context.context_id,
                status=TaskStatus(state=TaskState.TASK_STATE_SUBMITTED),
                history=[context.message],
            )
            await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        await updater.start_work()
        if word == "wait":
            await self.go_on.wait()
        if word == "ask":
            await updater.requires_input(updater.new_agent_message([new_text_part("which one?")]))
            return
        if word == "fail":
            await updater.failed(updater.new_agent_message([new_text_part("it broke")]))
            return
        if word == "pieces":
            for number, piece in enumerate(("one ", "two ", "three")):
                await updater.add_artifact(
                    [new_text_part(piece)], artifact_id="answer", append=number > 0, last_chunk=number == 2
                )
        else:
            await updater.add_artifact([new_text_part(f"echo: {text}")], artifact_id="answer")
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        assert context.task_id
        assert context.context_id
        self.canceled.set()
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


class Agent:
    """A running agent. `seen` has the headers of every request, `card` is what it serves. One with the binding `GRPC`
    is served at the port `grpc_port`, too."""

    def __init__(self, url: str, *, version: str, binding: str | None, extended: bool) -> None:
        self.url = url
        self.version = version
        self.executor = Executor()
        self.seen: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.bodies: list[bytes] = []
        self.refuse: set[str] = set()
        self.grpc_port = 0
        self.pushed = httpx.AsyncClient()
        configs = InMemoryPushNotificationConfigStore()
        self.card = make_card(url, version=version, binding=binding, extended=extended)
        wide = AgentCard()
        wide.CopyFrom(self.card)
        wide.skills.append(AgentSkill(id="secret", name="Secret", description="Only for friends.", tags=["x"]))
        self.handler = handler = DefaultRequestHandler(
            agent_executor=self.executor,
            task_store=InMemoryTaskStore(),
            agent_card=self.card,
            push_config_store=configs,
            push_sender=BasePushNotificationSender(self.pushed, configs),
            extended_agent_card=wide if extended else None,
        )
        legacy = version == "0.3"
        self.app = Starlette(
            routes=[
                *create_agent_card_routes(self.card),
                *create_jsonrpc_routes(handler, "/rpc", enable_v0_3_compat=legacy),
                *create_rest_routes(handler, enable_v0_3_compat=legacy, path_prefix="" if legacy else "/rest"),
            ]
        )

    def calls(self) -> list[str]:
        """The paths of requests for more than its card."""
        return [path for path in self.paths if "agent" not in path]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            self.seen.append(headers)
            self.paths.append(scope["path"])
            told = headers.get("a2a-version", "0.3")
            if "card" not in scope["path"] and told != self.version:
                await _answer(send, 400, b'{"error": "this agent speaks another version"}')
                return
            if headers.get("authorization", "").removeprefix("Bearer ") in self.refuse:
                await _answer(send, 401, b"{}", (b"www-authenticate", b'Bearer error="invalid_token"'))
                return

        async def noted() -> Any:
            piece = await receive()
            if piece.get("body"):
                self.bodies.append(piece["body"])
            return piece

        await self.app(scope, noted, send)


class _Seen(grpc.aio.ServerInterceptor):
    """Writes down the metadata of calls, and refuses tokens."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        headers = dict(details.invocation_metadata)
        self._agent.seen.append(headers)
        self._agent.paths.append(details.method)
        handler = await continuation(details)
        if headers.get("authorization", "").removeprefix("Bearer ") in self._agent.refuse and handler is not None:

            async def refuse(request: Any, call: Any) -> None:
                await call.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")

            return grpc.unary_unary_rpc_method_handler(refuse, handler.request_deserializer)
        return handler


@asynccontextmanager
async def _by_grpc(agent: Agent, credentials: Any) -> AsyncIterator[None]:
    server = grpc.aio.server(interceptors=(_Seen(agent),))
    if agent.version == "0.3":
        add_legacy(CompatGrpcHandler(agent.handler), server)
    else:
        add_A2AServiceServicer_to_server(GrpcHandler(agent.handler), server)
    where = "127.0.0.1:0"
    agent.grpc_port = (
        server.add_insecure_port(where) if credentials is None else server.add_secure_port(where, credentials)
    )
    for interface in agent.card.supported_interfaces:
        interface.url = f"127.0.0.1:{agent.grpc_port}"
    await server.start()
    try:
        yield
    finally:
        await server.stop(0)


async def _answer(send: Any, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    own = [(b"content-type", b"application/json"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": own})
    await send({"type": "http.response.body", "body": body})


def make_card(url: str, *, version: str, binding: str | None, extended: bool = False) -> AgentCard:
    """The card of an agent that has everything."""
    bindings = [binding] if binding else ["JSONRPC", "HTTP+JSON"]
    rest = url if version == "0.3" else f"{url}/rest"
    return AgentCard(
        name="Echo",
        description="Says it again.",
        version="7.1",
        provider=AgentProvider(organization="Echo Ltd", url="https://echo.example"),
        supported_interfaces=[
            AgentInterface(
                url=f"{url}/rpc" if each == "JSONRPC" else rest, protocol_binding=each, protocol_version=version
            )
            for each in bindings
        ],
        capabilities=AgentCapabilities(streaming=True, push_notifications=True, extended_agent_card=extended),
        security_schemes={"own": SecurityScheme(http_auth_security_scheme=HTTPAuthSecurityScheme(scheme="bearer"))},
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id="echo", name="Echo", description="Says it again.", tags=["echo"])],
    )


@asynccontextmanager
async def served(app: Any, port: int | None = None) -> AsyncIterator[str]:
    """An ASGI application on a free port; its URL."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port or 0))
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve([sock]))
    try:
        async with asyncio.timeout(10):
            while not server.started:
                await asyncio.sleep(0.005)
        yield url
    finally:
        server.should_exit = True
        await task
        sock.close()


class _Later:
    """An application that is made once its address is known."""

    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@asynccontextmanager
async def running(
    *, version: str = "1.0", binding: str | None = None, extended: bool = True, credentials: Any = None
) -> AsyncIterator[Agent]:
    """A running agent; `credentials` are those of its gRPC server."""
    later = _Later()
    async with AsyncExitStack() as stack:
        agent = Agent(
            await stack.enter_async_context(served(later)), version=version, binding=binding, extended=extended
        )
        later.app = agent
        if binding == "GRPC":
            await stack.enter_async_context(_by_grpc(agent, credentials))
        try:
            yield agent
        finally:
            agent.executor.go_on.set()
            await agent.pushed.aclose()
