"""The plugin without a gateway around it: set up on a fake handle whose egress reaches an issuer in memory."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from routeiq_oidc import Oidc, OidcConfig
from routeiq_sdk import Context, Principal, Reject, Secret
from routeiq_sdk.testing import FakeGateway, call_hook, make_context, running
from routeiq_sdk.testing.services import FakeAnswer, FakeEgress

from .directory import MemoryDirectory
from .issuer import AUDIENCE, SigningKey, assembled, make_key

ISSUER = "https://issuer.example/realm"


class IssuerEgress(FakeEgress):
    """Egress that reaches one issuer and nothing else. `down` breaks it; `gate` holds its answers back."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = [make_key("key-1", "ES256")]
        self.counts: Counter[str] = Counter()
        self.down = False
        self.lie: Mapping[str, Any] = {}
        self.gate = asyncio.Event()
        self.gate.set()

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_seconds: float = 30.0,
        max_bytes: int = 10 * 1024 * 1024,
        untrusted: bool = False,
        tenants: Iterable[str] = (),
    ) -> AbstractAsyncContextManager[FakeAnswer]:
        """Answer as the issuer does."""

        @asynccontextmanager
        async def answering() -> AsyncIterator[FakeAnswer]:
            what = url.removeprefix(ISSUER)
            self.counts[what] += 1
            keys = [key.public() for key in self.keys]
            await self.gate.wait()
            if self.down:
                raise ConnectionError("nobody answers")
            documents: dict[str, Any] = {
                "/.well-known/openid-configuration": {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys", **self.lie},
                "/keys": {"keys": keys},
            }
            yield FakeAnswer(body=json.dumps(documents[what]).encode())

        return answering()


class World:
    """The plugin, running, and its surroundings."""

    def __init__(self, plugin: Oidc, gateway: FakeGateway, egress: IssuerEgress) -> None:
        self.plugin = plugin
        self.gateway = gateway
        self.egress = egress

    async def warmed(self) -> World:
        """Once the first keys are here, as far as they can be had."""
        assert self.plugin._made is not None
        await self.plugin._made.warm()
        return self

    def token(self, key: SigningKey | None = None, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A token of the issuer, by the gateway's clock."""
        signer = key or self.egress.keys[-1]
        now = self.gateway.clock.now_ns() // 10**9
        said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": now, "exp": now + 300, **claims}
        told = {"alg": signer.algorithm, "kid": signer.kid, "typ": "JWT", **(header or {})}
        return assembled(
            {name: value for name, value in told.items() if value is not None},
            {name: value for name, value in said.items() if value is not None},
            signer,
        )

    async def ask(self, token: str) -> Principal | Reject | None:
        """What the gate says to a token."""
        context: Context = make_context()
        context.credential = Secret(token)
        context._principal = None
        answer: Principal | Reject | None = await call_hook(self.plugin, "authenticate", context)
        return answer

    async def principal(self, token: str) -> Principal:
        """Who a token is."""
        answer = await self.ask(token)
        assert isinstance(answer, Principal), answer
        return answer

    async def refusal(self, token: str) -> Reject:
        """Why a token is refused."""
        answer = await self.ask(token)
        assert isinstance(answer, Reject), answer
        return answer


@asynccontextmanager
async def world(
    directory: MemoryDirectory | None = None, *, beside: World | None = None, **issuer: Any
) -> AsyncIterator[World]:
    """The plugin with one issuer, whose row has these fields beside issuer and audience; as another worker `beside`
    one that runs already, if told so."""
    row = {"issuer": ISSUER, "audience": AUDIENCE, **issuer}
    gateway = FakeGateway("oidc", directory=directory)
    egress = IssuerEgress()
    gateway.egress = egress
    if beside is not None:
        gateway.state = beside.gateway.state
    plugin = Oidc(OidcConfig.model_validate({"issuers": [row]}))
    async with running(plugin, gateway):
        yield World(plugin, gateway, egress)
