"""V17: a web page cannot make a browser talk to the gateway: not by a name of its own that points here, nor from its
own origin, on no route, even with a valid key; and nothing tells a browser otherwise."""

from __future__ import annotations

import asyncio
import re

import pytest

from routeiq.routes.table import Route
from routeiq.server.guards import PROBE_PATHS
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.raw import RawReply, raw_exchange, raw_request

_PARAMETER = re.compile(r"\{\w+(:\w+)?\}")
REBOUND = (
    "rebound.example",
    "rebound.example:4000",
    "127.0.0.1.nip.example",
    "a.localhost.example",
    "10.0.0.5",
    "[fe80::1]",
)
FOREIGN = (
    "https://evil.example", "http://evil.example", "null", "file://", "http://localhost.evil.example", "http://localhost@evil",
    "http://127.0.0.1:1", "https://localhost:1", "chrome-extension://abcdef", "", "http://", "localhost", "HTTP://LOCALHOST",
    "http://localhost http://localhost", "http://localhost/", "//localhost", "javascript:alert(1)", "https://app.example.evil",
)  # fmt: skip
CHAT = b'{"model":"fast","messages":[{"role":"user","content":"hello"}],"stream":true}'

FORMS = re.compile(r" /(connections|authorize)")
SAME_FOR_ALL = re.compile(r"/\.well-known/|/connections/client\.json|/oauth/jwks")
"""Documents that say what the gateway is: anybody may keep them."""


def request(running: TestGateway, route: Route | None, *headers: tuple[str, str]) -> bytes:
    bearer = ("Authorization", f"Bearer {running.key}")
    if route is None:
        path, method, body = "/v1/chat/completions", "POST", CHAT
    else:
        path, method, body = _PARAMETER.sub("x", route.path), route.method, b"{}"
    length = (("Content-Length", str(len(body))), ("Content-Type", "application/json"))
    return raw_request(method, path, *headers, bearer, *length, body=body)


async def each(running: TestGateway, *headers: tuple[str, str]) -> dict[str, RawReply]:
    """What every route that is there answers to a caller with the master key and these headers."""
    found: dict[str, RawReply] = {}
    routes = running.runtime.table.routes
    for start in range(0, len(routes), 32):
        some = routes[start : start + 32]
        replies = await asyncio.gather(*(raw_exchange(running.url, request(running, each, *headers)) for each in some))
        found |= {f"{route.method} {route.path}": reply for route, reply in zip(some, replies, strict=True)}
    return found


async def test_a_rebound_name_reaches_no_route(fortress, scripted_upstream) -> None:
    running = await fortress()
    for host in REBOUND:
        replies = await each(running, ("Host", host), ("Origin", f"http://{host}"))
        assert len(replies) > 150
        for name, reply in replies.items():
            assert reply.status == 421 or name.partition(" ")[2] in PROBE_PATHS, (host, name, reply.status)
            assert b"access-control-" not in reply.data.lower()
    assert scripted_upstream.requests == []


async def test_without_an_origin_a_rebound_name_reaches_the_probes_alone(fortress) -> None:
    running = await fortress()
    replies = await each(running, ("Host", "rebound.example"))
    served = {name.partition(" ")[2] for name, reply in replies.items() if reply.status != 421}
    assert served == PROBE_PATHS


async def test_a_page_of_another_origin_reaches_no_route(fortress, scripted_upstream) -> None:
    running = await fortress(server={"allowed_origins": ["https://app.example"]})
    for origin in ("https://evil.example", "null"):
        for name, reply in (await each(running, ("Host", "localhost"), ("Origin", origin))).items():
            assert reply.status == 403, (origin, name, reply.status)
            assert b"origin_not_allowed" in reply.body
            assert b"access-control-" not in reply.data.lower()
    assert scripted_upstream.requests == []


@pytest.mark.parametrize("origin", FOREIGN)
async def test_no_spelling_of_an_origin_passes_for_ours(gateway, scripted_upstream, origin: str) -> None:
    running = await gateway(
        {
            "model_list": [openai_row("fast", scripted_upstream.base_url)],
            "routeiq": {"server": {"allowed_origins": ["https://app.example"]}},
        }
    )
    reply = await raw_exchange(running.url, request(running, None, ("Host", "localhost"), ("Origin", origin)))
    assert reply.status == 403
    assert b"access-control-" not in reply.data.lower()
    assert scripted_upstream.requests == []


async def test_two_origins_are_refused_even_if_one_is_ours(gateway) -> None:
    running = await gateway({"routeiq": {"server": {"allowed_origins": ["https://app.example"]}}})
    told = [("Origin", "https://app.example"), ("Origin", "https://evil.example")]
    assert (await raw_exchange(running.url, request(running, None, ("Host", "localhost"), *told))).status == 400


async def test_websockets_and_event_streams_are_held_to_the_same(gateway, scripted_upstream) -> None:
    running = await gateway({"model_list": [openai_row("fast", scripted_upstream.base_url)]})
    upgrade = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    for host, origin in (("rebound.example", "http://rebound.example"), ("localhost", "https://evil.example")):
        headers = [("Host", host), ("Origin", origin)]
        lines = [f"{name}: {value}" for name, value in [*headers, *upgrade]]
        handshake = "\r\n".join(["GET /v1/realtime HTTP/1.1", *lines, "", ""]).encode()
        reply = await raw_exchange(running.url, handshake)
        assert 400 <= reply.status < 500, (host, reply.data)
        accept = ("Accept", "text/event-stream")
        reply = await raw_exchange(running.url, request(running, None, *headers, accept))
        assert reply.status == (421 if host != "localhost" else 403)
        assert b"data:" not in reply.data
    assert scripted_upstream.requests == []


async def test_by_default_nothing_speaks_to_browsers_of_other_origins(gateway, scripted_upstream) -> None:
    running = await gateway({"model_list": [openai_row("fast", scripted_upstream.base_url)]})
    preflight = raw_request(
        "OPTIONS",
        "/v1/chat/completions",
        ("Host", "localhost"),
        ("Origin", "https://app.example"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization"),
    )
    reply = await raw_exchange(running.url, preflight)
    assert reply.status == 403
    assert b"access-control-" not in reply.data.lower()
    status, headers, _ = await running.chat("fast")
    assert status == 200
    assert [name for name in headers if name.lower().startswith("access-control-")] == []


async def test_the_gateways_own_pages_may_call_it(gateway, scripted_upstream) -> None:
    running = await gateway({"model_list": [openai_row("fast", scripted_upstream.base_url)]})
    host = running.url.partition("://")[2]
    for origin in (f"http://{host}", f"https://{host}"):  # a proxy in front may have taken the TLS off
        reply = await raw_exchange(running.url, request(running, None, ("Host", host), ("Origin", origin)))
        assert reply.status == 200
        assert b"access-control-" not in reply.data.lower()
    for own, origin in (("localhost:80", "http://localhost"), ("localhost", "http://localhost:80")):
        reply = await raw_exchange(running.url, request(running, None, ("Host", own), ("Origin", origin)))
        assert reply.status == 200


async def test_a_named_origin_gets_its_preflight_and_its_answers_and_never_a_star(gateway, scripted_upstream) -> None:
    running = await gateway(
        {
            "model_list": [openai_row("fast", scripted_upstream.base_url)],
            "routeiq": {"server": {"allowed_origins": ["https://app.example", "app://desk.example"]}},
        }
    )
    preflight = raw_request(
        "OPTIONS",
        "/v1/chat/completions",
        ("Host", "localhost"),
        ("Origin", "https://app.example"),
        ("Access-Control-Request-Method", "POST"),
        (
            "Access-Control-Request-Headers",
            "authorization, content-type, x-stainless-lang, cookie, x evil, anthropic-beta",
        ),
    )
    reply = await raw_exchange(running.url, preflight)
    granted = "authorization, content-type, x-stainless-lang, anthropic-beta"
    assert (reply.status, reply.headers["access-control-allow-headers"]) == (204, granted)
    assert reply.headers["access-control-allow-origin"] == "https://app.example"
    assert reply.headers["access-control-allow-methods"] == "GET, HEAD, POST, PUT, PATCH, DELETE"
    assert reply.headers["vary"] == "Origin"
    told = {name: value for name, value in reply.headers.items() if name.startswith("access-control-")}
    assert "access-control-allow-credentials" not in told
    assert not any("*" in value for value in told.values())
    for origin in ("https://app.example", "app://desk.example"):
        reply = await raw_exchange(running.url, request(running, None, ("Host", "localhost"), ("Origin", origin)))
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, origin)
        assert "access-control-allow-credentials" not in reply.headers
        assert reply.data.lower().count(b"access-control-allow-origin") == 1
    wrong = request(running, None, ("Host", "localhost"), ("Origin", "https://app.example")).replace(b"sk-", b"sk-no-")
    reply = await raw_exchange(running.url, wrong)  # the page may read why it was refused
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (401, "https://app.example")


async def test_answers_tell_browsers_to_be_careful(fortress) -> None:
    running = await fortress()
    for name, reply in (await each(running, ("Host", "localhost"))).items():
        assert reply.headers["x-content-type-options"] == "nosniff", name
        told = reply.headers["referrer-policy"]  # pages with forms: a browser that tells no origin posts `null`
        assert told == "no-referrer" or (told == "same-origin" and FORMS.search(name)), name
        assert reply.headers["content-security-policy"].startswith("default-src 'none'"), name
        kept = reply.headers["cache-control"]
        assert "no-store" in kept or "no-cache" in kept or SAME_FOR_ALL.search(name), name
        assert "server" not in reply.headers, name
        for header in (b"content-security-policy:", b"cache-control:", b"referrer-policy:"):
            assert reply.data.lower().partition(b"\r\n\r\n")[0].count(b"\r\n" + header) == 1, (name, header)
