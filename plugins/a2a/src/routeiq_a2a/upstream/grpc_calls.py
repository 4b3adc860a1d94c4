"""The channel that the A2A library's transports of gRPC get: every call has a deadline and bounds, and its failures are
told as those of the other bindings.

Where it leads is `upstream.grpc_channels`' business. Imported only for an agent that is called by gRPC.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
from a2a.client.transports.base import ClientTransport
from a2a.client.transports.grpc import GrpcTransport
from a2a.compat.v0_3.grpc_transport import CompatGrpcTransport
from a2a.types import AgentCard
from a2a.utils.errors import JSON_RPC_ERROR_CODE_MAP
from a2a.utils.grpc_status import status_from_call
from google.rpc.error_details_pb2 import ErrorInfo

from routeiq_a2a.upstream.failures import Refused, WrongAnswer
from routeiq_sdk.values.delegation import Challenge

_OF_0_3 = tuple(f"{kind.__name__}: " for kind in JSON_RPC_ERROR_CODE_MAP)
_TOO_LONG = "larger than max"  # gRPC's own words; the status alone may be the agent's, too


class Calls:
    """Has of `grpc.aio.Channel` what the stubs use. `close` ends what is still under way."""

    def __init__(self, channel: grpc.aio.Channel, *, timeout: float, stream_bytes: int) -> None:
        self._channel = channel
        self._timeout = timeout
        self._stream_bytes = stream_bytes
        self._streams: list[_Stream] = []

    def transport(self, card: AgentCard, *, legacy: bool) -> ClientTransport:
        """The library's transport on this channel, of 0.3 or of 1.0."""
        kind: Any = CompatGrpcTransport if legacy else GrpcTransport
        made: ClientTransport = kind(self, card)
        return made

    def unary_unary(self, method: str, serialize: Any = None, parse: Any = None, **named: Any) -> Callable[..., Any]:
        """What makes a call with one answer."""
        call = self._channel.unary_unary(method, *_codecs(serialize, parse, named))

        async def ask(request: Any, *, metadata: Any = None, timeout: float | None = None) -> Any:
            try:
                return await call(request, metadata=metadata, timeout=self._timeout)
            except grpc.aio.AioRpcError as error:
                raise _told(error) from None

        return ask

    def unary_stream(self, method: str, serialize: Any = None, parse: Any = None, **named: Any) -> Callable[..., Any]:
        """What makes a call with a stream of answers."""
        call = self._channel.unary_stream(method, *_codecs(serialize, parse, named))

        def listen(request: Any, *, metadata: Any = None, timeout: float | None = None) -> _Stream:
            stream = _Stream(call(request, metadata=metadata, timeout=self._timeout), self._stream_bytes)
            self._streams.append(stream)
            return stream

        return listen

    def close(self) -> None:
        """End what is under way: the agent hears of it."""
        for stream in self._streams:
            stream.cancel()


class _Stream:
    """A stream of answers, bounded in all; the channel bounds each."""

    def __init__(self, call: Any, most_bytes: int) -> None:
        self._call = call
        self._left = most_bytes

    async def read(self) -> Any:
        try:
            message = await self._call.read()
            if message is not grpc.aio.EOF:
                self._left -= message.ByteSize()
        except grpc.aio.AioRpcError as error:
            raise _told(error) from None
        if self._left < 0:
            self.cancel()
            raise WrongAnswer("sends more than the gateway takes")
        return message

    def cancel(self) -> None:
        self._call.cancel()


def _codecs(serialize: Any, parse: Any, named: dict[str, Any]) -> tuple[Any, Any]:
    return named.get("request_serializer", serialize), named.get("response_deserializer", parse)


def _told(error: grpc.aio.AioRpcError) -> Exception:
    """The failure of a call. An error of A2A stays as it is: the library's transport knows which."""
    if _is_of_a2a(error):
        return error  # type: ignore[no-any-return, unused-ignore]
    code = error.code()
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return Refused(Challenge(401, _challenge(error)))
    if code is grpc.StatusCode.PERMISSION_DENIED:
        return Refused(Challenge(403, _challenge(error)))
    if code is grpc.StatusCode.UNAVAILABLE:
        return ConnectionError("the agent is not there")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return TimeoutError("the agent did not answer in time")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return NotImplementedError("the agent does not know this operation")  # as the library's other transports say
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LONG in (error.details() or ""):
        return WrongAnswer("sends more than the gateway takes")
    return WrongAnswer(f"answered with gRPC status {code.name}")


def _is_of_a2a(error: grpc.aio.AioRpcError) -> bool:
    if (error.details() or "").startswith(_OF_0_3):
        return True
    try:
        status = status_from_call(error)
    except Exception:  # details that are no google.rpc.Status, or of another call: what they say does not count
        return False
    for detail in status.details if status is not None else ():
        info = ErrorInfo()
        if detail.Is(ErrorInfo.DESCRIPTOR) and detail.Unpack(info) and info.domain == "a2a-protocol.org":
            return True
    return False


def _challenge(error: grpc.aio.AioRpcError) -> str:
    metadata = (*(error.initial_metadata() or ()), *(error.trailing_metadata() or ()))
    return next((str(value) for name, value in metadata if name == "www-authenticate"), "")
