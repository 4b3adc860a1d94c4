"""Attacks on a gateway that has a protection, or has it switched off: each tells whether it got through.

What protects against them is written in `protections`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from routeiq_sdk import ConfigError
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

from .conftest import Govern
from .issuers import AUDIENCE, Issuer
from .raw_http import Line
from .tenants import CHAT, Client, client_of, two_tenants


@dataclass
class Bed:
    """What attacks have at hand. `canary` is a server that no configuration names."""

    start: StartGateway
    govern: Govern
    upstream: ScriptedUpstream
    canary: ScriptedUpstream
    folder: PluginFolder
    tmp_path: Path
    running: TestGateway | None = None
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def gateway(self) -> TestGateway:
        """The gateway that `prepare` started."""
        assert self.running is not None
        return self.running

    @property
    def master(self) -> Client:
        """Its operator."""
        return client_of(self.gateway)


# The gateways they are tried on.


def governed(governance: Mapping[str, Any] | None = None, **sections: Any) -> Callable[[Bed], Awaitable[None]]:
    """One with governance."""

    async def prepare(bed: Bed) -> None:
        bed.running = await bed.govern(governance, **sections)

    return prepare


async def with_tenants(bed: Bed) -> None:
    """One with two tenants in it."""
    bed.running = await bed.govern()
    bed.kept["people"] = await two_tenants(bed.running)


async def nothing_runs(_bed: Bed) -> None:
    """None: the attack is a start."""


async def chats(bed: Bed, key: str, **fields: Any) -> bool:
    """Whether a chat completion with this key reaches the model."""
    before = len(bed.upstream.requests)
    answer = await Client(bed.gateway, key).chat(**fields)
    assert (answer.status == 200) == (len(bed.upstream.requests) > before), answer
    return answer.status == 200


def with_a_key(**fields: Any) -> Callable[[Bed], Awaitable[bool]]:
    """The attack: a chat with a key that has these fields."""

    async def attack(bed: Bed) -> bool:
        return await chats(bed, (await bed.master.key_with(**fields)).key)

    return attack


def with_a_body(**fields: Any) -> Callable[[Bed], Awaitable[bool]]:
    """The attack: a chat whose body has these fields."""

    async def attack(bed: Bed) -> bool:
        return await chats(bed, bed.gateway.key, **fields)

    return attack


def starts(config: Callable[[Bed], Mapping[str, Any]]) -> Callable[[Bed], Awaitable[bool]]:
    """The attack: a gateway that starts with this configuration."""

    async def attack(bed: Bed) -> bool:
        try:
            await bed.start({"model_list": [], **config(bed)})
        except ConfigError:
            return False
        return True

    return attack


# The attacks that are more than one of these.


async def wrong_key(bed: Bed) -> bool:
    return await chats(bed, "sk-" + "0" * 43)


async def blocked_key(bed: Bed) -> bool:
    key = await bed.master.key_with()
    await bed.master.good("POST", "/key/block", {"key": key.id})
    return await chats(bed, key.key)


async def second_of_one(bed: Bed) -> bool:
    key = await bed.master.key_with(rpm_limit=1)
    return await chats(bed, key.key) and await chats(bed, key.key)


async def status_page(bed: Bed) -> bool:
    key = await bed.master.key_with()
    return (await key.ask("GET", "/routeiq/v1/status")).status == 200


async def another_tenants_team(bed: Bed) -> bool:
    return (await bed.kept["people"]["olga"].ask("GET", "/team/info", team_id="red")).status == 200


async def own_budget(bed: Bed) -> bool:
    uma = bed.kept["people"]["uma"]
    return (await uma.ask("POST", "/user/update", {"user_id": "uma", "max_budget": 1_000_000})).status == 200


async def wider_key(bed: Bed) -> bool:
    olga = bed.kept["people"]["olga"]
    await bed.master.good("POST", "/key/update", {"key": olga.id, "max_budget": 5})
    return (await olga.ask("POST", "/key/generate", {"team_id": "blue", "max_budget": 1_000_000})).status == 200


async def wider_routes(bed: Bed) -> bool:
    narrow = await bed.master.key_with(user_id="olga", allowed_routes=["/key/generate"])
    return (await narrow.ask("POST", "/key/generate", {"team_id": "blue"})).status == 200


async def model_inside(bed: Bed) -> bool:
    row = {"model": "openai/x", "api_key": "sk-x", "api_base": bed.canary.base_url}
    before = len(bed.canary.requests)
    await bed.master.ask("POST", "/model/new", {"model_name": "inside", "litellm_params": row})
    await bed.master.chat(model="inside")
    return len(bed.canary.requests) > before


async def two_lengths(bed: Bed) -> bool:
    line, body = Line(bed.gateway.url), json.dumps(CHAT).encode()
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {bed.gateway.key}\r\n"
    both = f"content-length: {len(chunked)}\r\ntransfer-encoding: chunked\r\n\r\n"
    answer = await line.send((head + both).encode() + chunked)
    line.close()
    return answer.status == 200


def under(**headers: str) -> Callable[[Bed], Awaitable[bool]]:
    """A call that a page in somebody's browser makes: under a name of its own, or from its own origin."""

    async def attack(bed: Bed) -> bool:
        return (await bed.master.ask("POST", "/v1/chat/completions", CHAT, headers=headers)).status == 200

    return attack


async def large_body(bed: Bed) -> bool:
    return await chats(bed, bed.gateway.key, user="x" * (1 << 20))


async def slow_body(bed: Bed) -> bool:
    host, _, port = bed.gateway.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps(CHAT).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {bed.gateway.key}\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body[:9])
    first = asyncio.create_task(reader.readline())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(first), 0.5)  # the bound is 0.1: an answer by now is a refusal
    writer.write(body[9:])
    status = int((await first).split()[1])
    writer.transport.abort()
    return status == 200


async def deep_body(bed: Bed) -> bool:
    deep: Any = []
    for _ in range(70):
        deep = [deep]
    return await chats(bed, bed.gateway.key, metadata={"deep": deep})


async def deep_management_body(bed: Bed) -> bool:
    deep: Any = []
    for _ in range(70):
        deep = [deep]
    return (await bed.master.ask("POST", "/team/new", {"metadata": {"deep": deep}})).status == 200


async def address_of_the_client(bed: Bed) -> bool:
    return await chats(bed, bed.gateway.key, api_base=bed.canary.base_url)


async def one_too_many(bed: Bed) -> bool:
    bed.upstream.default_for("scripted-model", Reply.chat("late").delayed(0.2))
    return [answer.status for answer in await asyncio.gather(*(bed.master.chat() for _ in range(2)))] == [200, 200]


async def foreign_signature(bed: Bed) -> bool:
    issuer: Issuer = bed.kept["issuer"]
    return await chats(bed, issuer.token(signed_by=bed.kept["stranger"]))


async def with_an_issuer(bed: Bed) -> None:
    issuer, bed.kept["stranger"] = Issuer(), Issuer()
    bed.kept["issuer"] = await bed.kept["stack"].enter_async_context(issuer)
    oidc = {"issuers": [{"issuer": issuer.url, "audience": AUDIENCE}]}
    bed.running = await bed.govern(plugins={"oidc": oidc}, routeiq={"egress": {"allow": ["127.0.0.0/8"]}})


def a_plugin(bed: Bed) -> Mapping[str, Any]:
    """A configuration that names an installed plugin which its list does not admit."""
    if "stranger" not in bed.kept:
        source = "from routeiq_sdk import Plugin, PluginConfig\nclass Fixture(Plugin[PluginConfig]):\n    pass\n"
        bed.folder.install("stranger", source)
        bed.kept["stranger"] = True
    allow = [{"distribution": "routeiq-governance"}]
    return {"routeiq": {"plugins": {"stranger": {}}, "plugin_policy": {"allow": allow}}}
