"""Each era's client reaches each era's server: what the server asks comes to the client, its answer goes back, and at
any replica."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from routeiq_mcp.seams import Json, McpError, Peer
from routeiq_sdk.values.delegation import ConsentNeeded

from .scripted import ScriptedFace, World, ask, frames, initialize, legacy, serving, text

FORM = {"mode": "form", "message": "Your name?", "requestedSchema": {"type": "object", "properties": {}}}
CAN: Json = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}


async def old(params: Json, peer: Peer) -> Json:
    """A tool of a legacy server: it asks twice while its call runs."""
    await peer.notify("notifications/progress", {"progressToken": "t", "progress": 1})
    name = await peer.ask("elicitation/create", FORM)
    roots = await peer.ask("roots/list", {})
    await peer.notify("notifications/progress", {"progressToken": "t", "progress": 2})
    return text(f"{name['content']['name']} {len(roots['roots'])}")


async def new(params: Json, peer: Peer) -> Json:
    """A tool of a modern server: it answers twice with what it needs."""
    responses, state = params.get("inputResponses", {}), params.get("requestState", "")
    if state == "one" and "name" in responses:
        return {
            "resultType": "input_required",
            "inputRequests": {"roots": {"method": "roots/list"}},
            "requestState": f"two {responses['name']['content']['name']}",
        }
    if state.startswith("two ") and "roots" in responses:
        return text(f"{state.split()[1]} {len(responses['roots']['roots'])}")
    return {
        "resultType": "input_required",
        "inputRequests": {"name": {"method": "elicitation/create", "params": FORM}},
        "requestState": "one",
    }


ANSWERS: Mapping[str, Json] = {
    "elicitation/create": {"action": "accept", "content": {"name": "Ada"}},
    "roots/list": {"roots": [{"uri": "file:///a"}]},
    "sampling/createMessage": {"role": "assistant", "content": {"type": "text", "text": "hi"}, "model": "m"},
}


def face() -> ScriptedFace:
    scripted = ScriptedFace()
    scripted.tools.update(old=old, new=new)
    return scripted


async def call_modern(
    client: httpx.AsyncClient, name: str, *, capabilities: Json = CAN, rounds: int = 10, **meta: Any
) -> list[dict[str, Any]]:
    """Call a tool as a modern client does; the last message of every round."""
    params: dict[str, Any] = {"name": name}
    said = []
    for round in range(rounds):
        answer = await ask(client, "tools/call", params, id=round, capabilities=capabilities, **meta)
        message = frames(answer)[-1]
        assert message["id"] == round
        said.append(message)
        result = message.get("result", {})
        if result.get("resultType") != "input_required":
            break
        asked = result["inputRequests"]
        params = {"name": name, "inputResponses": {key: ANSWERS[one["method"]] for key, one in asked.items()}}
        if "requestState" in result:
            params["requestState"] = result["requestState"]
    return said


@asynccontextmanager
async def calling_legacy(
    world: World, client: httpx.AsyncClient, name: str, id: Any = 1
) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """Call a tool as a legacy client does, and read what comes on its stream."""
    body = {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": name}}
    async with client.stream("POST", "/mcp", json=body) as stream:

        async def read() -> AsyncIterator[dict[str, Any]]:
            async for line in stream.aiter_lines():
                data = line.removeprefix("data:").strip() if line.startswith(("data:", "{")) else ""
                if data:
                    yield json.loads(data)

        yield read()


async def call_legacy(world: World, client: httpx.AsyncClient, name: str) -> list[dict[str, Any]]:
    """Call a tool and answer all its questions; every message that came."""
    said = []
    async with calling_legacy(world, client, name) as messages:
        async for message in messages:
            said.append(message)
            if "method" in message and "id" in message:
                answer = {"jsonrpc": "2.0", "id": message["id"], "result": ANSWERS[message["method"]]}
                assert (await client.post("/mcp", json=answer)).status_code == 202
    return said


@pytest.mark.parametrize("replicas", [1, 2, 3])
@pytest.mark.parametrize("tool", ["old", "new"])
async def test_a_modern_client_is_asked_by_servers_of_both_eras(tool: str, replicas: int) -> None:
    async with serving(face(), replicas=replicas) as world, world.client() as client:
        rounds = await call_modern(client, tool)
        assert [said["result"]["resultType"] for said in rounds] == ["input_required", "input_required", "complete"]
        assert rounds[0]["result"]["inputRequests"].popitem()[1] == {"method": "elicitation/create", "params": FORM}
        assert rounds[-1]["result"]["content"][0]["text"] == "Ada 1"
        assert len(set(world.served)) == replicas


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("tool", ["old", "new"])
async def test_a_legacy_client_is_asked_by_servers_of_both_eras(tool: str, replicas: int) -> None:
    async with serving(face(), replicas=replicas) as world, world.client() as client:
        await initialize(client, capabilities=CAN)
        said = await call_legacy(world, client, tool)
        asked = [message["method"] for message in said if "method" in message and "id" in message]
        assert asked == ["elicitation/create", "roots/list"]
        assert said[-1]["result"] == {"content": [{"type": "text", "text": "Ada 1"}]}
        assert len(set(world.served)) == replicas


async def test_progress_of_a_call_that_waited_is_called_as_its_new_request_calls_it() -> None:
    async with serving(face(), replicas=2) as world, world.client() as client:
        first = frames(await ask(client, "tools/call", {"name": "old"}, capabilities=CAN, progressToken="t"))
        assert first[0]["params"]["progressToken"] == "t"
        result = first[-1]["result"]
        for token in ("u", "v"):
            responses = {key: ANSWERS[one["method"]] for key, one in result["inputRequests"].items()}
            params = {"name": "old", "inputResponses": responses, "requestState": result["requestState"]}
            rest = frames(await ask(client, "tools/call", params, capabilities=CAN, progressToken=token))
            result = rest[-1]["result"]
        assert rest[0]["params"] == {"progressToken": "v", "progress": 2}


async def test_the_form_of_an_elicitation_fits_its_version() -> None:
    async with serving(face()) as world:
        for version, mode in (("2025-11-25", "form"), ("2025-06-18", None)):
            async with world.client() as client:
                await initialize(client, version, CAN)
                said = await call_legacy(world, client, "old")
                asked = next(message for message in said if message.get("method") == "elicitation/create")
                assert asked["params"].get("mode") == mode


@pytest.mark.parametrize(("version", "capabilities"), [("2025-11-25", {}), ("2025-03-26", CAN)])
async def test_a_legacy_client_that_cannot_be_asked_reads_why(version: str, capabilities: Json) -> None:
    async with serving(face()) as world, world.client() as client:
        await initialize(client, version, capabilities)
        result = (await call_legacy(world, client, "new"))[-1]["result"]
        assert result["isError"] is True
        assert "elicitation" in result["content"][0]["text"]
        assert (await call_legacy(world, client, "old"))[-1]["error"]["code"] == -32600


async def test_a_modern_client_that_cannot_be_asked_hears_which_capability_is_missing() -> None:
    async def asks(params: Json, peer: Peer) -> Json:
        try:
            await peer.ask("sampling/createMessage", {"messages": []})
        except McpError as error:
            return text(error.message, isError=params["arguments"]["needs"])
        raise AssertionError

    scripted = face()
    scripted.tools["asks"] = asks
    async with serving(scripted) as world, world.client() as client:
        answer = await ask(client, "tools/call", {"name": "old"}, capabilities={"roots": {}})
        error = frames(answer)[-1]["error"]
        assert (error["code"], error["data"]["requiredCapabilities"]) == (-32021, {"elicitation": {"form": {}}})
        failed = await ask(client, "tools/call", {"name": "asks", "arguments": {"needs": True}})
        assert (failed.status_code, failed.json()["error"]["data"]) == (400, {"requiredCapabilities": {"sampling": {}}})
        done = await ask(client, "tools/call", {"name": "asks", "arguments": {"needs": False}})
        assert done.json()["result"]["content"][0]["text"]


async def test_what_a_client_leaves_unanswered_is_asked_again() -> None:
    async with serving(face(), replicas=2) as world, world.client() as client:
        first = frames(await ask(client, "tools/call", {"name": "old"}, capabilities=CAN))[-1]["result"]
        wrong: tuple[Any, ...] = ({}, {"wrong": {}}, {next(iter(first["inputRequests"])): "no object"}, "none")
        for responses in wrong:
            params = {"name": "old", "inputResponses": responses, "requestState": first["requestState"]}
            again = frames(await ask(client, "tools/call", params, capabilities=CAN))[-1]["result"]
            assert again["inputRequests"] == first["inputRequests"]


async def test_a_server_that_asks_several_things_at_once_has_them_answered_at_once() -> None:
    async def both(params: Json, peer: Peer) -> Json:
        async with asyncio.TaskGroup() as group:
            roots = group.create_task(peer.ask("roots/list", {}))
            said = group.create_task(peer.ask("sampling/createMessage", {"messages": [], "maxTokens": 1}))
        return text(f"{len(roots.result()['roots'])} {said.result()['model']}")

    scripted = face()
    scripted.tools["both"] = both
    async with serving(scripted) as world, world.client() as client:
        rounds = await call_modern(client, "both")
        assert len(rounds) == 2
        assert len(rounds[0]["result"]["inputRequests"]) == 2
        assert rounds[-1]["result"]["content"][0]["text"] == "1 m"


@pytest.mark.parametrize("tool", ["old", "new"])
async def test_a_request_state_is_for_its_caller_and_its_request_alone(tool: str) -> None:
    other = face()
    other.name = "other"
    async with serving(face(), replicas=2, names={"other": other}) as world, world.client() as client:
        result = frames(await ask(client, "tools/call", {"name": tool}, capabilities=CAN))[-1]["result"]
        state = result["requestState"]
        responses = {key: ANSWERS[one["method"]] for key, one in result["inputRequests"].items()}
        params = {"name": tool, "inputResponses": responses, "requestState": state}
        before = len(world.face.asked)
        refused = [
            await ask(client, "tools/call", params, capabilities=CAN, headers={"x-caller": "else"}),
            await ask(client, "tools/call", {**params, "name": "echo"}, capabilities=CAN),
            await ask(client, "tools/call", params, capabilities=CAN, path="/other/mcp"),
            *[
                await ask(client, "tools/call", {**params, "requestState": wrong}, capabilities=CAN)
                for wrong in (state[:-2] + "AA", "A" + state, "one", "", 7, None, ["x"])
            ],
        ]
        for answer in refused:
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32602)
        assert len(world.face.asked) == before
        assert other.asked == []
        assert frames(await ask(client, "tools/call", params, capabilities=CAN))[-1]["result"]


async def test_a_question_waits_for_its_time_and_no_longer() -> None:
    async with serving(face(), question_seconds=0.3) as world, world.client() as client:
        result = frames(await ask(client, "tools/call", {"name": "old"}, capabilities=CAN))[-1]["result"]
        calls = world.doors[0]._calls
        assert len(calls) == 1
        async with asyncio.timeout(5):
            while len(calls):
                await asyncio.sleep(0.05)
        params = {"name": "old", "inputResponses": {}, "requestState": result["requestState"]}
        error = (await ask(client, "tools/call", params, capabilities=CAN)).json()["error"]
        assert (error["code"], error["data"]) == (-32602, {"reason": "invalid_request_state"})


async def test_calls_that_wait_are_bounded_for_each_caller() -> None:
    async with serving(face(), parked_per_caller=2) as world, world.client() as client:
        for _ in range(2):
            assert "result" in frames(await ask(client, "tools/call", {"name": "old"}, capabilities=CAN))[-1]
        refused = frames(await ask(client, "tools/call", {"name": "old"}, capabilities=CAN))[-1]
        assert refused["error"]["code"] == -32005
        headers = {"x-caller": "else"}
        other = frames(await ask(client, "tools/call", {"name": "old"}, capabilities=CAN, headers=headers))[-1]
        assert "result" in other
        assert len(world.doors[0]._calls) == 3


async def test_an_answer_of_another_session_is_not_taken() -> None:
    async with serving(face(), replicas=2) as world, world.client() as client, world.client() as second:
        await initialize(client, capabilities=CAN)
        await initialize(second, capabilities=CAN)
        async with calling_legacy(world, client, "new") as messages:
            asked = await anext(messages)
            forged = {"action": "accept", "content": {"name": "Eve"}}
            for _ in range(2):
                answer = {"jsonrpc": "2.0", "id": asked["id"], "result": forged}
                assert (await second.post("/mcp", json=answer)).status_code == 202
            for _ in range(2):
                answer["result"] = ANSWERS["elicitation/create"]
                await client.post("/mcp", json=answer)
            asked = await anext(messages)
            await client.post("/mcp", json={"jsonrpc": "2.0", "id": asked["id"], "result": ANSWERS["roots/list"]})
            assert (await anext(messages))["result"]["content"][0]["text"] == "Ada 1"


async def test_a_client_that_answers_with_an_error_or_not_at_all_ends_the_call() -> None:
    async with serving(face(), question_seconds=0.3) as world, world.client() as client:
        await initialize(client, capabilities=CAN)
        async with calling_legacy(world, client, "new") as messages:
            asked = await anext(messages)
            error = {"code": -1, "message": "rejected by the user"}
            await client.post("/mcp", json={"jsonrpc": "2.0", "id": asked["id"], "error": error})
            assert (await anext(messages))["error"] == error
        async with calling_legacy(world, client, "new") as messages:
            asked, cancelled, end = [message async for message in messages]
            assert cancelled["params"]["requestId"] == asked["id"]
            assert end["error"]["code"] == -32001


async def test_a_server_that_never_stops_asking_is_stopped() -> None:
    async def endless(params: Json, peer: Peer) -> Json:
        return {"resultType": "input_required", "inputRequests": {"r": {"method": "roots/list"}}}

    scripted = face()
    scripted.tools["endless"] = endless
    async with serving(scripted, rounds=3) as world, world.client() as client:
        await initialize(client, capabilities=CAN)
        said = await call_legacy(world, client, "endless")
        assert [message.get("method") for message in said] == ["roots/list"] * 4 + [None]
        assert said[-1]["result"]["isError"] is True


async def test_a_state_without_questions_is_tried_again() -> None:
    async def later(params: Json, peer: Peer) -> Json:
        done = params.get("requestState") == "2"
        state = {"resultType": "input_required", "requestState": str(int(params.get("requestState", 0)) + 1)}
        return text("ready") if done else state

    scripted = face()
    scripted.tools["later"] = later
    async with serving(scripted) as world, world.client() as client:
        await initialize(client)
        assert (await call_legacy(world, client, "later"))[-1]["result"]["content"][0]["text"] == "ready"


class Consents:
    """Delegation that knows when the user was at the page."""

    def __init__(self) -> None:
        self.agreed = False
        self.looked = 0

    async def answered(self, ctx: object, id: str) -> bool:
        assert id == "q-1"
        self.looked += 1
        return self.agreed


@asynccontextmanager
async def consenting(**bounds: Any) -> AsyncIterator[tuple[World, Consents]]:
    """A tool that needs the user's consent first."""
    consents = Consents()
    scripted = face()

    async def guarded(params: Json, peer: Peer) -> Json:
        assert "requestState" not in params
        assert "inputResponses" not in params
        if not consents.agreed:
            raise ConsentNeeded("mcp:x", "https://gw/connect/1", "q-1", "Connect your account of x")
        return text("connected")

    scripted.tools["guarded"] = guarded
    async with serving(scripted, **bounds) as world:
        for gateway in world.gateways:
            gateway.delegation = consents  # type: ignore[assignment]
        yield world, consents


PAGE = {
    "mode": "url",
    "elicitationId": "q-1",
    "url": "https://gw/connect/1",
    "message": "Connect your account of x",
}


async def test_a_modern_client_is_sent_to_the_page_and_its_call_goes_on() -> None:
    async with consenting(replicas=2) as (world, consents), world.client() as client:
        first = (await ask(client, "tools/call", {"name": "guarded"}, capabilities=CAN)).json()["result"]
        (key, request), *_ = first["inputRequests"].items()
        assert request == {"method": "elicitation/create", "params": PAGE}
        consents.agreed = True
        params = {
            "name": "guarded",
            "requestState": first["requestState"],
            "inputResponses": {key: {"action": "accept"}},
        }
        last = (await ask(client, "tools/call", params, capabilities=CAN)).json()["result"]
        assert last["content"][0]["text"] == "connected"
        consents.agreed = False
        params["inputResponses"] = {key: {"action": "decline"}}
        declined = (await ask(client, "tools/call", params, capabilities=CAN)).json()["result"]
        assert declined["isError"] is True


async def test_a_user_who_is_still_at_the_page_is_waited_for_and_then_asked_again() -> None:
    async with consenting(consent_seconds=0.05) as (world, consents), world.client() as client:
        rounds = await call_modern(client, "guarded", rounds=3)
        assert [said["result"]["resultType"] for said in rounds] == ["input_required"] * 3
        assert consents.looked >= 2


@pytest.mark.parametrize("capabilities", [{}, {"elicitation": {}}, {"elicitation": {"form": {}}}])
async def test_a_client_that_opens_no_pages_reads_the_link(capabilities: Json) -> None:
    async with consenting() as (world, _), world.client() as client:
        result = (await ask(client, "tools/call", {"name": "guarded"}, capabilities=capabilities)).json()["result"]
        assert result["isError"] is True
        assert PAGE["url"] in result["content"][0]["text"]
        for version in ("2025-11-25", "2025-06-18", "2024-11-05"):
            await initialize(client, version, capabilities)
            old_result = (await legacy(client, "tools/call", {"name": "guarded"})).json()["result"]
            assert old_result["isError"] is True
            assert PAGE["url"] in old_result["content"][0]["text"]


async def test_a_legacy_client_is_sent_to_the_page_on_its_stream() -> None:
    async with consenting(replicas=2) as (world, consents), world.client() as client:
        await initialize(client, capabilities=CAN)
        async with calling_legacy(world, client, "guarded") as messages:
            asked = await anext(messages)
            assert (asked["method"], asked["params"]) == ("elicitation/create", PAGE)
            consents.agreed = True
            answer = {"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "accept"}}
            await client.post("/mcp", json=answer)
            told, end = [message async for message in messages]
            assert (told["method"], told["params"]) == ("notifications/elicitation/complete", {"elicitationId": "q-1"})
            assert end["result"]["content"][0]["text"] == "connected"


async def test_a_legacy_user_who_takes_long_gets_the_error_that_names_the_page() -> None:
    async with consenting(consent_seconds=0.05) as (world, _), world.client() as client:
        await initialize(client, capabilities=CAN)
        async with calling_legacy(world, client, "guarded") as messages:
            asked = await anext(messages)
            answer = {"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "accept"}}
            await client.post("/mcp", json=answer)
            error = (await anext(messages))["error"]
            assert (error["code"], error["data"]["elicitations"]) == (-32042, [PAGE])


async def test_a_legacy_servers_demand_for_a_page_reaches_a_modern_client() -> None:
    visits = 0

    async def demanding(params: Json, peer: Peer) -> Json:
        nonlocal visits
        visits += 1
        if visits == 1:
            raise McpError(-32042, "go there", {"elicitations": [{**PAGE, "url": "https://upstream/login"}]})
        return text("in")

    scripted = face()
    scripted.tools["demanding"] = demanding
    async with serving(scripted) as world, world.client() as client:
        rounds = await call_modern(client, "demanding")
        asked = rounds[0]["result"]["inputRequests"].popitem()[1]["params"]
        assert (asked["mode"], asked["url"]) == ("url", "https://upstream/login")
        assert rounds[-1]["result"]["content"][0]["text"] == "in"
