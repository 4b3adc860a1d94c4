"""What the rows of the specification are checked with: a gateway before the SDK's agents, and both bindings by hand.

No client library is used, so that what a row sees is what is on the wire.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import httpx
import pytest
from a2a.types import AgentExtension
from google.protobuf.json_format import MessageToDict

from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.installed import PluginFolder

from .agents import Agent, make_card, running, served

Binding = Literal["JSONRPC", "HTTP+JSON"]
BOTH: tuple[Binding, ...] = ("JSONRPC", "HTTP+JSON")
RPC, REST = BOTH[:1], BOTH[1:]
A2A_JSON = "application/a2a+json"
INFO, BAD_REQUEST = "type.googleapis.com/google.rpc.ErrorInfo", "type.googleapis.com/google.rpc.BadRequest"
EXTENSION = "https://example.com/extensions/needed/v2"

DONE, WORKING = "TASK_STATE_COMPLETED", "TASK_STATE_WORKING"
HOOK = {"url": "http://127.0.0.1:49999/hook"}

ERRORS: Mapping[str, tuple[int, int, str]] = {
    "TaskNotFoundError": (-32001, 404, "TASK_NOT_FOUND"),
    "TaskNotCancelableError": (-32002, 400, "TASK_NOT_CANCELABLE"),
    "PushNotificationNotSupportedError": (-32003, 400, "PUSH_NOTIFICATION_NOT_SUPPORTED"),
    "UnsupportedOperationError": (-32004, 400, "UNSUPPORTED_OPERATION"),
    "ContentTypeNotSupportedError": (-32005, 400, "CONTENT_TYPE_NOT_SUPPORTED"),
    "InvalidAgentResponseError": (-32006, 500, "INVALID_AGENT_RESPONSE"),
    "ExtendedAgentCardNotConfiguredError": (-32007, 400, "EXTENDED_AGENT_CARD_NOT_CONFIGURED"),
    "ExtensionSupportRequiredError": (-32008, 400, "EXTENSION_SUPPORT_REQUIRED"),
    "VersionNotSupportedError": (-32009, 400, "VERSION_NOT_SUPPORTED"),
}
"""Section 5.4: JSON-RPC's code, HTTP's status, the reason."""

_PATHS = {
    "SendMessage": ("POST", "/message:send"),
    "SendStreamingMessage": ("POST", "/message:stream"),
    "GetTask": ("GET", "/tasks/{id}"),
    "ListTasks": ("GET", "/tasks"),
    "CancelTask": ("POST", "/tasks/{id}:cancel"),
    "SubscribeToTask": ("POST", "/tasks/{id}:subscribe"),
    "CreateTaskPushNotificationConfig": ("POST", "/tasks/{taskId}/pushNotificationConfigs"),
    "GetTaskPushNotificationConfig": ("GET", "/tasks/{taskId}/pushNotificationConfigs/{id}"),
    "ListTaskPushNotificationConfigs": ("GET", "/tasks/{taskId}/pushNotificationConfigs"),
    "DeleteTaskPushNotificationConfig": ("DELETE", "/tasks/{taskId}/pushNotificationConfigs/{id}"),
    "GetExtendedAgentCard": ("GET", "/extendedAgentCard"),
}
OPERATIONS = tuple(_PATHS)


@dataclass(frozen=True)
class Answer:
    """One answer. `value` is the result; of an error it is `None`, and `error` holds it as the binding tells it."""

    binding: Binding
    status: int
    headers: httpx.Headers
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def value(self) -> Any:
        assert self.error is None, self.raw
        return self.body["result"] if self.binding == "JSONRPC" else self.body

    @property
    def error(self) -> Any:
        body = self.body
        return body.get("error") if isinstance(body, dict) else None

    @property
    def details(self) -> list[Mapping[str, Any]]:
        found = self.error["data" if self.binding == "JSONRPC" else "details"]
        assert isinstance(found, list)
        assert all(isinstance(each["@type"], str) for each in found)
        return found

    @property
    def fields(self) -> list[str]:
        """The parameters that are told to be wrong."""
        return [each["field"] for detail in self.details for each in detail.get("fieldViolations", ())]

    def is_error(self, name: str) -> None:
        """That it is this error of the protocol, in the words of its binding."""
        code, status, reason = ERRORS[name]
        assert self.error is not None, self.raw
        if self.binding == "JSONRPC":
            assert (self.status, self.error["code"]) == (200, code), self.raw
        else:
            assert (self.status, self.error["code"]) == (status, status), self.raw
            assert isinstance(self.error["status"], str)
        assert self.error["message"]
        info = next(each for each in self.details if each["@type"] == INFO)
        assert (info["reason"], info["domain"]) == (reason, "a2a-protocol.org")

    def is_invalid(self, *fields: str) -> None:
        """That these parameters are told to be wrong."""
        assert self.error is not None, self.raw
        code, status = (-32602, 200) if self.binding == "JSONRPC" else (400, 400)
        assert (self.error["code"], self.status) == (code, status), self.raw
        assert set(fields) <= set(self.fields), self.raw


@dataclass
class Stream:
    """A stream that is open. `events` are those read so far, without JSON-RPC's frame."""

    binding: Binding
    response: httpx.Response
    events: list[Any] = field(default_factory=list)
    frames: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lines = self.response.aiter_lines()

    async def next(self) -> Any:
        """The next event, `None` at the end."""
        async for line in self._lines:
            if line.startswith("data:"):
                frame = json.loads(line[5:])
                self.frames.append(frame)
                self.events.append(frame.get("result") if self.binding == "JSONRPC" else frame)
                return self.events[-1]
        return None

    async def rest(self) -> list[Any]:
        """All events, when the stream has ended."""
        while await self.next() is not None:
            pass
        return self.events


class Client:
    """One person who speaks one binding to one agent."""

    def __init__(self, spec: Spec, binding: Binding, person: str, agent: str = "echo") -> None:
        self.spec = spec
        self.binding = binding
        self.person = person
        self.agent = agent

    def at(self, agent: str) -> Client:
        """The same person at another agent."""
        return Client(self.spec, self.binding, self.person, agent)

    def other(self) -> Client:
        """Somebody else at the same agent."""
        return self.spec.client(self.binding, self.agent)

    @property
    def base(self) -> str:
        path = f"{self.spec.gateway.url}/a2a/{self.agent}"
        return path if self.binding == "JSONRPC" else f"{path}/v1"

    async def call(self, operation: str, params: Mapping[str, Any] | None = None, **headers: str | None) -> Answer:
        """One operation. Headers are written with `_`; `None` leaves one out."""
        return await self.send(self.request(operation, params, **headers))

    async def send(self, request: httpx.Request) -> Answer:
        response = await self.spec.http.send(request)
        return Answer(self.binding, response.status_code, response.headers, response.content)

    def request(self, operation: str, params: Mapping[str, Any] | None = None, **headers: str | None) -> httpx.Request:
        """The request of an operation, for this binding."""
        told: dict[str, str | None] = {"authorization": f"Bearer {self.person}", "a2a-version": "1.0"}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in told.items() if value is not None}
        left = dict(params or {})
        if self.binding == "JSONRPC":
            body = {"jsonrpc": "2.0", "id": "r-1", "method": operation, "params": left}
            return self.spec.http.build_request("POST", self.base, json=body, headers=kept)
        verb, path = _PATHS[operation]
        for name in ("id", "taskId"):
            if "{" + name + "}" in path:
                path = path.replace("{" + name + "}", quote(str(left.pop(name)), safe=""))
        if verb != "POST":
            texts = {name: str(each).lower() if isinstance(each, bool) else each for name, each in left.items()}
            return self.spec.http.build_request(verb, self.base + path, params=texts, headers=kept)
        kept.setdefault("content-type", A2A_JSON)
        content = json.dumps(left).encode()
        return self.spec.http.build_request(verb, self.base + path, content=content, headers=kept)

    @asynccontextmanager
    async def streamed(
        self, operation: str, params: Mapping[str, Any] | None = None, **headers: str
    ) -> AsyncIterator[Stream]:
        """An operation that streams."""
        response = await self.spec.http.send(self.request(operation, params, **headers), stream=True)
        try:
            yield Stream(self.binding, response)
        finally:
            await response.aclose()

    async def say(self, text: str, configuration: Mapping[str, Any] | None = None, **fields: Any) -> Any:
        """Send a message that succeeds; what comes back, as `{"task": ...}` or `{"message": ...}`."""
        return (await self.call("SendMessage", message(text, configuration, **fields))).value

    async def task(self, text: str, **configuration: Any) -> Any:
        """Send a message that makes a task."""
        return (await self.say(text, configuration))["task"]

    async def all_of(self, text: str, **fields: Any) -> list[Any]:
        """The events of a message that is streamed."""
        async with self.streamed("SendStreamingMessage", message(text, **fields)) as stream:
            assert stream.response.status_code == 200
            return await stream.rest()


def message(text: str, configuration: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """The parameters of a message of the user."""
    told = {"messageId": str(uuid.uuid4()), "role": "ROLE_USER", "parts": [{"text": text}], **fields}
    return {"message": told, **({"configuration": dict(configuration)} if configuration else {})}


def of_task(task_id: str) -> dict[str, dict[str, Any]]:
    """The operations on a task, with their parameters."""
    return {
        "GetTask": {"id": task_id},
        "CancelTask": {"id": task_id},
        "SubscribeToTask": {"id": task_id},
        "CreateTaskPushNotificationConfig": {"taskId": task_id, **HOOK},
        "GetTaskPushNotificationConfig": {"taskId": task_id, "id": "h"},
        "ListTaskPushNotificationConfigs": {"taskId": task_id},
        "DeleteTaskPushNotificationConfig": {"taskId": task_id, "id": "h"},
    }


class Spec:
    """The gateway, its agents and who asks them.

    `echo` can do all; `bare` has no optional capability, `needy` requires an extension, `half` says that it has an
    extended card and has none, `old` speaks 0.3, `away` is not there.
    """

    def __init__(self, gateway: TestGateway, agent: Agent, http: httpx.AsyncClient) -> None:
        self.gateway = gateway
        self.agent = agent
        self.http = http

    def client(self, binding: Binding, agent: str = "echo") -> Client:
        """A person whom nobody has seen before."""
        return Client(self, binding, f"person-{uuid.uuid4().hex}", agent)


@asynccontextmanager
async def specified(folder: Path, people: str) -> AsyncIterator[Spec]:
    """All of it, with `people` as the plugin that knows the callers."""
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(running())
        half = await stack.enter_async_context(running(extended=False))
        half.card.capabilities.extended_agent_card = True
        old = await stack.enter_async_context(running(version="0.3"))
        cards = await stack.enter_async_context(served(_Cards(agent)))
        plugins = stack.enter_context(PluginFolder(folder / "site"))
        plugins.install("people", people, kind="auth")
        agents = {
            "echo": {"url": agent.url},
            "half": {"url": half.url},
            "old": {"url": old.url},
            "away": {"url": "http://127.0.0.1:9"},
            **{name: {"url": f"{cards}/{name}", "origins": [agent.url]} for name in ("bare", "needy")},
        }
        a2a = {"agents": agents, "default_agent": "echo"}
        block = {"plugins": {"a2a": a2a, "people": {}}, "egress": {"allow": ["127.0.0.0/8"]}}
        place = folder / "gateway"
        place.mkdir()
        gateway = await stack.enter_async_context(TestGateway(place, {"model_list": [], "routeiq": block}))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=20))
        yield Spec(gateway, agent, http)


class _Cards:
    """Other cards of one agent."""

    def __init__(self, agent: Agent) -> None:
        bare, needy = (make_card(agent.url, version="1.0", binding=None) for _ in range(2))
        bare.capabilities.Clear()
        needy.capabilities.extensions.append(AgentExtension(uri=EXTENSION, required=True))
        self._cards = {"bare": bare, "needy": needy}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        card = self._cards[scope["path"].split("/")[1]]
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(MessageToDict(card)).encode()})


Check = Callable[[Client], Awaitable[None]]


@dataclass(frozen=True)
class Row:
    """A statement of the specification (its words in ours are the check's docstring) and what shows that it holds."""

    section: str
    check: Check
    bindings: tuple[Binding, ...]


class Rows:
    """The rows of a module."""

    def __init__(self) -> None:
        self._rows: list[Row] = []

    def row(self, section: str, bindings: tuple[Binding, ...] = BOTH) -> Callable[[Check], Check]:
        """Take a check."""

        def take(check: Check) -> Check:
            self._rows.append(Row(section, check, bindings))
            return check

        return take

    def cases(self) -> list[Any]:
        """Each row with each binding that it concerns, as parameters `row`, `binding`."""
        return [
            pytest.param(row, binding, id=f"{row.section} {row.check.__name__} {binding}")
            for row in self._rows
            for binding in row.bindings
        ]
