"""The HTTP+JSON binding: the paths of 1.0 and of 0.3 are the same here, the messages are not.

What an operation does is the forwarder's business.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, cast

import orjson
from a2a.compat.v0_3.rest_handler import REST03Handler
from a2a.server.context import ServerCallContext
from a2a.types import (
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetExtendedAgentCardRequest,
    GetTaskPushNotificationConfigRequest,
    GetTaskRequest,
    ListTaskPushNotificationConfigsRequest,
    ListTasksRequest,
    SendMessageRequest,
    SendMessageResponse,
    SubscribeToTaskRequest,
    Task,
    TaskPushNotificationConfig,
)
from a2a.utils.constants import A2A_JSON_MEDIA_TYPE
from a2a.utils.errors import ContentTypeNotSupportedError, TaskNotFoundError, UnsupportedOperationError
from a2a.utils.proto_utils import parse_params, to_stream_response, validate_proto_required_fields

from routeiq_a2a.cards.canonical import complete
from routeiq_a2a.forwarding.callers import Caller, call_context
from routeiq_a2a.forwarding.forwarder import Forwarder
from routeiq_a2a.protojson import listed_json, of_bytes, to_json
from routeiq_a2a.wire.errors import problem
from routeiq_a2a.wire.events import Streams
from routeiq_a2a.wire.states import queried_state
from routeiq_a2a.wire.versions import HEADER, V0_3, V1_0
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse

_UNAUTHENTICATED = 401
_TAKEN = ("", "application/json", A2A_JSON_MEDIA_TYPE)
_OF_ONE = {"Cache-Control": "private, max-age=60", "Vary": "A2A-Version, Authorization"}
_STREAMS = frozenset({"stream", "subscribe"})
_OPERATIONS_0_3 = {
    "send": "on_message_send",
    "stream": "on_message_send_stream",
    "get": "on_get_task",
    "cancel": "on_cancel_task",
    "subscribe": "on_subscribe_to_task",
    "push_create": "set_push_notification",
    "push_get": "get_push_notification",
    "push_list": "list_push_notifications",
    "extended": "on_get_extended_agent_card",
}


class _Asked:
    """A request as the library's handler of 0.3 looks at it."""

    def __init__(self, request: HttpRequest) -> None:
        self._body = request.body
        self.path_params = dict(request.path_params)
        self.query_params = dict(request.query)

    async def body(self) -> bytes:
        return self._body


class Rest:
    """Answers HTTP+JSON requests; `operation` is the name of the route."""

    def __init__(self, forwarder: Forwarder, streams: Streams) -> None:
        self._forwarder = forwarder
        self._legacy = REST03Handler(forwarder)
        self._streams = streams

    async def answer(self, request: HttpRequest, caller: Caller, operation: str) -> HttpResponse:
        """One request."""
        try:
            kind = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
            if request.body and kind not in _TAKEN:
                raise ContentTypeNotSupportedError(f"Send {A2A_JSON_MEDIA_TYPE} or application/json.")
            if caller.version == V0_3:
                return await self._answer_0_3(request, caller, operation)
            return await self._answer(request, caller, operation)
        except RequestError as error:
            if error.status == _UNAUTHENTICATED:
                raise
            return self.failed(error, caller.version)
        except Exception as error:
            return self.failed(error, caller.version)

    def failed(self, error: BaseException, version: str = V1_0) -> HttpResponse:
        """An error as an answer."""
        told = problem(error)
        kind = A2A_JSON_MEDIA_TYPE if version == V1_0 else "application/json"
        return HttpResponse(told.http, orjson.dumps(told.rest()), told.headers, kind)

    async def _answer(self, request: HttpRequest, caller: Caller, operation: str) -> HttpResponse:
        context = call_context(caller)
        if operation in _STREAMS:
            events = self._events(request, context, operation)
            return await self._streams.answer(
                events, lambda event: to_json(to_stream_response(event)), lambda told: told.rest()
            )
        handler: Callable[..., Any] = getattr(self, f"_{operation}")
        document = await handler(request, context)
        headers = _OF_ONE if operation == "extended" else {}
        return HttpResponse(200, orjson.dumps(document), headers, A2A_JSON_MEDIA_TYPE)

    async def _answer_0_3(self, request: HttpRequest, caller: Caller, operation: str) -> HttpResponse:
        name = _OPERATIONS_0_3.get(operation)
        if name is None:
            raise UnsupportedOperationError("A2A 0.3 has no such operation; send the header A2A-Version: 1.0.")
        context = call_context(caller, headers={HEADER: V0_3})
        handle: Callable[..., Any] = getattr(self._legacy, name)
        asked = cast(Any, _Asked(request))
        if operation in _STREAMS:
            events: AsyncGenerator[Any] = handle(asked, context)
            return await self._streams.answer(events, lambda event: event, lambda told: told.rest())
        return HttpResponse(200, orjson.dumps(await handle(asked, context)))

    def _events(self, request: HttpRequest, context: ServerCallContext, operation: str) -> AsyncGenerator[Any]:
        if operation == "stream":
            message = of_bytes(request.body, SendMessageRequest())
            return self._forwarder.on_message_send_stream(message, context)
        return self._forwarder.on_subscribe_to_task(SubscribeToTaskRequest(id=request.path_params["id"]), context)

    async def _send(self, request: HttpRequest, context: ServerCallContext) -> Mapping[str, Any]:
        params = of_bytes(request.body, SendMessageRequest())
        result = await self._forwarder.on_message_send(params, context)
        if isinstance(result, Task):
            return to_json(SendMessageResponse(task=result))
        return to_json(SendMessageResponse(message=result))

    async def _get(self, request: HttpRequest, context: ServerCallContext) -> Mapping[str, Any]:
        params = GetTaskRequest()
        parse_params(_queries(request), params)
        params.id = request.path_params["id"]
        return _task(await self._forwarder.on_get_task(params, context))

    async def _cancel(self, request: HttpRequest, context: ServerCallContext) -> Mapping[str, Any]:
        params = CancelTaskRequest()
        if request.body.strip():
            of_bytes(request.body, params)
        params.id = request.path_params["id"]
        return _task(await self._forwarder.on_cancel_task(params, context))

    async def _list(self, request: HttpRequest, context: ServerCallContext) -> Mapping[str, Any]:
        params = ListTasksRequest()
        parse_params(_queries(request), params)
        result = await self._forwarder.on_list_tasks(params, context)
        return listed_json(result, artifacts=params.include_artifacts)

    async def _push_create(self, request: HttpRequest, context: ServerCallContext) -> Mapping[str, Any]:
        params = of_bytes(request.body, TaskPushNotificationConfig())
        params.task_id = request.path_params["id"]
        validate_proto_required_fields(params)
        return to_json(await self._forwarder.on_create_task_push_notification_config(params, context))

    async def _push_get(self, request: HttpRequest, context: ServerCallContext) -> Mapping[str, Any]:
        params = GetTaskPushNotificationConfigRequest(
            task_id=request.path_params["id"], id=request.path_params["push_id"]
        )
        return to_json(await self._forwarder.on_get_task_push_notification_config(params, context))

    async def _push_list(self, request: HttpRequest, context: ServerCallContext) -> Mapping[str, Any]:
        params = ListTaskPushNotificationConfigsRequest(task_id=request.path_params["id"])
        return to_json(await self._forwarder.on_list_task_push_notification_configs(params, context))

    async def _push_delete(self, request: HttpRequest, context: ServerCallContext) -> Mapping[str, Any]:
        params = DeleteTaskPushNotificationConfigRequest(
            task_id=request.path_params["id"], id=request.path_params["push_id"]
        )
        await self._forwarder.on_delete_task_push_notification_config(params, context)
        return {}

    async def _extended(self, request: HttpRequest, context: ServerCallContext) -> Mapping[str, Any]:
        return complete(await self._forwarder.on_get_extended_agent_card(GetExtendedAgentCardRequest(), context))


class _Queries:
    """The query's parameters as the library's parser looks at them."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = pairs

    def keys(self) -> list[str]:
        return list(dict(self._pairs))

    def getlist(self, name: str) -> list[str]:
        return [value for key, value in self._pairs if key == name]


def _queries(request: HttpRequest) -> Any:
    return _Queries(
        [
            (name, queried_state(told) if name == "status" else told)
            for name, told in request.queries
            if name.lower() != HEADER
        ]
    )


def _task(task: Task | None) -> Mapping[str, Any]:
    if task is None:
        raise TaskNotFoundError
    return to_json(task)
