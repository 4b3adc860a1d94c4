"""Clients of the modern era: each request stands alone.

Whether a request is right is checked in `modern`; the rounds of one that asks its client are in `rounds`.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any, Final

from routeiq_mcp.door import faults, feeds, modern, replies
from routeiq_mcp.door.calls import Call, Calls
from routeiq_mcp.door.options import DoorOptions
from routeiq_mcp.door.peers import ModernPeer
from routeiq_mcp.door.post import Post
from routeiq_mcp.door.readers import Elsewhere, Here
from routeiq_mcp.door.rounds import Rounds, State, States
from routeiq_mcp.door.slots import Slots
from routeiq_mcp.noting import request_mark
from routeiq_mcp.seams import Face, Json, McpError
from routeiq_mcp.wire import codes, fields, keys, messages, sse, versions
from routeiq_sdk import Context, Gateway
from routeiq_sdk.values.http import HttpRequest, HttpResponse

_LEGACY_ONLY: Final = frozenset(
    {"initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"}
)
_MOST_INFOS: Final = 4096


class Modern:
    """Answers modern messages at any face."""

    def __init__(
        self,
        gateway: Gateway,
        options: DoorOptions,
        calls: Calls,
        post: Post,
        elsewhere: Elsewhere,
        slots: Slots,
    ) -> None:
        self._options = options
        self._calls = calls
        self._post = post
        self._elsewhere = elsewhere
        self._slots = slots
        self._rounds = Rounds(States(options.keys, gateway.clock), gateway, options)
        self._params = modern.ParamHeaders()
        self._infos: dict[str, Json] = {}
        self._feeds: weakref.WeakSet[feeds.Feed] = weakref.WeakSet()

    async def message(self, request: HttpRequest, ctx: Context, face: Face, owner: str, message: Any) -> HttpResponse:
        """One request, or a notification."""
        kind = messages.kind(message)
        if kind == "notification":
            version = request.headers.get(keys.VERSION_HEADER)
            # Leaving is how a modern client cancels; there is nothing that a notification could tell.
            return HttpResponse(202) if version in versions.MODERN else replies.error(modern.unsupported(version))
        if kind != "request":
            fault = McpError(codes.INVALID_REQUEST, "the body has to be one JSON-RPC request or notification")
            return replies.error(fault, status=400)
        id, method = message["id"], message["method"]
        try:
            said = modern.envelope(message, request.headers)
            if method in _LEGACY_ONLY:
                raise McpError(codes.METHOD_NOT_FOUND, f"{method} is of an earlier version of the protocol")
            params = keys.without_envelope(message["params"])
            if method == "tools/call":
                await self._params.check(face, ctx, params, request.headers)
            if method == "server/discover":
                return replies.plain(messages.result(id, await self._discover(ctx, face)))
            if method == "subscriptions/listen":
                return await self._listen(ctx, face, owner, id, params)
            return await self._ask(ctx, face, owner, id, method, params, said)
        except Exception as error:
            refusal = faults.refusal(error)
            if refusal is not None:
                raise refusal from None
            answer = faults.answer(id, error, "modern", method)
            return replies.plain(answer, codes.HTTP_STATUS.get(answer["error"]["code"], 200))

    async def close(self) -> None:
        """End all streams, in the way that tells clients so."""
        for feed in list(self._feeds):
            feed.end()

    async def _ask(
        self, ctx: Context, face: Face, owner: str, id: Any, method: str, params: Json, said: modern.Envelope
    ) -> HttpResponse:
        named = keys.NAMED_BY.get(method)
        bound = f"{owner}\n{method}\n{params.get(named) if named else ''}"
        state = State()
        if "requestState" in params:
            state = self._rounds.states.open(params["requestState"], bound)
        if state.call is not None:
            responses, meta = params.get("inputResponses"), params.get("_meta")
            reader = await self._elsewhere.attach(
                state.call,
                owner,
                0,
                responses if isinstance(responses, dict) else {},
                meta.get("progressToken") if isinstance(meta, Mapping) else None,
            )
            if reader is None:
                raise McpError(
                    codes.INVALID_PARAMS,
                    "the call that waited for this answer has ended; call again without requestState",
                    {"reason": "invalid_request_state"},
                )
        else:

            async def work(call: Call) -> None:
                facts = {"protocol_version": said.version, "request_id": request_mark(id)}
                peer = ModernPeer(call, said.version, said.capabilities, said.info, said.log_level, facts)
                try:
                    result = await self._rounds.ask_face(face, ctx, method, params, state, peer, bound)
                except Exception as error:
                    call.finish(faults.answer(id, error, "modern", method), faults.refusal(error))
                else:
                    call.finish(messages.result(id, self._complete(face, method, result)))

            call = self._calls.start(owner, work)
            reader = Here(self._calls, call, self._post.address)
        mark = reader.mark
        shape = replies.Shape(
            True,
            id,
            asked=lambda questions: self._complete(face, method, self._rounds.parked(questions, mark, bound)),
        )
        return await replies.respond(reader, shape, self._options, self._slots.take(owner))

    async def _discover(self, ctx: Context, face: Face) -> dict[str, Any]:
        facts = await face.facts(ctx)
        if len(self._infos) >= _MOST_INFOS:
            self._infos.clear()
        self._infos[face.name] = facts.info
        result: dict[str, Any] = {
            "supportedVersions": list(modern.SUPPORTED),
            "capabilities": dict(facts.capabilities),
        }
        if facts.instructions is not None:
            result["instructions"] = facts.instructions
        return self._complete(face, "server/discover", result)

    def _complete(self, face: Face, method: str, result: dict[str, Any]) -> dict[str, Any]:
        """What every modern result says, as far as the face left it out."""
        if result.get("resultType") is None:
            result["resultType"] = "complete"
        if method in keys.CACHEABLE and result["resultType"] == "complete":
            result.setdefault("ttlMs", 0)
            result.setdefault("cacheScope", "private")
        info = self._infos.get(face.name)
        if info is not None:
            meta = result.get("_meta")
            result["_meta"] = {keys.SERVER_INFO: dict(info), **(meta if isinstance(meta, Mapping) else {})}
        return result

    async def _listen(self, ctx: Context, face: Face, owner: str, id: Any, params: Json) -> HttpResponse:
        wanted = feeds.honored(params.get("notifications"))
        slot = self._slots.take(owner)
        if slot is None:
            raise McpError(codes.LIMITED, "too many streams are open; end some")
        feed = feeds.Feed(
            lambda wanted: face.listen(ctx, wanted),
            wanted,
            ping_seconds=self._options.ping_seconds,
            slot=slot,
            subscription=id,
        )
        self._feeds.add(feed)
        return HttpResponse(200, feed, sse.HEADERS, fields.EVENTS, long_lived=True)
