"""Delegated credentials: one retry after a refusal, consent asked in the protocol's own words."""

from __future__ import annotations

from typing import Any

import pytest
from a2a.types import CancelTaskRequest, GetTaskRequest, TaskState

from routeiq_sdk import PluginError

from .clients import connected, everything, message, words
from .test_cards import rpc

DELEGATION = """
from routeiq_sdk import Plugin, PluginConfig, hookimpl
from routeiq_sdk.values.delegation import ConsentNeeded

class Fixture(Plugin[PluginConfig]):
    agreed = False
    log = []

    @hookimpl
    def offer_delegation(self):
        return self

    async def check(self, delegate):
        pass

    async def headers(self, ctx, delegate, *, refused=None):
        self.log.append((delegate.id, delegate.url, ctx.principal.user, refused.status if refused else None))
        if delegate.title == "asks" and not Fixture.agreed:
            raise ConsentNeeded(delegate.id, "https://gate.example/consent/q1", "q1", "The agent needs your consent.")
        return {"Authorization": "Bearer new" if refused else "Bearer old"}

    async def answered(self, ctx, id):
        return Fixture.agreed

    async def forget(self, delegate_id):
        self.log.append(("forget", delegate_id))
"""
AUTH = {"mode": "client_credentials", "client_id": "gate", "client_secret": "a-client-secret"}


@pytest.fixture
def delegation(plugin_folder) -> Any:
    """A plugin that gives an old token first and a new one after a refusal."""
    plugin_folder.install("delegation", DELEGATION)

    def fixture() -> Any:
        import sys

        return sys.modules["fixture_delegation"].Fixture

    return fixture


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("binding", [None, "GRPC"])
async def test_a_refused_token_is_renewed_once(run_agent, open_gateway, delegation, streaming, binding) -> None:
    agent = await run_agent(binding=binding)
    agent.refuse.add("old")
    origins = [f"http://127.0.0.1:{agent.grpc_port}"] if binding else []
    row = {"url": agent.url, "origins": origins, "auth": AUTH}
    gateway = await open_gateway(plugins={"delegation": {}}, agents={"echo": row})
    async with connected(gateway, streaming=streaming) as client:
        assert words(await everything(client, message("hello"))) == "echo: hello"
    sent = [headers.get("authorization") for headers in agent.seen if headers.get("authorization")]
    assert sent == ["Bearer old", "Bearer new"]
    log = delegation().log
    assert [entry[2:] for entry in log[-2:]] == [("ann", None), ("ann", 401)]
    assert log[-1][1] == agent.url


async def test_a_token_that_is_refused_twice_is_an_error_and_no_loop(run_agent, open_gateway, delegation) -> None:
    agent = await run_agent()
    agent.refuse |= {"old", "new"}
    gateway = await open_gateway(plugins={"delegation": {}}, agents={"echo": {"url": agent.url, "auth": AUTH}})
    headers = {"authorization": "Bearer person-ann", "A2A-Version": "1.0"}
    body = {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]}}
    async with gateway.session.post("/a2a/echo/v1/message:send", json=body, headers=headers) as response:
        assert response.status == 502
        assert (await response.json())["error"]["details"][0]["reason"] == "AGENT_REFUSES_CREDENTIALS"
    assert len([each for each in agent.seen if each.get("authorization")]) == 2


@pytest.mark.parametrize("version", ["1.0", "0.3"])
@pytest.mark.parametrize("streaming", [False, True])
async def test_consent_is_asked_by_a_task_that_needs_it(
    run_agent, open_gateway, delegation, version, streaming
) -> None:
    agent = await run_agent()
    gateway = await open_gateway(plugins={"delegation": {}}, agents={"asks": {"url": agent.url, "auth": AUTH}})
    delegation().agreed = False
    async with connected(gateway, "asks", version=version, streaming=streaming) as client:
        (event,) = await everything(client, message("hello"))
        task = event.task
        assert task.status.state == TaskState.TASK_STATE_AUTH_REQUIRED
        told = "".join(part.text + part.url for part in task.status.message.parts)
        assert "https://gate.example/consent/q1" in told
        assert (await client.get_task(GetTaskRequest(id=task.id))).status.state == TaskState.TASK_STATE_AUTH_REQUIRED
        again = await everything(client, message("hello", task_id=task.id, context_id=task.context_id))
        assert again[0].task.status.state == TaskState.TASK_STATE_AUTH_REQUIRED
        canceled = await client.cancel_task(CancelTaskRequest(id=again[0].task.id))
        assert canceled.status.state == TaskState.TASK_STATE_CANCELED
        assert "/rpc" not in agent.paths
        delegation().agreed = True
        done = await everything(client, message("hello", task_id=task.id, context_id=task.context_id))
        assert "echo: hello" in words(done)
        assert agent.executor.contexts == [task.context_id]


async def test_an_operation_without_a_task_says_where_to_agree(run_agent, open_gateway, delegation) -> None:
    agent = await run_agent()
    gateway = await open_gateway(plugins={"delegation": {}}, agents={"asks": {"url": agent.url, "auth": AUTH}})
    delegation().agreed = False
    headers = {"authorization": "Bearer person-ann", "A2A-Version": "1.0"}
    body = rpc("GetExtendedAgentCard", {})
    async with gateway.session.post("/a2a/asks", json=body, headers=headers) as response:
        error = (await response.json())["error"]
    assert error["data"][0]["reason"] == "CONSENT_REQUIRED"
    assert error["data"][0]["metadata"]["url"] == "https://gate.example/consent/q1"


async def test_a_mode_that_nobody_offers_stops_the_start(run_agent, open_gateway) -> None:
    agent = await run_agent()
    with pytest.raises(PluginError, match="needs a plugin that offers delegation"):
        await open_gateway(agents={"echo": {"url": agent.url, "auth": AUTH}})
