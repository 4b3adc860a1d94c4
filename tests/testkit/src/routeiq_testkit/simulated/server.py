"""Serves the simulated models over the OpenAI wire, each answer labelled as simulated.
What they say and how well is decided in `answers`; nothing here is scripted or recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from routeiq_testkit import openai_wire
from routeiq_testkit.http1 import Http1Server
from routeiq_testkit.recording import RecordedRequest
from routeiq_testkit.replies import Reply
from routeiq_testkit.values import Usage, estimate_tokens

from .answers import simulate
from .models import MODELS, SimulatedModel

_LABEL = {"x-simulated": "1"}


class SimulatedModels(Http1Server):
    """The simulated provider on a loopback port; `time_scale` stretches its latency, 0 takes it away."""

    def __init__(self, *, port: int = 0, models: Sequence[SimulatedModel] = MODELS, time_scale: float = 1.0) -> None:
        super().__init__(port=port)
        self._models = {model.name: model for model in models}
        self._time_scale = time_scale

    def answer(self, request: RecordedRequest) -> Reply:
        return self._unlabelled(request).with_headers(_LABEL)

    def _unlabelled(self, request: RecordedRequest) -> Reply:
        if request.method == "GET" and request.path.endswith("/models"):
            details = {name: {"simulated": True, **asdict(model)} for name, model in self._models.items()}
            return Reply.json(openai_wire.models(details))
        if request.method != "POST" or not request.path.endswith("/chat/completions"):
            return _refused(404, f"Unknown request URL: {request.method} {request.path}")
        question = _question(request.fields)
        if question is None:
            return _refused(400, "The body must be a JSON object whose 'messages' hold a question of the user.")
        model = self._models.get(request.model or "")
        if model is None:
            return _refused(404, f"The model '{request.model}' does not exist.", "model_not_found")
        return self._chat(model, question, request)

    def _chat(self, model: SimulatedModel, question: str, request: RecordedRequest) -> Reply:
        answer = simulate(model, question)
        limit = _token_limit(request.fields)
        words = answer.words[:limit]
        finish_reason = "stop" if len(words) == len(answer.words) else "length"
        usage = Usage(estimate_tokens(question), len(words))
        quality = {"topic": answer.topic, "correct": answer.correct, "skill": answer.skill}
        extra = {"system_fingerprint": "simulated", "simulated": quality}
        first_delay = answer.first_token_seconds * self._time_scale
        gap = answer.token_seconds * self._time_scale
        if request.fields.get("stream") is True:
            return Reply.stream(
                words, first_delay=first_delay, gap=gap, usage=usage, finish_reason=finish_reason, extra=extra
            )
        reply = Reply.chat("".join(words), usage=usage, finish_reason=finish_reason, extra=extra)
        return reply.delayed(first_delay + gap * len(words))


def _refused(status: int, message: str, code: str | None = None) -> Reply:
    return Reply.error(status, "invalid_request_error", message, code)


def _question(fields: dict[str, Any]) -> str | None:
    """The text of the last message of the user."""
    messages = fields.get("messages")
    if not isinstance(messages, list):
        return None
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, str):
                return content
            if isinstance(content, list):
                return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return None


def _token_limit(fields: dict[str, Any]) -> int | None:
    limit = fields.get("max_completion_tokens", fields.get("max_tokens"))
    return limit if isinstance(limit, int) and limit > 0 else None
