"""A call of an agent: the transport for its interface, the caller's delegated credentials, one retry after a refusal.

Whether the call may be made was decided before.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from a2a.client.client import ClientCallContext
from a2a.client.transports.base import ClientTransport
from a2a.client.transports.jsonrpc import JsonRpcTransport
from a2a.client.transports.rest import RestTransport
from a2a.client.transports.tenant_decorator import TenantTransportDecorator
from a2a.compat.v0_3.jsonrpc_transport import CompatJsonRpcTransport
from a2a.compat.v0_3.rest_transport import CompatRestTransport
from a2a.types import StreamResponse

from routeiq_a2a.cards.store import Card
from routeiq_a2a.registry.agent import Agent
from routeiq_a2a.upstream.egress_client import EgressClient
from routeiq_a2a.upstream.failures import Refused, translated
from routeiq_a2a.upstream.interfaces import GRPC
from routeiq_a2a.wire.versions import EXTENSIONS, HEADER, V0_3
from routeiq_sdk import Context, Gateway, RequestError
from routeiq_sdk.values.delegation import Challenge

if TYPE_CHECKING:
    from routeiq_a2a.cards.store import Cards
    from routeiq_a2a.upstream.grpc_channels import Channels

T = TypeVar("T")
Operation = Callable[[ClientTransport, ClientCallContext], Awaitable[T]]
StreamOperation = Callable[[ClientTransport, ClientCallContext], AsyncGenerator[StreamResponse]]
_TRANSPORTS = {
    ("JSONRPC", False): JsonRpcTransport,
    ("HTTP+JSON", False): RestTransport,
    ("JSONRPC", True): CompatJsonRpcTransport,
    ("HTTP+JSON", True): CompatRestTransport,
}


class Agents:
    """Calls agents on behalf of callers. The client's own credential is not among what is sent."""

    def __init__(self, gateway: Gateway, cards: Cards, *, answer_bytes: int, stream_bytes: int) -> None:
        self._gateway = gateway
        self._cards = cards
        self._answer_bytes = answer_bytes
        self._stream_bytes = stream_bytes
        self._channels: Channels | None = None

    async def close(self) -> None:
        """Close what is kept open to agents."""
        if self._channels is not None:
            await self._channels.close()

    async def ask(self, ctx: Context, agent: Agent, operation: Operation[T], extensions: tuple[str, ...] = ()) -> T:
        """One answer. Raises an `A2AError`, `ConsentNeeded` or `RequestError`."""
        try:
            card = await self._cards.of(agent)
            async with self._reached(ctx, agent, card, agent.timeout) as transport:
                refused: Challenge | None = None
                while True:
                    headers = await self.headers(ctx, agent, refused)
                    try:
                        return await operation(transport, _context(card, headers, extensions, ctx))
                    except Refused as refusal:
                        if refused is not None or not self._may_retry(agent):
                            raise
                        refused = refusal.challenge
        except Exception as error:
            raise translated(agent, error) from None

    async def listen(
        self, ctx: Context, agent: Agent, operation: StreamOperation, extensions: tuple[str, ...] = ()
    ) -> AsyncGenerator[StreamResponse]:
        """The events of a stream. Raises as `ask` does."""
        try:
            card = await self._cards.of(agent)
            async with self._reached(ctx, agent, card, agent.stream_timeout) as transport:
                refused: Challenge | None = None
                while True:
                    headers = await self.headers(ctx, agent, refused)
                    events = operation(transport, _context(card, headers, extensions, ctx))
                    try:
                        async for event in events:
                            refused = refused or _PASSED
                            yield event
                        return
                    except Refused as refusal:
                        if refused is not None or not self._may_retry(agent):
                            raise
                        refused = refusal.challenge
                    finally:
                        await events.aclose()
        except Exception as error:
            raise translated(agent, error) from None

    async def headers(self, ctx: Context, agent: Agent, refused: Challenge | None = None) -> Mapping[str, str]:
        """What proves who calls. Raises `ConsentNeeded`, `RequestError`."""
        if agent.auth.mode == "none":
            return {}
        if agent.auth.mode == "static":
            return {name: value.get_secret_value() for name, value in agent.auth.headers.items()}
        delegation = self._gateway.delegation
        if delegation is None:
            raise RequestError(502, f"The agent {agent.name!r} needs delegation, which no plugin offers.")
        return await delegation.headers(ctx, agent.delegate, refused=refused)

    def _may_retry(self, agent: Agent) -> bool:
        return agent.auth.mode not in ("none", "static") and self._gateway.delegation is not None

    @asynccontextmanager
    async def _reached(self, ctx: Context, agent: Agent, card: Card, timeout: float) -> AsyncIterator[ClientTransport]:
        principal = ctx.identified
        tenants = principal.tenants if principal is not None else ()
        interface = card.interface
        legacy = interface.version == V0_3
        async with AsyncExitStack() as stack:
            if interface.binding == GRPC:
                from routeiq_a2a.upstream.grpc_calls import Calls

                way = self._grpc_channels().to(interface.url, untrusted=agent.untrusted, tenants=tenants)
                channel = await stack.enter_async_context(way)
                calls = Calls(channel, timeout=timeout, stream_bytes=self._stream_bytes)
                stack.callback(calls.close)
                transport = calls.transport(card.upstream, legacy=legacy)
            else:
                client = EgressClient(
                    self._gateway.egress,
                    timeout=timeout,
                    most_bytes=self._answer_bytes,
                    stream_bytes=self._stream_bytes,
                    untrusted=agent.untrusted,
                    tenants=tenants,
                )
                kind = cast(Any, _TRANSPORTS[interface.binding, legacy])
                transport = kind(cast(Any, client), card.upstream, interface.url, is_shared_httpx=True)
            yield TenantTransportDecorator(transport, interface.tenant) if interface.tenant else transport

    def _grpc_channels(self) -> Channels:
        if self._channels is None:
            from routeiq_a2a.upstream.grpc_channels import Channels

            self._channels = Channels(self._gateway.egress, most_bytes=self._answer_bytes)
        return self._channels


def _context(card: Card, headers: Mapping[str, str], extensions: tuple[str, ...], ctx: Context) -> ClientCallContext:
    sent = {**headers, "traceparent": ctx.trace.child().traceparent()}
    if card.interface.binding != GRPC:  # there the transport says it
        sent[HEADER] = card.interface.version
    if extensions:
        sent[EXTENSIONS] = ",".join(extensions)
    return ClientCallContext(service_parameters=sent)


_PASSED = Challenge(0)
