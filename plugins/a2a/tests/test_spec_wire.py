"""A2A 1.0.1, row by row: what is on the wire (sections 4, 5, 9, 11, 14 and appendix A)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from .spec import A2A_JSON, BOTH, HOOK, INFO, OPERATIONS, REST, RPC, Client, Row, Rows, Spec, message

pytestmark = pytest.mark.asyncio(loop_scope="module")
rows = Rows()
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_NEW = frozenset({"id", "taskId", "contextId", "messageId", "timestamp"})


def fields(value: Any) -> Iterator[tuple[str, Any]]:
    """All fields of an answer, but for what metadata and data hold."""
    for name, each in value.items() if isinstance(value, dict) else ():
        yield name, each
        if name not in ("metadata", "data"):
            yield from fields(each)
    for each in value if isinstance(value, list) else ():
        yield from fields(each)


def shape(value: Any) -> Any:
    """An answer without what is new in each."""
    if isinstance(value, dict):
        return {name: "new" if name in _NEW else shape(each) for name, each in value.items()}
    return [shape(each) for each in value] if isinstance(value, list) else value


@rows.row("4.1")
async def parts_of_every_kind_arrive(client: Client) -> None:
    """Text, bytes, addresses and data reach the agent as they were sent, and so do metadata."""
    parts = [
        {"text": "hällo 🜁", "metadata": {"a": [1, None, {"b": True}]}},
        {"raw": "AAEC/w==", "filename": "f.bin", "mediaType": "application/octet-stream"},
        {"url": "https://example.com/f", "mediaType": "image/png"},
        {"data": {"deep": [1.5, "x", False, None]}, "mediaType": "application/json"},
    ]
    told = message("", {"acceptedOutputModes": ["text/plain"]}, parts=parts, metadata={"m": "n"}, extensions=["e:1"])
    told["metadata"] = {"of": "the request"}
    assert (await client.call("SendMessage", told)).error is None
    sent = json.loads(client.spec.agent.bodies[-1])
    sent = sent.get("params", sent)
    assert sent["message"] == told["message"]
    assert (sent["metadata"], sent["configuration"]) == (told["metadata"], told["configuration"])


@rows.row("5.1")
async def both_bindings_give_the_same(client: Client) -> None:
    """What one binding answers is what the other answers."""
    one, two = (client.spec.client(binding) for binding in BOTH)
    for words in ("hello", "message me", "ask", "fail"):
        assert shape(await one.say(words)) == shape(await two.say(words))
    assert shape(await one.all_of("pieces")) == shape(await two.all_of("pieces"))
    assert shape((await one.call("ListTasks")).value) == shape((await two.call("ListTasks")).value)
    task = await one.task("hello")
    same_person = Client(client.spec, two.binding, one.person)
    assert (await same_person.call("GetTask", {"id": task["id"]})).value == (
        await one.call("GetTask", {"id": task["id"]})
    ).value


@rows.row("5.3")
async def every_operation_is_there(client: Client) -> None:
    """All eleven operations are known under their names and paths."""
    task = await client.task("ask")
    hook = {"taskId": task["id"], "id": "h"}
    calls: dict[str, dict[str, Any]] = {
        "GetTask": {"id": task["id"]},
        "ListTasks": {},
        "GetExtendedAgentCard": {},
        "CreateTaskPushNotificationConfig": {**hook, **HOOK},
        "GetTaskPushNotificationConfig": hook,
        "ListTaskPushNotificationConfigs": {"taskId": task["id"]},
        "DeleteTaskPushNotificationConfig": hook,
        "SendMessage": message("hello"),
        "CancelTask": {"id": task["id"]},
    }
    streams = {"SendStreamingMessage": message("wait"), "SubscribeToTask": {}}
    assert {*calls, *streams} == set(OPERATIONS)
    for operation, params in calls.items():
        assert (await client.call(operation, params)).error is None, operation
    async with client.streamed("SendStreamingMessage", streams["SendStreamingMessage"]) as stream:
        running = (await stream.next())["task"]["id"]
        async with client.streamed("SubscribeToTask", {"id": running}) as other:
            assert (await other.next())["task"]["id"] == running
        await client.call("CancelTask", {"id": running})


@rows.row("5.3", REST)
async def a_task_is_subscribed_to_by_either_verb(client: Client) -> None:
    """The table says POST and the protocol's definition GET: both subscribe."""
    task = await client.task("wait", returnImmediately=True)
    for verb in ("GET", "POST"):
        request = client.request("SubscribeToTask", {"id": task["id"]})
        headers = {"authorization": f"Bearer {client.person}", "a2a-version": "1.0"}
        asked = httpx.Request(verb, request.url, headers=headers)
        response = await client.spec.http.send(asked, stream=True)
        assert response.headers["content-type"].startswith("text/event-stream")
        await response.aclose()
    await client.call("CancelTask", {"id": task["id"]})


@rows.row("5.5")
async def names_are_camel_case_and_enums_are_names(client: Client) -> None:
    """Fields are written in camelCase, and enums by the names of their definition."""
    answers = [await client.say("ask"), await client.all_of("pieces"), (await client.call("ListTasks")).value]
    answers.append((await client.call("GetExtendedAgentCard")).value)
    for answer in answers:
        found = list(fields(answer))
        assert found
        assert [name for name, _ in found if "_" in name or name[0].isupper()] == []
        assert all(each.startswith("TASK_STATE_") for name, each in found if name == "state")
        assert all(each.startswith("ROLE_") for name, each in found if name == "role")


@rows.row("5.6.1")
async def moments_are_utc(client: Client) -> None:
    """Times are ISO 8601 in UTC, with milliseconds at least where the agent has them."""
    answers = [await client.say("ask"), await client.all_of("pieces"), (await client.call("ListTasks")).value]
    moments = [each for answer in answers for name, each in fields(answer) if name == "timestamp"]
    assert moments
    assert [each for each in moments if not _MOMENT.fullmatch(each)] == []
    assert all(len(found[1] or ".000") >= 4 for each in moments if (found := _MOMENT.fullmatch(each)))


@rows.row("5.6.1")
async def moments_of_other_zones_are_understood(client: Client) -> None:
    """A time is understood in whatever form ISO 8601 allows it."""
    await client.task("hello")
    for moment, count in (("2020-01-01T00:00:00.5Z", 1), ("2020-01-01T02:00:00+02:00", 1), ("2999-01-01T00:00:00Z", 0)):
        found = (await client.call("ListTasks", {"statusTimestampAfter": moment})).value
        assert found["totalSize"] == count


@rows.row("5.7")
async def unknown_fields_are_ignored(client: Client) -> None:
    """Fields that nobody knows are ignored at every depth."""
    told = message("hello", newer={"x": 1})
    told["message"]["parts"][0]["newer"] = 2
    told["newer"] = [3]
    assert (await client.call("SendMessage", told)).error is None
    assert (await client.call("ListTasks", {"newer": "x"})).value["totalSize"] == 1


@rows.row("9.1", RPC)
async def json_rpc_is_json(client: Client) -> None:
    """JSON-RPC answers, errors too, are application/json with status 200."""
    for answer in (await client.call("ListTasks"), await client.call("GetTask", {"id": "nowhere"})):
        assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, "application/json")
        assert answer.body["jsonrpc"] == "2.0"
        assert set(answer.body) in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"})


@rows.row("9.2")
async def service_parameters_are_headers_in_any_case(client: Client) -> None:
    """Names of service parameters are read in any case; several extensions stand in one header, and reach the agent."""
    request = client.request("SendMessage", message("hello"), a2a_version=None)
    request.headers["A2A-VERSION"] = "1.0"
    request.headers["a2A-eXtensions"] = "https://a.example/1, https://b.example/2"
    assert (await client.send(request)).value["task"]
    told = client.spec.agent.seen[-1]["a2a-extensions"].split(",")
    assert sorted(part.strip() for part in told) == ["https://a.example/1", "https://b.example/2"]


async def raw(client: Client, content: bytes, path: str = "", **headers: str) -> Any:
    """A body by hand."""
    told = {
        "authorization": f"Bearer {client.person}",
        "a2a-version": "1.0",
        "content-type": "application/json",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    request = httpx.Request("POST", client.base + path, content=content, headers=told)
    return await client.send(request)


@rows.row("9.3", RPC)
async def ids_come_back(client: Client) -> None:
    """The id of a request is the answer's, be it a text, a number or null."""
    for each in ("text", 7, None):
        body = {"jsonrpc": "2.0", "id": each, "method": "ListTasks"}
        answer = await raw(client, json.dumps(body).encode())
        assert (answer.body["id"], answer.value["tasks"]) == (each, [])
        body["method"] = "Unknown"
        assert (await raw(client, json.dumps(body).encode())).body["id"] == each


@rows.row("9.3", RPC)
async def what_is_no_request_is_told(client: Client) -> None:
    """What is no JSON-RPC request is an invalid one, what is no JSON cannot be parsed, others have no such method."""
    good = {"jsonrpc": "2.0", "id": 1, "method": "ListTasks"}
    cases = [
        (-32700, b"{"),
        (-32700, b""),
        (-32700, b'{"jsonrpc": "2.0", "id": 1, "method": "\xff"}'),
        (-32600, b"[]"),
        (-32600, b"3"),
        (-32600, json.dumps([good]).encode()),
        *(
            (-32600, json.dumps({**good, **wrong}).encode())
            for wrong in ({"jsonrpc": "1.0"}, {"method": 3}, {"id": {}})
        ),
        (-32600, b'{"id": 1, "method": "ListTasks"}'),
        (-32600, json.dumps({**good, "params": [1]}).encode()),
        *((-32601, json.dumps({**good, "method": name}).encode()) for name in ("Unknown", "message/send", "listtasks")),
    ]
    for code, content in cases:
        answer = await raw(client, content)
        assert (answer.status, answer.error["code"]) == (200, code), content
        assert answer.error["message"]
        assert answer.details[0]["@type"] == INFO


@rows.row("9.4.2", RPC)
async def events_are_json_rpc_answers(client: Client) -> None:
    """A stream is server-sent events, each a whole JSON-RPC answer with the request's id."""
    async with client.streamed("SendStreamingMessage", message("pieces")) as stream:
        assert (stream.response.status_code, stream.response.headers["content-type"].partition(";")[0]) == (
            200,
            "text/event-stream",
        )
        await stream.rest()
    assert len(stream.frames) > 3
    assert {(frame["jsonrpc"], frame["id"]) for frame in stream.frames} == {("2.0", "r-1")}
    assert all(len(frame["result"]) == 1 for frame in stream.frames)


@rows.row("9.4.8", RPC)
async def the_extended_card_needs_no_params(client: Client) -> None:
    """The extended card is asked for without params."""
    answer = await raw(client, b'{"jsonrpc": "2.0", "id": 1, "method": "GetExtendedAgentCard"}')
    assert answer.value["name"] == "Echo"


@rows.row("11.1", REST)
async def http_json_is_a2a_json(client: Client) -> None:
    """Answers of HTTP+JSON are application/a2a+json, errors too; requests may be that or plain JSON."""
    task = await client.task("hello")
    answers = [
        await client.call("GetTask", {"id": task["id"]}),
        await client.call("ListTasks"),
        await client.call("SendMessage", message("hello"), content_type="application/json; charset=utf-8"),
        await client.call("SendMessage", message("hello"), content_type=f"{A2A_JSON}; charset=utf-8"),
        await client.call("GetTask", {"id": "nowhere"}),
        await client.call("SendMessage", {}),
        await client.call("ListTasks", a2a_version="9.9"),
    ]
    assert {answer.headers["content-type"].partition(";")[0] for answer in answers} == {A2A_JSON}
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 404, 400, 400]


@rows.row("11.1", REST)
async def other_media_types_are_refused(client: Client) -> None:
    """A body of another media type is refused by its error."""
    for kind in ("text/plain", "application/xml", "multipart/form-data"):
        answer = await client.call("SendMessage", message("hello"), content_type=kind)
        answer.is_error("ContentTypeNotSupportedError")


@rows.row("11.5", REST)
async def queries_are_camel_case(client: Client) -> None:
    """Parameters of queries have the names and forms of JSON: booleans, numbers, states, times, encoded texts."""
    own = f"ctx of {client.person} & more/?"
    await client.say("hello", contextId=own)
    await client.task("ask")
    cases: list[tuple[dict[str, Any], int]] = [
        ({"contextId": own}, 1),
        ({"status": "TASK_STATE_COMPLETED"}, 1),
        ({"status": "completed"}, 1),
        ({"status": "input-required"}, 1),
        ({"statusTimestampAfter": "2025-11-09T10:30:00Z"}, 2),
        ({"includeArtifacts": True, "pageSize": 1}, 2),
    ]
    for params, count in cases:
        found = (await client.call("ListTasks", params)).value
        assert found["totalSize"] == count, params
    assert len(found["tasks"]) == 1
    assert "artifacts" in found["tasks"][0]
    task = found["tasks"][0]["id"]
    assert "history" not in (await client.call("GetTask", {"id": task, "historyLength": 0})).value


@rows.row("11.6", REST)
async def errors_are_google_statuses(client: Client) -> None:
    """An error is a google.rpc.Status: HTTP's code, a status, a text, details with their types."""
    for answer in (
        await client.call("GetTask", {"id": "nowhere"}),
        await client.call("ListTasks", {"pageSize": 0}),
        await raw(client, b"{", "/message:send"),
        await raw(client, b"\xff{}", "/message:send"),
        await raw(client, b"[]", "/message:send"),
    ):
        assert set(answer.body) == {"error"}
        assert set(answer.error) == {"code", "status", "message", "details"}
        assert answer.error["code"] == answer.status
        assert answer.status in (400, 404)
        assert re.fullmatch(r"[A-Z_]+", answer.error["status"])
        assert answer.details[0]["domain"] == "a2a-protocol.org"


@rows.row("11.7", REST)
async def events_are_stream_responses(client: Client) -> None:
    """A stream is server-sent events, each one of the four kinds of events."""
    async with client.streamed("SendStreamingMessage", message("pieces")) as stream:
        assert stream.response.status_code == 200
        assert stream.response.headers["content-type"].partition(";")[0] == "text/event-stream"
        events = await stream.rest()
    assert all(len(event) == 1 for event in events)
    assert {kind for event in events for kind in event} <= {"task", "message", "statusUpdate", "artifactUpdate"}


@rows.row("11.7")
async def what_fails_before_the_first_event_is_no_stream(client: Client) -> None:
    """A stream that cannot begin is an error of the binding, with its status and media type."""
    answer = await client.call("SendStreamingMessage", message("x", taskId="nowhere"))
    answer.is_error("TaskNotFoundError")
    assert "event-stream" not in answer.headers["content-type"]


@rows.row("14.1.1")
async def text_is_utf_8(client: Client) -> None:
    """Text comes back as it was sent, in UTF-8."""
    words = "日本語 🜁 é \u2028"
    task = await client.task(words)
    assert task["artifacts"][0]["parts"][0]["text"] == f"echo: {words}"


@rows.row("A.2.1")
async def nothing_has_a_kind(client: Client) -> None:
    """The discriminator of 0.3 is in no answer of 1.0."""
    answers = [await client.say("ask"), await client.say("message me"), await client.all_of("pieces")]
    assert [name for answer in answers for name, _ in fields(answer) if name == "kind"] == []


@rows.row("beside it")
async def a_slash_at_the_end_is_tolerated(client: Client) -> None:
    """The specification is silent about a slash at the end of a path; clients that join addresses send one."""
    for operation, params in (("SendMessage", message("hello")), ("ListTasks", {}), ("GetExtendedAgentCard", {})):
        request = client.request(operation, params)
        request.url = request.url.copy_with(path=request.url.path + "/")
        assert (await client.send(request)).error is None, operation


@pytest.mark.parametrize(("row", "binding"), rows.cases())
async def test_it_holds(spec: Spec, row: Row, binding: Any) -> None:
    await row.check(spec.client(binding))
