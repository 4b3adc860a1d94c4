"""One request to an agent, and who makes it.

What becomes of it is the forwarder's business.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson
from a2a.auth.user import User
from a2a.server.context import ServerCallContext

from routeiq_a2a.registry.agent import Agent
from routeiq_sdk import Context, Principal

_KEY = "routeiq"


@dataclass(frozen=True, slots=True)
class Caller:
    """`base` is the gateway's address as this caller sees it, `owner` what the caller's tasks are kept under."""

    ctx: Context
    agent: Agent
    base: str
    owner: str
    version: str
    extensions: tuple[str, ...] = ()


class _Known(User):
    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def user_name(self) -> str:
        return ""  # the SDK must not learn who it is: it would write it into logs


def owner_of(principal: Principal) -> str:
    """A user's keys share tasks; a key without a user has its own. Not readable as either."""
    named = ("user", principal.user) if principal.user else ("credential", principal.kind, principal.id)
    return hashlib.sha256(b"a2a owner" + orjson.dumps(named)).hexdigest()[:32]


def call_context(caller: Caller, **state: Any) -> ServerCallContext:
    """What the SDK's handlers pass along."""
    return ServerCallContext(state={_KEY: caller, **state}, user=_Known(), requested_extensions=set(caller.extensions))


def caller_of(context: ServerCallContext) -> Caller:
    """Who calls."""
    caller = context.state[_KEY]
    assert isinstance(caller, Caller)
    return caller
