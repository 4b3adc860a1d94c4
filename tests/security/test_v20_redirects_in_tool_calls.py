"""V20: a server that a plugin calls (a tool, an issuer, a webhook) cannot send the gateway elsewhere by a redirect.

Every call of a plugin goes through `gateway.egress`, which follows none: neither a status, nor a header, nor a page.
"""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from routeiq.handle import PluginEgress
from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row

from .canary_host import CanaryHost

SECRET = "Bearer sk-of-the-plugin-19c2"
META_REFRESH = '<meta http-equiv="refresh" content="0; url={there}">'
WAYS = [
    *((status, {"Location": "{there}/a"}, "") for status in (300, 301, 302, 303, 305, 307, 308)),
    (302, {"Location": "//127.0.0.1:{port}/a"}, ""),
    (302, {"Location": "http://user:pass@127.0.0.1:{port}/a"}, ""),
    (302, {"Location": "http://public.example\\@127.0.0.1:{port}/a"}, ""),
    (302, {"Location": "http://[::ffff:127.0.0.1]:{port}/a"}, ""),
    (302, {"Content-Location": "{there}/a", "Location": "http://169.254.169.254/latest/meta-data/"}, ""),
    (200, {"Refresh": "0; url={there}/a"}, ""),
    (200, {"Location": "{there}/a"}, ""),
    (200, {"Link": "<{there}/a>; rel=preload", "Alt-Svc": 'h2="127.0.0.1:{port}"'}, ""),
    (200, {"Content-Type": "text/html"}, META_REFRESH),
    (401, {"WWW-Authenticate": 'Bearer realm="{there}/token"'}, ""),
    (407, {"Proxy-Authenticate": "Basic", "Location": "{there}/a"}, ""),
]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("untrusted", [False, True], ids=["the operator's", "a stranger's"])
@pytest.mark.parametrize(("status", "headers", "page"), WAYS)
async def test_a_plugins_call_ends_where_it_was_sent(
    status: int,
    headers: dict[str, str],
    page: str,
    method: str,
    untrusted: bool,
    gateway: Any,
    scripted_upstream: ScriptedUpstream,
    canary_host: CanaryHost,
    tool: Any,
) -> None:
    def there(text: str) -> str:
        return text.replace("{there}", canary_host.origin).replace("{port}", str(canary_host.port))

    asked = await tool(status, {name: there(value) for name, value in headers.items()}, there(page))
    # The canary is allowed too: nothing but "no redirect is followed" keeps the call from it.
    allow = [f"127.0.0.1:{asked.port}", f"127.0.0.1:{canary_host.port}", f"[::1]:{canary_host.port}"]
    running = await gateway(
        {"model_list": [openai_row("fast", scripted_upstream.base_url)], "routeiq": {"egress": {"allow": allow}}}
    )
    egress = PluginEgress(running.app.shared.egress)
    call = egress.call(
        method,
        f"http://127.0.0.1:{asked.port}/tool",
        headers={"authorization": SECRET},
        body=b"{}" if method == "POST" else None,
        untrusted=untrusted,
    )
    async with call as answer:
        await answer.read()
        assert answer.status == status
    assert asked.seen == [(method, "/tool", SECRET)]
    assert canary_host.hits == 0
    async with egress.call("GET", f"{canary_host.origin}/") as answer:
        await answer.read()
    assert canary_host.hits == 1  # it would have noticed


class Tool:
    """A server that answers everything alike, and what it was asked."""

    port = 0

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str | None]] = []


@pytest.fixture
async def tool() -> Any:
    runners: list[web.AppRunner] = []

    async def start(status: int, headers: dict[str, str], page: str) -> Tool:
        made = Tool()

        async def answer(request: web.Request) -> web.Response:
            made.seen.append((request.method, request.path, request.headers.get("authorization")))
            return web.Response(status=status, headers=headers, body=page.encode())

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.port = runner.addresses[0][1]
        return made

    yield start
    for runner in runners:
        await runner.cleanup()
