"""Replies on the Anthropic wire: messages, their streams, token counts and errors.
Their JSON comes from `anthropic_wire`; broken replies live in `faults`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Self

from routeiq_testkit import anthropic_wire as wire
from routeiq_testkit.openai_wire import encode
from routeiq_testkit.recording import RecordedRequest
from routeiq_testkit.values import ToolCall, Usage

from .base import BaseReply
from .openai import DEFAULT_PIECES, DEFAULT_TEXT

_EVENTS_BEFORE_TEXT = 3  # message_start, ping, content_block_start


class AnthropicReplies(BaseReply):
    """`tool_use` takes one call or several; `usage=None` estimates the tokens."""

    @classmethod
    def message(
        cls,
        text: str = DEFAULT_TEXT,
        tool_use: ToolCall | Sequence[ToolCall] | None = None,
        thinking: str | None = None,
        *,
        model: str | None = None,
        usage: Usage | None = None,
        stop_reason: str | None = None,
    ) -> Self:
        """A whole message."""

        def body(request: RecordedRequest) -> bytes:
            return encode(
                wire.message(
                    request,
                    text,
                    tool_use=_calls(tool_use),
                    thinking=thinking,
                    model=model,
                    usage=usage,
                    stop_reason=stop_reason,
                )
            )

        return cls._whole("message", body)

    @classmethod
    def message_stream(
        cls,
        pieces: Sequence[str] = DEFAULT_PIECES,
        tool_use: ToolCall | Sequence[ToolCall] | None = None,
        thinking: str | None = None,
        *,
        gap: float = 0.0,
        first_delay: float = 0.0,
        model: str | None = None,
        usage: Usage | None = None,
        stop_reason: str | None = None,
        stop: bool = True,
    ) -> Self:
        """A streamed message; `stop=False` leaves out `message_stop`."""

        def events(request: RecordedRequest) -> Iterable[bytes]:
            return wire.message_events(
                request,
                pieces,
                tool_use=_calls(tool_use),
                thinking=thinking,
                model=model,
                usage=usage,
                stop_reason=stop_reason,
                stop=stop,
            )

        return cls._events("message stream", events, first_delay=first_delay, gap=gap)

    @classmethod
    def message_stream_error(
        cls,
        pieces: Sequence[str] = DEFAULT_PIECES,
        type: str = "overloaded_error",
        message: str = "Overloaded",
    ) -> Self:
        """A streamed message that says its pieces and then an error event in place of its end."""

        def events(request: RecordedRequest) -> Iterable[bytes]:
            yield from islice(wire.message_events(request, pieces), _EVENTS_BEFORE_TEXT + len(pieces))
            yield wire.event("error", error={"type": type, "message": message})

        return cls._events("message stream error", events)

    @classmethod
    def anthropic_error(
        cls,
        status: int = 500,
        type: str = "api_error",
        message: str = "Internal server error",
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """An error as Anthropic shapes it."""
        return cls._whole(
            "anthropic error",
            lambda request: encode(wire.error(type, message, f"req_scripted_{request.number}")),
            status=status,
            headers=headers,
        )

    @classmethod
    def count_tokens(cls, n: int | None = None) -> Self:
        """The answer of `/messages/count_tokens`: `n`, or an estimate."""

        def body(request: RecordedRequest) -> bytes:
            return encode({"input_tokens": wire.estimated(request, "").input_tokens if n is None else n})

        return cls._whole("count tokens", body)


def _calls(tool_use: ToolCall | Sequence[ToolCall] | None) -> Sequence[ToolCall]:
    if tool_use is None:
        return ()
    return (tool_use,) if isinstance(tool_use, ToolCall) else tool_use
