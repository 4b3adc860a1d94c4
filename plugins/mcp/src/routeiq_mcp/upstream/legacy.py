"""Streamable HTTP with a handshake: one session's requests, what the server asks meanwhile, and its broken streams.

Which session a caller has is `sessions`' business, and what a session is for is not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import orjson

from routeiq_mcp.noting import note, session_mark
from routeiq_mcp.over import Lasting
from routeiq_mcp.seams import Json, McpError, Peer, ServerFacts
from routeiq_mcp.upstream import failures
from routeiq_mcp.upstream.asking import Questions
from routeiq_mcp.upstream.calling import Caller, trace_headers, trace_of
from routeiq_mcp.upstream.ear import Ear, may_be_asked
from routeiq_mcp.upstream.failures import Failure, SessionLost
from routeiq_mcp.upstream.handshake import initialize_params, initialized
from routeiq_mcp.upstream.messages import (
    POST_HEADERS,
    Cursor,
    Message,
    events_of,
    is_response,
    messages_of,
    notification_bytes,
    outcome,
    request_bytes,
)
from routeiq_mcp.upstream.modern import Declined, declined_if
from routeiq_mcp.upstream.patience import Patience
from routeiq_mcp.upstream.words import SERVER_ERROR, as_modern, with_meta
from routeiq_mcp.wire import fields, keys
from routeiq_sdk import Context, Gateway

_RETRY_MS = 1000
_LEAST_RETRY_SECONDS = 0.05
_MOST_RESUMPTIONS = 3
"""Attempts in a row that brought nothing new."""
_REPLY_SECONDS = 30.0
_NOTICE_SECONDS = 10.0


@dataclass(slots=True, eq=False)
class LegacySession:
    """A session as the server named it. `sent` are the headers of its first request, with which it is ended."""

    id: str | None
    facts: ServerFacts
    lasting: Lasting = field(repr=False)
    sent: Mapping[str, str] = field(repr=False, default_factory=dict)
    alive: bool = True
    listened: bool = False
    """Somebody hears the session's own stream; there is one."""
    deaf: bool = False
    """The server has no such stream."""
    asking: list[Questions] = field(repr=False, default_factory=list)
    """Of the requests under way whose client may be asked; the newest last."""
    log_level: str | None = None

    @property
    def version(self) -> str:
        """The version that was agreed on."""
        return self.facts.versions[0]

    @property
    def headers(self) -> dict[str, str]:
        """What every request in this session carries."""
        told = {keys.VERSION_HEADER: self.version}
        return told if self.id is None else {**told, keys.SESSION_HEADER: self.id}


class LegacyHttp:
    """A server's URL, spoken to in the legacy era."""

    def __init__(self, caller: Caller, url: str, most_bytes: int, silence: float, gateway: Gateway) -> None:
        self._caller = caller
        self._url = url
        self._most = most_bytes
        self._silence = silence
        self._gateway = gateway
        self._ids = count(1)
        self._ear = Ear(caller.name, gateway, self._hear)

    async def open(self, ctx: Context, peer: Peer | None, version: str, seconds: float) -> LegacySession:
        """Shake hands. Raises `Declined`, `McpError`."""
        id, patience = next(self._ids), Patience(self._silence)
        body = request_bytes(id, "initialize", initialize_params(version, peer))
        async with self._caller.call(
            ctx, "POST", self._url, headers=POST_HEADERS, body=body, patience=patience, seconds=seconds
        ) as answer:
            await declined_if(answer, self._caller.name)
            name, sent = answer.headers.get(keys.SESSION_HEADER), answer.sent
            result = await self._result(messages_of(answer, self._caller.name, self._most, Cursor()), id)
        facts = initialized(result, self._caller.name)
        session = LegacySession(name, facts, Lasting(self._gateway, self._caller.name, "tcp"), sent)
        await self._post(ctx, session, notification_bytes("notifications/initialized"))
        return session

    async def request(
        self, ctx: Context, session: LegacySession, method: str, params: Json, peer: Peer, seconds: float
    ) -> dict[str, Any]:
        """The result, in the words of the seam. Raises `SessionLost`, `Declined`, `McpError`."""
        await self._set_log_level(ctx, session, peer, seconds)
        if method in keys.MAY_ASK and may_be_asked(peer):
            await self._ear.lend(ctx, session)
        return as_modern(await self._ask(ctx, session, method, params, peer, seconds))

    async def listen(
        self, ctx: Context, session: LegacySession, uris: list[str], seconds: float
    ) -> AsyncGenerator[tuple[str, Json], None]:
        """All notifications of the session's own stream, after subscribing to `uris`. Ends when the server has no such
        stream or ends it for good. Raises `SessionLost`, `McpError`."""
        for uri in uris:
            await self._ask(ctx, session, "resources/subscribe", {"uri": uri}, None, seconds)
        try:
            async with aclosing(self._hear(ctx, session, seconds)) as notifications:
                async for notification in notifications:
                    yield notification
        finally:
            if uris and session.alive:
                self._gateway.spawn(f"unsubscribes at {self._caller.name}", partial(self._leave, ctx, session, uris))

    async def _leave(self, ctx: Context, session: LegacySession, uris: list[str]) -> None:
        for uri in uris:
            try:
                await self._ask(ctx, session, "resources/unsubscribe", {"uri": uri}, None, _REPLY_SECONDS)
            except (McpError, Declined, SessionLost):
                return

    async def _hear(
        self, ctx: Context, session: LegacySession, seconds: float, opened: asyncio.Event | None = None
    ) -> AsyncGenerator[tuple[str, Json], None]:
        cursor, idle = Cursor(), 0
        while idle < _MOST_RESUMPTIONS:
            idle += 1
            try:
                async with aclosing(self._stream(ctx, session, cursor, Patience(None), seconds, opened)) as messages:
                    async for message in messages:
                        idle = 0
                        told = message.get("params")
                        if "id" not in message:
                            yield str(message.get("method")), told if isinstance(told, dict) else {}
                        elif not is_response(message) and session.asking:
                            session.asking[-1].put(message)  # all are the same client's
                        elif not is_response(message):
                            await self._refuse(ctx, session, message)
            except Declined as declined:
                if declined.status == 404 and session.id is not None:
                    raise SessionLost from None
                session.deaf = declined.status == 405
                return
            except Failure as failure:
                if failure.kind != "away":
                    raise
            await _pause(cursor)

    def lost(self, session: LegacySession) -> None:
        """The server does not know the session any more."""
        session.alive = False
        session.lasting.over("server", session.version, session_mark(session.id))

    async def end(self, session: LegacySession) -> None:
        """Tell the server that the session is over, as far as it listens."""
        session.lasting.over("gateway", session.version, session_mark(session.id))
        if session.id is not None and session.alive:
            session.alive = False
            sent = {k: v for k, v in session.sent.items() if k not in POST_HEADERS}
            await self._caller.farewell("DELETE", self._url, {**sent, **session.headers}, _NOTICE_SECONDS)

    async def _ask(
        self, ctx: Context, session: LegacySession, method: str, params: Json, peer: Peer | None, seconds: float
    ) -> dict[str, Any]:
        id, patience = next(self._ids), Patience(self._silence)

        async def reply(message: Message) -> None:
            await self._post(ctx, session, orjson.dumps(message, default=dict))

        try:
            async with Questions(peer, reply, patience) as questions:
                if peer is not None:
                    session.asking.append(questions)
                try:
                    return await self._exchange(ctx, session, id, method, params, peer, questions, patience, seconds)
                finally:
                    if peer is not None:
                        session.asking.remove(questions)
        except (asyncio.CancelledError, Failure) as error:
            if not isinstance(error, Failure) or error.kind == "late":
                self._cancel(ctx, session, id)
            raise

    async def _exchange(
        self,
        ctx: Context,
        session: LegacySession,
        id: int,
        method: str,
        params: Json,
        peer: Peer | None,
        questions: Questions,
        patience: Patience,
        seconds: float,
    ) -> dict[str, Any]:
        note(
            upstream_request_id=str(id),
            upstream_session_sha256=session_mark(session.id),
            upstream_version=session.version,
            upstream_era="legacy",
        )
        trace, cursor = trace_of(ctx, params), Cursor()
        body = request_bytes(id, method, with_meta(params, trace_headers(trace)))
        headers = {**POST_HEADERS, **session.headers}
        server = self._caller.name
        async with self._caller.call(
            ctx, "POST", self._url, headers=headers, body=body, patience=patience, seconds=seconds, trace=trace
        ) as answer:
            try:
                await declined_if(answer, server)
            except Declined as declined:
                if _is_lost(declined, session):
                    raise SessionLost from None
                raise
            try:
                return await self._result(messages_of(answer, server, self._most, cursor), id, peer, questions)
            except Failure as failure:
                if failure.kind != "away" or cursor.last_id is None:
                    raise
        idle = 0
        while True:
            await _pause(cursor)
            before = cursor.last_id
            try:
                stream = self._stream(ctx, session, cursor, patience, seconds)
                return await self._result(stream, id, peer, questions)
            except Declined:
                raise failures.away(server, "broke its answer off and does not go on with it") from None
            except Failure as failure:
                if failure.kind != "away":
                    raise
            idle = idle + 1 if cursor.last_id == before else 0
            if idle >= _MOST_RESUMPTIONS:
                raise failures.away(server, "broke its answer off and does not go on with it")

    async def _result(
        self,
        stream: AsyncGenerator[Message, None],
        id: int,
        peer: Peer | None = None,
        questions: Questions | None = None,
    ) -> dict[str, Any]:
        async with aclosing(stream) as messages:
            async for message in messages:
                if is_response(message):
                    if message.get("id") == id or (message.get("id") is None and "error" in message):
                        return outcome(message, self._caller.name)
                elif "id" in message:
                    if questions is not None:
                        questions.put(message)
                elif peer is not None:
                    told = message.get("params")
                    await peer.notify(str(message.get("method")), told if isinstance(told, dict) else {})
        raise failures.away(self._caller.name, "ended its answer before it was complete")

    async def _stream(
        self,
        ctx: Context,
        session: LegacySession,
        cursor: Cursor,
        patience: Patience,
        seconds: float,
        opened: asyncio.Event | None = None,
    ) -> AsyncGenerator[Message, None]:
        headers = {"accept": fields.EVENTS, **session.headers}
        if cursor.last_id is not None:
            headers[keys.LAST_EVENT_HEADER] = cursor.last_id
        async with self._caller.call(
            ctx, "GET", self._url, headers=headers, patience=patience, seconds=seconds
        ) as answer:
            await declined_if(answer, self._caller.name)
            if answer.media_type != fields.EVENTS:
                raise failures.wrong_type(self._caller.name)
            if opened is not None:
                opened.set()
            async with aclosing(events_of(answer, self._caller.name, self._most, cursor)) as messages:
                async for message in messages:
                    yield message

    async def _set_log_level(self, ctx: Context, session: LegacySession, peer: Peer, seconds: float) -> None:
        level = peer.log_level
        if level is None or level == session.log_level or "logging" not in session.facts.capabilities:
            return
        session.log_level = level
        try:
            await self._ask(ctx, session, "logging/setLevel", {"level": level}, None, seconds)
        except (McpError, Declined):
            return  # a server that does not take it logs as it likes

    async def _refuse(self, ctx: Context, session: LegacySession, message: Message) -> None:
        async def reply(told: Message) -> None:
            await self._post(ctx, session, orjson.dumps(told))

        async with Questions(None, reply, Patience(None)) as questions:
            await questions.answer(message)

    def _cancel(self, ctx: Context, session: LegacySession, id: int) -> None:
        told = notification_bytes("notifications/cancelled", {"requestId": id, "reason": "the caller went away"})

        async def tell() -> None:
            try:
                await self._post(ctx, session, told)
            except (McpError, Declined):
                return

        self._gateway.spawn(f"cancels request {id} of {self._caller.name}", tell)

    async def _post(self, ctx: Context, session: LegacySession, body: bytes) -> None:
        headers, patience = {**POST_HEADERS, **session.headers}, Patience(self._silence)
        async with self._caller.call(
            ctx, "POST", self._url, headers=headers, body=body, patience=patience, seconds=_REPLY_SECONDS
        ) as answer:
            if answer.status >= 400:
                raise failures.status(self._caller.name, answer.status)


def _is_lost(declined: Declined, session: LegacySession) -> bool:
    """404 is the protocol's word for it; some servers say 400 and that the session is at fault."""
    if session.id is None:
        return False
    error = declined.error
    said = error is not None and error.code == SERVER_ERROR and "session" in error.message.lower()
    return declined.status == 404 or (declined.status == 400 and said)


async def _pause(cursor: Cursor) -> None:
    """As long as the server asked for before its stream is taken up again."""
    milliseconds = _RETRY_MS if cursor.retry_ms is None else cursor.retry_ms
    await asyncio.sleep(max(milliseconds / 1000, _LEAST_RETRY_SECONDS))
