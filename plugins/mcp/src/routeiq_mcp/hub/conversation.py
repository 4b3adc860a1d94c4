"""What a server and its caller say to one another beside a call's result: each text passes the guards on its way.

Questions of modern servers are results, and pass as such; what legacy ones ask, and what any tells, passes here. The
guards see one form of it, whichever era the server speaks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from routeiq_mcp.hub.cursors import INVALID
from routeiq_mcp.seams import Era, Json, McpError, Peer
from routeiq_mcp.wire import codes, keys
from routeiq_sdk import Context, RequestError
from routeiq_sdk.values.tools import ToolCall, ToolResult, ToolService

T = TypeVar("T")
ANSWERS = "inputResponses"
INPUT = "input_required"
_REQUESTS = "inputRequests"
_PROGRESS = "notifications/progress"
_NAME = "progressToken"
_NUMBERS = frozenset({"progress", "total"})
_MOST_REFUSED = 32
"""Notifications of one call that guards refuse; after that a server is not listened to until its result comes."""


class Conversation:
    """The client of one call, as its server reaches it: a `Peer` in front of the client's own. `params` are those of
    the request."""

    def __init__(self, peer: Peer, tools: ToolService, ctx: Context, call: ToolCall, params: Json) -> None:
        self._peer = peer
        self._tools = tools
        self._ctx = ctx
        self._call = call
        meta = params.get("_meta")
        self._name = meta.get(_NAME) if isinstance(meta, Mapping) else None
        self._refused = 0

    @property
    def era(self) -> Era:
        """The client's."""
        return self._peer.era

    @property
    def version(self) -> str:
        """The client's."""
        return self._peer.version

    @property
    def capabilities(self) -> Json:
        """The client's."""
        return self._peer.capabilities

    @property
    def info(self) -> Json | None:
        """The client's."""
        return self._peer.info

    @property
    def facts(self) -> Mapping[str, str]:
        """The client's."""
        return self._peer.facts

    @property
    def log_level(self) -> str | None:
        """The client's."""
        return self._peer.log_level

    async def notify(self, method: str, params: Json) -> None:
        """Tell the client, unless a guard refuses it: then the guard's objection is in the record, and no more."""
        if self._refused >= _MOST_REFUSED:
            return
        if method == "notifications/message" and not keys.is_logged(params.get("level"), self.log_level):
            return
        # What the client itself calls its request; a guard that changed it would only break it.
        own = {_NAME: self._name} if _NAME in params and params[_NAME] == self._name else {}
        said: Json = {name: value for name, value in params.items() if name not in own}
        if method != _PROGRESS or not _is_mere_number(said):
            try:
                passed = await self._from_server({"method": method, "params": said})
                said = _at(passed, "params")
            except RequestError:
                self._refused += 1
                return
            method = str(passed.get("method"))
        await self._peer.notify(method, {**said, **own})

    async def ask(self, method: str, params: Json) -> Json:
        """Ask the client, and give the server its answer. Raises `McpError` for a question or an answer that a guard
        refuses, which names the guard."""
        noted = len(self._ctx.rulings)
        question = {"resultType": INPUT, _REQUESTS: {method: {"method": method, "params": params}}}
        try:
            asked = _at(await self._from_server(question), _REQUESTS, method, "params")
        except RequestError as error:
            raise self._refusal("question", error, noted) from None
        try:
            answer = await self._peer.ask(method, asked)
        except McpError as error:
            raise await self._error_to_server(method, error) from None
        return await self._to_server(method, answer)

    async def _from_server(self, said: Json) -> Json:
        return (await self._tools.guard_result(self._ctx, self._call, ToolResult(said))).content

    async def _to_server(self, method: str, answer: Json) -> Json:
        noted = len(self._ctx.rulings)
        call = replace(self._call, arguments={method: answer}, answers={})
        try:
            return _at((await self._tools.guard_call(self._ctx, call)).arguments, method)
        except RequestError as error:
            raise self._refusal("answer", error, noted) from None

    async def _error_to_server(self, method: str, error: McpError) -> McpError:
        """What the client said instead of an answer are its words, too."""
        told = await self._to_server(method, {"message": error.message, "data": error.data})
        return McpError(error.code, str(told.get("message", "")), told.get("data"))

    def _refusal(self, what: str, error: RequestError, noted: int) -> McpError:
        """The refusal as the server reads it: who refused, and nothing of what was found."""
        ruled = (each.plugin for each in self._ctx.rulings[noted:] if each.action in ("reject", "fail"))
        guard = next(ruled, None)
        by = f"the guard {guard!r} of the gateway" if guard is not None else "a guard of the gateway"
        return McpError(codes.REFUSED, f"{by} refused the {what}", {"status": error.status, "type": error.type})


def answers_in(params: Json) -> Json:
    """What a request answers to questions of an earlier round. Raises `McpError`."""
    answers = params.get(ANSWERS, {})
    if not isinstance(answers, Mapping):
        raise McpError(INVALID, f"{ANSWERS} is an object")
    return answers


async def heard(tools: ToolService, ctx: Context, call: ToolCall, asking: Awaitable[T]) -> T:
    """What a server answers in the course of a call; an error as guards let it pass. Raises `RequestError` when one
    withheld it."""
    try:
        return await asking
    except McpError as error:
        if hasattr(error, "kind"):
            raise  # the server said nothing; these are our own words
        passed = await error_passed(tools, ctx, call, error)
        if passed is error:
            raise
        raise passed from error


async def heard_of_itself(tools: ToolService, ctx: Context, server: str, method: str, asking: Awaitable[T]) -> T:
    """The same where a server is asked about itself, in no call."""
    return await heard(tools, ctx, ToolCall("mcp", server, method, {}), asking)


async def error_passed(tools: ToolService, ctx: Context, call: ToolCall, error: McpError) -> McpError:
    """An error that a server answered, as guards let it pass. Raises `RequestError` when one withheld it."""
    said = {"error": {"message": error.message, "data": error.data}}
    told = _at((await tools.guard_result(ctx, call, ToolResult(said, is_error=True))).content, "error")
    if told == said["error"]:
        return error
    return McpError(error.code, str(told.get("message", "")), told.get("data"))


def _is_mere_number(said: Json) -> bool:
    return said.keys() <= _NUMBERS and all(isinstance(value, int | float | None) for value in said.values())


def _at(said: Json, *path: str) -> Json:
    """The object at a path of what guards let pass. Raises `RequestError` when one made something else of it."""
    found: Any = said
    for step in path:
        found = found.get(step) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping):
        raise RequestError(500, "a guard of the gateway made something of this that is none", type="api_error")
    return found
