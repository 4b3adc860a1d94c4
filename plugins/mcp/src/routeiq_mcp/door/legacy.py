"""Clients of the handshake era: `initialize`, and what their sessions may ask.

Their streams are in `feeds`, what they are asked is in `peers`.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final

from routeiq_mcp.door import bridge, faults, feeds, replies
from routeiq_mcp.door.calls import Call, Calls
from routeiq_mcp.door.options import DoorOptions
from routeiq_mcp.door.peers import LegacyPeer, Questions
from routeiq_mcp.door.post import Post
from routeiq_mcp.door.readers import Elsewhere, Here
from routeiq_mcp.door.sessions import NoSession, Session, Sessions
from routeiq_mcp.door.slots import Slots
from routeiq_mcp.noting import request_mark
from routeiq_mcp.over import ended_by_client
from routeiq_mcp.seams import Face, Json, McpError
from routeiq_mcp.wire import codes, fields, keys, messages, sse, versions
from routeiq_sdk import Context, Gateway
from routeiq_sdk.values.http import HttpRequest, HttpResponse

_MODERN_ONLY: Final = ("server/discover", "subscriptions/listen")
_BATCHES: Final = "2025-03-26"


class Legacy:
    """Answers legacy messages at any face."""

    def __init__(
        self,
        gateway: Gateway,
        options: DoorOptions,
        calls: Calls,
        post: Post,
        elsewhere: Elsewhere,
        slots: Slots,
    ) -> None:
        self._gateway = gateway
        self._options = options
        self._calls = calls
        self._post = post
        self._elsewhere = elsewhere
        self._slots = slots
        self._sessions = Sessions(options.keys, gateway.state, gateway.clock, options.session_seconds)
        self._questions = Questions(post)
        self._feeds: weakref.WeakValueDictionary[str, feeds.Feed] = weakref.WeakValueDictionary()
        post.take("cancel", lambda said: self._cancelled(said["session"], said["request"]))
        post.take("session", lambda said: self._changed(said["session"], said["change"]))
        self._changing: set[asyncio.Task[None]] = set()

    async def message(self, request: HttpRequest, ctx: Context, face: Face, owner: str, message: Any) -> HttpResponse:
        """A message, or a batch of them."""
        if isinstance(message, dict) and message.get("method") == "initialize":
            return await self._initialize(ctx, face, owner, message)
        found = await self._session(request, owner)
        if isinstance(found, HttpResponse):
            return found
        session, level = found
        if isinstance(message, list):
            return await self._batch(ctx, face, owner, session, level, message)
        kind = messages.kind(message)
        if kind is None:
            return replies.error(McpError(codes.INVALID_REQUEST, "the body is no JSON-RPC message"), status=400)
        if kind != "request":
            await self._incoming(session, message)
            return HttpResponse(202)
        own = await self._own(session, message)
        if own is not None:
            return replies.plain(own)

        async def work(call: Call) -> None:
            await self._answer(call, ctx, face, session, level, message)

        return await self._run(owner, session, message["id"], work)

    async def stream(self, request: HttpRequest, ctx: Context, face: Face, owner: str) -> HttpResponse:
        """The GET stream, or the rest of a call's stream that broke."""
        if not fields.accepts(request.headers.get("accept"))[1]:
            return replies.error(McpError(codes.INVALID_REQUEST, f"a client has to accept {fields.EVENTS}"), status=406)
        found = await self._session(request, owner)
        if isinstance(found, HttpResponse):
            return found
        session, _ = found
        slot = self._slots.take(owner)
        if slot is None:
            return replies.error(McpError(codes.LIMITED, "too many streams are open"), status=503)
        last = request.headers.get(keys.LAST_EVENT_HEADER)
        if last is not None:
            mark, _, place = last.rpartition(".")
            after = int(place) if place.isdigit() and len(place) < 12 else 0
            reader = await self._elsewhere.attach(mark, _of(owner, session), after)
            if reader is None:
                slot.release()
                return replies.error(McpError(codes.INVALID_REQUEST, "there is no such stream any more"), status=400)
            return replies.resume(reader, replies.Shape(False, resumable=True), self._options, slot, after)
        wanted = await self._wanted(session)
        before = self._feeds.pop(session.key, None)
        if before is not None:
            before.end()
        await self._post.tell_all("session", session=session.key, change="moved")
        feed = feeds.Feed(
            lambda wanted: face.listen(ctx, wanted),
            wanted,
            ping_seconds=self._options.ping_seconds,
            slot=slot,
            session=session,
        )
        self._feeds[session.key] = feed
        return HttpResponse(200, feed, sse.HEADERS, fields.EVENTS, long_lived=True)

    async def end(self, request: HttpRequest, face: Face, owner: str) -> HttpResponse:
        """The end of a session."""
        found = await self._session(request, owner)
        if isinstance(found, HttpResponse):
            return found
        session, _ = found
        await self._sessions.end(session)
        principal = request.principal.id if request.principal is not None else None
        ended_by_client(self._gateway, face.name, session.mark, session.version, session.begun_ms, principal)
        self._changed(session.key, "ended")
        await self._post.tell_all("session", session=session.key, change="ended")
        return HttpResponse(204)

    async def close(self) -> None:
        """End all streams."""
        for feed in list(self._feeds.values()):
            feed.end()

    async def _initialize(self, ctx: Context, face: Face, owner: str, message: dict[str, Any]) -> HttpResponse:
        params = message.get("params")
        if messages.kind(message) != "request" or not isinstance(params, dict):
            return replies.error(McpError(codes.INVALID_REQUEST, "initialize is a request with params"), status=400)
        asked, capabilities, info = (params.get(key) for key in ("protocolVersion", "capabilities", "clientInfo"))
        if not isinstance(asked, str) or not isinstance(capabilities or {}, dict):
            return replies.error(
                McpError(codes.INVALID_PARAMS, "initialize names a version and capabilities"), message["id"], 200
            )
        version = asked if asked in versions.LEGACY else versions.LATEST_LEGACY
        try:
            facts = await face.facts(ctx)
        except Exception as error:
            refusal = faults.refusal(error)
            if refusal is not None:
                raise refusal from None
            return replies.plain(faults.answer(message["id"], error, "legacy", "initialize"))
        result: dict[str, Any] = {
            "protocolVersion": version,
            "capabilities": dict(facts.capabilities),
            "serverInfo": dict(facts.info),
        }
        if facts.instructions is not None:
            result["instructions"] = facts.instructions
        id, _ = self._sessions.open(owner, version, capabilities or {}, info if isinstance(info, dict) else None)
        return replies.plain(messages.result(message["id"], result), headers={keys.SESSION_HEADER: id})

    async def _session(self, request: HttpRequest, owner: str) -> tuple[Session, str] | HttpResponse:
        id = request.headers.get(keys.SESSION_HEADER)
        if id is None:
            return replies.error(
                McpError(codes.INVALID_REQUEST, "a session id is missing; begin with initialize"), status=400
            )
        try:
            session = self._sessions.read(id, owner)
            return session, await self._sessions.level(session)
        except NoSession:
            return replies.error(McpError(codes.INVALID_REQUEST, "there is no such session (any more)"), status=404)

    async def _incoming(self, session: Session, message: dict[str, Any]) -> None:
        """A notification, or the answer to a question."""
        if "method" not in message:
            await self._questions.bring(session.key, message)
        elif message["method"] == "notifications/cancelled":
            request = (message.get("params") or {}).get("requestId")
            if messages.is_id(request) and not self._calls.cancel(session.key, request):
                await self._post.tell_all("cancel", session=session.key, request=request)

    async def _own(self, session: Session, message: dict[str, Any]) -> dict[str, Any] | None:
        """What is about the session itself is answered here; `None` for all that is the face's."""
        id, method, params = message["id"], message["method"], message.get("params") or {}
        if method == "ping":
            return messages.result(id, {})
        if method in _MODERN_ONLY:
            return messages.error(id, codes.METHOD_NOT_FOUND, f"{method} is of a later version of the protocol")
        if method == "logging/setLevel":
            level = params.get("level")
            if level not in keys.LOG_LEVELS:
                return messages.error(id, codes.INVALID_PARAMS, f"level is one of {', '.join(keys.LOG_LEVELS)}")
            await self._sessions.set_level(session, level)
            return messages.result(id, {})
        if method in ("resources/subscribe", "resources/unsubscribe"):
            uri = params.get("uri")
            if not isinstance(uri, str):
                return messages.error(id, codes.INVALID_PARAMS, "params.uri has to be a string")
            try:
                change = self._sessions.subscribe if method == "resources/subscribe" else self._sessions.unsubscribe
                await change(session, uri)
            except ValueError as error:
                return messages.error(id, codes.INVALID_PARAMS, str(error))
            self._changed(session.key, "subscribed")
            await self._post.tell_all("session", session=session.key, change="subscribed")
            return messages.result(id, {})
        return None

    async def _answer(
        self, call: Call, ctx: Context, face: Face, session: Session, level: str, message: dict[str, Any]
    ) -> None:
        id, method = message["id"], message["method"]
        facts = {
            "protocol_version": session.version,
            "request_id": request_mark(id),
            "session_sha256": session.mark,
        }
        peer = LegacyPeer(call, session, level, self._questions, self._options.question_seconds, facts)
        try:
            result = await bridge.ask_face(
                face, ctx, method, message.get("params") or {}, peer, self._gateway, self._options
            )
        except asyncio.CancelledError:
            call.finish(messages.error(id, codes.REQUEST_CANCELLED, "the request was cancelled"))
            raise
        except Exception as error:
            call.finish(faults.answer(id, error, "legacy", method), faults.refusal(error))
        else:
            call.finish(messages.result(id, result))

    async def _batch(
        self, ctx: Context, face: Face, owner: str, session: Session, level: str, batch: list[Any]
    ) -> HttpResponse:
        if session.version != _BATCHES:
            fault = McpError(codes.INVALID_REQUEST, f"version {session.version} of the protocol has no batches")
            return replies.error(fault, status=400)
        kinds = [messages.kind(message) for message in batch]
        if not batch or len(batch) > self._options.batch or None in kinds:
            fault = McpError(codes.INVALID_REQUEST, f"a batch has 1 to {self._options.batch} JSON-RPC messages")
            return replies.error(fault, status=400)
        requests = [message for message, kind in zip(batch, kinds, strict=True) if kind == "request"]
        if any(message["method"] == "initialize" for message in requests):
            return replies.error(McpError(codes.INVALID_REQUEST, "initialize is never in a batch"), status=400)
        for message, kind in zip(batch, kinds, strict=True):
            if kind != "request":
                await self._incoming(session, message)
        if not requests:
            return HttpResponse(202)

        async def work(call: Call) -> None:
            parts = [_Part(call) for _ in requests]

            async def one(part: _Part, message: dict[str, Any]) -> None:
                own = await self._own(session, message)
                if own is not None:
                    part.finish(own)
                else:
                    await self._answer(part, ctx, face, session, level, message)

            try:
                async with asyncio.TaskGroup() as group:
                    for part, message in zip(parts, requests, strict=True):
                        group.create_task(one(part, message))
            finally:
                call.finish([part.said for part in parts if part.said is not None])

        return await self._run(owner, session, None, work)

    async def _run(self, owner: str, session: Session, id: Any, work: Callable[[Call], Any]) -> HttpResponse:
        resumable = versions.at_least(session.version, "2025-11-25")
        name = None if id is None else (session.key, id)
        call = self._calls.start(_of(owner, session), work, name=name, resumable=resumable, outlives=True)
        reader = Here(self._calls, call, self._post.address)
        shape = replies.Shape(False, id, resumable)
        return await replies.respond(reader, shape, self._options, self._slots.take(owner))

    async def _wanted(self, session: Session) -> Json:
        return {**feeds.EVERYTHING, "resourceSubscriptions": await self._sessions.subscribed(session)}

    def _cancelled(self, session: str, request: Any) -> None:
        self._calls.cancel(session, request)

    def _changed(self, session: str, change: str) -> None:
        """A session's client did something, here or at another replica."""
        if change == "ended":
            self._calls.cancel_all(session)
        open = self._feeds.get(session)
        if open is None:
            return
        if change == "subscribed":
            task = asyncio.get_running_loop().create_task(self._listen_again(open))
            self._changing.add(task)
            task.add_done_callback(self._changing.discard)
        else:
            del self._feeds[session]
            open.end()

    async def _listen_again(self, feed: feeds.Feed) -> None:
        if feed.session is not None:
            feed.change(await self._wanted(feed.session))


class _Part(Call):
    """One request of a batch: it speaks on the batch's stream, and its answer goes into the batch's."""

    def __init__(self, whole: Call) -> None:
        super().__init__(whole.id, whole.owner, 1)
        self._whole = whole
        self.said: Mapping[str, Any] | None = None

    def send(self, message: Json) -> None:
        self._whole.send(message)

    def finish(self, answer: Any, refusal: Any = None) -> None:
        if self.said is None:
            self.said = answer


def _of(owner: str, session: Session) -> str:
    """Who may come back to a call."""
    return f"{owner}\n{session.key}"
