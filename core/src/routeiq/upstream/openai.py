"""The OpenAI wire: chat completions, legacy completions, embeddings.

A client of the same wire is passed through: only the fields that must change are written anew.
"""

from __future__ import annotations

from routeiq.upstream.base import HttpCall
from routeiq.upstream.fields import CLIENT_ONLY, overlay
from routeiq.wires import anthropic_requests
from routeiq.wires.body import Body, Raw, as_raw, write_fields
from routeiq.wires.extensions import without_extensions
from routeiq_sdk import Attempt, Deployment

_PATHS = {
    "openai-chat": "/chat/completions",
    "openai-completion": "/completions",
    "openai-embedding": "/embeddings",
    "anthropic-messages": "/chat/completions",
}
_RENAMED_LIMIT = frozenset({"openai", "azure"})  # their reasoning models refuse the old name, all take the new one
_WANT_USAGE = {"include_usage": True}


class OpenAICodec:
    """Any provider with an OpenAI-compatible base URL."""

    wire = "openai"

    def accepts(self, client_wire: str) -> bool:
        """All client wires; Anthropic messages by translation."""
        return client_wire in _PATHS

    def reply_wire(self, client_wire: str) -> str:
        """The same wire, chat for Anthropic messages."""
        return "openai-chat" if client_wire == "anthropic-messages" else client_wire

    def call(self, deployment: Deployment, attempt: Attempt, body: Body) -> HttpCall:
        """The request with the deployment's model, its default fields, and usage asked for in streams."""
        if body.wire == "anthropic-messages":
            chat = without_extensions(anthropic_requests.to_chat(dict(body.json())))
            if deployment.provider in _RENAMED_LIMIT and "max_tokens" in chat:
                chat["max_completion_tokens"] = chat.pop("max_tokens")
            fields = {name: as_raw(value) for name, value in chat.items()}
        else:
            fields = {name: value for name, value in body.fields.items() if name not in CLIENT_ONLY}
        if "metadata" in fields and "store" not in fields:
            del fields["metadata"]  # OpenAI takes it only for stored completions; gateways use it for tags
        overlay(fields, deployment, attempt)
        if body.stream and body.wire != "openai-embedding":
            fields["stream_options"] = _with_usage(body.param("stream_options"))
        headers = dict(attempt.headers)
        headers["content-type"] = "application/json"
        return HttpCall(_path(deployment, body.wire), headers, write_fields(fields))


def _with_usage(options: object) -> Raw:
    return as_raw({**options, **_WANT_USAGE} if isinstance(options, dict) else _WANT_USAGE)


def _path(deployment: Deployment, wire: str) -> str:
    if deployment.provider == "azure":
        version = deployment.info.get("api_version") or "2024-10-21"
        return f"/openai/deployments/{deployment.model}{_PATHS[wire]}?api-version={version}"
    return _PATHS[wire]
