"""Unmodified clients of the SDK, as users would make them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import httpx
from a2a.client import Client, ClientCallContext, ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.client.interceptors import AfterArgs, BeforeArgs, ClientCallInterceptor
from a2a.types import (
    AgentCard,
    Message,
    Part,
    Role,
    SendMessageRequest,
    StreamResponse,
)

from routeiq_testkit.gateway import TestGateway


def message(text: str, **fields: Any) -> SendMessageRequest:
    """A message of the user."""
    return SendMessageRequest(
        message=Message(message_id=str(uuid.uuid4()), role=Role.ROLE_USER, parts=[Part(text=text)], **fields)
    )


@asynccontextmanager
async def connected(
    gateway: TestGateway,
    name: str = "echo",
    *,
    person: str = "person-ann",
    binding: str = "JSONRPC",
    version: str = "1.0",
    streaming: bool = False,
) -> AsyncIterator[Client]:
    """A client that found the agent's card at the gateway and picked one interface of it."""
    headers = {"authorization": f"Bearer {person}"}
    if version == "1.0":
        headers["A2A-Version"] = "1.0"
    async with httpx.AsyncClient(headers=headers, timeout=20) as http:
        card = await A2ACardResolver(http, f"{gateway.url}/a2a/{name}").get_agent_card()
        picked = AgentCard()
        picked.CopyFrom(card)
        wanted = [
            each
            for each in card.supported_interfaces
            if each.protocol_binding == binding and each.protocol_version == version
        ]
        assert wanted, "the card names no such interface"
        del picked.supported_interfaces[:]
        picked.supported_interfaces.extend(wanted)
        channels: list[grpc.aio.Channel] = []

        def channel(target: str) -> grpc.aio.Channel:
            channels.append(grpc.aio.insecure_channel(target))
            return channels[-1]

        config = ClientConfig(
            streaming=streaming,
            httpx_client=http,
            grpc_channel_factory=channel,
            supported_protocol_bindings=[binding],
        )
        try:
            yield ClientFactory(config).create(picked, [_Bearer(person)] if binding == "GRPC" else None)
        finally:
            for each in channels:
                await each.close()


class _Bearer(ClientCallInterceptor):
    """What gives a call of gRPC its token; over HTTP the client's own headers do."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def before(self, args: BeforeArgs) -> None:
        args.context = args.context or ClientCallContext()
        args.context.service_parameters = {
            **(args.context.service_parameters or {}),
            "Authorization": f"Bearer {self._token}",
        }

    async def after(self, args: AfterArgs) -> None:
        pass


async def everything(client: Client, request: SendMessageRequest) -> list[StreamResponse]:
    """All events of one message."""
    return [event async for event in client.send_message(request)]


def words(events: list[StreamResponse]) -> str:
    """The text of all artifacts and messages."""
    found: list[str] = []
    for event in events:
        kind = event.WhichOneof("payload")
        if kind == "task":
            found += [part.text for artifact in event.task.artifacts for part in artifact.parts]
        elif kind == "artifact_update":
            found += [part.text for part in event.artifact_update.artifact.parts]
        elif kind == "message":
            found += [part.text for part in event.message.parts]
    return "".join(found)
