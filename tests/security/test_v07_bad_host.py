"""V7: whatever is done to the Host, the forwarding headers and the path, a protected route never answers without a key,
because what is authenticated is the route that was matched."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from routeiq_testkit.gateway import openai_row
from routeiq_testkit.raw import raw_exchange, raw_request

PROTECTED = ("/v1/models", "/routeiq/v1/status", "/key/list", "/v1/chat/completions")
PUBLIC = "/health/liveliness"

HOSTS = (
    "localhost", "127.0.0.1", "[::1]:4000", "LOCALHOST", "localhost:80", "localhost/health/liveliness",
    "localhost/health/liveliness?", "localhost#", "localhost?x=", "localhost\\x", "a/health/liveliness?x=",
    "user@localhost", "localhost.",
    "localhost:4000@evil.example", "localhost..", ".localhost", "localhost:", "localhost:x", "localhost:99999", "::1",
    "local host", "localhost,evil.example", "localhost%00", "localhost%2f", "http://localhost", "[::1", "[localhost]",
    "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "169.254.169.254", "\xe4.example", "", "*", "-",
)  # fmt: skip
FORWARDED: tuple[tuple[tuple[str, str], ...], ...] = (
    (),
    (("X-Forwarded-Host", "health.internal"),),
    (("X-Forwarded-Prefix", "/health"),),
    (("X-Forwarded-Path", PUBLIC),),
    (("X-Original-URL", PUBLIC),),
    (("X-Rewrite-URL", PUBLIC),),
    (("X-Original-Method", "OPTIONS"),),
    (("X-HTTP-Method-Override", "OPTIONS"),),
    (("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1")),
    (("Forwarded", "for=127.0.0.1;host=localhost;proto=https"),),
    (("X-Forwarded-Proto", "https"),),
    (("X-Forwarded-User", "admin"), ("X-Remote-User", "admin")),
    (("X-Script-Name", "/health"), ("SCRIPT_NAME", "/health")),
    (("Referer", "http://localhost/health/liveliness"),),
    (("Upgrade", "websocket"),),
    (("Expect", "100-continue"),),
)


def twisted(path: str) -> Iterator[str]:
    """Ways to write a path so that two readers may disagree about it."""
    first, last = path[1], path.rsplit("/", 1)[1]
    yield from (path, path + "/", "/" + path, path.replace("/", "//"), path + "//", path + "/.", path + "..;/")
    for tail in ("%2f", "%00", "%20", "%09", ";", ";.css", ".json", "?", "#", "%3f", "%23", "%2e", "%5c"):
        yield path + tail
    yield from ("/." + path, "/./" + path[1:], "/%2e" + path, f"/health{path}", "/\\" + path[1:], f"/%252e%252e{path}")
    for way in ("/../..", "/%2e%2e/%2e%2e", ";", "%2f..%2f..", "\\..\\..", "/..;/..;", "%00"):
        yield PUBLIC + way + path
    yield from (path.upper(), path.title(), path.replace(last, last.upper()), path.replace("/", "\\"))
    yield from (path.replace(first, f"%{ord(first):02x}"), path.replace(first, f"%{ord(first):02X}", 1))
    yield from (path.replace("/", "%2f"), "/" + path[1:].replace("/", "%2F"), path.replace("/", "/;/"), "*")
    yield from (path.replace("/", "/%2e/"), f"//localhost{path}", f"http:/{path}", f"https:{path}")
    yield from (f"http://localhost{path}", f"http://evil.example{path}", f"http://localhost{PUBLIC}{path}")


def bodied(path: str) -> tuple[str, bytes]:
    return ("POST", b'{"model":"fast","messages":[]}') if path.endswith("completions") else ("GET", b"")


async def statuses(origin: str, requests: list[bytes]) -> list[int]:
    found: list[int] = []
    for start in range(0, len(requests), 32):
        replies = await asyncio.gather(*(raw_exchange(origin, each) for each in requests[start : start + 32]))
        found += [status for reply in replies for status in reply.statuses]
    return found


def attack(path: str, target: str, host: str, extra: tuple[tuple[str, str], ...], *more: tuple[str, str]) -> bytes:
    method, body = bodied(path)
    length = (("Content-Length", str(len(body))),) if body else ()
    return raw_request(method, target, ("Host", host), *extra, *more, *length, body=body)


@pytest.mark.parametrize("path", PROTECTED)
async def test_a_protected_route_never_answers_without_a_key(fortress, scripted_upstream, path: str) -> None:
    running = await fortress()
    requests = [attack(path, path, host, extra) for host in HOSTS for extra in FORWARDED]
    requests += [attack(path, target, "localhost", extra) for target in twisted(path) for extra in FORWARDED]
    found = await statuses(running.url, requests)
    assert len(found) >= len(requests)
    assert {status for status in found if status < 400} - {100} == set()
    assert {status for status in found if status >= 500} - {501} == set()
    assert scripted_upstream.requests == []


@pytest.mark.parametrize("hosts", [["*"], ["*.example", "gateway"]])
async def test_nor_where_other_hosts_are_taken(fortress, scripted_upstream, hosts: list[str]) -> None:
    running = await fortress(server={"allowed_hosts": hosts})
    requests = [attack(path, path, host, ()) for path in PROTECTED for host in HOSTS]
    found = await statuses(running.url, requests)
    assert {status for status in found if status < 400} == set()
    assert (401 in found, 400 in found) == (True, True)


async def test_with_a_key_only_a_clean_path_is_served(fortress) -> None:
    """The twisted paths either mean the route, then the key counts, or they mean nothing at all."""
    running = await fortress()
    bearer = ("Authorization", f"Bearer {running.key}")
    for target in twisted("/v1/models"):
        reply = await raw_exchange(running.url, attack("/v1/models", target, "localhost", (), bearer))
        assert reply.status in (200, 400, 404, 405), target
        if reply.status == 200:
            assert b'"object":"list"' in reply.body or b'"data"' in reply.body, target


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:4000", 200),
        ("LocalHost:1", 200),
        ("[::1]", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("localhost.", 400),
        ("user@localhost", 400),
        ("local host", 400),
        ("localhost:", 400),
        ("localhost:70000", 400),
        ("localhost:80x", 400),
        ("localhost/x", 400),
    ],
)
async def test_odd_hosts_are_refused_by_name(gateway, scripted_upstream, host: str, status: int) -> None:
    running = await gateway({"model_list": [openai_row("fast", scripted_upstream.base_url)]})
    bearer = ("Authorization", f"Bearer {running.key}")
    reply = await raw_exchange(running.url, raw_request("GET", "/v1/models", ("Host", host), bearer))
    assert reply.status == status
    if status == 421:
        assert b"routeiq.server.allowed_hosts" in reply.body


async def test_two_hosts_and_no_host_are_refused(gateway) -> None:
    running = await gateway({})
    twice = raw_request("GET", "/v1/models", ("Host", "localhost"), ("Host", "localhost"))
    assert (await raw_exchange(running.url, twice)).status == 400
    assert (await raw_exchange(running.url, raw_request("GET", "/v1/models"))).status == 400
    assert (await raw_exchange(running.url, raw_request("GET", "/v1/models", version="1.0"))).status == 421


async def test_an_absolute_target_is_refused_whatever_host_it_names(gateway) -> None:
    running = await gateway({})
    for place in ("localhost", "evil.example", "localhost@evil.example"):
        reply = await raw_exchange(running.url, raw_request("GET", f"http://{place}{PUBLIC}", ("Host", "localhost")))
        assert (reply.status, b"bad_target" in reply.body) == (400, True)
