"""Every client reaches every agent: both versions and bindings on either side, the SDK's own parts at both ends."""

from __future__ import annotations

import asyncio

import pytest
from a2a.types import CancelTaskRequest, GetTaskRequest, ListTasksRequest, SubscribeToTaskRequest, TaskState

from .clients import connected, everything, message, words

SIDES = [(version, binding) for version in ("1.0", "0.3") for binding in ("JSONRPC", "HTTP+JSON")]


@pytest.mark.parametrize("agent_side", SIDES)
@pytest.mark.parametrize("client_side", SIDES)
async def test_any_client_reaches_any_agent(run_agent, open_gateway, client_side, agent_side) -> None:
    agent = await run_agent(version=agent_side[0], binding=agent_side[1])
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    version, binding = client_side
    async with connected(gateway, binding=binding, version=version) as client:
        (event,) = await everything(client, message("hello"))
        assert words([event]) == "echo: hello"
        assert event.task.status.state == TaskState.TASK_STATE_COMPLETED
        (event,) = await everything(client, message("message for you"))
        assert words([event]) == "said: message for you"
        asked = (await everything(client, message("ask me")))[0].task
        assert asked.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
        assert (await client.get_task(GetTaskRequest(id=asked.id))).id == asked.id
        answered = (await everything(client, message("this one", task_id=asked.id, context_id=asked.context_id)))[0]
        assert answered.task.id == asked.id
        assert "echo: this one" in words([answered])


@pytest.mark.parametrize("agent_side", SIDES)
@pytest.mark.parametrize("client_side", SIDES)
async def test_any_client_streams_from_any_agent(run_agent, open_gateway, client_side, agent_side) -> None:
    agent = await run_agent(version=agent_side[0], binding=agent_side[1])
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    version, binding = client_side
    async with connected(gateway, binding=binding, version=version, streaming=True) as client:
        events = await everything(client, message("pieces please"))
        assert words(events) == "one two three"
        assert len([event for event in events if event.HasField("artifact_update")]) == 3
        assert events[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED


@pytest.mark.parametrize("agent_side", SIDES)
@pytest.mark.parametrize("client_side", SIDES)
async def test_any_client_joins_and_cancels_a_task_of_any_agent(
    run_agent, open_gateway, client_side, agent_side
) -> None:
    agent = await run_agent(version=agent_side[0], binding=agent_side[1])
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    version, binding = client_side
    how = {"binding": binding, "version": version}
    async with connected(gateway, **how) as client, connected(gateway, **how, streaming=True) as listener:
        request = message("wait for it")
        request.configuration.return_immediately = True
        (event,) = await everything(client, request)
        task_id = event.task.id
        joined = listener.subscribe(SubscribeToTaskRequest(id=task_id))
        async with asyncio.timeout(15):
            first = await anext(joined)
            assert first.task.id == task_id
            canceled = await client.cancel_task(CancelTaskRequest(id=task_id))
            rest = [event async for event in joined]
        assert canceled.status.state == TaskState.TASK_STATE_CANCELED
        assert agent.executor.canceled.is_set()
        assert rest[-1].status_update.status.state == TaskState.TASK_STATE_CANCELED


@pytest.mark.parametrize("version", ["1.0", "0.3"])
async def test_tasks_are_listed_even_of_an_agent_that_cannot(run_agent, open_gateway, version) -> None:
    agent = await run_agent(version=version)
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    async with connected(gateway) as client:
        ids = [(await everything(client, message(f"number {number}")))[0].task.id for number in range(3)]
        listed = await client.list_tasks(ListTasksRequest(page_size=2))
        assert [task.id for task in listed.tasks] == [ids[2], ids[1]]
        assert listed.total_size == 3
        rest = await client.list_tasks(ListTasksRequest(page_size=2, page_token=listed.next_page_token))
        assert [task.id for task in rest.tasks] == [ids[0]]
        assert not rest.next_page_token
        assert not rest.tasks[0].artifacts
        full = await client.list_tasks(ListTasksRequest(include_artifacts=True))
        assert full.tasks[0].artifacts[0].parts[0].text == "echo: number 2"
