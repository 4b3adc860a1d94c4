"""The Anthropic wire: messages. A client of the same wire is passed through, thinking and signatures byte by byte.

Clients of the OpenAI chat wire are translated.
"""

from __future__ import annotations

from routeiq.upstream.base import HttpCall
from routeiq.upstream.fields import CLIENT_ONLY, overlay
from routeiq.wires import anthropic_requests, completions
from routeiq.wires.body import Body, as_raw, write_fields
from routeiq_sdk import Attempt, Deployment

_VERSION = "2023-06-01"
COUNT_TOKENS = "anthropic-count-tokens"


class AnthropicCodec:
    """Any provider with an Anthropic-compatible base URL."""

    wire = "anthropic"

    def accepts(self, client_wire: str) -> bool:
        """Messages by bytes, chat and legacy completions by translation; no embeddings."""
        return client_wire in ("anthropic-messages", COUNT_TOKENS, "openai-chat", "openai-completion")

    def reply_wire(self, client_wire: str) -> str:
        """Always its own."""
        return COUNT_TOKENS if client_wire == COUNT_TOKENS else "anthropic-messages"

    def call(self, deployment: Deployment, attempt: Attempt, body: Body) -> HttpCall:
        """The request with the deployment's model and the protocol's version header."""
        if body.wire in ("anthropic-messages", COUNT_TOKENS):
            fields = {name: value for name, value in body.fields.items() if name not in CLIENT_ONLY}
        else:
            sent = {name: value for name, value in body.json().items() if name not in CLIENT_ONLY}
            chat = completions.to_chat(sent) if body.wire == "openai-completion" else sent
            adaptive = bool(deployment.info.get("adaptive_thinking"))
            message = anthropic_requests.from_chat(chat, adaptive_thinking=adaptive)
            fields = {name: as_raw(value) for name, value in message.items()}
        overlay(fields, deployment, attempt)
        headers = dict(attempt.headers)
        headers["content-type"] = "application/json"
        headers.setdefault("anthropic-version", _VERSION)
        path = "/v1/messages/count_tokens" if body.wire == COUNT_TOKENS else "/v1/messages"
        return HttpCall(path, headers, write_fields(fields))
