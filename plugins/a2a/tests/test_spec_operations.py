"""A2A 1.0.1, row by row: the operations and what they are given (3.1, 3.2)."""

from __future__ import annotations

from typing import Any

import pytest

from .spec import DONE, HOOK, WORKING, Client, Row, Rows, Spec, message

pytestmark = pytest.mark.asyncio(loop_scope="module")
rows = Rows()


@rows.row("3.1.1")
async def a_task_or_a_message_comes_back(client: Client) -> None:
    """A message is answered by a task or by a message."""
    said = await client.say("hello")
    assert list(said) == ["task"]
    assert said["task"]["status"]["state"] == DONE
    assert list(await client.say("message me")) == ["message"]


@rows.row("3.1.1")
async def a_task_that_has_ended_takes_no_message(client: Client) -> None:
    """A message to a task that has come to its end is an unsupported operation, streamed or not."""
    task = await client.task("hello")
    more = message("more", taskId=task["id"])
    for operation in ("SendMessage", "SendStreamingMessage"):
        (await client.call(operation, more)).is_error("UnsupportedOperationError")


@rows.row("3.1.2")
async def a_stream_of_a_message_is_that_message(client: Client) -> None:
    """A stream that brings a message brings nothing else, and closes."""
    events = await client.all_of("message me")
    assert [list(event) for event in events] == [["message"]]


@rows.row("3.1.2")
async def a_stream_of_a_task_begins_with_it_and_ends_with_its_end(client: Client) -> None:
    """A stream about a task begins with the task, then come changes, and it closes when the task has ended."""
    events = await client.all_of("pieces")
    assert list(events[0]) == ["task"]
    assert {kind for event in events[1:] for kind in event} == {"statusUpdate", "artifactUpdate"}
    assert events[-1]["statusUpdate"]["status"]["state"] == DONE


@rows.row("3.1.2")
async def a_stream_tells_at_once(client: Client) -> None:
    """The stream gives feedback while the task is being worked on."""
    async with client.streamed("SendStreamingMessage", message("wait")) as stream:
        task = (await stream.next())["task"]
        assert (await stream.next())["statusUpdate"]["status"]["state"] == WORKING
        await client.call("CancelTask", {"id": task["id"]})
        assert (await stream.rest())[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_CANCELED"


@rows.row("3.1.4")
async def lists_hold_no_artifacts_unless_asked(client: Client) -> None:
    """Without includeArtifacts no task of a list has the field; with it each has."""
    await client.task("hello")
    for params in ({}, {"includeArtifacts": False}):
        (task,) = (await client.call("ListTasks", params)).value["tasks"]
        assert "artifacts" not in task
    (task,) = (await client.call("ListTasks", {"includeArtifacts": True})).value["tasks"]
    assert task["artifacts"][0]["parts"] == [{"text": "echo: hello"}]
    await client.task("ask")
    newest = (await client.call("ListTasks", {"includeArtifacts": True})).value["tasks"][0]
    assert newest["artifacts"] == []


@rows.row("3.1.4")
async def the_fields_of_a_list_are_all_there(client: Client) -> None:
    """The token of the next page is there in every answer, empty on the last page; so are the other required fields."""
    empty = {"tasks": [], "nextPageToken": "", "pageSize": 50, "totalSize": 0}
    assert (await client.call("ListTasks")).value == empty


@rows.row("3.1.4")
async def pages_follow_one_another_by_cursors(client: Client) -> None:
    """Pages follow by cursors: a task that comes between shifts none."""
    ids = [(await client.task(f"number {n}"))["id"] for n in range(3)]
    first = (await client.call("ListTasks", {"pageSize": 2})).value
    assert [task["id"] for task in first["tasks"]] == [ids[2], ids[1]]
    assert (first["totalSize"], first["pageSize"]) == (3, 2)
    await client.task("later")
    second = (await client.call("ListTasks", {"pageSize": 2, "pageToken": first["nextPageToken"]})).value
    assert [task["id"] for task in second["tasks"]] == [ids[0]]
    assert second["nextPageToken"] == ""


@rows.row("3.1.4")
async def lists_are_sorted_by_the_time_of_the_status(client: Client) -> None:
    """The task that changed last is the first."""
    asking, done = await client.task("ask"), await client.task("hello")
    await client.say("this one", taskId=asking["id"])
    tasks = (await client.call("ListTasks")).value["tasks"]
    assert [task["id"] for task in tasks] == [asking["id"], done["id"]]
    moments = [task["status"]["timestamp"] for task in tasks]
    assert moments == sorted(moments, reverse=True)


@rows.row("3.1.4")
async def lists_are_filtered(client: Client) -> None:
    """By context, by state, and by a time that is included."""
    asking, done = await client.task("ask"), await client.task("hello")
    by = {
        "contextId": asking["contextId"],
        "status": "TASK_STATE_INPUT_REQUIRED",
    }
    for name, value in by.items():
        found = (await client.call("ListTasks", {name: value})).value
        assert ([task["id"] for task in found["tasks"]], found["totalSize"]) == ([asking["id"]], 1), name
    newest = (await client.call("ListTasks")).value["tasks"][0]
    after = {"statusTimestampAfter": newest["status"]["timestamp"]}
    assert [task["id"] for task in (await client.call("ListTasks", after)).value["tasks"]] == [done["id"]]


@rows.row("3.1.5")
async def a_task_is_canceled(client: Client) -> None:
    """Canceling answers with the task as it stands then."""
    task = await client.task("wait", returnImmediately=True)
    canceled = (await client.call("CancelTask", {"id": task["id"]})).value
    assert (canceled["id"], canceled["status"]["state"]) == (task["id"], "TASK_STATE_CANCELED")


@rows.row("3.1.5")
async def a_task_that_has_ended_is_not_cancelable(client: Client) -> None:
    """A task that has come to its end cannot be canceled."""
    task = await client.task("hello")
    (await client.call("CancelTask", {"id": task["id"]})).is_error("TaskNotCancelableError")


@rows.row("3.1.6")
async def a_subscription_begins_with_the_task_and_ends_with_it(client: Client) -> None:
    """A subscription begins with the task as it stands and closes when it has ended."""
    task = await client.task("wait", returnImmediately=True)
    async with client.streamed("SubscribeToTask", {"id": task["id"]}) as stream:
        first = (await stream.next())["task"]
        assert (first["id"], first["status"]["state"]) == (task["id"], WORKING)
        await client.call("CancelTask", {"id": task["id"]})
        assert (await stream.rest())[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_CANCELED"


@rows.row("3.1.6")
async def a_task_that_has_ended_is_not_subscribed_to(client: Client) -> None:
    """Subscribing to a task that has come to its end is an unsupported operation."""
    task = await client.task("hello")
    (await client.call("SubscribeToTask", {"id": task["id"]})).is_error("UnsupportedOperationError")


@rows.row("3.1.7")
async def a_webhook_gets_an_id_and_stays(client: Client) -> None:
    """A webhook gets an id, can be read and listed with all that was said of it, and stays after the task's end."""
    task = await client.task("hello")
    told = {**HOOK, "token": "t", "authentication": {"scheme": "Bearer", "credentials": "c"}}
    made = (await client.call("CreateTaskPushNotificationConfig", {"taskId": task["id"], **told})).value
    assert made == {**told, "id": made["id"], "taskId": task["id"]}
    assert made["id"]
    read = await client.call("GetTaskPushNotificationConfig", {"taskId": task["id"], "id": made["id"]})
    assert read.value == made
    listed = await client.call("ListTaskPushNotificationConfigs", {"taskId": task["id"]})
    assert listed.value["configs"] == [made]


@rows.row("3.1.8")
async def a_webhook_that_is_not_there_is_not_found(client: Client) -> None:
    """Reading a webhook that does not exist, or is somebody else's, fails."""
    task = await client.task("hello")
    asked = {"taskId": task["id"], "id": "none"}
    (await client.call("GetTaskPushNotificationConfig", asked)).is_error("TaskNotFoundError")


@rows.row("3.1.9")
async def all_webhooks_of_a_task_are_listed(client: Client) -> None:
    """A list has every webhook of the task, and none of another."""
    task, other = await client.task("hello"), await client.task("hello")
    for name, owner in (("a", task), ("b", task), ("c", other)):
        made = {"taskId": owner["id"], "id": name, **HOOK}
        assert (await client.call("CreateTaskPushNotificationConfig", made)).error is None
    listed = await client.call("ListTaskPushNotificationConfigs", {"taskId": task["id"]})
    assert [each["id"] for each in listed.value["configs"]] == ["a", "b"]


@rows.row("3.1.10")
async def a_webhook_is_deleted_for_good_however_often(client: Client) -> None:
    """A webhook that is deleted is gone, and deleting it once more is no error."""
    task = await client.task("hello")
    asked = {"taskId": task["id"], "id": "a"}
    await client.call("CreateTaskPushNotificationConfig", {**asked, **HOOK})
    for _ in range(2):
        assert (await client.call("DeleteTaskPushNotificationConfig", asked)).error is None
    (await client.call("GetTaskPushNotificationConfig", asked)).is_error("TaskNotFoundError")


@rows.row("3.1.11")
async def the_extended_card_is_for_who_signed_in(client: Client) -> None:
    """The extended card has what the public one has not, and is shown to nobody without a key."""
    card = (await client.call("GetExtendedAgentCard")).value
    assert [skill["id"] for skill in card["skills"]] == ["echo", "secret"]
    assert (await client.call("GetExtendedAgentCard", authorization=None)).status == 401


@rows.row("3.2.2")
async def a_message_waits_for_the_end(client: Client) -> None:
    """Without returnImmediately the answer is there when the task has ended or needs something, whole."""
    for configuration in ({}, {"returnImmediately": False}):
        task = await client.task("hello", **configuration)
        assert task["status"]["state"] == DONE
        assert task["artifacts"][0]["parts"] == [{"text": "echo: hello"}]
    assert (await client.task("ask"))["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"


@rows.row("3.2.2")
async def a_message_need_not_wait(client: Client) -> None:
    """With returnImmediately the answer is there while the task is being worked on."""
    task = await client.task("wait", returnImmediately=True)
    assert task["status"]["state"] in ("TASK_STATE_SUBMITTED", WORKING)
    await client.call("CancelTask", {"id": task["id"]})


@rows.row("3.2.4")
async def no_more_history_than_asked(client: Client) -> None:
    """historyLength bounds the history in every answer; of 0 the field is left out."""
    task = await client.task("ask")
    for word in ("ask again", "ask once more"):
        await client.say(word, taskId=task["id"])
    for length in (0, 1, 2):
        bound = {"historyLength": length}
        whole = (await client.call("GetTask", {"id": task["id"]})).value["history"]
        assert len(whole) > 2
        got = (await client.call("GetTask", {"id": task["id"], **bound})).value
        listed = (await client.call("ListTasks", bound)).value["tasks"][0]
        said = (await client.say("ask", bound, taskId=task["id"]))["task"]
        assert got.get("history", []) == whole[len(whole) - length :]
        for answer in (got, listed, said):
            assert len(answer.get("history", ())) == length
            assert ("history" in answer) == (length > 0)


@pytest.mark.parametrize(("row", "binding"), rows.cases())
async def test_it_holds(spec: Spec, row: Row, binding: Any) -> None:
    await row.check(spec.client(binding))
