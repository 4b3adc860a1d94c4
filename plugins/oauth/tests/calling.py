"""A plugin that calls upstreams as an adapter does, with delegation's headers, and one that knows callers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import jwt
from pydantic import Field

from routeiq_sdk import Context, Gateway, Plugin, PluginConfig, Principal, Reject, RequestError, hookimpl
from routeiq_sdk.values.delegation import Challenge, ConsentNeeded, Delegate, OutboundAuth
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

PEOPLE: dict[str, dict[str, Any]] = {
    "sk-alice-0123456789abcdef": {"user": "alice"},
    "sk-bob-0123456789abcdef00": {"user": "bob"},
    "sk-alice-at-acme-012345678": {"user": "alice", "organization": "acme"},
    "sk-nobody-0123456789abcdef": {},
}
ALICE, BOB, ALICE_AT_ACME, NOBODY = PEOPLE


class CallersPlugin(Plugin[PluginConfig]):
    """Knows a few keys, and believes any JWT."""

    @hookimpl
    async def authenticate(self, ctx: Context) -> Principal | Reject | None:
        text = ctx.credential.reveal() if ctx.credential is not None else ""
        digest = hashlib.sha256(text.encode()).hexdigest()
        if text in PEOPLE:
            return Principal(digest, alias=f"key of {PEOPLE[text].get('user', 'nobody')}", **PEOPLE[text])
        if text.count(".") == 2:
            claims = jwt.decode(text, options={"verify_signature": False})
            attributes = {"issuer": claims["iss"]}
            return Principal(f"oidc:{claims['sub']}", kind="user", user=claims["sub"], attributes=attributes)
        return None


class CallingConfig(PluginConfig):
    """The upstreams."""

    upstreams: dict[str, dict[str, Any]] = Field({}, description="By id: url and auth.")
    untrusted: bool = Field(False, description="Whether nobody vouches for their URLs.")


class CallingPlugin(Plugin[CallingConfig]):
    """`POST /test/call/{upstream}` calls it for the caller."""

    gateway: Gateway

    @property
    def origins(self) -> list[str]:
        return [] if self.config.untrusted else [row["url"] for row in self.config.upstreams.values()]

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        self.gateway = gateway
        delegation = gateway.delegation
        assert delegation is not None
        for id in self.config.upstreams:
            await delegation.check(self.delegate(id))

    @hookimpl
    def register_routes(self, routes: Routes) -> None:
        routes.add("POST", "/test/call/{id}", self.call, access="key", summary="Call", action="test:call")
        routes.add("GET", "/test/answered/{id}", self.answered, access="key", summary="Ask", action="test:call")
        routes.add("DELETE", "/test/upstream/{id}", self.forget, access="key", summary="Forget", action="test:call")

    def delegate(self, id: str) -> Delegate:
        row = self.config.upstreams[id]
        auth = OutboundAuth.model_validate(row.get("auth", {}))
        return Delegate(id, row["url"], auth, row.get("title", ""), self.config.untrusted)

    async def call(self, request: HttpRequest) -> HttpResponse:
        ctx, delegate = request.context, self.delegate(request.path_params["id"])
        assert ctx is not None
        try:
            status, body = await self._call(ctx, delegate, request.body)
        except ConsentNeeded as needed:
            return HttpResponse.json({"consent": needed.url, "id": needed.id, "message": str(needed)}, status=412)
        return HttpResponse.json(body, status=status)

    async def answered(self, request: HttpRequest) -> HttpResponse:
        assert request.context is not None
        assert self.gateway.delegation is not None
        done = await self.gateway.delegation.answered(request.context, request.path_params["id"])
        return HttpResponse.json({"answered": done})

    async def forget(self, request: HttpRequest) -> HttpResponse:
        assert self.gateway.delegation is not None
        await self.gateway.delegation.forget(request.path_params["id"])
        return HttpResponse.json({})

    async def _call(self, ctx: Context, delegate: Delegate, body: bytes) -> tuple[int, Any]:
        delegation = self.gateway.delegation
        assert delegation is not None
        refused: Challenge | None = None
        for _ in range(3):
            headers = await delegation.headers(ctx, delegate, refused=refused)
            status, authenticate, answer = await self._send(delegate.url, headers, body)
            if status not in (401, 403):
                return status, answer
            refused = Challenge(status, authenticate)
        raise RequestError(502, "the upstream refuses every token")

    async def _send(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, Any]:
        sent = {"content-type": "application/json", **headers}
        async with self.gateway.egress.call("POST", url, headers=sent, body=body) as response:
            raw = await response.read()
            return response.status, response.headers.get("WWW-Authenticate", ""), json.loads(raw or b"{}")
