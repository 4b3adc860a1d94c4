"""The example from beginning to end: an agent, the gateway before it, two callers, and what each of them gets.

The agent is told in `agent`.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

import aiohttp
import httpx
from a2a.client import Client, ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.types import AgentCard, GetTaskRequest, Message, Part, Role, SendMessageRequest
from a2a.utils.errors import TaskNotFoundError
from live_demo.processes import Server, ServerFailed, serving

from agency.agent import running

_CONFIG = Path(__file__).resolve().parent.parent / "routeiq.yaml"


@dataclass(frozen=True)
class Told:
    """What the tour saw."""

    card_names_the_gateway: bool
    answers: dict[str, str]
    pieces: int
    as_a_model: str
    somebody_elses_task: str
    agent_saw_a_key: bool


def run(folder: Path, *, as_json: bool) -> int:
    """Give the tour; the exit code."""
    out = sys.stderr if as_json else sys.stdout
    try:
        told = asyncio.run(_tour(folder, out))
    except ServerFailed as failure:
        print(f"a2a: {failure}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps(asdict(told), indent=2), flush=True)
    return 0


async def _tour(folder: Path, out: TextIO) -> Told:
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    key = "sk-" + secrets.token_urlsafe(32)
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(running())
        gateway = await stack.enter_async_context(
            serving(
                "gateway",
                *("-m", "routeiq", "serve", "--config", _CONFIG, "--port", "0"),
                log=folder / "gateway.log",
                environment={"AGENT_URL": agent.url, "ROUTEIQ_MASTER_KEY": key, "EXAMPLE_DATA": str(data)},
            )
        )
        ann, bob = [await _new_key(gateway, key, name) for name in ("ann", "bob")]
        answers: dict[str, str] = {}
        task_id = ""
        for version in ("1.0", "0.3"):
            async with _client(gateway, ann, version) as (client, card):
                async for event in client.send_message(_message("A day in Porto, please.")):
                    answers[version] = event.task.artifacts[0].parts[0].text
                    task_id = event.task.id
        named = all(each.url.startswith(gateway.url) for each in card.supported_interfaces)
        async with _client(gateway, ann, "1.0", streaming=True) as (client, _):
            events = [event async for event in client.send_message(_message("And one in Lyon."))]
        pieces = sum(event.HasField("artifact_update") for event in events)
        model = await _chat(gateway, ann)
        async with _client(gateway, bob, "1.0") as (client, _):
            try:
                await client.get_task(GetTaskRequest(id=task_id))
                others = "shown"
            except TaskNotFoundError:
                others = "not found"
    told = Told(named, answers, pieces, model, others, any(agent.authorizations - {None}))
    print(f"card            names the gateway: {named}", file=out)
    for version, answer in answers.items():
        print(f"client of {version}   {answer}", file=out)
    print(f"stream          {pieces} pieces", file=out)
    print(f"agent/travel    {model}", file=out)
    print(f"bob asks for ann's task: {others}", file=out)
    print(
        f"\nIn short: one agent, two versions, a model; the agent saw no caller's key: {not told.agent_saw_a_key}",
        file=out,
    )
    return told


@asynccontextmanager
async def _client(
    gateway: Server, key: str, version: str, *, streaming: bool = False
) -> AsyncIterator[tuple[Client, AgentCard]]:
    headers = {"authorization": f"Bearer {key}"}
    if version == "1.0":
        headers["A2A-Version"] = version
    async with httpx.AsyncClient(headers=headers, timeout=30) as http:
        card = await A2ACardResolver(http, f"{gateway.url}/a2a/travel").get_agent_card()
        spoken = AgentCard()
        spoken.CopyFrom(card)
        del spoken.supported_interfaces[:]
        spoken.supported_interfaces.extend(
            each for each in card.supported_interfaces if each.protocol_version == version
        )
        yield ClientFactory(ClientConfig(streaming=streaming, httpx_client=http)).create(spoken), card


def _message(text: str) -> SendMessageRequest:
    return SendMessageRequest(
        message=Message(message_id=str(uuid.uuid4()), role=Role.ROLE_USER, parts=[Part(text=text)])
    )


async def _new_key(gateway: Server, master: str, alias: str) -> str:
    async with (
        aiohttp.ClientSession(gateway.url, headers={"authorization": f"Bearer {master}"}) as session,
        session.post("/key/generate", json={"key_alias": alias}) as response,
    ):
        return str((await response.json())["key"])


async def _chat(gateway: Server, key: str) -> str:
    body = {"model": "agent/travel", "messages": [{"role": "user", "content": "A day in Bergen?"}]}
    async with (
        aiohttp.ClientSession(gateway.url, headers={"authorization": f"Bearer {key}"}) as session,
        session.post("/v1/chat/completions", json=body) as response,
    ):
        return str((await response.json())["choices"][0]["message"]["content"])
