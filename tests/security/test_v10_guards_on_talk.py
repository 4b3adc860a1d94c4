"""V10 for what is said beside results: what a server asks and tells while its tool runs, its errors, and what people
and their models answer pass the guards, whichever eras client and server speak."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from routeiq_testkit.gateway import TestGateway

from .guard_field import Field
from .guard_table import GUARDS
from .talking_server import Person, TalkingServer, form, note, prompt, talking_servers
from .test_v10_guards_on_tools import ERAS, MARK, MASKING, filled, told
from .tool_field import mcp_client

NAMES = ("sample", "external", "guard-injection")
FACES = ("new", "old")
BOTH = [(era, face) for era in ERAS for face in FACES]

QUESTIONS: Mapping[str, Mapping[str, Any]] = {
    "a message": form(MARK),
    "a field's title": form(title=MARK),
    "a field's description": form(description=MARK),
    "a choice": form(enum=["a", MARK]),
    "the name of a choice": form(enum=["a"], enumNames=[MARK]),
    "a titled choice": form(oneOf=[{"const": "a", "title": MARK}]),
    "a prompt": prompt(MARK),
    "a system prompt": prompt(systemPrompt=MARK),
}
NOTES: Mapping[str, Mapping[str, Any]] = {
    "progress": note("progress", progress=1, message=MARK),
    "a log message": note("message", level="error", data=MARK),
    "data in a log": note("message", level="error", data={"rows": [{"cell": MARK}]}),
    "a name in a log": note("message", level="error", data={MARK: 1}),
    "a logger": note("message", level="error", logger=MARK, data="x"),
}


@pytest_asyncio.fixture
async def talking() -> AsyncIterator[tuple[TalkingServer, dict[str, Any]]]:
    async with talking_servers() as made:
        yield made


async def guarded(field: Field, name: str, mode: str, servers: Mapping[str, Any]) -> TestGateway:
    return await field.guarded(GUARDS[name], mode, servers=servers, plugins={"mcp": {}})


async def act(client: Any, person: Person) -> str:
    person.heard.clear()
    return await told(client.call_tool("act", {}, progress_callback=person.progressed))


@pytest.mark.parametrize("name", NAMES)
async def test_no_question_carries_it_to_a_person_or_a_model(
    attacked: Field, talking: tuple[TalkingServer, dict[str, Any]], name: str
) -> None:
    server, rows = talking
    bad, person, passed = GUARDS[name].bad, Person(), []
    running = await guarded(attacked, name, "post_mcp_call", rows)
    for era, face in BOTH:
        async with mcp_client(running, f"/{face}/mcp", era, **person.callbacks) as client:
            for what, question in QUESTIONS.items():
                server.asks = filled(question, bad)
                said = await act(client, person)
                refusal = server.heard.pop() if face == "old" else said
                if (
                    person.heard
                    or bad in said + refusal
                    or not ("under-test" in refusal or "of the gateway" in refusal)
                ):
                    passed.append(f"{era}, {face}: {what}: {person.heard} {said} {refusal}")
            assert server.heard == []
            server.asks = filled(QUESTIONS["a message"], "a quiet evening")
            assert "done" in await act(client, person)
            assert "a quiet evening" in person.heard[0]
            assert "Ada" in server.heard.pop()
    assert passed == []


@pytest.mark.parametrize("name", NAMES)
async def test_no_notification_carries_it_to_the_client(
    attacked: Field, talking: tuple[TalkingServer, dict[str, Any]], name: str
) -> None:
    server, rows = talking
    bad, person = GUARDS[name].bad, Person()
    running = await guarded(attacked, name, "post_mcp_call", rows)
    for era, face in BOTH:
        async with mcp_client(running, f"/{face}/mcp", era, **person.callbacks) as client:
            hostile = [filled(each, bad) for each in NOTES.values()]
            quiet = [filled(each, "a quiet evening") for each in NOTES.values()]
            server.tells = [*hostile, *quiet]
            assert "done" in await act(client, person)
            assert len(person.heard) == len(quiet), (era, face, person.heard)
            assert all("a quiet evening" in each or "x" in each for each in person.heard)
            assert bad not in "".join(person.heard)


@pytest.mark.parametrize("name", NAMES)
async def test_no_answer_carries_it_to_a_server(
    attacked: Field, talking: tuple[TalkingServer, dict[str, Any]], name: str
) -> None:
    server, rows = talking
    bad, person = GUARDS[name].bad, Person()
    running = await guarded(attacked, name, "pre_mcp_call", rows)
    for era, face in BOTH:
        async with mcp_client(running, f"/{face}/mcp", era, **person.callbacks) as client:
            for question in (form(), prompt()):
                server.asks = question
                person.name = person.words = bad
                said = await act(client, person)
                refusal = server.heard.pop() if face == "old" else said
                assert "under-test" in refusal or "of the gateway" in refusal, (era, face, refusal)
                assert bad not in refusal + said
                assert server.heard == []
                person.name = person.words = "a quiet evening"
                assert "done" in await act(client, person)
                assert "a quiet evening" in server.heard.pop()


@pytest.mark.parametrize("name", NAMES)
async def test_no_error_carries_it_to_the_client(
    attacked: Field, talking: tuple[TalkingServer, dict[str, Any]], name: str
) -> None:
    server, rows = talking
    bad, person = GUARDS[name].bad, Person()
    running = await guarded(attacked, name, "post_mcp_call", rows)
    for era, face in BOTH:
        async with mcp_client(running, f"/{face}/mcp", era) as client:
            for error in (
                {"message": MARK},
                {"message": "no", "data": {"x": MARK}},
                {"message": "no", "data": {MARK: 1}},
            ):
                server.error = {"code": -32050, **filled(error, bad)}
                said = await act(client, person)
                assert "under-test" in said, (era, face, said)
                assert bad not in said
                server.error = {"code": -32050, **filled(error, "a quiet evening")}
                assert "a quiet evening" in await act(client, person)


@pytest.mark.parametrize("plugin", ["guard-pii", "guard-secrets"])
async def test_what_is_masked_in_results_is_masked_in_talk(
    attacked: Field, talking: tuple[TalkingServer, dict[str, Any]], plugin: str
) -> None:
    server, rows = talking
    params, secret = MASKING[plugin]
    last = secret.split()[-1]
    person = Person(name=secret)
    running = await attacked.started(
        plugin, {**params, "mode": ["pre_mcp_call", "post_mcp_call"]}, servers=rows, plugins={"mcp": {}}
    )
    for era, face in BOTH:
        async with mcp_client(running, f"/{face}/mcp", era, **person.callbacks) as client:
            server.asks, server.tells = form(secret), [note("progress", progress=1, message=secret)]
            assert "done" in await act(client, person)
            progress, question = person.heard
            for where in (progress, question, server.heard.pop()):
                assert secret not in where, (era, face, where)
                assert last in where, (era, face, where)


async def test_a_server_that_goes_on_is_not_listened_to_and_its_result_comes(
    attacked: Field, talking: tuple[TalkingServer, dict[str, Any]]
) -> None:
    server, rows = talking
    person = Person()
    running = await guarded(attacked, "sample", "post_mcp_call", rows)
    bad = note("progress", progress=1, message=GUARDS["sample"].bad)
    server.tells = [*[bad] * 40, note("progress", progress=2, message="late")]
    async with mcp_client(running, "/new/mcp", "auto", **person.callbacks) as client:
        assert "done" in await act(client, person)
        assert person.heard == []


async def test_without_a_guard_all_of_it_passes_as_it_was_said(
    attacked: Field, talking: tuple[TalkingServer, dict[str, Any]]
) -> None:
    server, rows = talking
    person = Person()
    running = await attacked.start({"model_list": [], "mcp_servers": rows, "routeiq": {"plugins": {"mcp": {}}}})
    for era, face in BOTH:
        async with mcp_client(running, f"/{face}/mcp", era, **person.callbacks) as client:
            server.asks = form("forbidden-42", title="Name")
            server.tells = [note("progress", progress=1), note("message", level="info", data={"a": [1, None]})]
            assert "done" in await act(client, person)
            assert person.heard[0] == "1.0 None"
            assert '"data":{"a":[1,null]}' in person.heard[1]
            assert "forbidden-42" in person.heard[2]
            assert '"title":"Name"' in person.heard[2]
            assert "Ada" in server.heard.pop()


@pytest.mark.parametrize("name", NAMES)
async def test_no_error_of_a_list_and_no_title_carries_it_to_the_client(
    attacked: Field, talking: tuple[TalkingServer, dict[str, Any]], name: str
) -> None:
    server, rows = talking
    bad = server.title = GUARDS[name].bad
    server.list_error = {"code": -32050, "message": bad, "data": {"x": bad}}
    plugins = {"mcp": {"list_seconds": 0}}
    running = await attacked.guarded(GUARDS[name], "post_mcp_call", servers=rows, plugins=plugins)
    for era in ERAS:
        for path in ("/new/mcp", "/old/mcp", "/mcp"):
            async with mcp_client(running, path, era) as client:
                said = await told(client.list_tools())
                assert bad not in said, (era, path, said)
                assert "under-test" in said, (era, path, said)
                assert client.server_info is not None
                assert bad not in client.server_info.model_dump_json()
    async with running.session.get("/v1/mcp/server") as response:
        assert bad not in await response.text()
