"""The JSON-RPC binding: methods of 1.0 and of 0.3 at one path, told apart by `A2A-Version`.

What an operation does is the forwarder's business.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any

import orjson
from a2a.compat.v0_3 import types as v0_3
from a2a.compat.v0_3.request_handler import RequestHandler03
from a2a.types import (
    AgentCard,
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetExtendedAgentCardRequest,
    GetTaskPushNotificationConfigRequest,
    GetTaskRequest,
    ListTaskPushNotificationConfigsRequest,
    ListTasksRequest,
    Message,
    SendMessageRequest,
    SendMessageResponse,
    SubscribeToTaskRequest,
    Task,
    TaskPushNotificationConfig,
)
from a2a.utils.errors import (
    InvalidRequestError,
    JSONParseError,
    MethodNotFoundError,
    TaskNotFoundError,
    VersionNotSupportedError,
)
from a2a.utils.proto_utils import to_stream_response, validate_proto_required_fields
from google.protobuf.message import Message as Proto

from routeiq_a2a.cards.canonical import complete
from routeiq_a2a.forwarding.callers import Caller, call_context
from routeiq_a2a.forwarding.forwarder import Forwarder
from routeiq_a2a.protojson import listed_json, of_json, to_json
from routeiq_a2a.wire.errors import Problem, problem
from routeiq_a2a.wire.events import Streams
from routeiq_a2a.wire.states import check_state
from routeiq_a2a.wire.versions import V0_3, V1_0
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse

_UNAUTHENTICATED = 401
METHODS: Mapping[str, tuple[type[Proto], str]] = {
    "SendMessage": (SendMessageRequest, "on_message_send"),
    "SendStreamingMessage": (SendMessageRequest, "on_message_send_stream"),
    "GetTask": (GetTaskRequest, "on_get_task"),
    "ListTasks": (ListTasksRequest, "on_list_tasks"),
    "CancelTask": (CancelTaskRequest, "on_cancel_task"),
    "SubscribeToTask": (SubscribeToTaskRequest, "on_subscribe_to_task"),
    "CreateTaskPushNotificationConfig": (TaskPushNotificationConfig, "on_create_task_push_notification_config"),
    "GetTaskPushNotificationConfig": (
        GetTaskPushNotificationConfigRequest,
        "on_get_task_push_notification_config",
    ),
    "ListTaskPushNotificationConfigs": (
        ListTaskPushNotificationConfigsRequest,
        "on_list_task_push_notification_configs",
    ),
    "DeleteTaskPushNotificationConfig": (
        DeleteTaskPushNotificationConfigRequest,
        "on_delete_task_push_notification_config",
    ),
    "GetExtendedAgentCard": (GetExtendedAgentCardRequest, "on_get_extended_agent_card"),
}
_METHODS_0_3: Mapping[str, tuple[Any, str]] = {
    "message/send": (v0_3.SendMessageRequest, "on_message_send"),
    "message/stream": (v0_3.SendStreamingMessageRequest, "on_message_send_stream"),
    "tasks/get": (v0_3.GetTaskRequest, "on_get_task"),
    "tasks/cancel": (v0_3.CancelTaskRequest, "on_cancel_task"),
    "tasks/resubscribe": (v0_3.TaskResubscriptionRequest, "on_subscribe_to_task"),
    "tasks/pushNotificationConfig/set": (
        v0_3.SetTaskPushNotificationConfigRequest,
        "on_create_task_push_notification_config",
    ),
    "tasks/pushNotificationConfig/get": (
        v0_3.GetTaskPushNotificationConfigRequest,
        "on_get_task_push_notification_config",
    ),
    "tasks/pushNotificationConfig/list": (
        v0_3.ListTaskPushNotificationConfigRequest,
        "on_list_task_push_notification_configs",
    ),
    "tasks/pushNotificationConfig/delete": (
        v0_3.DeleteTaskPushNotificationConfigRequest,
        "on_delete_task_push_notification_config",
    ),
    "agent/getAuthenticatedExtendedCard": (
        v0_3.GetAuthenticatedExtendedCardRequest,
        "on_get_extended_agent_card",
    ),
}
STREAMING = frozenset({"on_message_send_stream", "on_subscribe_to_task"})


class JsonRpc:
    """Answers JSON-RPC requests."""

    def __init__(self, forwarder: Forwarder, streams: Streams) -> None:
        self._forwarder = forwarder
        self._legacy = RequestHandler03(forwarder)
        self._streams = streams

    async def answer(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """One request. An error of the protocol comes with HTTP status 200; a 401 goes out as such."""
        id: Any = None
        try:
            body = _object(request.body)
            id = _id(body)
            method = _method(body)
            if caller.version == V0_3:
                return await self._answer_0_3(id, method, body, caller)
            return await self._answer(id, method, body, caller)
        except RequestError as error:
            if error.status == _UNAUTHENTICATED:
                raise
            return self.failed(error, id, caller.version)
        except VersionNotSupportedError as error:
            return self.failed(error, id, V1_0)  # an error that 0.3 has no number for
        except Exception as error:
            return self.failed(error, id, caller.version)

    def failed(self, error: BaseException, id: Any, version: str) -> HttpResponse:
        """An error as an answer."""
        told = problem(error)
        return HttpResponse(200, orjson.dumps(told.rpc(id, version)), told.headers)

    async def _answer(self, id: Any, method: str, body: Mapping[str, Any], caller: Caller) -> HttpResponse:
        known = METHODS.get(method)
        if known is None:
            raise MethodNotFoundError(f"{method!r} is no method of A2A {caller.version}.")
        kind, name = known
        told = _params(body)
        if kind is ListTasksRequest:
            check_state(told.get("status"))
        params = of_json(told, kind())
        validate_proto_required_fields(params)
        context = call_context(caller)
        handle: Callable[..., Any] = getattr(self._forwarder, name)
        if name in STREAMING:
            events: AsyncGenerator[Any] = handle(params, context)
            return await self._streams.answer(
                events, lambda event: _result(id, to_json(to_stream_response(event))), _failing(id, caller)
            )
        result = await handle(params, context)
        if result is None and name in ("on_get_task", "on_cancel_task"):
            raise TaskNotFoundError
        return _answered(id, _document(params, result))

    async def _answer_0_3(self, id: Any, method: str, body: Mapping[str, Any], caller: Caller) -> HttpResponse:
        known = _METHODS_0_3.get(method)
        if known is None:
            if method in METHODS:
                raise VersionNotSupportedError(
                    f"{method} is a method of A2A 1.0; send the header A2A-Version: 1.0 with it."
                )
            raise MethodNotFoundError(f"{method!r} is no method of A2A 0.3.")
        kind, name = known
        # An id that is null or missing is valid JSON-RPC, and none for 0.3's types.
        params = kind.model_validate({**body, "id": "" if id is None else id})
        context = call_context(caller)
        handle: Callable[..., Any] = getattr(self._legacy, name)
        if name in STREAMING:
            events: AsyncGenerator[Any] = handle(params, context)
            return await self._streams.answer(
                events, lambda event: _result(id, _dumped(event.result)), _failing(id, caller)
            )
        waiting: Awaitable[Any] = handle(params, context)
        result = await waiting
        shown = [_dumped(each) for each in result] if isinstance(result, list) else _dumped(result)
        return _answered(id, shown)


def _document(params: Proto, result: Any) -> Any:
    if isinstance(params, ListTasksRequest):
        return listed_json(result, artifacts=params.include_artifacts)
    if isinstance(params, SendMessageRequest):
        if isinstance(result, Task):
            return to_json(SendMessageResponse(task=result))
        assert isinstance(result, Message)
        return to_json(SendMessageResponse(message=result))
    if isinstance(result, AgentCard):
        return complete(result)
    return to_json(result) if result is not None else None


def _dumped(value: Any) -> Any:
    return value.model_dump(mode="json", by_alias=True, exclude_none=True) if value is not None else None


def _result(id: Any, value: Any) -> Mapping[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "result": value}


def _answered(id: Any, value: Any) -> HttpResponse:
    return HttpResponse(200, orjson.dumps(_result(id, value)))


def _failing(id: Any, caller: Caller) -> Callable[[Problem], Mapping[str, Any]]:
    return lambda told: told.rpc(id, caller.version)


def _object(raw: bytes) -> Mapping[str, Any]:
    try:
        body = orjson.loads(raw)
    except ValueError:
        raise JSONParseError("The body is no JSON.") from None
    if isinstance(body, list):
        raise InvalidRequestError("Batches are no part of A2A; send one request.")
    if not isinstance(body, dict):
        raise InvalidRequestError("The body is no JSON-RPC request.")
    return body


def _id(body: Mapping[str, Any]) -> Any:
    id = body.get("id")
    if isinstance(id, bool) or not (id is None or isinstance(id, str | int)):
        raise InvalidRequestError("The id is a text, an integer or null.")
    return id


def _method(body: Mapping[str, Any]) -> str:
    method = body.get("method")
    if body.get("jsonrpc") != "2.0" or not isinstance(method, str) or not method:
        raise InvalidRequestError('The request needs "jsonrpc": "2.0" and a method.')
    return method


def _params(body: Mapping[str, Any]) -> dict[str, Any]:
    params = body.get("params")
    if params is None:
        return {}
    if not isinstance(params, dict):
        raise InvalidRequestError("The params are an object.")
    return params
