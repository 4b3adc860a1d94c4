"""Statuses, bodies and headers in every situation that clients of LiteLLM know, for both profiles and both surfaces.

The golden files hold one situation each, the profiles side by side. After a change that is wanted:
`pytest tests/contract --update-golden`, then read the difference as a client would.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, anthropic_row, openai_row

PROFILES = ("1.80", "1.109")
LIMITED = "sk-limited-2f9c41d7e8a05b63"
PLUGIN = """
from __future__ import annotations
from typing import Any
from routeiq_sdk import *

class Fixture(Plugin[PluginConfig]):
    @hookimpl
    async def authenticate(self, ctx: Context) -> Any:
        told = ctx.headers.get("authorization") or ""
        if told.endswith("sk-limited-2f9c41d7e8a05b63"):
            return Principal("limited", models=frozenset({"other", "another"}))
        return None

    @hookimpl
    async def guard_request(self, ctx: Context) -> Any:
        said = ctx.request.text()
        if said == "break":
            raise RuntimeError("the inner reason")
        if said == "refuse":
            return Reject(429, "Too many of these.", type="fixture_limit", code="slow_down", retry_after=3)
        return None
"""


class Client:
    """One surface of one gateway, and the provider behind it."""

    def __init__(self, gateway: TestGateway, up: ScriptedUpstream, surface: str) -> None:
        self.gateway = gateway
        self.up = up
        self.anthropic = surface == "messages"
        self.path = "/v1/messages" if self.anthropic else "/v1/chat/completions"
        self.model = "claude" if self.anthropic else "gpt"
        self.key = gateway.key

    def body(self, text: str = "hello", **fields: Any) -> dict[str, Any]:
        body = {"model": self.model, "messages": [{"role": "user", "content": text}], **fields}
        return {"max_tokens": 50, **body} if self.anthropic else body

    def fails(self, status: int, type: str, message: str, **more: Any) -> None:
        """The provider's next answer is this error, in its own wire."""
        if self.anthropic:
            headers = more.get("headers")
            self.up.script(Reply.anthropic_error(status, type, message, headers=headers))
        else:
            self.up.script(Reply.error(status, type, message, **more))

    @asynccontextmanager
    async def open(self, method: str = "POST", path: str | None = None, *, key: str | None = "", **how: Any) -> Any:
        """One request. `key` is the master key unless told otherwise, `None` for none."""
        headers = {} if key is None else {"authorization": f"Bearer {key or self.key}"}
        headers |= how.pop("headers", {})
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.gateway.url + (path or self.path), headers=headers, **how) as response,
        ):
            yield response


Play = Callable[[Client], Awaitable[Any]]
SITUATIONS: dict[str, Play] = {}


def situation(play: Play) -> Play:
    SITUATIONS[play.__name__] = play
    return play


async def said(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """An answer as the golden file has it."""
    if response.content_type == "text/event-stream":
        body: Any = [event(lines) for lines in (await response.text()).split("\n\n") if lines]
    else:
        body = await response.json()
    return {"status": response.status, "headers": response.headers, "body": body}


def event(lines: str) -> dict[str, Any]:
    fields = dict(line.split(": ", 1) for line in lines.split("\n"))
    data = fields["data"]
    return {**fields, "data": json.loads(data) if data.startswith("{") else data}


async def ask(client: Client, body: Any = None, **how: Any) -> dict[str, Any]:
    if "data" not in how:
        how["json"] = client.body() if body is None else body
    async with client.open(**how) as response:
        return await said(response)


@situation
async def answered(client: Client) -> Any:
    return await ask(client)


@situation
async def answered_as_a_stream(client: Client) -> Any:
    options = {} if client.anthropic else {"stream_options": {"include_usage": True}}
    return await ask(client, client.body(stream=True, **options))


@situation
async def no_key(client: Client) -> Any:
    return await ask(client, key=None)


@situation
async def unknown_key(client: Client) -> Any:
    return await ask(client, key="sk-nobody-knows-this-one")


@situation
async def model_not_allowed(client: Client) -> Any:
    return await ask(client, key=LIMITED)


@situation
async def not_an_admin(client: Client) -> Any:
    async with client.open("GET", "/routeiq/v1/status", key=LIMITED) as response:
        return await said(response)


@situation
async def unknown_model(client: Client) -> Any:
    return await ask(client, client.body(model="nobody"))


@situation
async def bad_json(client: Client) -> Any:
    return await ask(client, data=b'{"model": "gpt", ')


@situation
async def json_that_is_no_object(client: Client) -> Any:
    return await ask(client, data=b"[1, 2]")


@situation
async def missing_messages(client: Client) -> Any:
    return await ask(client, {"model": client.model, "max_tokens": 5})


@situation
async def messages_of_a_wrong_type(client: Client) -> Any:
    return await ask(client, client.body(messages={}))


@situation
async def missing_model(client: Client) -> Any:
    body = client.body()
    del body["model"]
    return await ask(client, body)


@situation
async def a_field_no_client_may_set(client: Client) -> Any:
    return await ask(client, client.body(api_base="http://elsewhere.example"))


@situation
async def body_too_large(client: Client) -> Any:
    return await ask(client, client.body("x" * 70_000))


@situation
async def json_too_deep(client: Client) -> Any:
    return await ask(client, data=b'{"model": "gpt", "messages": ' + b"[" * 80 + b"]" * 80 + b"}")


@situation
async def slow_body(client: Client) -> Any:
    held = asyncio.Event()

    async def dripping() -> Any:
        yield b'{"model": '
        await held.wait()

    answer = await ask(client, data=dripping())
    held.set()
    return answer


@situation
async def no_such_route(client: Client) -> Any:
    async with client.open("GET", "/v1/nothing/here") as response:
        return await said(response)


@situation
async def no_such_method(client: Client) -> Any:
    async with client.open("DELETE") as response:
        return await said(response)


@situation
async def too_many_in_flight(client: Client) -> Any:
    client.up.script(Reply.hang())
    occupied = asyncio.create_task(ask(client))
    await client.up.until_requests(1)
    answer = await ask(client)
    occupied.cancel()
    await asyncio.wait((occupied,))
    return answer


@situation
async def plugin_fails(client: Client) -> Any:
    return await ask(client, client.body("break"))


@situation
async def plugin_refuses(client: Client) -> Any:
    return await ask(client, client.body("refuse"))


def upstream_status(status: int, type: str, message: str = "The provider says so.", **more: Any) -> None:
    async def play(client: Client) -> Any:
        client.fails(status, type, message, **more)
        return await ask(client)

    SITUATIONS[f"upstream_{more.get('code') or status}"] = play


upstream_status(400, "provider_own_type", param="temperature")
upstream_status(
    400, "invalid_request_error", "The prompt is too long: too many tokens.", code="context_length_exceeded"
)
upstream_status(400, "invalid_request_error", "Refused by the safety system.", code="content_policy_violation")
upstream_status(401, "authentication_error")
upstream_status(403, "permission_error")
upstream_status(404, "not_found_error")
upstream_status(408, "timeout_error")
upstream_status(413, "request_too_large")
upstream_status(422, "unprocessable_entity_error")
upstream_status(429, "rate_limit_error", headers={"retry-after": "7", "x-ratelimit-remaining-requests": "0"})
upstream_status(500, "server_error")
upstream_status(502, "server_error")
upstream_status(503, "overloaded_error", headers={"retry-after": "2"})
upstream_status(529, "overloaded_error")


def upstream_fault(name: str, make: Callable[[Client], Any]) -> None:
    async def play(client: Client) -> Any:
        client.up.script(make(client))
        return await ask(client)

    SITUATIONS[f"upstream_{name}"] = play


upstream_fault("hangs", lambda client: Reply.hang())
upstream_fault("cuts", lambda client: Reply.cut())
upstream_fault("answers_html", lambda client: Reply.html(502))
upstream_fault("answers_html_as_success", lambda client: Reply.html(200))
upstream_fault("answers_no_http", lambda client: Reply.garbage())
upstream_fault("answers_no_json", lambda client: Reply.not_json())
upstream_fault("answers_nothing", lambda client: Reply.empty())
upstream_fault("redirects", lambda client: Reply.redirect("http://elsewhere.example/"))


@situation
async def upstream_unreachable(client: Client) -> Any:
    return await ask(client, client.body(model="nowhere"))


@situation
async def all_benched(client: Client) -> Any:
    client.fails(401, "authentication_error", "The provider says so.")
    await ask(client)
    return await ask(client)


@situation
async def fallbacks_spent(client: Client) -> Any:
    client.fails(500, "server_error", "The first.")
    client.fails(500, "server_error", "The second.")
    other = "other-claude" if client.anthropic else "other-gpt"
    return await ask(client, client.body(fallbacks=[other]))


@situation
async def stream_with_an_error_in_it(client: Client) -> Any:
    error = Reply.message_stream_error(["Hel", "lo"]) if client.anthropic else Reply.stream_error(["Hel", "lo"])
    client.up.script(error)
    return await ask(client, client.body(stream=True))


@situation
async def stream_cut(client: Client) -> Any:
    whole = Reply.message_stream() if client.anthropic else Reply.stream()
    client.up.script(Reply.cut(after_events=5, of=whole))
    return await ask(client, client.body(stream=True))


@situation
async def stream_falls_silent(client: Client) -> Any:
    whole = Reply.message_stream() if client.anthropic else Reply.stream()
    client.up.script(Reply.hang(after_events=5, of=whole))
    return await ask(client, client.body(stream=True))


@situation
async def stream_that_fails_before_its_first_event(client: Client) -> Any:
    client.fails(503, "overloaded_error", "The provider says so.")
    return await ask(client, client.body(stream=True))


IMPATIENT = {"slow_body", "too_many_in_flight", "upstream_hangs", "stream_falls_silent"}
"""Situations that are about waiting. All others wait long, so that a busy machine does not change what they are
about."""


def config(name: str, profile: str, up: ScriptedUpstream) -> dict[str, Any]:
    seconds = 0.4 if name in IMPATIENT else 30
    timeouts = {"timeout": seconds, "stream_timeout": seconds}
    origin = up.base_url.removesuffix("/v1")
    return {
        "model_list": [
            openai_row("gpt", up.base_url, "gpt-fixture", **timeouts),
            openai_row("other-gpt", up.base_url, "other-fixture"),
            anthropic_row("claude", origin, "claude-fixture", **timeouts),
            anthropic_row("other-claude", origin, "other-fixture"),
            openai_row("nowhere", "http://127.0.0.1:1/v1"),
        ],
        "router_settings": {"num_retries": 0},
        "routeiq": {
            "compat": {"litellm_profile": profile},
            "limits": {"in_flight": 1, "body_mib": 0.0625, "body_seconds": seconds, "stream_idle_seconds": seconds},
            "prices": {
                "gpt-fixture": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2},
                "claude-fixture": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2},
            },
            "plugins": {"fixture": {}},
        },
    }


@pytest.mark.parametrize("name", SITUATIONS)
async def test_the_situation_looks_as_the_golden_file_says(
    name: str, gateway, plugin_folder, scripted_upstream, golden, mask, mask_headers
) -> None:
    plugin_folder.install("fixture", PLUGIN)
    told: dict[str, Any] = {}
    for profile in PROFILES:
        for surface in ("chat", "messages"):
            up = scripted_upstream
            up.requests.clear()
            started = await gateway(config(name, profile, up))
            answer = await SITUATIONS[name](Client(started, up, surface))
            told.setdefault(surface, {})[profile] = {
                "status": answer["status"],
                "headers": mask_headers(answer["headers"]),
                "body": mask(answer["body"]),
            }
    golden.check(name, told)
