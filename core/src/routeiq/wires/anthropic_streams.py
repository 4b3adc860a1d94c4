"""Streams, event by event: Anthropic's to canonical chat chunks, and chat chunks to Anthropic's.

Frames and bytes are for `sse`; whole answers are in `anthropic_answers`.
"""

from __future__ import annotations

import time
from typing import Any

from routeiq.wires import anthropic_answers, anthropic_thinking, anthropic_tools, usage
from routeiq.wires.reading import Untranslatable, as_list, as_object, as_text, json_text
from routeiq.wires.streamed_calls import CallStep, StreamedCalls
from routeiq_sdk.values.models import Usage

Json = dict[str, Any]


class AnthropicToChat:
    """Feed parsed events, get chunks. `finished` is true after `message_stop` alone, so a cut stream shows.

    An `error` event gives no chunk; its error object is kept in `error`. The last chunk carries the usage.
    """

    __slots__ = ("_bare_calls", "_calls", "_counts", "_head", "_reason_sent", "error", "finished")

    def __init__(self) -> None:
        self.finished = False
        self.error: Json | None = None
        self._head: Json = {"id": "", "object": "chat.completion.chunk", "created": int(time.time()), "model": ""}
        self._calls: dict[int, int] = {}  # block index -> call index
        self._bare_calls: set[int] = set()  # blocks of calls that have no arguments yet
        self._counts: Json = {}
        self._reason_sent = False

    def feed(self, event: Json) -> list[Json]:
        kind = as_object(event, "event").get("type")
        if self.finished or self.error is not None:
            return []
        if kind == "content_block_delta":
            return self._delta(event)
        if kind == "content_block_start":
            return self._block_start(event)
        if kind == "content_block_stop":
            return self._block_stop(event)
        if kind == "message_start":
            return self._message_start(as_object(event.get("message"), "message"))
        if kind == "message_delta":
            return self._message_delta(event)
        if kind == "message_stop":
            return self._message_stop()
        if kind == "error":
            self.error = as_object(event.get("error"), "error")
        return []

    def _chunk(self, delta: Json, finish_reason: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return {**self._head, "choices": [choice]}

    def _message_start(self, message: Json) -> list[Json]:
        self._head["id"] = as_text(message.get("id", ""), "message.id")
        self._head["model"] = as_text(message.get("model", ""), "message.model")
        self._counts = usage.merged_anthropic(self._counts, message.get("usage"))
        return [self._chunk({"role": "assistant", "content": ""})]

    def _block_start(self, event: Json) -> list[Json]:
        block = as_object(event.get("content_block"), "content_block")
        kind = block.get("type")
        if kind == "tool_use":
            return [self._call_start(_block_index(event), block)]
        if kind == "text" and block.get("text"):
            return [self._chunk({"content": as_text(block["text"], "content_block.text")})]
        if kind == "redacted_thinking":
            kept = anthropic_thinking.kept_block(block, "content_block")
            return [self._chunk({"thinking_blocks": [kept]})]
        if kind == "thinking" and block.get("thinking"):
            return [self._thought(as_text(block["thinking"], "content_block.thinking"))]
        return []

    def _call_start(self, index: int, block: Json) -> Json:
        self._calls[index] = len(self._calls)
        given = block.get("input")
        # The official API starts with an empty input; some compatible servers send all of it here.
        arguments = json_text(as_object(given, "content_block.input"), "content_block.input") if given else ""
        if not arguments:
            self._bare_calls.add(index)
        call = {
            "index": self._calls[index],
            "id": as_text(block.get("id"), "content_block.id"),
            "type": "function",
            "function": {"name": as_text(block.get("name"), "content_block.name"), "arguments": arguments},
        }
        return self._chunk({"tool_calls": [call]})

    def _delta(self, event: Json) -> list[Json]:
        delta = as_object(event.get("delta"), "delta")
        kind = delta.get("type")
        if kind == "text_delta":
            return [self._chunk({"content": as_text(delta.get("text"), "delta.text")})]
        if kind == "input_json_delta":
            return self._arguments(_block_index(event), as_text(delta.get("partial_json"), "delta.partial_json"))
        if kind == "thinking_delta":
            return [self._thought(as_text(delta.get("thinking"), "delta.thinking"))]
        if kind == "signature_delta":
            signed = {
                "type": "thinking",
                "thinking": "",
                "signature": as_text(delta.get("signature"), "delta.signature"),
            }
            return [self._chunk({"thinking_blocks": [signed]})]
        return []

    def _thought(self, text: str) -> Json:
        block = {"type": "thinking", "thinking": text, "signature": ""}
        return self._chunk({"reasoning_content": text, "thinking_blocks": [block]})

    def _arguments(self, index: int, text: str) -> list[Json]:
        """Input of a block that is no call of the client's (a tool the provider runs) is left out."""
        call = self._calls.get(index)
        if call is None or not text:
            return []
        self._bare_calls.discard(index)
        return [self._chunk({"tool_calls": [{"index": call, "function": {"arguments": text}}]})]

    def _block_stop(self, event: Json) -> list[Json]:
        """A call without arguments ends with an empty object: chat clients parse what they get."""
        index = _block_index(event)
        return self._arguments(index, "{}") if index in self._bare_calls else []

    def _message_delta(self, event: Json) -> list[Json]:
        self._counts = usage.merged_anthropic(self._counts, event.get("usage"))
        delta = as_object(event.get("delta"), "delta")
        reason = delta.get("stop_reason")
        if reason is None or self._reason_sent:
            return []
        self._reason_sent = True
        refused = anthropic_answers.refusal_text(delta.get("stop_details")) if reason == "refusal" else None
        return [self._chunk({"refusal": refused} if refused else {}, anthropic_answers.finish_reason(reason))]

    def _message_stop(self) -> list[Json]:
        self.finished = True
        chunks = [] if self._reason_sent else [self._chunk({}, "tool_calls" if self._calls else "stop")]
        if (counted := usage.from_anthropic(self._counts)) is not None:
            chunks.append({**self._head, "choices": [], "usage": usage.to_chat(counted)})
        return chunks


def _block_index(event: Json) -> int:
    index = event.get("index")
    if not isinstance(index, int):
        raise Untranslatable("index", "a whole number is expected")
    return index


class ChatToAnthropic:
    """Feed parsed chunks, get named events; `end()` gives the closing ones. Only the first choice is told.

    `finished` is true once a finish reason was seen; without one `end()` gives nothing, so a cut stream never looks
    whole. A chunk that is an error gives no event; its error object is kept in `error`.
    """

    __slots__ = ("_calls", "_index", "_input_tokens", "_model", "_open", "_reason", "_started", "_usage", "error")

    def __init__(self, model: str, input_tokens: int = 0) -> None:
        """`model` is the name told to the client, `input_tokens` an estimate until the provider's own count comes."""
        self.error: Json | None = None
        self._model = model
        self._input_tokens = input_tokens
        self._started = False
        self._index = -1
        self._open: str | None = None
        self._reason: str | None = None
        self._usage: Usage | None = None
        self._calls = StreamedCalls("toolu")

    @property
    def finished(self) -> bool:
        return self._reason is not None

    def feed(self, chunk: Json) -> list[tuple[str, Json]]:
        if as_object(chunk, "chunk").get("error") is not None:
            self.error = as_object(chunk["error"], "error")
            return []
        events: list[tuple[str, Json]] = []
        if not self._started:
            events.append(self._message_start(as_text(chunk.get("id") or "", "id")))
        if chunk.get("usage") is not None:
            self._usage = usage.from_chat(chunk["usage"]) or self._usage
        choices = chunk.get("choices")
        for value in [] if choices is None else as_list(choices, "choices"):
            choice = as_object(value, "choices.0")
            if choice.get("index", 0) == 0:
                if choice.get("delta") is not None:
                    self._delta(as_object(choice["delta"], "choices.0.delta"), events)
                if choice.get("finish_reason") is not None:
                    self._reason = as_text(choice["finish_reason"], "choices.0.finish_reason")
        return events

    def end(self, estimated: Usage | None = None) -> list[tuple[str, Json]]:
        """The closing events of a finished stream. `estimated` stands in for usage the provider did not send."""
        if not self.finished:
            return []
        events: list[tuple[str, Json]] = []
        self._finish_calls(events)
        self._close(events)
        reason = anthropic_answers.stop_reason(self._reason, called_tools=self._calls.any)
        counted = self._usage or estimated or Usage(input_tokens=self._input_tokens)
        delta = {"stop_reason": reason, "stop_sequence": None}
        events.append(
            ("message_delta", {"type": "message_delta", "delta": delta, "usage": usage.to_anthropic(counted)})
        )
        events.append(("message_stop", {"type": "message_stop"}))
        return events

    def _message_start(self, identity: str) -> tuple[str, Json]:
        self._started = True
        if identity:
            self._calls = StreamedCalls(f"toolu_{identity}")
        message: Json = {
            "id": identity,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage.to_anthropic(Usage(input_tokens=self._input_tokens)),
        }
        return "message_start", {"type": "message_start", "message": message}

    def _delta(self, delta: Json, events: list[tuple[str, Json]]) -> None:
        if delta.get("thinking_blocks"):
            for value in as_list(delta["thinking_blocks"], "choices.0.delta.thinking_blocks"):
                self._thinking_block(as_object(value, "choices.0.delta.thinking_blocks"), events)
        elif reasoning := anthropic_thinking.reasoning_text(delta):
            self._say("thinking", {"type": "thinking_delta", "thinking": reasoning}, events)
        for name in ("content", "refusal"):
            if delta.get(name):
                text = as_text(delta[name], f"choices.0.delta.{name}")
                self._say("text", {"type": "text_delta", "text": text}, events)
        if delta.get("tool_calls"):
            for step in self._calls.add(delta["tool_calls"]):
                self._call_step(step, events)

    def _thinking_block(self, value: Json, events: list[tuple[str, Json]]) -> None:
        block = anthropic_thinking.kept_block(value, "choices.0.delta.thinking_blocks")
        if block["type"] == "redacted_thinking":
            self._start(block, events)
            self._close(events)
            return
        if block["thinking"]:
            self._say("thinking", {"type": "thinking_delta", "thinking": block["thinking"]}, events)
        if block["signature"]:
            self._say("thinking", {"type": "signature_delta", "signature": block["signature"]}, events)
            self._close(events)  # a signature ends its block: what is thought next is another one

    def _say(self, kind: str, delta: Json, events: list[tuple[str, Json]]) -> None:
        if self._open != kind:
            self._finish_calls(events)
            fresh = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}}[kind]
            self._start({"type": kind, **fresh}, events)
        events.append(self._block_delta(delta))

    def _call_step(self, step: CallStep, events: list[tuple[str, Json]]) -> None:
        if step.kind == "open":
            identity = anthropic_tools.call_id(step.id, "choices.0.delta.tool_calls.id")
            self._start({"type": "tool_use", "id": identity, "name": step.name, "input": {}}, events)
        elif step.kind == "arguments":
            events.append(self._block_delta({"type": "input_json_delta", "partial_json": step.text}))
        else:
            self._close(events)

    def _finish_calls(self, events: list[tuple[str, Json]]) -> None:
        for step in self._calls.finish():
            self._call_step(step, events)

    def _start(self, block: Json, events: list[tuple[str, Json]]) -> None:
        self._close(events)
        self._index += 1
        self._open = block["type"]
        events.append(
            (
                "content_block_start",
                {"type": "content_block_start", "index": self._index, "content_block": block},
            )
        )

    def _block_delta(self, delta: Json) -> tuple[str, Json]:
        return "content_block_delta", {"type": "content_block_delta", "index": self._index, "delta": delta}

    def _close(self, events: list[tuple[str, Json]]) -> None:
        if self._open is not None:
            events.append(("content_block_stop", {"type": "content_block_stop", "index": self._index}))
            self._open = None
