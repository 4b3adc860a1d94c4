"""What is kept of a finished request until its targets were told: its record, and little of what the client sent.

A request's body stays in memory only where its text may be told, and up to a bound; payloads are made in `payload`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import structlog

from routeiq_callbacks.payload import Payload, Shape, spelled
from routeiq_sdk import Context, Principal, Record
from routeiq_sdk.messages import Messages

log = structlog.get_logger("routeiq.callbacks")

_LOG_EVERY_SECONDS = 60.0
_PARAMETERS = (
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "n", "seed", "presence_penalty"),
    *("frequency_penalty", "reasoning_effort", "parallel_tool_calls", "service_tier", "dimensions"),
)
_WORDY = ("stop", "response_format", "tool_choice", "logit_bias")
_WISHES = frozenset(
    {
        *("trace_id", "existing_trace_id", "trace_name", "trace_user_id", "trace_version", "trace_release"),
        *("session_id", "generation_name", "generation_id", "parent_observation_id", "version"),
    }
)
_WISH = b"langfuse_"
_MOST_WORD = 200
_BYTES_A_TOKEN = 4
_PARSED = 3
"""Times its own length that a JSON text takes once it is parsed, roughly."""


class Finished:
    """One finished request. Its payload is made when the first target asks for it; then its text is let go."""

    __slots__ = (
        "_context",
        "_held",
        "_payload",
        "_shape",
        "_spelled",
        "masked",
        "metadata",
        "mode",
        "parameters",
        "principal",
        "record",
        "session",
        "user_agent",
        "wishes",
    )

    def __init__(self, ctx: Context, record: Record, shape: Shape, texts: Texts) -> None:
        self.record = record
        self.principal: Principal | None = ctx.identified
        self.mode = texts.messages.mode(ctx) if not texts.messages.never else "off"
        self.masked = self.mode == "masked"
        """Whether making the payload costs much CPU: expressions search all text."""
        self._held = texts.hold(ctx, record) if self.mode != "off" else None
        self._context: Context | None = ctx if self._held is not None else None
        headers = ctx.headers
        self.user_agent = _short(headers.get("user-agent"))
        self.session = _short(headers.get("x-litellm-session-id"))
        self.wishes: dict[str, str] = {}
        """What the client says about the trace: in its request's metadata, or in headers `langfuse_*`."""
        self.parameters: dict[str, Any] = {}
        self.metadata: Mapping[str, Any] | None = None
        """The client's own metadata, where its words may be told."""
        asked = ctx.asked
        if asked is not None:
            for name in _PARAMETERS:
                value = asked.param(name)
                if isinstance(value, int | float) or (isinstance(value, str) and len(value) <= _MOST_WORD):
                    self.parameters[name] = value
            told = asked.param("metadata")
            if isinstance(told, Mapping):
                self.wishes = {name: value for name in _WISHES & told.keys() if (value := _short(told[name]))}
            if self.mode == "full" and self._held is not None:
                self.parameters |= {name: value for name in _WORDY if (value := asked.param(name)) is not None}
                self.metadata = told if isinstance(told, Mapping) else None
        for raw, value_ in headers.raw:
            if raw.startswith(_WISH) and (name := raw[len(_WISH) :].decode("latin-1")) in _WISHES:
                self.wishes[name] = value_.decode("latin-1")[:_MOST_WORD]
        self._shape = shape
        self._payload: Payload | None = None
        self._spelled: bytes | None = None

    @property
    def ok(self) -> bool:
        """Whether the client got an answer."""
        return self.record.status < 400

    @property
    def payload(self) -> Payload:
        """The payload as JSON data."""
        ctx = self._context  # looked at first: another target's thread may make the payload at this moment
        if self._payload is None:
            prompt = answer = None
            if ctx is not None:
                prompt, answer = self._shape.messages.prompt(ctx), self._shape.messages.answer(ctx)
            self._payload = self._shape.payload(self, prompt, answer)
            self._context = None
        return self._payload

    @property
    def spelled(self) -> bytes:
        """The payload as JSON text."""
        if self._spelled is None:
            self._spelled = spelled(self.payload)
        return self._spelled


class Texts:
    """How much text waits to be told, over all targets. Beyond `most` bytes requests are told without theirs."""

    def __init__(self, messages: Messages, most: int) -> None:
        self.messages = messages
        self._most = most
        self._logged_at = -_LOG_EVERY_SECONDS
        self.waiting = 0
        self.left_out = 0
        """Requests whose text was left out because too much waited."""

    def hold(self, ctx: Context, record: Record) -> Held | None:
        """Room for the text of a request, until the returned object goes; `None` when there is none."""
        told = ctx.headers.get("content-length") or "0"
        usage = record.usage
        sent = int(told) if told.isascii() and told.isdigit() else 0
        tokens = usage.total_tokens if usage is not None else 0
        size = _PARSED * max(sent, tokens * _BYTES_A_TOKEN)
        if self.waiting + size > self._most:
            self._note()
            return None
        return Held(self, size)

    def _note(self) -> None:
        self.left_out += 1
        now = time.monotonic()
        if now - self._logged_at >= _LOG_EVERY_SECONDS:
            self._logged_at = now
            log.warning("requests are told without their texts: too much text waits", requests=self.left_out)


class Held:
    """Room taken for a text; given back when the last reference to it goes."""

    __slots__ = ("_size", "_texts")

    def __init__(self, texts: Texts, size: int) -> None:
        self._texts = texts
        self._size = size
        texts.waiting += size

    def __del__(self) -> None:
        self._texts.waiting -= self._size


def _short(told: Any) -> str | None:
    return told[:_MOST_WORD] if isinstance(told, str) and told else None
