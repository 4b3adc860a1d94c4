"""Fragments of parallel tool calls, put in an order that a wire with one open block at a time can take.

What the events around them look like is for the stream that uses it.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import orjson

from routeiq.wires.reading import Untranslatable, as_list, as_object, as_text

_PARAM = "choices.0.delta.tool_calls"


class CallStep(NamedTuple):
    """One thing to do, in order. `kind` is `open` (with id and name), `arguments` (with text) or `close`."""

    kind: str
    id: str = ""
    name: str = ""
    text: str = ""


class _Call:
    __slots__ = ("closed", "id", "name", "opened", "said", "unsent")

    def __init__(self, fallback_id: str) -> None:
        self.id = fallback_id
        self.name = ""
        self.said: list[str] = []
        self.unsent: list[str] = []
        self.opened = self.closed = False

    def complete(self) -> bool:
        """True when the arguments so far are a whole JSON object, so that another call may take the wire."""
        if not self.said or not self.said[-1].rstrip().endswith("}"):
            return False
        try:
            return isinstance(orjson.loads("".join(self.said)), dict)
        except orjson.JSONDecodeError:
            return False


class StreamedCalls:
    """The oldest unfinished call goes out as it comes. Later ones wait until its arguments are a whole object.

    Providers send calls one after the other, where nobody waits; the chat wire allows any mixture.
    """

    __slots__ = ("_calls", "_id_prefix", "_line", "_steps")

    def __init__(self, id_prefix: str) -> None:
        self._id_prefix = id_prefix
        self._calls: dict[int, _Call] = {}
        self._line: deque[_Call] = deque()
        self._steps: list[CallStep] = []

    @property
    def any(self) -> bool:
        """True once a call was seen."""
        return bool(self._calls)

    def add(self, fragments: object) -> list[CallStep]:
        """What a delta's `tool_calls` allow to be sent."""
        for value in as_list(fragments, _PARAM):
            self._take(as_object(value, _PARAM))
            self._advance(final=False)
        return self._drained()

    def finish(self) -> list[CallStep]:
        """What is still to be sent when no more fragments may come."""
        self._advance(final=True)
        return self._drained()

    def _drained(self) -> list[CallStep]:
        steps, self._steps = self._steps, []
        return steps

    def _take(self, fragment: dict[str, Any]) -> None:
        call = self._call_of(fragment)
        if call.closed:
            raise Untranslatable(_PARAM, "a fragment came for a tool call that had ended")
        function = fragment.get("function")
        if function is None:
            return
        function = as_object(function, f"{_PARAM}.function")
        if (name := function.get("name")) and not call.opened:
            call.name += as_text(name, f"{_PARAM}.function.name")
        if arguments := function.get("arguments"):
            text = as_text(arguments, f"{_PARAM}.function.arguments")
            call.said.append(text)
            call.unsent.append(text)

    def _call_of(self, fragment: dict[str, Any]) -> _Call:
        """Servers that leave `index` out start a call with its id and go on without one."""
        index = fragment.get("index")
        given = fragment.get("id")
        if not isinstance(index, int):
            index = len(self._calls) if given or not self._calls else len(self._calls) - 1
        call = self._calls.get(index)
        if call is None:
            call = self._calls[index] = _Call(f"{self._id_prefix}_{index}")
            self._line.append(call)
        if given and not call.opened:
            call.id = as_text(given, f"{_PARAM}.id")
        return call

    def _advance(self, *, final: bool) -> None:
        while self._line:
            call = self._line[0]
            if not call.name:
                if final:
                    raise Untranslatable(_PARAM, "a tool call came without a name")
                return
            if not call.opened:
                call.opened = True
                self._steps.append(CallStep("open", id=call.id, name=call.name))
            if call.unsent:
                self._steps.append(CallStep("arguments", text="".join(call.unsent)))
                call.unsent.clear()
            others_wait = len(self._line) > 1
            if not (final or (others_wait and call.complete())):
                return
            call.closed = True
            self._line.popleft()
            self._steps.append(CallStep("close"))
