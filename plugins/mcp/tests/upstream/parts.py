"""What tests of upstreams are made of: a handle whose egress really calls, contexts of callers, a client that notes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from routeiq.egress import Egress, EgressPolicy
from routeiq.handle import PluginEgress
from routeiq_mcp.seams import McpError
from routeiq_sdk import Context, Principal, Secret
from routeiq_sdk.testing import FakeGateway, make_context
from routeiq_sdk.values.delegation import Challenge, ConsentNeeded, Delegate

INBOUND = "sk-inbound-credential-of-the-caller"


class RealClock:
    """Time as it is."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.monotonic()


@asynccontextmanager
async def calling(*origins: str) -> AsyncIterator[FakeGateway]:
    """A handle whose egress is the gateway's own, with these origins as the operator's."""
    egress = Egress(EgressPolicy.compile(origins, ()))
    await egress.open()
    gateway = FakeGateway("mcp")
    gateway.clock = RealClock()  # type: ignore[assignment]
    gateway.egress = PluginEgress(egress)  # type: ignore[assignment]
    try:
        yield gateway
    finally:
        await egress.close()
        await gateway.aclose()


def caller(id: str = "alice", headers: Mapping[str, str] | None = None) -> Context:
    """A request of somebody, with a credential that must stay here."""
    sent = {"authorization": f"Bearer {INBOUND}", "cookie": f"session={INBOUND}", **(headers or {})}
    context = make_context(principal=Principal(id, user=id), headers=sent)
    context.credential = Secret(INBOUND)
    return context


class Client:
    """A `Peer` that notes what it is told and answers what it is asked."""

    def __init__(
        self,
        answer: Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]] | None = None,
        *,
        capabilities: Mapping[str, Any] | None = None,
        log_level: str | None = None,
        name: str = "test-client",
    ) -> None:
        self.era = "modern"
        self.version = "2026-07-28"
        self.capabilities = capabilities if capabilities is not None else {"elicitation": {"form": {}, "url": {}}}
        self.info = {"name": name, "version": "1.0"}
        self.log_level = log_level
        self.facts: Mapping[str, str] = {}
        self.told: list[tuple[str, Mapping[str, Any]]] = []
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.news = asyncio.Event()
        self._answer = answer

    async def notify(self, method: str, params: Mapping[str, Any]) -> None:
        self.told.append((method, params))
        self.news.set()

    async def ask(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append((method, params))
        if self._answer is None:
            raise McpError(-1, "User rejected the request")
        return await self._answer(method, params)

    def progress(self) -> list[Any]:
        """How far the server said it was."""
        return [params["progress"] for method, params in self.told if method == "notifications/progress"]


class Tokens:
    """A `Delegation` whose tokens are numbered: `token-1` until the first is refused, then `token-2`."""

    def __init__(self, *, consent: bool = False, leak: bool = False) -> None:
        self.refused: list[Challenge] = []
        self.asked: list[tuple[str, Delegate]] = []
        self._consent = consent
        self._leak = leak

    async def check(self, delegate: Delegate) -> None:
        """All is well."""

    async def headers(self, ctx: Context, delegate: Delegate, *, refused: Challenge | None = None) -> Mapping[str, str]:
        principal = ctx.principal.id
        self.asked.append((principal, delegate))
        if refused is not None:
            self.refused.append(refused)
        if self._consent:
            raise ConsentNeeded(delegate.id, "https://gw.example/consent/1", "1", "please agree")
        if self._leak:
            return {"Authorization": f"Bearer {INBOUND}"}
        return {"Authorization": f"Bearer {principal}-token-{len(self.refused) + 1}"}

    async def answered(self, ctx: Context, id: str) -> bool:
        return False

    async def forget(self, delegate_id: str) -> None:
        """Nothing is kept."""


def text_of(result: Mapping[str, Any]) -> str:
    """The first text of a tool's result."""
    return str(result["content"][0]["text"])
