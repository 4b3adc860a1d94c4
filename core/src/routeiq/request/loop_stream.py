"""The client's stream of a tool loop: what the model says in each round as it comes, the end after the last round.

Calls of tools are kept back: only when a round is over is it known which of them are the client's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from routeiq.surfaces.base import StreamWriter

_SAID = ("content", "refusal", "reasoning_content", "reasoning", "thinking_blocks")
_BETWEEN = "\n\n"


class LoopStream:
    """Chunks of all rounds as one stream, with the id of the first. Nothing is sent before a model said something, so
    that a loop which fails in its first round is an error and no stream."""

    def __init__(self, writer: StreamWriter, model: str, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._writer = writer
        self._model = model
        self._send = send
        self._head: dict[str, Any] | None = None
        self._spoke = False
        self._apart = False

    def next_round(self) -> None:
        """The model is asked (again): its text is a paragraph of its own."""
        self._apart = self._spoke

    async def hear(self, chunk: Mapping[str, Any]) -> None:
        """Pass on what of a round's chunk the client may see at once."""
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            said = {name: delta[name] for name in _SAID if delta.get(name)}
            if not said or choice.get("index", 0) != 0:
                continue
            if said.get("content"):
                said["content"] = _BETWEEN + said["content"] if self._apart else said["content"]
                self._apart, self._spoke = False, True
            await self._send(self._chunk(chunk, said))

    async def end(self, answer: Mapping[str, Any], *, with_usage: bool) -> None:
        """Send what is left of the loop's answer: calls of the client's own tools, the end, usage."""
        choice = (answer.get("choices") or [{}])[0]
        calls = (choice.get("message") or {}).get("tool_calls") or ()
        out = []
        if calls:
            out.append(self._chunk(answer, {"tool_calls": [{**call, "index": at} for at, call in enumerate(calls)]}))
        out.append(self._chunk(answer, {}, choice.get("finish_reason") or "stop"))
        if with_usage and answer.get("usage"):
            out.append(self._writer.feed({**self._headed(answer), "choices": [], "usage": answer["usage"]}))
        await self._send(b"".join([*out, self._writer.end()]))

    def _chunk(self, source: Mapping[str, Any], delta: dict[str, Any], reason: str | None = None) -> bytes:
        first = self._head is None
        head = self._headed(source)
        delta = {"role": "assistant", **delta} if first else delta
        return self._writer.feed({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

    def _headed(self, source: Mapping[str, Any]) -> dict[str, Any]:
        if self._head is None:
            kept = {"id": source.get("id"), "created": source.get("created")}
            self._head = {**kept, "model": self._model, "object": "chat.completion.chunk"}
        return self._head
