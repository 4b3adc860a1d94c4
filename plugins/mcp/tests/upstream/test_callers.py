"""Each server is called in the right name: no credential of the gateway goes upstream, no session is shared."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.responses import JSONResponse
from starlette.types import Scope

from routeiq_mcp.upstream import ServerSpec, check_server
from routeiq_mcp.upstream.failures import Failure
from routeiq_sdk import ConfigError, Secret
from routeiq_sdk.testing import FakeGateway
from routeiq_sdk.values.delegation import ConsentNeeded, OutboundAuth

from .conftest import Serve
from .parts import INBOUND, Client, Tokens, caller, text_of
from .servers import Seen, legacy_only

STATIC = OutboundAuth(mode="static", headers={"Authorization": SecretStr("Bearer of-the-gateway")})
DELEGATED = OutboundAuth(mode="token_exchange", client_id="gateway")
ADD = {"name": "add", "arguments": {"a": 1, "b": 2}}


def no_inbound(seen: list[Seen]) -> bool:
    """Whether nothing of the caller's own credential is in any request."""
    assert seen
    return not any(INBOUND in one.text for one in seen)


def passing(*names: str) -> dict[str, str]:
    """Headers that are passed on under their own names."""
    return dict(zip(names, names, strict=True))


@pytest.mark.parametrize("auth", [OutboundAuth(), STATIC], ids=["none", "static"])
async def test_what_a_client_gives_for_this_server_goes_to_it_as_it_is_called_there(
    serve: Serve, auth: OutboundAuth
) -> None:
    for_it = {"x-mcp-field-authorization": "authorization"}
    async with serve("modern", auth=auth, forward_headers=for_it) as field:
        sent = {"x-mcp-field-authorization": "Bearer of-alice", "x-mcp-other-authorization": "Bearer elsewhere"}
        await field.upstream.request(caller(headers=sent), "tools/call", ADD, Client())
        await field.upstream.request(caller(), "tools/call", ADD, Client())
        with_it, without = field.recorder.of("tools/call")
        assert with_it.headers["authorization"] == "Bearer of-alice"
        assert without.headers.get("authorization") == (None if auth.mode == "none" else "Bearer of-the-gateway")
        assert not any("elsewhere" in one.text for one in field.recorder.seen)
        assert no_inbound(field.recorder.seen)


async def test_a_clients_header_for_a_server_is_never_its_credential_for_the_gateway(serve: Serve) -> None:
    async with serve("modern", forward_headers={"x-mcp-field-authorization": "authorization"}) as field:
        sent = {"x-mcp-field-authorization": f"Bearer {INBOUND}"}
        with pytest.raises(Failure) as caught:
            await field.upstream.request(caller(headers=sent), "tools/call", ADD, Client())
        assert caught.value.kind == "credentials"
        assert field.recorder.seen == []


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize("auth", [OutboundAuth(), STATIC, DELEGATED], ids=["none", "static", "delegated"])
async def test_the_inbound_credential_never_goes_upstream(serve: Serve, era: str, auth: OutboundAuth) -> None:
    forwarded = passing("Authorization", "Cookie", "X-Api-Key", "X-Tenant", "Host", "Mcp-Session-Id")
    async with serve(era, auth=auth, forward_headers=forwarded) as field:
        field.gateway.delegation = Tokens()
        sent = {"x-api-key": INBOUND, "x-tenant": "acme", "mcp-session-id": "of-the-door"}
        async with asyncio.timeout(20):
            await field.upstream.facts(caller(headers=sent))
            await field.upstream.request(caller(headers=sent), "tools/call", ADD, Client())
            await field.upstream.close()
        assert no_inbound(field.recorder.seen)
        expected = {"none": None, "static": "Bearer of-the-gateway", "token_exchange": "Bearer alice-token-1"}
        for one in field.recorder.seen:
            assert one.headers.get("authorization") == expected[auth.mode]
            assert one.headers.get("mcp-session-id") != "of-the-door"
            assert one.headers.get("cookie") is None
        (called,) = field.recorder.of("tools/call")
        assert called.headers["x-tenant"] == "acme"


async def test_a_header_that_repeats_the_inbound_credential_is_refused(serve: Serve) -> None:
    async with serve("modern", forward_headers=passing("X-Custom")) as field:
        with pytest.raises(Failure) as caught:
            await field.upstream.request(caller(headers={"x-custom": INBOUND}), "tools/call", ADD, Client())
        assert caught.value.kind == "credentials"
        assert field.recorder.seen == []


async def test_a_delegation_that_passes_the_inbound_token_on_is_refused(serve: Serve) -> None:
    async with serve("modern", auth=DELEGATED) as field:
        field.gateway.delegation = Tokens(leak=True)
        with pytest.raises(Failure) as caught:
            await field.upstream.request(caller(), "tools/call", ADD, Client())
        assert caught.value.kind == "credentials"
        assert field.recorder.seen == []


def refuses(*tokens: str, status: int = 401, told: str = "") -> Any:
    """Refuse requests with these tokens."""

    def gate(scope: Scope, rpc: dict[str, Any]) -> JSONResponse | None:
        authorization = dict(scope["headers"]).get(b"authorization", b"").decode()
        if authorization.removeprefix("Bearer ") in tokens:
            return JSONResponse({}, status, headers={"www-authenticate": told})
        return legacy_only(scope, rpc)

    return gate


@pytest.mark.parametrize(
    ("status", "told"), [(401, "Bearer resource_metadata=x"), (403, 'Bearer error="insufficient_scope"')]
)
async def test_a_refused_token_is_met_once_with_another(serve: Serve, status: int, told: str) -> None:
    async with serve("legacy", auth=DELEGATED) as field:
        tokens = field.gateway.delegation = Tokens()
        field.recorder.gate = refuses("alice-token-1", status=status, told=told)
        assert text_of(await field.upstream.request(caller(), "tools/call", ADD, Client())) == "3"
        assert [(one.status, one.authenticate) for one in tokens.refused] == [(status, told)]
        assert {delegate.id for _, delegate in tokens.asked} == {"mcp:field"}


async def test_a_token_that_is_refused_again_ends_the_request(serve: Serve) -> None:
    async with serve("legacy", auth=DELEGATED) as field:
        tokens = field.gateway.delegation = Tokens()
        field.recorder.gate = refuses("alice-token-1", "alice-token-2", "alice-token-3")
        with pytest.raises(Failure) as caught:
            await field.upstream.request(caller(), "tools/call", ADD, Client())
        assert caught.value.kind == "unauthorized"
        assert len(tokens.refused) == 1
        assert len(field.recorder.seen) == 2


async def test_a_plain_403_is_no_reason_for_another_token(serve: Serve) -> None:
    async with serve("modern", auth=DELEGATED) as field:
        tokens = field.gateway.delegation = Tokens()
        await field.upstream.facts(caller())
        field.recorder.gate = refuses("alice-token-1", status=403)
        with pytest.raises(Failure) as caught:
            await field.upstream.request(caller(), "tools/call", ADD, Client())
        assert caught.value.kind == "status_403"
        assert tokens.refused == []


async def test_static_credentials_that_are_refused_end_the_request(serve: Serve) -> None:
    async with serve("modern", auth=STATIC) as field:
        field.recorder.gate = refuses("of-the-gateway")
        with pytest.raises(Failure) as caught:
            await field.upstream.request(caller(), "tools/call", ADD, Client())
        assert caught.value.kind == "unauthorized"
        assert "of-the-gateway" not in caught.value.message
        assert len(field.recorder.seen) == 1


async def test_consent_that_is_missing_reaches_the_caller(serve: Serve) -> None:
    async with serve("modern", auth=DELEGATED) as field:
        field.gateway.delegation = Tokens(consent=True)
        with pytest.raises(ConsentNeeded) as caught:
            await field.upstream.request(caller(), "tools/call", ADD, Client())
        assert caught.value.url.startswith("https://gw.example/")
        assert field.recorder.seen == []
        assert field.upstream.health.errors == 0


async def test_a_mode_without_a_plugin_that_offers_it_stops_the_start() -> None:
    gateway = FakeGateway("mcp")
    with pytest.raises(ConfigError, match="no plugin offers delegation"):
        await check_server(ServerSpec("field", url="https://x.example/mcp", auth=DELEGATED), gateway)
    gateway.delegation = Tokens()
    await check_server(ServerSpec("field", url="https://x.example/mcp", auth=DELEGATED), gateway)


async def test_two_callers_never_share_a_session(serve: Serve) -> None:
    async with serve("legacy") as field:
        names = ("alice", "bob", "carol")
        client = Client()

        async def call(name: str, number: int) -> None:
            params = {"name": "add", "arguments": {"a": 1, "b": number}, "_meta": {"test/who": name}}
            await field.upstream.request(caller(name), "tools/call", params, client)

        async with asyncio.timeout(30):
            await asyncio.gather(*(call(name, number) for number in range(5) for name in names))
        sessions: dict[str, set[str]] = {}
        for one in field.recorder.of("tools/call"):
            sessions.setdefault(one.rpc["params"]["_meta"]["test/who"], set()).add(one.headers["mcp-session-id"])
        assert set(sessions) == set(names)
        assert all(len(own) == 1 for own in sessions.values())
        assert len(set.union(*sessions.values())) == len(names)
        assert len(field.recorder.of("initialize")) == len(names)


async def test_one_callers_clients_and_forwarded_headers_have_sessions_of_their_own(serve: Serve) -> None:
    async with serve("legacy", forward_headers=passing("X-Tenant")) as field:
        for tenant in ("a", "b"):
            for name in ("one", "two"):
                ctx = caller(headers={"x-tenant": tenant})
                await field.upstream.request(ctx, "tools/list", {}, Client(name=name))
        assert len({one.headers["mcp-session-id"] for one in field.recorder.of("tools/list")}) == 4


async def test_a_session_that_the_server_forgot_is_opened_anew_once(serve: Serve) -> None:
    async with serve("legacy") as field:
        await field.upstream.request(caller(), "tools/list", {}, Client())
        (first,) = {one.headers["mcp-session-id"] for one in field.recorder.of("tools/list")}

        def forgot(scope: Scope, rpc: dict[str, Any]) -> JSONResponse | None:
            if dict(scope["headers"]).get(b"mcp-session-id") == first.encode():
                return JSONResponse({"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no"}}, 404)
            return legacy_only(scope, rpc)

        field.recorder.gate = forgot
        assert text_of(await field.upstream.request(caller(), "tools/call", ADD, Client())) == "3"
        assert len(field.recorder.of("initialize")) == 2


async def test_a_server_that_forgets_every_session_at_once_is_not_asked_for_ever(serve: Serve) -> None:
    def forgets(scope: Scope, rpc: dict[str, Any]) -> JSONResponse | None:
        if rpc.get("method") == "tools/call":
            return JSONResponse({}, 404)
        return legacy_only(scope, rpc)

    async with serve("legacy") as field:
        field.recorder.gate = forgets
        with pytest.raises(Failure) as caught:
            await field.upstream.request(caller(), "tools/call", ADD, Client())
        assert caught.value.kind == "session"
        assert len(field.recorder.of("tools/call")) == 2


async def test_a_modern_request_says_all_about_itself(serve: Serve) -> None:
    async with serve("modern", headers={"X-Static": Secret("fixed")}) as field:
        client = Client(capabilities={"elicitation": {}}, log_level="info", name="née")
        params = {**ADD, "_meta": {"progressToken": 7, "io.modelcontextprotocol/clientInfo": {"name": "forged"}}}
        await field.upstream.request(caller(), "tools/call", params, client)
        (called,) = field.recorder.of("tools/call")
        meta = called.rpc["params"]["_meta"]
        assert meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
        assert meta["io.modelcontextprotocol/clientInfo"] == client.info
        assert meta["io.modelcontextprotocol/clientCapabilities"] == {"elicitation": {}}
        assert meta["io.modelcontextprotocol/logLevel"] == "info"
        assert meta["progressToken"] == 7
        assert called.headers["mcp-method"] == "tools/call"
        assert called.headers["mcp-name"] == "add"
        assert called.headers["x-static"] == "fixed"
        assert meta["traceparent"] == called.headers["traceparent"]


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_the_trace_goes_on_upstream(serve: Serve, era: str) -> None:
    async with serve(era) as field:
        parent = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
        ctx = caller(headers={"traceparent": parent, "tracestate": "vendor=1"})
        await field.upstream.request(ctx, "tools/call", ADD, Client())
        (called,) = field.recorder.of("tools/call")
        meta = called.rpc["params"]["_meta"]
        assert called.headers["traceparent"].split("-")[1] == "a" * 32
        assert called.headers["traceparent"].split("-")[2] == ctx.trace.span_id
        assert (meta["traceparent"], meta["tracestate"]) == (called.headers["traceparent"], "vendor=1")
        alone = {**ADD, "_meta": {"traceparent": "00-" + "c" * 32 + "-" + "d" * 16 + "-01"}}
        await field.upstream.request(caller(), "tools/call", alone, Client())
        assert field.recorder.of("tools/call")[-1].headers["traceparent"].split("-")[1] == "c" * 32


async def test_arguments_are_repeated_in_headers_as_the_schema_of_the_last_list_says(serve: Serve) -> None:
    schema = {
        "type": "object",
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"type": "object", "properties": {"on": {"type": "boolean", "x-mcp-header": "On"}}},
        },
    }
    bad = {"type": "object", "properties": {"n": {"type": "number", "x-mcp-header": "N"}}}
    tools = [{"name": "t", "inputSchema": schema}, {"name": "bad", "inputSchema": bad}]

    def gate(scope: Scope, rpc: dict[str, Any]) -> JSONResponse | None:
        if rpc.get("method") == "tools/list":
            return JSONResponse({"jsonrpc": "2.0", "id": rpc["id"], "result": {"tools": tools}})
        if rpc.get("method") != "tools/call":
            return None
        given = dict(scope["headers"]).get(b"mcp-param-region")
        if given is None:
            error = {"code": -32020, "message": "Mcp-Param-Region header is missing"}
            return JSONResponse({"jsonrpc": "2.0", "id": rpc["id"], "error": error}, 400)
        return JSONResponse({"jsonrpc": "2.0", "id": rpc["id"], "result": {"content": [], "given": given.decode()}})

    async with serve("modern") as field:
        await field.upstream.facts(caller())
        field.recorder.gate = gate
        params = {"name": "t", "arguments": {"region": "süd", "deep": {"on": True}}}
        # Not listed yet: the server says so, the list is looked up, and the call is made once more.
        first = await field.upstream.request(caller(), "tools/call", params, Client())
        assert first["given"] == "=?base64?c8O8ZA==?="
        assert [len(field.recorder.of(name)) for name in ("tools/call", "tools/list")] == [2, 1]
        await field.upstream.request(caller(), "tools/call", params, Client())
        called = field.recorder.of("tools/call")
        assert len(called) == 3
        assert called[-1].headers["mcp-param-on"] == "true"
        listed = await field.upstream.request(caller(), "tools/list", {}, Client())
        assert [tool["name"] for tool in listed["tools"]] == ["t"]


async def test_a_clients_log_level_is_set_in_its_own_session(serve: Serve) -> None:
    async with serve("legacy") as field:

        def gate(scope: Scope, rpc: dict[str, Any]) -> JSONResponse | None:
            if rpc.get("method") == "initialize":
                result = {"protocolVersion": "2025-06-18", "capabilities": {"logging": {}}, "serverInfo": {}}
                reply = {"jsonrpc": "2.0", "id": rpc["id"], "result": result}
                return JSONResponse(reply, headers={"mcp-session-id": f"s-{len(field.recorder.of('initialize'))}"})
            if "id" in rpc and rpc.get("method") != "server/discover":
                return JSONResponse({"jsonrpc": "2.0", "id": rpc["id"], "result": {}})
            return legacy_only(scope, rpc) or JSONResponse({}, 202)

        field.recorder.gate = gate
        for _ in range(2):
            await field.upstream.request(caller("alice"), "tools/list", {}, Client(log_level="debug"))
        await field.upstream.request(caller("bob"), "tools/list", {}, Client())
        (told,) = field.recorder.of("logging/setLevel")
        assert told.rpc["params"]["level"] == "debug"
        assert told.headers["mcp-session-id"] == "s-1"
        assert json.loads(field.recorder.of("initialize")[0].body)["params"]["capabilities"] == {
            "elicitation": {"form": {}, "url": {}}
        }
