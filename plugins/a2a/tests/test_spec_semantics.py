"""A2A 1.0.1, row by row: what holds for all operations (3.3 to 3.6), identity (7) and who may see what (13.1)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .spec import DONE, ERRORS, HOOK, OPERATIONS, RPC, WORKING, Client, Row, Rows, Spec, message, of_task

pytestmark = pytest.mark.asyncio(loop_scope="module")
rows = Rows()


@rows.row("3.3.1")
async def reading_changes_nothing(client: Client) -> None:
    """Reading a task, a list or a card twice gives the same."""
    task = await client.task("hello")
    for operation, params in (("GetTask", {"id": task["id"]}), ("ListTasks", {}), ("GetExtendedAgentCard", {})):
        first, second = [(await client.call(operation, params)).value for _ in range(2)]
        assert unsigned(first) == unsigned(second)


def unsigned(value: Any) -> dict[str, Any]:
    """An answer without its signatures, which are made anew each time."""
    return {name: each for name, each in value.items() if name != "signatures"}


@rows.row("3.3.2")
async def who_does_not_sign_in_is_refused(client: Client) -> None:
    """Without a valid key every operation is refused with 401, and told how to sign in."""
    for operation in OPERATIONS:
        params = {"id": "x", "taskId": "x", **message("hello")}
        for credential in (None, "Bearer wrong"):
            answer = await client.call(operation, params, authorization=credential)
            assert answer.status == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.error["message"]


@rows.row("3.3.2")
async def who_may_not_use_an_agent_learns_nothing(client: Client) -> None:
    """An agent that the caller may not use is not there, as one that does not exist."""
    eve = Client(client.spec, client.binding, "person-eve")
    answers = [await each.call("SendMessage", message("hello")) for each in (eve, eve.at("nobody"))]
    assert [answer.status for answer in answers] == [404, 404]
    assert answers[0].error["message"] == answers[1].error["message"]


@rows.row("3.3.2")
async def parameters_are_checked_and_told(client: Client) -> None:
    """Parameters are checked before anything is done, and each one that is wrong is named with the reason."""
    calls = client.spec.agent.calls
    before = len(calls())
    bare = message("x")["message"]
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("SendMessage", {}, "message"),
        *(("SendMessage", {"message": {**bare, name: None}}, f"message.{name}") for name in ("messageId", "role")),
        ("SendMessage", {"message": {**bare, "parts": []}}, "message.parts"),
        ("SendMessage", {"message": {**bare, "role": "ROLE_UNSPECIFIED"}}, "message.role"),
        ("SendMessage", message("x", {"historyLength": -1}), "configuration.historyLength"),
        ("SendMessage", {"message": 3}, "message"),
        ("SendMessage", {"message": {**bare, "parts": "a"}}, "message.parts"),
        ("SendMessage", {"message": {**bare, "parts": [{"text": 1}]}}, "message.parts.text"),
        ("SendMessage", {"message": {**bare, "parts": [{"text": "a", "url": "b"}]}}, "message.parts"),
        ("SendMessage", {"message": {**bare, "metadata": 3}}, "message.metadata"),
        ("ListTasks", {"pageSize": "many"}, "pageSize"),
        ("ListTasks", {"pageSize": 0}, "pageSize"),
        ("ListTasks", {"pageSize": 101}, "pageSize"),
        ("ListTasks", {"historyLength": -5}, "historyLength"),
        ("ListTasks", {"pageToken": "none of ours"}, "pageToken"),
        ("ListTasks", {"status": "TASK_STATE_RUNNING"}, "status"),
        ("ListTasks", {"statusTimestampAfter": "yesterday"}, "statusTimestampAfter"),
    ]
    for operation, params, wrong in cases:
        answer = await client.call(operation, params)
        answer.is_invalid(wrong)
    assert len(calls()) == before


@rows.row("3.3.2", RPC)
async def required_parameters_are_asked_for(client: Client) -> None:
    """A required parameter that is missing is named."""
    for operation, params in of_task("x").items():
        for name in params:
            if name != "url" and (name != "id" or operation not in ("CreateTaskPushNotificationConfig",)):
                left = {key: value for key, value in params.items() if key != name}
                (await client.call(operation, left)).is_invalid(name)


@rows.row("3.3.2")
async def what_is_not_there_is_not_found(client: Client) -> None:
    """A task that does not exist is not found by any operation, nor by a message that continues or names it."""
    for operation, params in of_task("nowhere").items():
        (await client.call(operation, params)).is_error("TaskNotFoundError")
    for fields in ({"taskId": "nowhere"}, {"referenceTaskIds": ["nowhere"]}):
        for operation in ("SendMessage", "SendStreamingMessage"):
            (await client.call(operation, message("x", **fields))).is_error("TaskNotFoundError")


@rows.row("3.3.2")
async def trouble_that_passes_is_told_from_trouble_that_stays(client: Client) -> None:
    """An agent that is away is trouble that may pass; an error inside one is an internal error."""
    away = await client.at("away").call("SendMessage", message("hello"))
    broken = await client.call("SendMessage", message("raise InternalError"))
    if client.binding == "JSONRPC":
        assert [answer.error["code"] for answer in (away, broken)] == [-32603, -32603]
        reasons = [answer.details[0]["reason"] for answer in (away, broken)]
        assert reasons == ["AGENT_UNREACHABLE", "INTERNAL_ERROR"]
    else:
        assert [answer.status for answer in (away, broken)] == [503, 500]


@rows.row("3.3.2")
async def errors_of_agents_stay_what_they_are(client: Client) -> None:
    """Each error of the protocol has its code, reason and domain, whoever raised it (5.4, 9.5, 11.6)."""
    for name in ERRORS:
        (await client.call("SendMessage", message(f"raise {name}"))).is_error(name)


@rows.row("3.3.4")
async def capabilities_that_are_not_declared_are_refused(client: Client) -> None:
    """Webhooks, streams and the extended card of an agent that does not declare them are refused, each by its error."""
    bare = client.at("bare")
    task = await bare.task("hello")
    for operation, params in of_task(task["id"]).items():
        if "Push" in operation:
            (await bare.call(operation, params)).is_error("PushNotificationNotSupportedError")
    hooked = message("hello", {"taskPushNotificationConfig": HOOK})
    (await bare.call("SendMessage", hooked)).is_error("PushNotificationNotSupportedError")
    (await bare.call("SendStreamingMessage", message("x"))).is_error("UnsupportedOperationError")
    (await bare.call("SubscribeToTask", {"id": task["id"]})).is_error("UnsupportedOperationError")
    (await bare.call("GetExtendedAgentCard")).is_error("UnsupportedOperationError")


@rows.row("3.3.4")
async def an_extended_card_that_is_not_there_is_told(client: Client) -> None:
    """An agent that declares an extended card and has none says so."""
    (await client.at("half").call("GetExtendedAgentCard")).is_error("ExtendedAgentCardNotConfiguredError")


@rows.row("3.4.1")
async def conversations_have_ids(client: Client) -> None:
    """A new conversation's id is in the answer; a client's own is kept, or the message refused."""
    assert (await client.task("hello"))["contextId"]
    assert (await client.say("message me"))["message"]["contextId"]
    own = f"own-{client.person}"
    assert (await client.say("hello", contextId=own))["task"]["contextId"] == own
    (await client.other().call("SendMessage", message("hello", contextId=own))).is_invalid("message.contextId")


@rows.row("3.4.2")
async def tasks_have_ids_of_their_own(client: Client) -> None:
    """Each new task has an id that no other has."""
    ids = {(await client.task("hello"))["id"] for _ in range(3)}
    assert len(ids) == 3


@rows.row("3.4.3")
async def a_message_goes_on_with_its_task(client: Client) -> None:
    """A message to a task needs no contextId, and is refused with another one than the task's."""
    task, other = await client.task("ask"), await client.task("ask")
    wrong = message("x", taskId=task["id"], contextId=other["contextId"])
    for operation in ("SendMessage", "SendStreamingMessage"):
        (await client.call(operation, wrong)).is_invalid("message.contextId")
    more = (await client.say("this one", taskId=task["id"]))["task"]
    assert (more["id"], more["contextId"]) == (task["id"], task["contextId"])
    assert more["status"]["state"] == DONE


@rows.row("3.5.2")
async def events_keep_their_order(client: Client) -> None:
    """Events come in the order in which they were made."""
    events = await client.all_of("pieces")
    told = [event["artifactUpdate"]["artifact"]["parts"][0]["text"] for event in events if "artifactUpdate" in event]
    assert told == ["one ", "two ", "three"]


@rows.row("3.5.2")
async def streams_of_one_task_have_the_same_events(client: Client) -> None:
    """Every stream of a task has its events in the same order; closing one ends neither the others nor the task."""
    executor = client.spec.agent.executor
    task = await client.task("wait", returnImmediately=True)
    asked = {"id": task["id"]}
    try:
        async with (
            client.streamed("SubscribeToTask", asked) as first,
            client.streamed("SubscribeToTask", asked) as second,
        ):
            async with client.streamed("SubscribeToTask", asked) as third:
                for stream in (first, second, third):
                    assert (await stream.next())["task"]["id"] == task["id"]
            executor.go_on.set()
            one, two = await asyncio.gather(first.rest(), second.rest())
    finally:
        executor.go_on.clear()
    assert one[1:] == two[1:]
    assert one[-1]["statusUpdate"]["status"]["state"] == DONE


@rows.row("3.6")
async def patches_of_versions_play_no_part(client: Client) -> None:
    """1.0.1 means 1.0."""
    assert (await client.call("ListTasks", a2a_version="1.0.1")).value["tasks"] == []


@rows.row("3.6.1")
async def the_version_may_stand_in_the_query(client: Client) -> None:
    """A client may tell its version as a parameter of the query."""
    request = client.request("ListTasks", a2a_version=None)
    request.url = request.url.copy_add_param("A2A-Version", "1.0")
    assert (await client.send(request)).value["tasks"] == []


@rows.row("3.6.2")
async def a_version_that_is_not_spoken_is_refused(client: Client) -> None:
    """A version that is not supported is refused by its error."""
    for version in ("0.5", "2.0", "99.1", "latest"):
        for operation in OPERATIONS:
            params = {"id": "x", "taskId": "x", **message("hello")}
            (await client.call(operation, params, a2a_version=version)).is_error("VersionNotSupportedError")


@rows.row("3.6.2")
async def no_version_means_0_3(client: Client) -> None:
    """A version that is empty or missing is 0.3, and so are the words of the answer."""
    parts = [{"kind": "text", "text": "hello"}]
    for version in ("", None):
        if client.binding == "JSONRPC":
            told = {"message": {"kind": "message", "messageId": "m", "role": "user", "parts": parts}}
            answer = await client.call("message/send", told, a2a_version=version)
            assert (answer.value["kind"], answer.value["status"]["state"]) == ("task", "completed")
        else:
            told = {"request": {"messageId": "m", "role": "ROLE_USER", "content": [{"text": "hello"}]}}
            answer = await client.call("SendMessage", told, a2a_version=version)
            assert answer.value["task"]["status"]["state"] == "TASK_STATE_COMPLETED"


@rows.row("3.6.2")
async def an_agent_of_0_3_is_one_of_1_0_behind_the_gateway(client: Client) -> None:
    """Who asks in 1.0 gets the semantics of 1.0, whatever the agent speaks."""
    old = client.at("old")
    done, asking = await old.task("hello"), await old.task("ask")
    await old.say("ask again", taskId=asking["id"])
    for operation in ("SendMessage", "SendStreamingMessage"):
        (await old.call(operation, message("more", taskId=done["id"]))).is_error("UnsupportedOperationError")
        wrong = message("more", taskId=asking["id"], contextId=done["contextId"])
        (await old.call(operation, wrong)).is_invalid("message.contextId")
    (await old.call("CancelTask", {"id": done["id"]})).is_error("TaskNotCancelableError")
    (await old.call("SubscribeToTask", {"id": done["id"]})).is_error("UnsupportedOperationError")
    for operation, params in of_task("nowhere").items():
        (await old.call(operation, params)).is_error("TaskNotFoundError")
    for length in (0, 1):
        got = (await old.call("GetTask", {"id": asking["id"], "historyLength": length})).value
        assert len(got.get("history", ())) == length
    listed = (await old.call("ListTasks")).value
    assert ([task["id"] for task in listed["tasks"]], listed["totalSize"]) == ([asking["id"], done["id"]], 2)
    events = await old.all_of("pieces")
    assert list(events[0]) == ["task"]
    assert events[-1]["statusUpdate"]["status"]["state"] == DONE
    running = await old.task("wait", returnImmediately=True)
    async with old.streamed("SubscribeToTask", {"id": running["id"]}) as stream:
        assert (await stream.next())["task"]["id"] == running["id"]
        canceled = (await old.call("CancelTask", {"id": running["id"]})).value
        assert canceled["status"]["state"] == "TASK_STATE_CANCELED"
        assert (await stream.rest())[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_CANCELED"
    card = (await old.call("GetExtendedAgentCard")).value
    assert [skill["id"] for skill in card["skills"]] == ["echo", "secret"]


@rows.row("7.6.1")
async def a_task_that_waits_for_consent_takes_messages(client: Client) -> None:
    """A task that is interrupted takes messages, and its stream ends by itself (11.7)."""
    events = await client.all_of("ask")
    assert events[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"
    update = events[-1]["statusUpdate"]
    assert update["status"]["message"]["parts"] == [{"text": "which one?"}]
    assert (await client.say("that one", taskId=update["taskId"]))["task"]["status"]["state"] == DONE


@rows.row("13.1")
async def tasks_of_others_are_not_there(client: Client) -> None:
    """A task of somebody else is for every operation what a task that does not exist is, word for word."""
    task = await client.task("wait", returnImmediately=True)
    other = client.other()
    theirs, none = of_task(task["id"]), of_task("nowhere")
    for operation in theirs:
        answers = [await other.call(operation, params[operation]) for params in (theirs, none)]
        answers[0].is_error("TaskNotFoundError")
        assert answers[0].raw == answers[1].raw
    for fields in ({"taskId": task["id"]}, {"referenceTaskIds": [task["id"]]}):
        (await other.call("SendMessage", message("x", **fields))).is_error("TaskNotFoundError")
    assert (await other.call("ListTasks", {"contextId": task["contextId"]})).value["tasks"] == []
    assert (await client.call("GetTask", {"id": task["id"]})).value["status"]["state"] == WORKING
    await client.call("CancelTask", {"id": task["id"]})


@pytest.mark.parametrize(("row", "binding"), rows.cases())
async def test_it_holds(spec: Spec, row: Row, binding: Any) -> None:
    await row.check(spec.client(binding))
