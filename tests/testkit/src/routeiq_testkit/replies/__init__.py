"""`Reply`: every kind of reply under one name, and the one that fits whatever was asked.
Choosing which reply a request gets is the business of `scripted`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from routeiq_testkit.recording import RecordedRequest

from .anthropic import AnthropicReplies
from .base import BaseReply
from .faults import FaultReplies
from .openai import DEFAULT_PIECES

__all__ = ["BaseReply", "Reply"]


class Reply(AnthropicReplies, FaultReplies):
    """A scripted reply. Read it as a sentence: `Reply.rate_limited(2)`, `Reply.cut(after_events=3)`."""

    @classmethod
    def fitting(cls, pieces: Sequence[str] = DEFAULT_PIECES) -> Self:
        """A healthy answer of the kind the path and the `stream` flag ask for; 404 for an unknown path."""
        text = "".join(pieces)

        def pick(request: RecordedRequest) -> BaseReply:
            path, streamed = request.path, request.fields.get("stream") is True
            if path.endswith("/chat/completions"):
                return cls.stream(pieces) if streamed else cls.chat(text)
            if path.endswith("/completions"):
                return cls.completion_stream(pieces) if streamed else cls.completion(text)
            if path.endswith("/embeddings"):
                return cls.embeddings()
            if path.endswith("/messages"):
                return cls.message_stream(pieces) if streamed else cls.message(text)
            if path.endswith("/messages/count_tokens"):
                return cls.count_tokens()
            return cls.error(404, "invalid_request_error", f"Unknown request URL: {request.method} {path}")

        return cls.choose(pick)
