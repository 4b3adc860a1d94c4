"""Two gateways over one store: either answers for a task of the other, to its owner alone; both know all agents."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from a2a.types import GetTaskRequest, ListTasksRequest
from a2a.utils.errors import TaskNotFoundError

from .clients import connected, everything, message, words
from .test_admin import call, row


async def test_either_replica_knows_whose_task_it_is(run_agent, open_gateway, tmp_path) -> None:
    agent = await run_agent()
    store = {"state": {"url": f"sqlite:///{tmp_path / 'state.db'}"}}
    how: dict[str, Any] = {"agents": {"echo": {"url": agent.url}}, "encryption_key": "the same secret everywhere"}
    one = await open_gateway(allow=["127.0.0.0/8"], routeiq=store, **how)
    two = await open_gateway(allow=["127.0.0.0/8"], routeiq=store, **how)
    async with connected(one) as here, connected(two) as there, connected(two, person="person-bob") as bob:
        task = (await everything(here, message("ask me")))[0].task
        assert (await there.get_task(GetTaskRequest(id=task.id))).id == task.id
        answered = await everything(there, message("this", task_id=task.id, context_id=task.context_id))
        assert answered[0].task.id == task.id
        assert [each.id for each in (await here.list_tasks(ListTasksRequest())).tasks] == [task.id]
        with pytest.raises(TaskNotFoundError):
            await bob.get_task(GetTaskRequest(id=task.id))
    status, made = await call(one, "POST", "/v1/agents", row(agent.url, static_headers={"X-Key": "sk-agents-own"}))
    assert status == 200, json.dumps(made)
    async with asyncio.timeout(60):
        while (await call(two, "GET", f"/v1/agents/{made['agent_id']}"))[0] != 200:
            await asyncio.sleep(0.05)
    async with connected(two, "added") as client:
        assert words(await everything(client, message("hello"))) == "echo: hello"
    assert agent.seen[-1]["x-key"] == "sk-agents-own"
