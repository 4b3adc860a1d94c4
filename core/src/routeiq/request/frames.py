"""Looking at the events of a running stream as they pass, on each wire: usage, proper end, errors.

It reads and rewrites single events; sending them is `relay`'s business.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import orjson

from routeiq.wires import sse
from routeiq.wires import usage as usages
from routeiq_sdk import Usage

USAGE = re.compile(rb'"usage"\s*:\s*\{')
_FINISH = re.compile(rb'"finish_reason"\s*:\s*"')
_ERROR = re.compile(rb'^data:\s*\{\s*"error"\s*:\s*[{"]', re.MULTILINE)
# At the begin of a line only: a model may say these words, too.
_DONE = re.compile(rb"(?:\A|[\r\n])data: ?\[DONE\]")
_MESSAGE_STOP = re.compile(rb'(?:\A|[\r\n])(?:event: ?message_stop\b|data: ?\{\s*"type"\s*:\s*"message_stop")')
_MODEL = re.compile(rb'"model"\s*:\s*"(?:[^"\\]|\\.)*"')
_REASON = re.compile(rb'\s*:\s*"([^"\\]{1,64})"')
LONGEST_ID = 256
_FRAMES_WITH_ID = 4

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frame:
    """One event: its name, if the wire uses names, and its JSON; `None` for comments and `[DONE]`.

    `broken`: there is data, but it is no JSON object.
    """

    raw: bytes
    event: str | None
    document: Document | None
    broken: bool = False


class FrameRules(Protocol):
    """What differs between wires."""

    def usage(self, document: Document, known: Usage | None) -> Usage | None:
        """The usage known after this event."""

    def only_usage(self, document: Document) -> bool:
        """Whether the event exists for its usage alone."""

    def ends(self, block: bytes) -> bool:
        """Whether the block holds the proper end of the stream."""

    def nearly_ended(self, block: bytes) -> bool:
        """Whether the model finished in this block, so that only the formal end may be missing."""

    def error(self, block: bytes) -> Document | None:
        """The error object, when the provider sent one instead of going on."""


def parse(raw: bytes) -> Frame:
    """An event as a frame; JSON that cannot be read counts as no document."""
    event, data = sse.parse_frame(raw)
    if not data or data == b"[DONE]":
        return Frame(raw, event, None)
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        return Frame(raw, event, None, broken=True)
    if not isinstance(document, dict):
        return Frame(raw, event, None, broken=True)
    return Frame(raw, event, document)


def write(frame: Frame, document: Document) -> bytes:
    """The event with another document."""
    return sse.frame(orjson.dumps(document), frame.event)


def finish_reason(block: bytes) -> str | None:
    """Why the provider ended its answer, if the block (or a whole body) says so."""
    # A quotation mark inside a text is escaped, so what is found is a field and never what a model said.
    at = block.find(b'_reason"')
    while at >= 0:
        end = at + 8
        if not block.startswith(b":null", end) and block.endswith((b'"finish', b'"stop'), 0, at):
            match = _REASON.match(block, end)
            if match is not None:
                return match[1].decode("utf-8", "replace")
        at = block.find(b'_reason"', end)
    return None


def whole_reason(wire: str, body: bytes) -> str | None:
    """Why a complete answer ended. In Anthropic's a tool's input comes first, whose fields are the model's to name."""
    return finish_reason(body[max(0, body.rfind(b'"stop_reason"')) :] if wire == "anthropic-messages" else body)


def response_id(block: bytes) -> str | None:
    """The provider's id of a stream's answer, if a frame of the block tells it: its own, or its message's."""
    for raw in itertools.islice(sse.frames(block), _FRAMES_WITH_ID):
        document = parse(raw).document or {}
        message = document.get("message")
        told = document.get("id") or (message.get("id") if isinstance(message, dict) else None)
        if isinstance(told, str) and told:
            return told[:LONGEST_ID]
    return None


def whole_usage(wire: str, body: bytes) -> Usage | None:
    """What a complete answer says it used; `None` when it does not say."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    told = document.get("usage") if isinstance(document, dict) else None
    return usages.from_anthropic(told) if wire == "anthropic-messages" else usages.from_chat(told)


def restamp(model: str) -> Callable[[bytes], bytes]:
    """A function that writes `model`, the name the client asked for, over the name the provider gives in its events.

    The provider's name is learnt from the first block. Inside JSON strings quotes are escaped, so only keys match.
    """
    wanted = b'"model":' + orjson.dumps(model)
    found: bytes | None = None

    def rewrite(block: bytes) -> bytes:
        nonlocal found
        if found is None:
            match = _MODEL.search(block)
            if match is None:
                return block
            found = match.group()
        return block if found == wanted else block.replace(found, wanted)

    return rewrite


class OpenAIFrames:
    """Chat completions and legacy completions."""

    def usage(self, document: Document, known: Usage | None) -> Usage | None:
        """The last usage object counts."""
        return usages.from_chat(document.get("usage")) or known

    def only_usage(self, document: Document) -> bool:
        """The usage chunk has no choices."""
        return document.get("choices") == [] and isinstance(document.get("usage"), dict)

    def ends(self, block: bytes) -> bool:
        """`[DONE]`."""
        return b"[DONE]" in block and _DONE.search(block) is not None

    def nearly_ended(self, block: bytes) -> bool:
        """A finish reason that is not null."""
        return _FINISH.search(block) is not None

    def error(self, block: bytes) -> Document | None:
        """`data: {"error": ...}`."""
        if b'"error"' not in block or _ERROR.search(block) is None:
            return None
        return _error_document(block)


class AnthropicFrames:
    """Messages: usage comes in two events, text in content blocks."""

    def usage(self, document: Document, known: Usage | None) -> Usage | None:
        """Input tokens from `message_start`, output tokens from `message_delta`."""
        if document.get("type") == "message_start":
            return usages.from_anthropic((document.get("message") or {}).get("usage")) or known
        if document.get("type") != "message_delta":
            return known
        now = usages.from_anthropic(document.get("usage"))
        if now is None or known is None:
            return now or known
        if now.input_tokens:
            return now
        return replace(known, output_tokens=max(now.output_tokens, known.output_tokens))

    def only_usage(self, document: Document) -> bool:
        """Never: usage rides on events that clients need."""
        return False

    def ends(self, block: bytes) -> bool:
        """`message_stop`."""
        return b"message_stop" in block and _MESSAGE_STOP.search(block) is not None

    def nearly_ended(self, block: bytes) -> bool:
        """Nothing short of `message_stop` counts."""
        return False

    def error(self, block: bytes) -> Document | None:
        """`event: error`."""
        return _error_document(block) if b"event: error" in block else None


RULES: dict[str, FrameRules] = {
    "openai-chat": OpenAIFrames(),
    "openai-completion": OpenAIFrames(),
    "anthropic-messages": AnthropicFrames(),
}


def _error_document(block: bytes) -> Document | None:
    for raw in sse.SseSplitter().feed(block):
        document = parse(raw).document
        error = document.get("error") if document is not None else None
        if isinstance(error, dict):
            return error
        if isinstance(error, str):
            return {"message": error}
    return None
