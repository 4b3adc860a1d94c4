"""Push notifications: the agent knows the gateway's address alone, the client's is called behind the egress guard."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from a2a.types import (
    AuthenticationInfo,
    DeleteTaskPushNotificationConfigRequest,
    GetTaskPushNotificationConfigRequest,
    ListTaskPushNotificationConfigsRequest,
    TaskPushNotificationConfig,
)
from a2a.utils.errors import InvalidParamsError, PushNotificationNotSupportedError

from .clients import connected, everything, message
from .webhooks import webhook

TOKEN = "clients-own-token"


def config(url: str, **fields: Any) -> TaskPushNotificationConfig:
    return TaskPushNotificationConfig(url=url, token=TOKEN, **fields)


@pytest.mark.parametrize(("client_version", "agent_version"), [("1.0", "1.0"), ("0.3", "1.0"), ("1.0", "0.3")])
async def test_a_webhook_is_called_by_the_gateway_in_the_clients_words(
    run_agent, open_gateway, client_version, agent_version
) -> None:
    agent = await run_agent(version=agent_version)
    gateway = await open_gateway(allow=["127.0.0.0/8"], agents={"echo": {"url": agent.url}})
    async with webhook() as hook, connected(gateway, version=client_version) as client:
        request = message("wait a little")
        request.configuration.return_immediately = True
        told = config(hook.url, authentication=AuthenticationInfo(scheme="Bearer", credentials="for-the-hook"))
        request.configuration.task_push_notification_config.CopyFrom(told)
        task = (await everything(client, request))[0].task
        agent.executor.go_on.set()
        await hook.until("completed" if client_version == "0.3" else "TASK_STATE_COMPLETED")
    for headers, body in hook.got:
        assert headers["x-a2a-notification-token"] == TOKEN
        assert headers["authorization"] == "Bearer for-the-hook"
        assert task.id in json.dumps(body)
        assert ("kind" in body) == (client_version == "0.3")
    # The agent never heard of the client's webhook or its secrets.
    sent = b"".join(agent.bodies)
    assert b"/a2a/echo/push/" in sent
    assert TOKEN.encode() not in sent
    assert b"for-the-hook" not in sent
    assert hook.url.encode() not in sent


async def test_webhooks_are_kept_shown_and_deleted(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(allow=["127.0.0.0/8"], agents={"echo": {"url": agent.url}})
    async with webhook() as hook, connected(gateway) as client:
        request = message("wait a little")
        request.configuration.return_immediately = True
        task = (await everything(client, request))[0].task
        made = await client.create_task_push_notification_config(config(hook.url, id="mine", task_id=task.id))
        assert (made.id, made.url, made.token) == ("mine", hook.url, TOKEN)
        one = GetTaskPushNotificationConfigRequest(task_id=task.id, id="mine")
        assert (await client.get_task_push_notification_config(one)).url == hook.url
        every = ListTaskPushNotificationConfigsRequest(task_id=task.id)
        assert len((await client.list_task_push_notification_configs(every)).configs) == 1
        for _ in range(2):
            await client.delete_task_push_notification_config(
                DeleteTaskPushNotificationConfigRequest(task_id=task.id, id="mine")
            )
        assert not (await client.list_task_push_notification_configs(every)).configs
        agent.executor.go_on.set()


async def test_a_failing_webhook_is_tried_again_in_order(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(
        allow=["127.0.0.0/8"], agents={"echo": {"url": agent.url}}, push={"first_delay": 0.05, "attempts": 5}
    )
    async with webhook(failures=2) as hook, connected(gateway) as client:
        request = message("pieces please")
        request.configuration.task_push_notification_config.CopyFrom(config(hook.url))
        await everything(client, request)
        await hook.until("TASK_STATE_COMPLETED")
        assert hook.tries == len(hook.got) + 2
        bodies = json.dumps([body for _, body in hook.got])
        assert bodies.index("one ") < bodies.index("two ") < bodies.index("three") < bodies.index("COMPLETED")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9000/hook",
        "http://localhost/hook",
        "http://169.254.169.254/latest",
        "http://10.0.0.7/hook",
        "file:///etc/passwd",
        "http://user:secret@example.com/",
        "nonsense",
        "",
    ],
)
async def test_a_webhook_on_a_private_address_is_refused_when_it_is_given(run_agent, open_gateway, url) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    async with connected(gateway) as client:
        request = message("hello")
        request.configuration.task_push_notification_config.CopyFrom(config(url))
        with pytest.raises(InvalidParamsError):
            await everything(client, request)
        assert "/rpc" not in agent.paths
        task = (await everything(client, message("ask me")))[0].task
        with pytest.raises(InvalidParamsError):
            await client.create_task_push_notification_config(config(url, task_id=task.id))


async def test_a_webhook_that_turned_private_is_not_called(run_agent, open_gateway, caplog) -> None:
    agent = await run_agent()
    push = {"attempts": 1, "first_delay": 0.05}
    gateway = await open_gateway(allow=["127.0.0.0/8"], agents={"echo": {"url": agent.url}}, push=push)
    async with webhook() as hook, connected(gateway) as client:
        request = message("wait a little")
        request.configuration.return_immediately = True
        request.configuration.task_push_notification_config.CopyFrom(config(hook.url))
        await everything(client, request)
        await hook.until("TASK_STATE_WORKING")
        gateway.write(
            {
                "model_list": [],
                "routeiq": {"plugins": {"a2a": {"agents": {"echo": {"url": agent.url}}, "push": push}, "people": {}}},
            }
        )
        await gateway.app.reload()
        tried = hook.tries
        agent.executor.go_on.set()
        async with asyncio.timeout(30):
            while "given up" not in caplog.text:
                await asyncio.sleep(0.05)
        assert hook.tries == tried


async def test_nobody_but_the_agent_can_post_to_its_address(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(allow=["127.0.0.0/8"], agents={"echo": {"url": agent.url}})
    async with webhook() as hook, connected(gateway) as client:
        request = message("wait a little")
        request.configuration.return_immediately = True
        request.configuration.task_push_notification_config.CopyFrom(config(hook.url))
        task = (await everything(client, request))[0].task
        (address,) = {part for body in agent.bodies for part in _addresses(body)}
        secret = next(token for body in agent.bodies if (token := _token(body)))
        status = {"state": "TASK_STATE_COMPLETED"}
        forged = {"statusUpdate": {"taskId": task.id, "contextId": task.context_id, "status": status}}
        for headers in ({}, {"x-a2a-notification-token": "guess"}, {"authorization": "Bearer person-ann"}):
            async with gateway.session.post(address, json=forged, headers={"authorization": "", **headers}) as response:
                assert response.status == 404
        own = {"x-a2a-notification-token": secret, "authorization": ""}
        other = json.loads(json.dumps(forged).replace(task.id, "another"))
        for body, answer in [(other, 400), ({"hello": 1}, 400), ([], 400), (forged, 200)]:
            async with gateway.session.post(address, json=body, headers=own) as response:
                assert response.status == answer, body
        await hook.until("COMPLETED")
        assert all("another" not in json.dumps(body) for _, body in hook.got)
        agent.executor.go_on.set()


def _push(body: bytes) -> dict[str, Any]:
    found = json.loads(body or b"{}")
    told: dict[str, Any] = found.get("params", {}).get("configuration", {}).get("taskPushNotificationConfig", {})
    return told


def _addresses(body: bytes) -> list[str]:
    url = _push(body).get("url", "")
    return [url] if url else []


def _token(body: bytes) -> str | None:
    return _push(body).get("token")


async def test_an_agent_that_cannot_push_says_so(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(allow=["127.0.0.0/8"], agents={"echo": {"url": agent.url, "push": False}})
    async with connected(gateway) as client:
        request = message("hello")
        request.configuration.task_push_notification_config.CopyFrom(config("https://example.com"))
        with pytest.raises(PushNotificationNotSupportedError):
            await everything(client, request)
