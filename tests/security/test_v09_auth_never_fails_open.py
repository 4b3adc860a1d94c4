"""V9: whatever breaks while a caller is identified and its rights are looked at, nobody gets further than without."""

from __future__ import annotations

import asyncio
import itertools
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from routeiq.request import gates
from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import Share
from routeiq_testkit.servers.postgres import PostgresServer

from .conftest import Govern, migrated, on_postgres
from .faults import FAULTS, coroutines_of, failing
from .tenants import Client, client_of

# Everything that is awaited, one after the other, in the real chain.

CLOSED = None
"""What stands for a connection that ended without an answer."""


@dataclass
class Callers:
    """Who may not have what they ask for: nobody, a wrong key, a blocked one, one that is out of date, one without the
    model, one without the route, one without money. `good` is allowed."""

    gateway: TestGateway
    refused: Mapping[str, Client]
    good: Client


async def callers(running: TestGateway) -> Callers:
    master = client_of(running)
    blocked = await master.key_with()
    await master.good("POST", "/key/block", {"key": blocked.id})
    refused = {
        "nobody": Client(running, ""),
        "a wrong key": Client(running, "sk-" + "0" * 43),
        "a blocked key": blocked,
        "a key of the past": await master.key_with(duration="1s"),
        "a key without the model": await master.key_with(models=["smart"]),
        "a key without the route": await master.key_with(allowed_routes=["/key/info"]),
        "a key without money": await master.key_with(max_budget=0),
    }
    good = await master.key_with(models=["fast"])
    await asyncio.sleep(1.1)  # the key of the past has to be so
    return Callers(running, refused, good)


async def status_of(client: Client) -> int | None:
    """The status of a chat completion; `CLOSED` when the gateway closed the connection instead."""
    try:
        async with asyncio.timeout(10):
            return (await client.chat()).status
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
        return CLOSED


def forget(running: TestGateway) -> None:
    """Nothing is known from before: each look-up of the chain is made again."""
    (member,) = (member for member in running.runtime.plugins.members if member.name == "governance")
    identity = member.instance._parts.identity  # type: ignore[attr-defined]
    identity._epoch += 1
    for kept in (identity._known, identity._unknown, identity._people, identity._things):
        kept.clear()


@pytest.mark.timeout(3600)
async def test_no_failure_anywhere_lets_somebody_in_who_is_refused_without_it(
    govern: Govern, scripted_upstream: ScriptedUpstream, share: Share
) -> None:
    running = await govern()
    who = await callers(running)
    found: dict[FunctionType, None] = {}

    for client in (*who.refused.values(), who.good):
        forget(running)
        found.update(dict.fromkeys(await coroutines_of(lambda client=client: status_of(client))))  # type: ignore[misc]
    names = {f"{function.__module__}.{function.__qualname__}" for function in found}
    for expected in (
        "routeiq.request.pipeline.Road.identify",
        "routeiq.request.pipeline.Road.permit",
        "routeiq_governance.identity.gate.Identity.authenticate",
        "routeiq_governance.access.gate.Access.authorize",
        "routeiq_governance.quotas.gate.Quotas.reserve",
    ):
        assert expected in names, "the chain is not the one that this test breaks"
    assert len(found) > 30
    served = len(scripted_upstream.requests)
    wrong = []
    # Of the ways to fail and of those who are refused, each step meets one in 17 pairs, and its next step others.
    pairs = list(itertools.product(FAULTS.items(), who.refused.items()))
    for place, function in enumerate(found):
        for number, ((name, fault), (told, client)) in enumerate(pairs):
            if share(place * len(pairs) + number, 17):
                forget(running)
                with capture_logs(), failing(function, fault):  # a thousand tracebacks need not be drawn
                    status = await status_of(client)
                if status is not CLOSED and status < 400:
                    wrong.append((function.__qualname__, name, told, status))
    assert not wrong, wrong
    assert len(scripted_upstream.requests) == served, "and no model was called"
    async with asyncio.timeout(20):  # the gateway is well after all this, once it has tried its store again
        while await status_of(who.good) != 200:
            await asyncio.sleep(0.1)


# A plugin of somebody else's in the chain.

SOURCE = """
import asyncio
from shared_trouble import trouble
from routeiq_sdk import Plugin, PluginConfig, hookimpl

class Fixture(Plugin[PluginConfig]):
    @hookimpl
    async def authenticate(self, ctx):
        return await trouble("authenticate")

    @hookimpl
    async def authorize_action(self, ctx, action):
        return await trouble("authorize_action")

    @hookimpl
    async def authorize(self, ctx):
        return await trouble("authorize")

    @hookimpl
    def authorize_target(self, ctx, deployment):
        return trouble.now("authorize_target")
"""


class Trouble:
    """What the plugin does at a hook: nothing, unless told otherwise."""

    def __init__(self) -> None:
        self.hook = ""
        self.act: Any = None

    async def __call__(self, hook: str) -> Any:
        if hook != self.hook:
            return None
        return await self.act() if asyncio.iscoroutinefunction(self.act) else self.act()

    def now(self, hook: str) -> Any:
        return self.act() if hook == self.hook else None


async def hang() -> None:
    await asyncio.Event().wait()


async def cancel_oneself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def swallow_the_deadline() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return


def raising(error: BaseException) -> Any:
    def act() -> None:
        raise error

    return act


def giving(value: Any) -> Any:
    return lambda: value


ANYWHERE: dict[str, Any] = {
    "RuntimeError": raising(RuntimeError("x")),
    "PermissionError": raising(PermissionError("x")),
    "AssertionError": raising(AssertionError()),
    "TimeoutError": raising(TimeoutError()),
    "StopAsyncIteration": raising(StopAsyncIteration()),
    "RecursionError": raising(RecursionError()),
    "MemoryError": raising(MemoryError()),
    "UnicodeDecodeError": raising(UnicodeDecodeError("utf-8", b"x", 0, 1, "x")),
    "CancelledError": raising(asyncio.CancelledError()),
    "text": giving("allowed"),
    "number": giving(1),
    "false": giving(False),
    "nothing but an object": giving(object()),
    "mapping": giving({"id": "admin", "kind": "admin"}),
}
AWAITED: dict[str, Any] = {
    "hangs": hang,
    "cancels its own task": cancel_oneself,
    "swallows the deadline": swallow_the_deadline,
}
HOOKS = ("authenticate", "authorize_action", "authorize", "authorize_target")


@pytest.fixture
def trouble(plugin_folder: PluginFolder, monkeypatch: pytest.MonkeyPatch) -> Trouble:
    """The plugin `trouble`, installed."""
    module, made = types.ModuleType("shared_trouble"), Trouble()
    module.trouble = made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shared_trouble", module)
    monkeypatch.setattr(gates, "STAGE_SECONDS", 0.2)
    plugin_folder.install("trouble", SOURCE)
    return made


@pytest.mark.parametrize("hook", HOOKS)
async def test_a_plugin_in_trouble_refuses_everybody_and_lets_nobody_in(
    govern: Govern, scripted_upstream: ScriptedUpstream, trouble: Trouble, hook: str
) -> None:
    running = await govern(plugins={"trouble": {"before": ["governance"]}})
    master = client_of(running)
    good, narrow = await master.key_with(models=["fast"]), await master.key_with(models=["smart"])
    wrong = []
    for name, act in {**ANYWHERE, **(AWAITED if hook != "authorize_target" else {})}.items():
        trouble.hook, trouble.act = hook, act
        for who, client in (
            ("nobody", Client(running, "")),
            ("a wrong key", Client(running, "sk-" + "1" * 43)),
            ("a key without the model", narrow),
            ("a good key", good),
        ):
            status = await status_of(client)
            if status is CLOSED or not 400 <= status < 600:
                wrong.append((name, who, status))
    assert not wrong, wrong
    assert scripted_upstream.requests == [], "no model was called"
    trouble.hook = ""
    assert (await good.chat()).status == 200, "it is over when the trouble is"


@pytest.mark.parametrize("hook", ["authenticate", "authorize_action"])
async def test_management_routes_stay_shut_too(govern: Govern, trouble: Trouble, hook: str) -> None:
    running = await govern(plugins={"trouble": {"before": ["governance"]}})
    key = await client_of(running).key_with()
    wrong = []
    for name, act in {**ANYWHERE, **AWAITED}.items():
        trouble.hook, trouble.act = hook, act
        for client in (key, Client(running, "sk-" + "1" * 43)):
            for method, path, body in (
                ("GET", "/routeiq/v1/status", None),
                ("POST", "/user/new", {"user_id": "intruder"}),
                ("POST", "/routeiq/v1/reload", None),
            ):
                try:
                    status: int | None = (await client.ask(method, path, body)).status
                except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
                    status = CLOSED
                if status is CLOSED or not 400 <= status < 600:
                    wrong.append((name, path, status))
    assert not wrong, wrong
    trouble.hook = ""
    assert (await client_of(running).ask("GET", "/user/info", user_id="intruder")).status == 404


# The store goes away in the middle.


async def test_a_store_that_hangs_or_dies_during_the_look_up_lets_nobody_in(
    govern: Govern, postgres: PostgresServer, scripted_upstream: ScriptedUpstream
) -> None:
    running = await govern(**on_postgres(await migrated(postgres)))
    who = await callers(running)
    for act, undo in ((postgres.pause, postgres.resume), (postgres.kill, postgres.start)):
        forget(running)
        act()
        try:
            statuses = await asyncio.gather(*(status_of(client) for client in who.refused.values()))
            assert all(status is CLOSED or status >= 400 for status in statuses), statuses
        finally:
            undo()
    assert scripted_upstream.requests == []
    async with asyncio.timeout(20):
        while await status_of(who.good) != 200:
            await asyncio.sleep(0.1)


async def test_a_store_that_dies_in_the_middle_of_a_look_up_lets_nobody_in(
    govern: Govern, postgres: PostgresServer, scripted_upstream: ScriptedUpstream
) -> None:
    running = await govern(**on_postgres(await migrated(postgres)))
    who = await callers(running)
    forget(running)
    postgres.pause()
    asked = [asyncio.create_task(status_of(client)) for client in who.refused.values()]
    while running.runtime.shared.in_flight.now < len(asked) - 1:
        await asyncio.sleep(0.01)
    postgres.kill()
    statuses = await asyncio.gather(*asked)
    assert all(status is CLOSED or status >= 400 for status in statuses), statuses
    assert scripted_upstream.requests == []
