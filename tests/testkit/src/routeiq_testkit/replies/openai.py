"""Replies on the OpenAI wire: chat, streams, legacy completions, embeddings and errors.
Their JSON comes from `openai_wire`; broken replies live in `faults`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Self

from routeiq_testkit import openai_wire as wire
from routeiq_testkit.openai_wire import UsagePolicy
from routeiq_testkit.recording import RecordedRequest
from routeiq_testkit.values import ToolCall

from .base import BaseReply

DEFAULT_TEXT = "Hello from upstream."
DEFAULT_PIECES = ("Hello", " from", " upstream", ".")


class OpenAIReplies(BaseReply):
    """`model=None` repeats the model the request asked for; `extra` adds vendor fields to the body or to each event."""

    @classmethod
    def chat(
        cls,
        text: str | None = DEFAULT_TEXT,
        *,
        usage: UsagePolicy = True,
        model: str | None = None,
        tool_calls: Sequence[ToolCall] = (),
        finish_reason: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Self:
        """A chat completion."""
        content = None if tool_calls and text == DEFAULT_TEXT else text

        def body(request: RecordedRequest) -> bytes:
            return wire.encode(
                wire.chat(
                    request,
                    content,
                    model=model,
                    usage=usage,
                    tool_calls=tool_calls,
                    finish_reason=finish_reason,
                    extra=extra,
                )
            )

        return cls._whole("chat", body)

    @classmethod
    def stream(
        cls,
        pieces: Sequence[str] | None = None,
        *,
        gap: float = 0.0,
        first_delay: float = 0.0,
        usage: UsagePolicy = True,
        done: bool = True,
        model: str | None = None,
        tool_calls: Sequence[ToolCall] = (),
        finish_reason: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Self:
        """A streamed chat completion, `gap` seconds between events, the first after `first_delay`."""

        def events(request: RecordedRequest) -> Iterable[bytes]:
            return wire.chat_events(
                request,
                _pieces(pieces, tool_calls),
                model=model,
                usage=usage,
                tool_calls=tool_calls,
                finish_reason=finish_reason,
                done=done,
                extra=extra,
            )

        return cls._events("stream", events, first_delay=first_delay, gap=gap)

    @classmethod
    def stream_error(
        cls,
        pieces: Sequence[str] = DEFAULT_PIECES,
        type: str = "server_error",
        message: str = "The server had an error while processing your request.",
        code: str | None = None,
    ) -> Self:
        """A stream that says its pieces and then an error event in place of its end."""

        def events(request: RecordedRequest) -> Iterable[bytes]:
            # The role comes first and is no piece.
            yield from islice(wire.chat_events(request, pieces), 1 + len(pieces))
            yield wire.event(wire.error(type, message, code))

        return cls._events("stream error", events)

    @classmethod
    def completion(cls, text: str = DEFAULT_TEXT, *, usage: UsagePolicy = True, model: str | None = None) -> Self:
        """A legacy text completion."""
        return cls._whole(
            "completion", lambda request: wire.encode(wire.completion(request, text, model=model, usage=usage))
        )

    @classmethod
    def completion_stream(
        cls,
        pieces: Sequence[str] = DEFAULT_PIECES,
        *,
        gap: float = 0.0,
        first_delay: float = 0.0,
        usage: UsagePolicy = True,
        done: bool = True,
        model: str | None = None,
    ) -> Self:
        """A streamed legacy text completion."""
        return cls._events(
            "completion stream",
            lambda request: wire.completion_events(request, pieces, model=model, usage=usage, done=done),
            first_delay=first_delay,
            gap=gap,
        )

    @classmethod
    def embeddings(cls, dim: int = 8, n: int | None = None, *, model: str | None = None) -> Self:
        """`n` vectors of `dim` numbers, or one for each input; the same text has the same vector."""
        return cls._whole("embeddings", lambda request: wire.encode(wire.embeddings(request, dim, n, model)))

    @classmethod
    def error(
        cls,
        status: int = 500,
        type: str = "server_error",
        message: str = "The server had an error while processing your request.",
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        param: str | None = None,
    ) -> Self:
        """An error as OpenAI shapes it."""
        body = wire.encode(wire.error(type, message, code, param))
        return cls._whole("error", lambda request: body, status=status, headers=headers)

    @classmethod
    def rate_limited(cls, retry_after: float | str | None = 1) -> Self:
        """429 with `retry-after` in seconds, as an HTTP date if given as text, or without the header if None."""
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        return cls.error(
            429, "rate_limit_error", "Rate limit reached for requests.", code="rate_limit_exceeded", headers=headers
        )


def _pieces(pieces: Sequence[str] | None, tool_calls: Sequence[ToolCall]) -> Sequence[str]:
    if pieces is not None:
        return pieces
    return () if tool_calls else DEFAULT_PIECES
