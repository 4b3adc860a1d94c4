"""A task belongs to who started it: for anybody else it does not exist, whatever they try, in every binding."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from a2a.types import ListTasksRequest, StreamResponse, Task, TaskState, TaskStatus
from a2a.utils.errors import InvalidAgentResponseError, TaskNotFoundError
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_a2a.forwarding.callers import Caller, owner_of
from routeiq_a2a.forwarding.tasks import Tasks
from routeiq_a2a.registry.agent import Agent
from routeiq_sdk import Principal
from routeiq_sdk.testing import FakeGateway, make_context

from .clients import connected, everything, message
from .test_cards import plain, rpc

BOB = {"authorization": "Bearer person-bob", "A2A-Version": "1.0"}


async def post(gateway: Any, path: str, body: Any, method: str = "POST", **headers: str) -> tuple[int, Any]:
    async with gateway.session.request(method, path, json=body, headers={**BOB, **headers}) as response:
        return response.status, json.loads(await response.read())


async def test_another_callers_task_is_not_found(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    async with connected(gateway, person="person-ann-1") as client:
        asked = (await everything(client, message("ask me")))[0].task
    id = asked.id
    calls = [
        ("GetTask", {"id": id}),
        ("CancelTask", {"id": id}),
        ("SubscribeToTask", {"id": id}),
        ("SendMessage", plain("me too", taskId=id)),
        ("SendMessage", plain("me too", referenceTaskIds=[id])),
        ("SendStreamingMessage", plain("me too", taskId=id)),
        ("CreateTaskPushNotificationConfig", {"taskId": id, "url": "https://bob.example"}),
        ("GetTaskPushNotificationConfig", {"taskId": id, "id": "x"}),
        ("ListTaskPushNotificationConfigs", {"taskId": id}),
        ("DeleteTaskPushNotificationConfig", {"taskId": id, "id": "x"}),
    ]
    before = len(agent.paths)
    for method, params in calls:
        status, theirs = await post(gateway, "/a2a/echo", rpc(method, params))
        _, absent = await post(gateway, "/a2a/echo", json.loads(json.dumps(rpc(method, params)).replace(id, "no-such")))
        assert (status, theirs["error"]["code"]) == (200, -32001), method
        assert theirs == absent, "whether a task exists can be told"
    for method, path, body in [
        ("GET", f"/tasks/{id}", None),
        ("POST", f"/tasks/{id}:cancel", {}),
        ("POST", f"/tasks/{id}:subscribe", None),
        ("GET", f"/tasks/{id}/pushNotificationConfigs", None),
    ]:
        status, answer = await post(gateway, f"/a2a/echo/v1{path}", body, method)
        assert (status, answer["error"]["details"][0]["reason"]) == (404, "TASK_NOT_FOUND"), path
    for method in ("tasks/get", "tasks/cancel", "tasks/resubscribe"):
        _, answer = await post(gateway, "/a2a/echo", rpc(method, {"id": id}), **{"A2A-Version": "0.3"})
        assert answer["error"]["code"] == -32001
    assert len(agent.paths) == before, "the agent was asked"
    # A conversation is nobody else's either.
    _, answer = await post(gateway, "/a2a/echo", rpc("SendMessage", plain("hi", contextId=asked.context_id)))
    assert answer["error"]["code"] == -32602


async def test_all_keys_of_a_user_share_tasks_and_lists_have_no_others(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    mine: dict[str, str] = {}
    for person in ("person-ann-1", "person-bob", "person-nobody-1", "person-nobody-2"):
        async with connected(gateway, person=person) as client:
            mine[person] = (await everything(client, message("hello")))[0].task.id
    for person, expected in [("person-ann-2", "person-ann-1"), *((each, each) for each in mine)]:
        async with connected(gateway, person=person) as client:
            listed = await client.list_tasks(ListTasksRequest())
            assert [task.id for task in listed.tasks] == [mine[expected]]
            assert listed.total_size == 1


async def test_nothing_of_the_callers_credential_reaches_the_agent(run_agent, open_gateway) -> None:
    agent = await run_agent()
    own = {"mode": "static", "headers": {"Authorization": "Bearer gateways-own"}}
    gateway = await open_gateway(agents={"echo": {"url": agent.url}, "held": {"url": agent.url, "auth": own}})
    for name in ("echo", "held"):
        for binding in ("JSONRPC", "HTTP+JSON"):
            async with connected(gateway, name, person="person-ann-s3cret", binding=binding, streaming=True) as client:
                await everything(client, message("hello"))
    for headers in agent.seen:
        assert not any("s3cret" in value for value in headers.values())
        assert "cookie" not in headers
        assert headers.get("authorization") in (None, "Bearer gateways-own")
    assert any(headers.get("authorization") for headers in agent.seen)


OWNERS = st.sampled_from(["ann", "bob", "carol"])
IDS = st.sampled_from(["t1", "t2", "t3"])
STEPS = st.lists(st.tuples(OWNERS, st.sampled_from(["given", "ask", "message", "note"]), IDS), max_size=30)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_in_no_order_of_events_does_a_task_change_hands(steps) -> None:

    async def play() -> None:
        gateway = FakeGateway("a2a")
        tasks = Tasks(gateway, days=1)
        agent = Agent("a", "echo", url="https://echo.example")
        owners: dict[str, str] = {}
        try:
            for who, step, id in steps:
                principal = Principal(id=f"key-of-{who}", user=who)
                caller = Caller(make_context(principal=principal), agent, "", owner_of(principal), "1.0")
                status = TaskStatus(state=TaskState.TASK_STATE_WORKING)
                if step == "given":
                    event = StreamResponse(task=Task(id=id, context_id=f"context of {id}", status=status))
                    if owners.setdefault(id, who) == who:
                        await tasks.saw(caller, event)
                    else:
                        with pytest.raises(InvalidAgentResponseError):
                            await tasks.saw(caller, event)
                elif step == "message":
                    sent = message("hi", task_id=id).message
                    await _refused_unless(owners.get(id) == who, tasks.check_message(caller, sent))
                else:
                    await _refused_unless(owners.get(id) == who, tasks.require(caller, id))
                listed = {known.task.id for known in await tasks.all_of(caller)}
                assert listed == {each for each, owner in owners.items() if owner == who}
        finally:
            await gateway.aclose()

    asyncio.run(play())


async def _refused_unless(allowed: bool, asking: Any) -> None:
    if allowed:
        await asking
        return
    with pytest.raises(TaskNotFoundError):
        await asking


def test_no_owner_can_be_made_to_look_like_another() -> None:
    same_words = [
        Principal(id="x", user="ann"),
        Principal(id="ann", kind="user"),
        Principal(id="ann", kind="key"),
        Principal(id="user\0ann", kind="key"),
        Principal(id="key\0ann", user="key\0ann"),
    ]
    assert len({owner_of(principal) for principal in same_words}) == len(same_words)
