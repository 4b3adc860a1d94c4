"""The gRPC binding of 1.0: the service's methods, whose callers name the agent in the request's `tenant`.

Where it listens is `wire.grpc_listener`'s business, what an operation does the forwarder's. Imported only when agents
are served over gRPC.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any
from urllib.parse import unquote

import grpc
import grpc.aio
from a2a.types import Message, SendMessageRequest, SendMessageResponse, Task, a2a_pb2
from a2a.utils.errors import InvalidParamsError, InvalidRequestError, TaskNotFoundError, VersionNotSupportedError
from a2a.utils.proto_utils import to_stream_response
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError
from google.protobuf.message import Message as Proto
from google.rpc import error_details_pb2  # noqa: F401 - makes known what the details of an error are
from google.rpc.status_pb2 import Status

from routeiq_a2a.forwarding.callers import Caller, call_context, owner_of
from routeiq_a2a.forwarding.forwarder import Forwarder
from routeiq_a2a.forwarding.road import Road
from routeiq_a2a.registry.registry import Registry
from routeiq_a2a.wire.errors import Problem, problem
from routeiq_a2a.wire.events import Streams
from routeiq_a2a.wire.jsonrpc import METHODS, STREAMING
from routeiq_a2a.wire.versions import EXTENSIONS, HEADER, V1_0, extensions_of, major_minor
from routeiq_sdk import Context, Gateway, RequestError
from routeiq_sdk.values.http import Headers

SERVICE: str = a2a_pb2.DESCRIPTOR.services_by_name["A2AService"].full_name
_ACTION = "agent:call"
_READ_SECONDS = 30.0
_DETAILS = "grpc-status-details-bin"


class _Told(RequestError):
    """An error of any kind as the gateway logs it; `problem` is how the client hears of it."""

    def __init__(self, told: Problem) -> None:
        super().__init__(told.http, told.message)
        self.problem = told


class GrpcDoor:
    """Answers calls. `base` is the gateway's public address, `default` the agent of those who name none."""

    def __init__(
        self,
        gateway: Gateway,
        registry: Registry,
        road: Road,
        forwarder: Forwarder,
        streams: Streams,
        *,
        base: str,
        default: str | None,
    ) -> None:
        self._gateway = gateway
        self._registry = registry
        self._road = road
        self._forwarder = forwarder
        self._streams = streams
        self._base = base
        self._default = default

    def handlers(self) -> grpc.GenericRpcHandler:
        """The service for a server. Its methods read their one request themselves: not before it is known who calls."""
        methods = {name: grpc.stream_stream_rpc_method_handler(self._method(name)) for name in METHODS}
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def _method(self, name: str) -> Callable[[Any, Any], Awaitable[None]]:
        async def handle(_: Any, call: grpc.aio.ServicerContext) -> None:
            try:
                await self._admit(name, call)
                return
            except _Told as error:
                told = error.problem
            except Exception as error:
                told = problem(error)
            await _fail(call, told)

        return handle

    async def _admit(self, name: str, call: grpc.aio.ServicerContext) -> None:
        _, operation = METHODS[name]
        headers, client = _headers(call), _client(call.peer())
        door, waits = f"/{SERVICE}/{name}", operation in STREAMING
        async with self._gateway.admitted(door, headers, action=_ACTION, client=client, long_lived=waits) as ctx:
            try:
                await self._answer(name, call, ctx)
            except Exception as error:
                raise _Told(problem(error)) from None

    async def _answer(self, name: str, call: grpc.aio.ServicerContext, ctx: Context) -> None:
        kind, operation = METHODS[name]
        params = await _request(call, kind())
        context = call_context(await self._caller(ctx, params))
        handle: Callable[..., Any] = getattr(self._forwarder, operation)
        if operation in STREAMING:
            await self._stream(handle(params, context), call)
            return
        result = await handle(params, context)
        await call.write(_document(params, result).SerializeToString())

    async def _stream(self, events: AsyncGenerator[Any], call: grpc.aio.ServicerContext) -> None:
        async with aclosing(events):
            with self._streams.place():
                async for event in events:
                    await call.write(to_stream_response(event).SerializeToString())

    async def _caller(self, ctx: Context, params: Any) -> Caller:
        told = ctx.headers.get(HEADER)
        if told and major_minor(told) != V1_0:
            raise VersionNotSupportedError(f"Over gRPC A2A 1.0 is spoken here, and not {told[:20]!r}.")
        name = params.tenant or self._default
        if not name:
            raise InvalidParamsError("Name the agent in `tenant`, as its card does.")
        params.ClearField("tenant")
        agent = self._registry.find(name)
        if agent is None or not await self._road.permitted(ctx, agent):
            raise RequestError(404, "There is no such agent, or not for you.", type="not_found_error")
        extensions = extensions_of(ctx.headers.get(EXTENSIONS))
        return Caller(ctx, agent, self._base, owner_of(ctx.principal), V1_0, extensions)


async def _request(call: grpc.aio.ServicerContext, into: Proto) -> Proto:
    try:
        async with asyncio.timeout(_READ_SECONDS):
            raw = await call.read()
    except TimeoutError:
        raise RequestError(408, "The request did not come in time.", type="invalid_request_error") from None
    if not isinstance(raw, bytes):
        raise InvalidRequestError("The call came without a message.")
    try:
        into.ParseFromString(raw)
    except DecodeError:
        raise InvalidRequestError(f"The message is no {into.DESCRIPTOR.name}.") from None
    return into


def _document(params: Proto, result: Any) -> Proto:
    if isinstance(params, SendMessageRequest):
        if isinstance(result, Task):
            return SendMessageResponse(task=result)
        assert isinstance(result, Message)
        return SendMessageResponse(message=result)
    if isinstance(result, Proto):
        return result
    if isinstance(params, a2a_pb2.DeleteTaskPushNotificationConfigRequest):
        return Empty()  # type: ignore[no-any-return, unused-ignore]
    raise TaskNotFoundError


def _headers(call: grpc.aio.ServicerContext) -> Headers:
    """The call's metadata; gRPC has seen to it that names are small letters."""
    pairs: Iterable[tuple[str, str | bytes]] = call.invocation_metadata() or ()
    return Headers([(name.encode("latin-1"), _bytes(value)) for name, value in pairs])


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


def _client(peer: str) -> str | None:
    """The numeric address in `ipv4:127.0.0.1:1234` or `ipv6:[::1]:1234`."""
    family, _, rest = peer.partition(":")
    if family not in ("ipv4", "ipv6"):
        return None
    return unquote(rest).rpartition(":")[0].strip("[]") or None


async def _fail(call: grpc.aio.ServicerContext, told: Problem) -> None:
    code = grpc.StatusCode[told.status]
    document = {"code": code.value[0], "message": told.message, "details": told.details}
    details: bytes = ParseDict(document, Status()).SerializeToString()
    await call.abort(code, told.message, ((_DETAILS, details),))
