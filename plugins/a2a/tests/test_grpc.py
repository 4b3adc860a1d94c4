"""gRPC on either side: the SDK's own client and agent, the same rules as over HTTP, and no way around the egress."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import grpc
import grpc.aio
import pytest
import yaml
from a2a.client.errors import A2AClientError
from a2a.server.request_handlers.grpc_handler import GrpcHandler
from a2a.types import (
    CancelTaskRequest,
    GetExtendedAgentCardRequest,
    GetTaskRequest,
    ListTasksRequest,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    Task,
    TaskPushNotificationConfig,
    TaskState,
    a2a_pb2_grpc,
)
from a2a.utils.errors import InvalidAgentResponseError, InvalidParamsError, TaskNotFoundError
from a2a.utils.grpc_status import status_from_call
from google.rpc.error_details_pb2 import ErrorInfo

from .clients import connected, everything, message, words
from .test_cards import plain, rpc
from .test_road import GUARD

OVER_HTTP = [(version, binding) for version in ("1.0", "0.3") for binding in ("JSONRPC", "HTTP+JSON")]
BY_GRPC = [("1.0", "GRPC"), ("0.3", "GRPC")]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def listening() -> dict[str, Any]:
    """The settings of a gateway that serves gRPC."""
    return {"public_url": "http://127.0.0.1:4000", "grpc": {"listen": f"127.0.0.1:{free_port()}"}}


def settings(agent: Any, **more: Any) -> dict[str, Any]:
    """An agent of gRPC in the YAML: its card is at one origin, its service at another."""
    origins = [f"http://127.0.0.1:{agent.grpc_port}"] if agent.grpc_port else []
    return {"url": agent.url, "origins": origins, **more}


@pytest.mark.parametrize(
    ("client_side", "agent_side"),
    [
        *((("1.0", "GRPC"), side) for side in (*OVER_HTTP, *BY_GRPC)),
        *((side, agent) for side in OVER_HTTP for agent in BY_GRPC),
    ],
)
async def test_every_client_reaches_every_agent(run_agent, open_gateway, listening, client_side, agent_side) -> None:
    agent = await run_agent(version=agent_side[0], binding=agent_side[1])
    how = {"version": client_side[0], "binding": client_side[1]}
    # Without a listener cards name the address that the client asked at, which over HTTP is right at any port.
    gateway = await open_gateway(agents={"echo": settings(agent)}, **(listening if client_side[1] == "GRPC" else {}))
    async with connected(gateway, **how) as client, connected(gateway, **how, streaming=True) as listener:
        assert words(await everything(client, message("hello"))) == "echo: hello"
        assert words(await everything(client, message("message for you"))) == "said: message for you"
        events = await everything(listener, message("pieces please"))
        assert words(events) == "one two three"
        assert len([event for event in events if event.HasField("artifact_update")]) == 3

        request = message("wait for it")
        request.configuration.return_immediately = True
        (event,) = await everything(client, request)
        joined = listener.subscribe(SubscribeToTaskRequest(id=event.task.id))
        async with asyncio.timeout(15):
            assert (await anext(joined)).task.id == event.task.id
            canceled = await client.cancel_task(CancelTaskRequest(id=event.task.id))
            rest = [event async for event in joined]
        assert canceled.status.state == TaskState.TASK_STATE_CANCELED
        assert rest[-1].status_update.status.state == TaskState.TASK_STATE_CANCELED
        assert (await client.get_task(GetTaskRequest(id=event.task.id))).status == canceled.status
        if client_side[1] == "GRPC":
            with pytest.raises(TaskNotFoundError):
                await client.get_task(GetTaskRequest(id="no-such"))


async def test_lists_webhooks_and_the_extended_card_go_over_grpc(run_agent, open_gateway, listening) -> None:
    agent = await run_agent(binding="GRPC")
    gateway = await open_gateway(agents={"echo": settings(agent)}, allow=["127.0.0.1"], **listening)
    async with connected(gateway, binding="GRPC") as client:
        task = (await everything(client, message("ask me")))[0].task
        assert [each.id for each in (await client.list_tasks(ListTasksRequest())).tasks] == [task.id]
        hook = TaskPushNotificationConfig(task_id=task.id, url="http://127.0.0.1:9999/hook")
        made = await client.create_task_push_notification_config(hook)
        assert made.url == hook.url
        card = await client.get_extended_agent_card(GetExtendedAgentCardRequest())
        assert [skill.id for skill in card.skills] == ["echo", "secret"]
        (own,) = [each for each in card.supported_interfaces if each.protocol_binding == "GRPC"]
        assert (own.url, own.tenant) == (listening["grpc"]["listen"], "echo")


async def test_credentials_go_as_metadata_and_the_callers_own_never_does(run_agent, open_gateway, listening) -> None:
    agent = await run_agent(binding="GRPC")
    auth = {"mode": "static", "headers": {"Authorization": "Bearer of-the-gateway"}}
    gateway = await open_gateway(agents={"echo": settings(agent, auth=auth)}, **listening)
    async with connected(gateway, binding="GRPC") as client:
        await everything(client, message("hello"))
    assert agent.paths[-1] == "/lf.a2a.v1.A2AService/SendMessage"
    assert agent.seen[-1]["authorization"] == "Bearer of-the-gateway"
    assert agent.seen[-1]["a2a-version"] == "1.0"
    assert "person-ann" not in str(agent.seen)
    agent.refuse.add("of-the-gateway")
    async with connected(gateway, binding="GRPC") as client:
        with pytest.raises(A2AClientError, match="refuses the gateway's credentials"):
            await everything(client, message("hello"))


class Raw:
    """Calls without the SDK's client, to see the status as it is."""

    def __init__(self, target: str) -> None:
        self._channel = grpc.aio.insecure_channel(target)
        self.stub = a2a_pb2_grpc.A2AServiceStub(self._channel)

    async def __aenter__(self) -> Raw:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def refused(self, method: str, request: Any, person: str | None = "person-ann", **more: str) -> Any:
        """The failure of a call: its code, its reason and domain."""
        metadata = [*more.items(), *([("authorization", f"Bearer {person}")] if person else [])]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            answer = getattr(self.stub, method)(request, metadata=[(n.replace("_", "-"), v) for n, v in metadata])
            if hasattr(answer, "read"):
                await answer.read()
            else:
                await answer
        status = status_from_call(caught.value)
        assert status is not None, caught.value
        info = ErrorInfo()
        assert status.details[0].Unpack(info)
        return caught.value.code().name, info.reason, info.domain


def to(name: str, text: str = "hello", **fields: Any) -> SendMessageRequest:
    request = message(text, **fields)
    request.tenant = name
    return request


async def test_errors_are_statuses_with_error_info(run_agent, open_gateway, listening) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}}, **listening)
    async with connected(gateway, person="person-ann-1", binding="GRPC") as client:
        asked = (await everything(client, message("ask me")))[0].task
    a2a = "a2a-protocol.org"
    before = len(agent.paths)
    async with Raw(listening["grpc"]["listen"]) as raw:
        refused = raw.refused
        for method in ("SendMessage", "SendStreamingMessage"):
            assert await refused(method, to("echo"), None) == ("UNAUTHENTICATED", "AUTH_ERROR", "routeiq"), method
            assert (await refused(method, to("echo"), "sk-wrong"))[0] == "UNAUTHENTICATED", method
            unknown = await refused(method, to("no-such"))
            assert unknown == ("NOT_FOUND", "NOT_FOUND_ERROR", "routeiq"), method
            assert await refused(method, to("echo"), "person-eve") == unknown, method
            assert await refused(method, to("")) == ("INVALID_ARGUMENT", "INVALID_PARAMS", a2a), method
            assert await refused(method, SendMessageRequest(tenant="echo")) == (
                "INVALID_ARGUMENT",
                "INVALID_PARAMS",
                a2a,
            )
            theirs = await refused(method, to("echo", task_id=asked.id), "person-bob")
            assert theirs == ("NOT_FOUND", "TASK_NOT_FOUND", a2a), method
        wrong = await refused("GetTask", GetTaskRequest(id=asked.id, tenant="echo"), a2a_version="0.3")
        assert wrong == ("FAILED_PRECONDITION", "VERSION_NOT_SUPPORTED", a2a)
        for method, kind in (("GetTask", GetTaskRequest), ("CancelTask", CancelTaskRequest)):
            theirs = await refused(method, kind(id=asked.id, tenant="echo"), "person-bob")
            assert theirs == ("NOT_FOUND", "TASK_NOT_FOUND", a2a)
        theirs = await refused("SubscribeToTask", SubscribeToTaskRequest(id=asked.id, tenant="echo"), "person-bob")
        assert theirs == ("NOT_FOUND", "TASK_NOT_FOUND", a2a)
    assert len(agent.paths) == before


async def test_an_agent_of_no_name_is_the_default_one(run_agent, open_gateway, listening) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}}, default_agent="echo", **listening)
    async with Raw(listening["grpc"]["listen"]) as raw:
        answer = await raw.stub.SendMessage(to(""), metadata=[("authorization", f"Bearer {gateway.key}")])
    assert answer.task.status.state == TaskState.TASK_STATE_COMPLETED


async def test_messages_have_a_longest_size_and_nobody_unknown_is_read(run_agent, open_gateway, listening) -> None:
    agent = await run_agent()
    listening["grpc"]["message_mib"] = 0.01
    await open_gateway(agents={"echo": {"url": agent.url}}, **listening)
    async with Raw(listening["grpc"]["listen"]) as raw:
        long = to("echo", "x" * 20_000)
        assert (await raw.refused("SendMessage", long, None))[0] == "UNAUTHENTICATED"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await raw.stub.SendMessage(long, metadata=[("authorization", "Bearer person-ann")])
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            bomb = to("echo", "x" * 200_000)
            metadata = [("authorization", "Bearer person-ann")]
            await raw.stub.SendMessage(bomb, metadata=metadata, compression=grpc.Compression.Gzip)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not agent.paths


async def test_requests_in_flight_are_bounded_over_grpc_too(run_agent, open_gateway, listening) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}}, **listening)
    gateway.app.shared.in_flight.most = 0
    async with Raw(listening["grpc"]["listen"]) as raw:
        assert (await raw.refused("SendMessage", to("echo")))[:2] == ("UNAVAILABLE", "OVERLOADED_ERROR")
    gateway.app.shared.in_flight.most = 10
    gateway.app.drain.begin()
    async with Raw(listening["grpc"]["listen"]) as raw:
        assert (await raw.refused("SendMessage", to("echo")))[0] == "UNAVAILABLE"


async def test_guards_see_what_goes_over_grpc(run_agent, open_gateway, listening, plugin_folder) -> None:
    plugin_folder.install("guarding", GUARD.replace("MARK", "one two three"), kind="guard")
    agent = await run_agent(binding="GRPC")
    gateway = await open_gateway(agents={"echo": settings(agent)}, plugins={"guarding": {}}, **listening)
    async with connected(gateway, binding="GRPC") as client:
        assert words(await everything(client, message("hello there"))) == "echo: goodbye there"
    before = len(agent.paths)
    async with Raw(listening["grpc"]["listen"]) as raw:
        for method in ("SendMessage", "SendStreamingMessage"):
            assert await raw.refused(method, to("echo", "forbidden")) == ("INVALID_ARGUMENT", "GUARDED", "routeiq")
        assert len(agent.paths) == before
        withheld = await raw.refused("SendMessage", to("echo", "one two three"))
        assert withheld == ("INVALID_ARGUMENT", "WITHHELD", "routeiq")
        # Of a stream the whole is looked at once it is whole: the end is an error then.
        metadata = [("authorization", "Bearer person-ann")]
        stream = raw.stub.SendStreamingMessage(to("echo", "pieces"), metadata=metadata)
        kinds = []
        with pytest.raises(grpc.aio.AioRpcError, match="withheld"):
            while (event := await stream.read()) is not grpc.aio.EOF:
                kinds.append(event.WhichOneof("payload"))
        assert kinds.count("artifact_update") == 3


async def test_streams_have_the_bound_of_other_doors(run_agent, open_gateway, listening) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}}, streams=1, **listening)
    shared = gateway.app.shared
    async with connected(gateway, binding="GRPC", streaming=True) as client:
        stream = client.send_message(message("wait for it"))
        await anext(stream)
        assert shared.in_flight.now == 0  # a stream waits more than it works, and has a bound of its own
        assert gateway.runtime.users.now == 1
        async with Raw(listening["grpc"]["listen"]) as raw:
            assert (await raw.refused("SendStreamingMessage", to("echo")))[:2] == ("UNAVAILABLE", "OVERLOADED")
        agent.executor.go_on.set()
        assert words([event async for event in stream]) == "echo: wait for it"
    assert shared.in_flight.now == 0


async def test_a_client_that_leaves_or_sets_a_deadline_ends_the_call_upstream(
    run_agent, open_gateway, listening
) -> None:
    gone = asyncio.Event()

    class Slow(a2a_pb2_grpc.A2AServiceServicer):
        async def SendMessage(self, request: Any, context: Any) -> Any:
            try:
                await asyncio.Event().wait()
            finally:
                gone.set()

        async def SendStreamingMessage(self, request: Any, context: Any) -> Any:
            task = Task(id="one", context_id="two")
            task.status.state = TaskState.TASK_STATE_WORKING
            await context.write(StreamResponse(task=task))
            await self.SendMessage(request, context)

    agent = await run_agent(binding="GRPC")
    server = grpc.aio.server()
    a2a_pb2_grpc.add_A2AServiceServicer_to_server(Slow(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    agent.card.supported_interfaces[0].url = f"grpc://127.0.0.1:{port}"
    agent.grpc_port = port
    await server.start()
    try:
        await open_gateway(agents={"echo": settings(agent)}, **listening)
        async with Raw(listening["grpc"]["listen"]) as raw, asyncio.timeout(15):
            metadata = [("authorization", "Bearer person-ann")]
            call = raw.stub.SendStreamingMessage(to("echo"), metadata=metadata)
            assert (await call.read()).task.id == "one"
            call.cancel()
            await gone.wait()
            gone.clear()
            # By now everything is connected, so the call is at the agent long before its deadline.
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await raw.stub.SendMessage(to("echo"), metadata=metadata, timeout=1.0)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            await gone.wait()
    finally:
        await server.stop(0)


async def test_an_agent_has_as_long_as_its_timeout(run_agent, open_gateway, listening) -> None:
    agent = await run_agent(binding="GRPC")
    await open_gateway(agents={"echo": settings(agent, timeout=0.3)}, **listening)
    async with Raw(listening["grpc"]["listen"]) as raw:
        late = await raw.refused("SendMessage", to("echo", "wait for it"))
        assert late == ("DEADLINE_EXCEEDED", "AGENT_TIMEOUT", "routeiq")


async def test_a_long_answer_is_no_answer(run_agent, open_gateway, listening) -> None:
    agent = await run_agent(binding="GRPC")
    limits = {"answer_mib": 0.01, "stream_mib": 0.01}
    gateway = await open_gateway(agents={"echo": settings(agent)}, **limits, **listening)
    async with (
        connected(gateway, binding="GRPC") as client,
        connected(gateway, binding="GRPC", streaming=True) as listener,
    ):
        with pytest.raises(InvalidAgentResponseError, match="more than the gateway takes"):
            await everything(client, message("x" * 20_000))
        with pytest.raises(InvalidAgentResponseError, match="more than the gateway takes"):
            await everything(listener, message("y" * 6_000))


async def test_a_dead_agent_is_unreachable_and_comes_back(run_agent, open_gateway, listening) -> None:
    agent = await run_agent(binding="GRPC")
    port = free_port()
    agent.card.supported_interfaces[0].url = f"127.0.0.1:{port}"
    agent.grpc_port = port
    gateway = await open_gateway(agents={"echo": settings(agent)}, **listening)
    headers = {"authorization": "Bearer person-ann", "A2A-Version": "1.0"}
    async with gateway.session.post("/a2a/echo", json=rpc("SendMessage", plain("hello")), headers=headers) as response:
        told = await response.json()
    assert told["error"]["data"][0]["reason"] == "AGENT_UNREACHABLE"
    assert str(port) not in str(told)
    async with Raw(listening["grpc"]["listen"]) as raw:
        assert await raw.refused("SendMessage", to("echo")) == ("UNAVAILABLE", "AGENT_UNREACHABLE", "routeiq")

    server = grpc.aio.server()
    a2a_pb2_grpc.add_A2AServiceServicer_to_server(GrpcHandler(agent.handler), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        async with asyncio.timeout(15):
            while "result" not in told:  # gRPC itself waits a moment before it tries again
                await asyncio.sleep(0.02)
                body = rpc("SendMessage", plain("hello"))
                async with gateway.session.post("/a2a/echo", json=body, headers=headers) as response:
                    told = await response.json()
    finally:
        await server.stop(0)


async def test_a_reload_hands_the_port_over(run_agent, open_gateway, listening) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}}, **listening)
    metadata = [("authorization", f"Bearer {gateway.key}")]
    async with Raw(listening["grpc"]["listen"]) as raw:
        assert (await raw.stub.SendMessage(to("echo"), metadata=metadata)).HasField("task")
    written = yaml.safe_load(gateway.path.read_text())
    written["routeiq"]["plugins"]["a2a"]["agents"] = {"other": {"url": agent.url}}
    gateway.write(written)
    await gateway.app.reload()
    await gateway.app._closing
    async with Raw(listening["grpc"]["listen"]) as raw:
        assert (await raw.stub.SendMessage(to("other"), metadata=metadata)).HasField("task")
        assert (await raw.refused("SendMessage", to("echo")))[0] == "NOT_FOUND"


async def test_the_order_of_interfaces_and_the_operators_wish(run_agent, open_gateway, listening) -> None:
    agent = await run_agent(binding="GRPC")
    other = await run_agent(version="0.3", binding="JSONRPC")
    agent.card.supported_interfaces.extend(other.card.supported_interfaces)
    origins = [f"http://127.0.0.1:{agent.grpc_port}", other.url]
    gateway = await open_gateway(
        agents={
            "first": {"url": agent.url, "origins": origins},
            "wish": {"url": agent.url, "origins": origins, "binding": "GRPC"},
        },
        **listening,
    )
    async with connected(gateway, "first", binding="GRPC") as client:
        await everything(client, message("hello"))
    assert other.paths == ["/rpc"]
    async with connected(gateway, "wish", binding="GRPC") as client:
        await everything(client, message("hello"))
    assert other.paths == ["/rpc"]
    assert agent.paths[-1].startswith("/lf.a2a.v1")


async def test_an_empty_message_is_no_call(run_agent, open_gateway, listening) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}}, **listening)
    async with connected(gateway, binding="GRPC") as client:
        with pytest.raises(InvalidParamsError):
            await everything(client, SendMessageRequest())
    assert gateway.runtime.users.now == 0
