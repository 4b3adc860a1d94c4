"""What transports note of a call for its record, and that the end of a session with a server is told once."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.responses import JSONResponse
from starlette.types import Scope

from routeiq_mcp.noting import note, noted
from routeiq_mcp.upstream import ServerSpec, open_upstream
from routeiq_sdk.events.tool_call import FACTS
from routeiq_sdk.testing import FakeGateway

from .conftest import Serve
from .parts import Client, RealClock, caller, calling
from .servers import legacy_only, sdk_server, serving
from .test_stdio import program, trusting

ADD = {"name": "add", "arguments": {"a": 1, "b": 2}}


def mark(id: str) -> str:
    return hashlib.sha256(id.encode()).hexdigest()[:16]


def ended(gateway: FakeGateway) -> list[dict[str, object]]:
    found = [dict(event.payload) for event in gateway.events if event.name == "routeiq.tool_session.v1"]
    assert all(float(str(each["duration_ms"])) >= 0 for each in found)
    return found


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_over_http_the_wire_of_a_call_is_noted_and_no_session_id(serve: Serve, era: str) -> None:
    async with serve(era) as field:
        facts: dict[str, str] = {}
        with noted(facts):
            await field.upstream.request(caller(), "tools/call", ADD, Client())
        (asked,) = field.recorder.of("tools/call")
        assert facts["upstream_request_id"] == str(asked.rpc["id"])
        assert (facts["upstream_transport"], facts["upstream_protocol"]) == ("tcp", "http")
        assert (facts["upstream_address"], facts["upstream_port"]) == ("127.0.0.1", str(urlsplit(field.url).port))
        assert facts["upstream_era"] == era
        assert facts["upstream_version"] == asked.headers["mcp-protocol-version"]
        id = asked.headers.get("mcp-session-id")
        assert (id is None) == (era == "modern")
        assert facts.get("upstream_session_sha256") == (mark(id) if id is not None else None)
        assert id is None or id not in str(facts)
        assert facts.keys() <= FACTS.keys()
        gateway = field.gateway
        assert ended(gateway) == []
    sessions = ended(gateway)
    assert len(sessions) == (1 if era == "legacy" else 0)
    for told in sessions:
        assert (told["side"], told["server"], told["ended_by"], told["transport"]) == (
            "client",
            "field",
            "gateway",
            "tcp",
        )
        assert told["session_sha256"] == facts["upstream_session_sha256"]


async def test_a_session_that_the_server_lost_is_ended_by_the_server(serve: Serve) -> None:
    async with serve("legacy") as field:
        await field.upstream.request(caller(), "tools/call", ADD, Client())
        lost = field.recorder.of("tools/call")[0].headers["mcp-session-id"]

        def forgets(scope: Scope, rpc: dict[str, Any]) -> JSONResponse | None:
            if dict(scope["headers"]).get(b"mcp-session-id") == lost.encode():
                return JSONResponse({"error": "no such session"}, 404)
            return legacy_only(scope, rpc)

        field.recorder.gate = forgets
        await field.upstream.request(caller(), "tools/call", ADD, Client())
        assert [(told["ended_by"], told["session_sha256"]) for told in ended(field.gateway)] == [("server", mark(lost))]


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_a_program_speaks_through_a_pipe(era: str) -> None:
    gateway = trusting(FakeGateway("mcp"))
    gateway.clock = RealClock()  # type: ignore[assignment]
    upstream = open_upstream(ServerSpec("child", "stdio", program=program(era), trusted=True), gateway)
    facts: dict[str, str] = {}
    try:
        with noted(facts):
            await upstream.request(caller(), "tools/call", {"name": "pid", "arguments": {}}, Client())
    finally:
        await upstream.close()
        await gateway.aclose()
    assert facts.pop("upstream_request_id").isdecimal()
    assert facts == {
        "upstream_transport": "pipe",
        "upstream_era": era,
        "upstream_version": "2026-07-28" if era == "modern" else "2025-06-18",
    }
    told = [(each["transport"], each["ended_by"]) for each in ended(gateway)]
    assert told == ([("pipe", "gateway")] if era == "legacy" else [])


async def test_the_old_transport_is_noted_and_its_session_told() -> None:
    async with serving(sdk_server().sse_app()) as base, calling(base) as gateway:
        spec = ServerSpec("old", "sse", url=f"{base}/sse", trusted=True)
        upstream, facts = open_upstream(spec, gateway), dict[str, str]()
        with noted(facts):
            await upstream.request(caller(), "tools/call", ADD, Client())
        await upstream.close()
        assert (facts["upstream_transport"], facts["upstream_era"]) == ("tcp", "legacy")
        assert facts["upstream_version"].startswith("20")
        assert [(told["server"], told["ended_by"]) for told in ended(gateway)] == [("old", "gateway")]


def test_where_no_call_is_made_nothing_is_noted() -> None:
    note(upstream_request_id="1")
    facts: dict[str, str] = {}
    with noted(facts):
        note(upstream_request_id="2", upstream_session_sha256=None)
    note(upstream_request_id="3")
    assert facts == {"upstream_request_id": "2"}
