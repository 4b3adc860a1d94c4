"""Hooks that look at content: the request, the running stream, the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routeiq_sdk.context import Context
from routeiq_sdk.filters import AsyncStreamFilter, StreamFilter
from routeiq_sdk.hooks.marks import hook
from routeiq_sdk.values.verdict import Reject, Replace


class GuardHooks:
    """Safety of content. Every failure refuses: a guard that cannot look does not let pass."""

    @hook(failure="closed")
    async def guard_request(self, ctx: Context) -> Replace | Reject | None:
        """Look at the request before a model is chosen. Return `Replace` to change its body or `Reject` to refuse it.

        Later guards see the replaced body. Declare `reads_body` (and `mutates_request` to replace).
        """

    @hook(failure="closed")
    async def guard_during(self, ctx: Context) -> Reject | None:
        """Look at the request while the first attempt already runs. The first byte is held back until all agree."""

    @hook(failure="closed")
    def stream_filter(self, ctx: Context) -> StreamFilter | AsyncStreamFilter | None:
        """Give a filter for the answer's text in this stream, or `None` to leave it alone.

        Fires before the first byte, and again for every further text (of another choice or content block). Declare
        `reads_stream_text`. A failure ends the stream with a typed error event.
        """

    @hook(failure="closed")
    def stream_part_filter(self, ctx: Context, part: str) -> StreamFilter | AsyncStreamFilter | None:
        """Give a filter for another part of this stream: `reasoning`, `refusal`, or `arguments` (those of one tool
        call, JSON in pieces), or `None` to leave it alone.

        Fires when such a part begins. Declare `reads_stream_text`. A failure ends the stream with a typed error event.
        """

    @hook(failure="closed")
    async def guard_response(self, ctx: Context, response: Mapping[str, Any]) -> Replace | Reject | None:
        """Look at a whole answer (not a stream) in the client's wire, before it is sent. Declare `reads_response`."""

    @hook(failure="closed")
    async def apply_guard(self, ctx: Context, name: str, text: str) -> str | Reject | None:
        """Judge a text outside any request: what the guardrail `name` makes of it, `Reject` when it refuses it, or
        `None` when the guardrail is not this plugin's.

        Fires for `POST /guardrails/apply_guardrail`; the first answer counts.
        """
