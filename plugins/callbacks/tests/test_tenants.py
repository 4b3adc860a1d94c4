"""Keys and teams may have Langfuse projects of their own, whose addresses are not the operator's word."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest
import structlog

from routeiq_callbacks.config import CallbacksConfig, LangfuseTarget
from routeiq_callbacks.plugin import Callbacks
from routeiq_callbacks.tenants import _MOST, Tenants
from routeiq_sdk import Principal, Secret
from routeiq_sdk.testing import FakeGateway, make_context
from routeiq_sdk.testing.fakes import make_record
from routeiq_sdk.testing.plugin import running
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

from .recorder import Recorder
from .requests import finished

OPERATORS = LangfuseTarget(host="http://10.0.0.7:3000", public_key=Secret("op"), secret_key=Secret("os"))


def logging(name: str = "pk", kind: str = "success_and_failure", **more: Any) -> dict[str, Any]:
    told = {"langfuse_public_key": name, "langfuse_secret_key": "sk", "langfuse_host": "https://lf.example.com"}
    return {"logging": [{"callback_name": "langfuse", "callback_type": kind, "callback_vars": {**told, **more}}]}


def caller(**attributes: Any) -> Principal:
    return Principal("k", team="red", attributes=attributes)


def keys(tenants: Tenants, principal: Principal) -> list[str]:
    return [own.public_key.reveal() for own in tenants.named(principal)]


def test_a_keys_project_comes_before_its_teams() -> None:
    tenants = Tenants()
    assert keys(tenants, caller(team_metadata=logging("team"))) == ["team"]
    assert keys(tenants, caller(team_metadata=logging("team"), metadata=logging("key"))) == ["key"]
    older = {
        "callback_settings": {
            "success_callback": ["langfuse"],
            "callback_vars": logging("old")["logging"][0]["callback_vars"],
        }
    }
    assert keys(tenants, caller(team_metadata=older)) == ["old"]
    assert keys(tenants, caller()) == []


def test_a_project_without_a_host_is_at_the_operators_langfuse() -> None:
    (own,) = Tenants([OPERATORS]).named(caller(metadata=logging(langfuse_host=None)))
    assert own.host == "http://10.0.0.7:3000"
    (own,) = Tenants().named(caller(metadata=logging(langfuse_host=None)))
    assert own.host == "https://cloud.langfuse.com"


@pytest.mark.parametrize(
    "more",
    [
        {"langfuse_secret_key": "os.environ/HOME"},
        {"langfuse_secret_key": None},
        {"langfuse_public_key": 7},
        {"langfuse_host": "http://vllm:8000/admin?x="},
        {"langfuse_host": "http://vllm:8000/admin"},
    ],
)
def test_words_that_reach_for_more_than_a_server_are_not_followed(more: Mapping[str, Any]) -> None:
    assert Tenants([OPERATORS]).named(caller(metadata=logging(**more))) == []


@pytest.mark.parametrize(
    "metadata", [None, 7, {"logging": 7}, {"logging": [7]}, {"logging": [{}]}, {"callback_settings": 7}]
)
def test_metadata_of_any_shape_breaks_nothing(metadata: Any) -> None:
    assert Tenants().named(caller(metadata=metadata, team_metadata=metadata)) == []


def test_a_callback_that_has_no_targets_of_keys_is_told_once() -> None:
    rows = {"logging": [{"callback_name": "langsmith", "callback_vars": {}}]}
    tenants = Tenants()
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            assert tenants.named(caller(metadata=rows)) == []
    assert [each["value"] for each in logs] == ["langsmith"]


async def told(principal: Principal, status: int = 200, **block: Any) -> list[str]:
    """Under which public keys a request was told."""
    gateway = FakeGateway()
    config = CallbacksConfig(targets=(OPERATORS,), **block)
    async with running(Callbacks(config), gateway) as plugin:
        plugin.record(make_context(principal=principal), make_record(status=status, team=principal.team))
    pairs = [base64.b64decode(call.headers["authorization"].removeprefix("Basic ")) for call in gateway.egress.calls]
    return [pair.decode().partition(":")[0] for pair in pairs]


@pytest.mark.parametrize(
    ("metadata", "status", "found"),
    [
        ({}, 200, ["op"]),
        (logging("own"), 200, ["own"]),
        (logging("own", "failure"), 200, ["op"]),
        (logging("own", "failure"), 500, ["own"]),
    ],
)
async def test_a_project_of_ones_own_takes_the_place_of_everybodys(
    metadata: Any, status: int, found: list[str]
) -> None:
    assert await told(caller(metadata=metadata), status) == found


async def test_the_operator_may_give_a_team_its_project() -> None:
    row = {"team_id": "red", "success_callback": ["langfuse"], "langfuse_public_key": "t", "langfuse_secret": "s"}
    assert await told(caller(), default_team_settings=(row,)) == ["t"]
    assert await told(caller(), 500, default_team_settings=(row,)) == ["op"]
    assert await told(Principal("k", team="blue"), default_team_settings=(row,)) == ["op"]
    assert await told(caller(metadata=logging("own")), default_team_settings=(row,)) == ["own"]


async def test_the_operator_may_allow_no_projects_of_keys() -> None:
    assert await told(caller(metadata=logging("own")), per_key_targets=False) == ["op"]


async def test_a_project_may_want_no_texts() -> None:
    for word, kept in ((True, False), ("true", False), (False, True)):
        gateway, tenants = FakeGateway(), Tenants()
        tenants.open(gateway)
        own = tenants.named(caller(metadata=logging(turn_off_message_logging=word)))
        assert tenants.put(own, finished(mode="full"))
        await tenants.close(2.0)
        (call,) = gateway.egress.calls
        assert (b"Hello." in (call.body or b"")) == kept
        assert json.loads(call.body or b"")["batch"]
        await gateway.aclose()


async def test_projects_that_were_not_told_for_long_are_closed() -> None:
    gateway, tenants = FakeGateway(), Tenants()
    tenants.open(gateway)
    for number in range(_MOST + 5):
        tenants.put(tenants.named(caller(metadata=logging(f"pk-{number}"))), finished())
    assert len(tenants._known) == _MOST
    await tenants.close(2.0)
    assert tenants._known == {}
    await gateway.aclose()


async def test_no_address_of_a_tenant_is_the_operators(
    gateway: StartGateway, telling: Any, recorder: Recorder, other_recorder: Recorder, plugin_folder: PluginFolder
) -> None:
    """A key whose project is at a private address that the operator did not name: nothing goes there."""
    source = f"""
        from routeiq_sdk import Plugin, PluginConfig, Principal, hookimpl

        class Fixture(Plugin[PluginConfig]):
            @hookimpl
            async def authenticate(self, ctx):
                return Principal("k", attributes={{"metadata": {logging(langfuse_host=other_recorder.url)!r}}})
    """
    plugin_folder.install("who", source, kind="auth")
    config = telling({"kind": "webhook", "url": recorder.url})
    config["routeiq"]["plugins"]["who"] = {}
    with structlog.testing.capture_logs() as logs:
        started = await gateway(config)
        status, _, _ = await started.chat("m")
        assert status == 200
        await recorder.until(1)
        (member,) = (each for each in started.runtime.plugins.members if each.name == "callbacks")
        (tenant,) = member.instance._tenants._known.values()
        async with asyncio.timeout(10):
            while not tenant.problem:
                await asyncio.sleep(0.01)
    assert "loopback address" in tenant.problem
    assert other_recorder.sent == []
    assert any("loopback" in str(each) for each in logs)


@pytest.mark.parametrize(("host", "stranger"), [("https://away.example", True), (OPERATORS.host, False)])
async def test_a_server_that_a_tenant_names_is_called_as_a_strangers(host: str, stranger: bool) -> None:
    gateway = FakeGateway()
    who = Principal("k", team="red", organization="acme", attributes={"metadata": logging("own", langfuse_host=host)})
    async with running(Callbacks(CallbacksConfig(targets=(OPERATORS,))), gateway) as plugin:
        plugin.record(make_context(principal=who), make_record(team="red"))
    (call,) = gateway.egress.calls
    assert call.url.startswith(host)
    assert (call.untrusted, call.tenants) == (stranger, ("red", "acme"))


async def test_the_operators_own_target_is_bound_by_no_tenants_list() -> None:
    gateway = FakeGateway()
    async with running(Callbacks(CallbacksConfig(targets=(OPERATORS,))), gateway) as plugin:
        plugin.record(make_context(principal=caller()), make_record(team="red"))
    (call,) = gateway.egress.calls
    assert (call.untrusted, call.tenants) == (False, ())
