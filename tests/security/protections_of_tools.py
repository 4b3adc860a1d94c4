"""What protects tools, agents and their callers, switched off one by one; as `protections` does for everything else."""

from __future__ import annotations

from typing import Any

from routeiq.request.tool_road import ToolRoad
from routeiq_a2a.forwarding.tasks import Tasks
from routeiq_a2a.push.hooks import Hook
from routeiq_mcp.door.seal import Seal
from routeiq_mcp.hub.conversation import Conversation, error_passed
from routeiq_mcp.hub.heads import Heads
from routeiq_mcp.hub.pins import Pins
from routeiq_oauth.delegation.consent import began
from routeiq_oauth.pages.connections import is_asked
from routeiq_oauth.resource import claims
from routeiq_oauth.vault import keyring

from .attacks import nothing_runs
from .attacks_on_links import answer_of_another, question_of_another, webhook_of_another
from .attacks_on_tools import (
    bad_arguments,
    bad_definition,
    bad_error,
    bad_note,
    bad_question,
    bad_result,
    bad_words_of_a_later_round,
    bad_words_of_a_person,
    changed_skill,
    changed_tool,
    hidden_tool,
    row_of_another,
    session_of_another,
    task_of_another,
    token_for_another,
    with_talk,
    with_tools,
)
from .protections import Protection, stand_in


async def _all_tools(
    self: Any,
    ctx: Any,
    protocol: str,
    server: str,
    tools: Any,
    *,
    aliases: Any = frozenset(),
    groups: Any = frozenset(),
) -> Any:
    return frozenset(tools)


async def _all_seen(self: Any, server: str, seen: Any) -> Any:
    return frozenset(seen)


async def _call_as_it_is(self: Any, ctx: Any, call: Any) -> Any:
    return call


async def _result_as_it_is(self: Any, ctx: Any, call: Any, result: Any) -> Any:
    return result


async def _definition_as_it_is(self: Any, ctx: Any, definition: Any) -> Any:
    return definition.definition


async def _said_as_it_is(self: Any, said: Any) -> Any:
    return said


async def _answer_as_it_is(self: Any, method: str, answer: Any) -> Any:
    return answer


async def _error_as_it_is(tools: Any, ctx: Any, call: Any, error: Any) -> Any:
    return error


async def _all_passed(self: Any, server: Any, listed: Any, passed: Any) -> Any:
    return frozenset(passed)


def _nothing(*_: Any, **__: Any) -> Any:
    return None


def _nobody(*_: Any) -> Any:
    return b""


def _yes(*_: Any, **__: Any) -> Any:
    return True


async def _yes_awaited(*_: Any, **__: Any) -> bool:
    return True


# These two run with the globals of `seal`, as all that stands in for a function does.


def _closed_for_all(self: Any, content: bytes, bound: str) -> str:
    nonce = os.urandom(_NONCE)  # type: ignore[name-defined]  # noqa: F821
    sealed = self._ring[self._first].encrypt(nonce, content, b"")
    return base64.urlsafe_b64encode(self._first + nonce + sealed).rstrip(b"=").decode()  # type: ignore[name-defined,no-any-return]  # noqa: F821


def _opened_by_all(self: Any, text: str, bound: str) -> bytes:
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))  # type: ignore[name-defined]  # noqa: F821
    box = self._ring[raw[:_KEY_ID]]  # type: ignore[name-defined]  # noqa: F821
    return box.decrypt(raw[_KEY_ID : _KEY_ID + _NONCE], raw[_KEY_ID + _NONCE :], b"")  # type: ignore[name-defined,no-any-return]  # noqa: F821


TOOLS = (
    Protection("tools of a caller", with_tools, hidden_tool, stand_in((ToolRoad.permitted, _all_tools))),
    Protection("pins of tools", with_tools, changed_tool, stand_in((Pins.judge, _all_seen))),
    Protection(
        "the gate of guards on calls", with_tools, bad_arguments, stand_in((ToolRoad.guard_call, _call_as_it_is))
    ),
    Protection(
        "the gate of guards on results", with_tools, bad_result, stand_in((ToolRoad.guard_result, _result_as_it_is))
    ),
    Protection(
        "the gate of guards on definitions",
        with_tools,
        bad_definition,
        stand_in((ToolRoad.guard_definition, _definition_as_it_is)),
    ),
    Protection(
        "guards of questions of servers", with_talk, bad_question, stand_in((Conversation._from_server, _said_as_it_is))
    ),
    Protection("guards of notifications", with_talk, bad_note, stand_in((Conversation._from_server, _said_as_it_is))),
    Protection(
        "guards of answers to servers",
        with_talk,
        bad_words_of_a_person,
        stand_in((Conversation._to_server, _answer_as_it_is)),
    ),
    Protection(
        "guards of answers in later rounds",
        with_talk,
        bad_words_of_a_later_round,
        stand_in((ToolRoad.guard_answers, _call_as_it_is)),
    ),
    Protection("guards of errors of servers", with_talk, bad_error, stand_in((error_passed, _error_as_it_is))),
    Protection("pins of skills", with_tools, changed_skill, stand_in((Heads.approved, _all_passed))),
    Protection("audience of tokens", with_tools, token_for_another, stand_in((claims.check_audience, _nothing))),
    Protection(
        "sessions of their callers",
        with_tools,
        session_of_another,
        stand_in((Seal.close, _closed_for_all), (Seal.open, _opened_by_all)),
    ),
    Protection("tasks of their callers", with_tools, task_of_another, stand_in((Tasks.is_owned, _yes_awaited))),
    Protection("questions to their person", with_tools, question_of_another, stand_in((is_asked, _yes))),
    Protection("answers to their browser", with_tools, answer_of_another, stand_in((began, _yes))),
    Protection("webhooks by their secret", with_tools, webhook_of_another, stand_in((Hook.proves, _yes))),
    Protection("grants in their rows", nothing_runs, row_of_another, stand_in((keyring._bound, _nobody))),
)
