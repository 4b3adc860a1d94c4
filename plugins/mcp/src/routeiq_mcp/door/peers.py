"""The client behind one request, as upstreams see it: how each era is told and asked something.

Which era the upstream speaks does not matter here; what it asks is in the words that both eras share.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from routeiq_mcp.door.calls import MOST_QUESTIONS, Call
from routeiq_mcp.door.post import Post, is_address
from routeiq_mcp.door.sessions import Session
from routeiq_mcp.seams import Era, Json, McpError
from routeiq_mcp.wire import codes, keys, messages, versions

_EMPTY: Json = {}
_NO_FACTS: Mapping[str, str] = {}


def lacking(capabilities: Json, version: str, method: str, params: Json) -> dict[str, Any] | None:
    """The client capability that a question needs and the client does not have; `None` when it may be asked.

    Raises `McpError` for what no client can be asked.
    """
    if method == "elicitation/create":
        declared = capabilities.get("elicitation")
        if params.get("mode") == "url":
            may = isinstance(declared, Mapping) and "url" in declared and versions.at_least(version, "2025-11-25")
            return None if may else {"elicitation": {"url": {}}}
        # An empty declaration means forms, as it did before there was anything else.
        may = isinstance(declared, Mapping) and ("form" in declared or "url" not in declared)
        return None if may and versions.at_least(version, "2025-06-18") else {"elicitation": {"form": {}}}
    if method == "sampling/createMessage":
        declared = capabilities.get("sampling")
        if not isinstance(declared, Mapping):
            return {"sampling": {}}
        return {"sampling": {"tools": {}}} if "tools" in params and "tools" not in declared else None
    if method == "roots/list":
        return None if isinstance(capabilities.get("roots"), Mapping) else {"roots": {}}
    raise McpError(codes.METHOD_NOT_FOUND, f"a client cannot be asked {method}")


def cannot(needed: Json) -> McpError:
    """What a server hears that needs a capability which the client lacks."""
    name = next(iter(needed))
    detail = "".join(f" ({part})" for part in needed[name])
    return McpError(
        codes.MISSING_CLIENT_CAPABILITY,
        f"the client does not support {name}{detail}",
        {"requiredCapabilities": dict(needed)},
    )


class ModernPeer:
    """A client of the modern era: it is asked by ending its request."""

    era: Era = "modern"

    def __init__(
        self,
        call: Call,
        version: str,
        capabilities: Json,
        info: Json | None,
        log_level: str | None,
        facts: Mapping[str, str] = _NO_FACTS,
    ) -> None:
        self.version = version
        self.facts = facts
        self.capabilities = capabilities
        self.info = info
        self.log_level = log_level
        self.lacked: McpError | None = None
        """The first question that could not be asked, because the client lacks what it needs."""
        self._call = call
        self._asked = 0

    async def notify(self, method: str, params: Json) -> None:
        if method == "notifications/message":
            if not keys.is_logged(params.get("level"), self.log_level):
                return
        elif method == "notifications/progress":
            if self._call.token is not None:
                params = {**params, "progressToken": self._call.token}
        else:
            return  # changes go to who listens for them
        self._call.send(messages.notification(method, params))

    async def ask(self, method: str, params: Json) -> Json:
        needed = lacking(self.capabilities, self.version, method, params)
        if needed is not None:
            self.lacked = self.lacked or cannot(needed)
            raise cannot(needed)
        self._asked += 1
        return await self._call.ask(f"{method.partition('/')[0]}-{self._asked}", method, params)


class Questions:
    """What legacy clients were asked on a call's stream. Their answers are requests of their own, and may reach any
    replica; the question's id says which one waits."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._open: dict[str, tuple[str, asyncio.Future[dict[str, Any]]]] = {}
        post.take("answer", lambda said: self._answered(said["session"], said["message"]))

    def open(self, session: str) -> tuple[str, asyncio.Future[dict[str, Any]]]:
        """A question to the client of a session: its id, and where the answer will be."""
        id = f"{self._post.address}.{os.urandom(9).hex()}"
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._open[id] = (session, future)
        return id, future

    def close(self, id: str) -> None:
        """Nobody waits any more."""
        self._open.pop(id, None)

    async def bring(self, session: str, message: dict[str, Any]) -> None:
        """A client answered. Raises `StoreUnavailable` when the replica that waits cannot be told."""
        address = str(message.get("id")).partition(".")[0]
        if is_address(address):
            await self._post.send(address, "answer", session=session, message=message)

    def _answered(self, session: str, message: dict[str, Any]) -> None:
        asked = self._open.get(message["id"])
        if asked is not None and asked[0] == session and not asked[1].done():
            asked[1].set_result(message)


class LegacyPeer:
    """A client with a session: it is told and asked on the stream of its request."""

    era: Era = "legacy"

    def __init__(
        self,
        call: Call,
        session: Session,
        log_level: str,
        questions: Questions,
        seconds: float,
        facts: Mapping[str, str] = _NO_FACTS,
    ) -> None:
        self.version = session.version
        self.facts = facts
        self.capabilities = session.capabilities
        self.info = session.info
        self.log_level: str | None = log_level
        self._call = call
        self._session = session
        self._questions = questions
        self._seconds = seconds
        self._asked = 0

    async def notify(self, method: str, params: Json) -> None:
        if method == "notifications/message" and not keys.is_logged(params.get("level"), self.log_level):
            return
        self._call.send(messages.notification(method, params))

    async def ask(self, method: str, params: Json) -> Json:
        needed = lacking(self.capabilities, self.version, method, params)
        if needed is not None:
            raise cannot(needed)
        if self._asked >= MOST_QUESTIONS:
            raise McpError(codes.LIMITED, f"a client is asked at most {MOST_QUESTIONS} things at once")
        self._asked += 1
        id, future = self._questions.open(self._session.key)
        try:
            self._call.send(messages.request(id, method, _for_version(params, self.version)))
            async with asyncio.timeout(self._seconds):
                message = await future
        except TimeoutError:
            self._call.send(
                messages.notification("notifications/cancelled", {"requestId": id, "reason": "no answer in time"})
            )
            raise McpError(codes.REQUEST_TIMEOUT, "the client did not answer in time") from None
        finally:
            self._asked -= 1
            self._questions.close(id)
        if "error" in message:
            error = message["error"] if isinstance(message["error"], Mapping) else _EMPTY
            code = error.get("code")
            raise McpError(
                code if isinstance(code, int) else codes.INTERNAL_ERROR,
                str(error.get("message", "the client answered with an error")),
                error.get("data"),
            )
        if not isinstance(message["result"], Mapping):
            raise McpError(codes.INVALID_REQUEST, "the client's answer is no object")
        return dict(message["result"])


def _for_version(params: Json, version: str) -> Json:
    """Elicitation had no modes before 2025-11-25."""
    if "mode" in params and not versions.at_least(version, "2025-11-25"):
        return {key: value for key, value in params.items() if key != "mode"}
    return params
