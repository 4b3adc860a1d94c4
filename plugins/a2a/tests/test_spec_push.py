"""A2A 1.0.1, row by row: webhooks (sections 4.3 and 13.2). Retries and their waits are in `test_push`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .spec import A2A_JSON, DONE, HOOK, Client, Row, Rows, Spec, message
from .webhooks import webhook

pytestmark = pytest.mark.asyncio(loop_scope="module")
rows = Rows()


@rows.row("4.3.3")
async def notifications_are_stream_responses(client: Client) -> None:
    """Each change is posted as one event of a stream, as application/a2a+json, with the credentials and the token that
    the client gave (3.5.1, 13.2)."""
    async with webhook() as hook:
        authentication = {"scheme": "Bearer", "credentials": "client-secret"}
        config = {"url": hook.url, "token": "client-token", "authentication": authentication}
        task = (await client.say("pieces", {"taskPushNotificationConfig": config}))["task"]
        await hook.until(DONE)
    for headers, body in hook.got:
        assert headers["content-type"].partition(";")[0] == A2A_JSON
        assert headers["authorization"] == "Bearer client-secret"
        assert headers["x-a2a-notification-token"] == "client-token"
        ((kind, event),) = body.items()
        assert kind in ("task", "message", "statusUpdate", "artifactUpdate")
        assert event["id" if kind == "task" else "taskId"] == task["id"]
    assert hook.got[-1][1]["statusUpdate"]["status"]["state"] == DONE


@rows.row("3.5.1")
async def a_webhook_of_a_running_task_is_called(client: Client) -> None:
    """A webhook that is given to a running task hears of what becomes of it, until it is deleted (3.1.7, 3.1.10)."""
    executor = client.spec.agent.executor
    async with webhook() as gone, webhook() as hook:
        task = await client.task("wait", returnImmediately=True)
        for name, each in (("gone", gone), ("kept", hook)):
            made = {"taskId": task["id"], "id": name, "url": each.url}
            assert (await client.call("CreateTaskPushNotificationConfig", made)).error is None
        left = {"taskId": task["id"], "id": "gone"}
        assert (await client.call("DeleteTaskPushNotificationConfig", left)).error is None
        try:
            executor.go_on.set()
            await hook.until(DONE)
        finally:
            executor.go_on.clear()
        assert gone.got == []


@rows.row("13.2")
async def private_addresses_are_refused(client: Client) -> None:
    """A webhook at a private, link-local or metadata address, or of another scheme, is refused when it is given, in
    either way."""
    task = await client.task("hello")
    before = json.dumps((await client.call("ListTaskPushNotificationConfigs", {"taskId": task["id"]})).value)
    for url in (
        "http://10.0.0.1/h",
        "http://172.16.0.1/h",
        "https://192.168.1.1/h",
        "http://169.254.169.254/latest",
        "http://[::1]/h",
        "http://[fd00::1]/h",
        "http://0x0a000001/h",
        "file:///etc/passwd",
        "ftp://example.com/h",
        "not a url",
        "",
    ):
        made = {"taskId": task["id"], "url": url}
        (await client.call("CreateTaskPushNotificationConfig", made)).is_invalid("url")
        told = message("hello", {"taskPushNotificationConfig": {"url": url}})
        answer = await client.call("SendMessage", told)
        assert any(name.endswith("url") for name in answer.fields), url
    after = json.dumps((await client.call("ListTaskPushNotificationConfigs", {"taskId": task["id"]})).value)
    assert before == after


@rows.row("13.2")
async def what_cannot_be_a_header_is_refused(client: Client) -> None:
    """A token or a credential that would add a header is refused."""
    task = await client.task("hello")
    for wrong in ({"token": "a\r\nx: y"}, {"authentication": {"scheme": "Bearer", "credentials": "a\nb"}}):
        made = {"taskId": task["id"], **HOOK, **wrong}
        (await client.call("CreateTaskPushNotificationConfig", made)).is_invalid("authentication")


@pytest.mark.parametrize(("row", "binding"), rows.cases())
async def test_it_holds(spec: Spec, row: Row, binding: Any) -> None:
    await row.check(spec.client(binding))
