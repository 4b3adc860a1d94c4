"""Canned replies for LiteLLM's mock switches: a deployment's `mock_response`, and a client's when it is allowed.

No provider is called here.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Mapping

import orjson

from routeiq.errors import UpstreamError
from routeiq.upstream.base import Limits, Reply, Whole
from routeiq.wires import sse
from routeiq.wires.body import Body
from routeiq.wires.text import estimate_tokens
from routeiq_sdk import Attempt, Context, Deployment

_FAILURES = {
    "litellm.RateLimitError": (429, "RateLimitError"),
    "litellm.InternalServerError": (500, "InternalServerError"),
    "litellm.ContextWindowExceededError": (400, "ContextWindowExceededError"),
    "litellm.ContentPolicyViolationError": (400, "ContentPolicyViolationError"),
    "litellm.Timeout": (408, "Timeout"),
}


def failure(text: str) -> UpstreamError | None:
    """The failure that a mock text stands for, if it names one."""
    for name, (status, kind) in _FAILURES.items():
        if text.startswith((name, "Exception: " + name)):
            return UpstreamError("error", status, kind, f"mocked: {text}", dispatched=False)
    return None


class MockAdapter:
    """Answers with the deployment's own `mock_response`."""

    async def exchange(
        self, ctx: Context, deployment: Deployment, attempt: Attempt, body: Body, limits: Limits
    ) -> Reply:
        """The canned answer, or the failure its text names."""
        return reply(str(deployment.info["mock_response"]), deployment.model, body)

    async def close(self) -> None:
        """Nothing to close."""


def reply(text: str, model: str, body: Body) -> Reply:
    """A canned answer in the chat wire. Raises the `UpstreamError` that the text names."""
    raised = failure(text)
    if raised is not None:
        raise raised
    usage = {"prompt_tokens": estimate_tokens(body.text()), "completion_tokens": estimate_tokens(text)}
    usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}
    if not body.stream:
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return Whole(
            "openai-chat", orjson.dumps({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
        )
    chunk = {**head, "object": "chat.completion.chunk"}
    frames = [
        {**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]},
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**chunk, "choices": [], "usage": usage},
    ]
    return CannedStream([sse.frame(orjson.dumps(item)) for item in frames] + [sse.frame(b"[DONE]")])


class CannedStream:
    """A stream whose blocks are known beforehand."""

    wire = "openai-chat"

    def __init__(self, blocks: list[bytes]) -> None:
        self._blocks = blocks
        self.headers: Mapping[str, str] = {}

    async def blocks(self) -> AsyncIterator[bytes]:
        """The blocks, at once."""
        for block in self._blocks:
            yield block

    async def close(self) -> None:
        """Nothing to give back."""
