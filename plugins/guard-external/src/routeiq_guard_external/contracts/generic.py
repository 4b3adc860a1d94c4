"""LiteLLM's generic contract of guardrails, as its documentation tells it (a beta, in its own words)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routeiq_guard_external.contracts.base import fields, messages, reason
from routeiq_guard_external.question import FLAGGED, Opinion, Question, Unusable, Verdict, refused_first
from routeiq_sdk import Secret

_PATH = "/beta/litellm_basic_guardrail_api"
_IDENTITY = {
    "key": "user_api_key_hash",
    "alias": "user_api_key_alias",
    "user": "user_api_key_user_id",
    "team": "user_api_key_team_id",
    "organization": "user_api_key_org_id",
    "end_user": "user_api_key_end_user_id",
}


class GenericApi:
    """`BLOCKED`, `NONE`, or `GUARDRAIL_INTERVENED` with other texts."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params

    def url(self, base: str) -> str:
        """The contract's path, unless the base already ends in it."""
        return base if base.endswith(_PATH) else base + _PATH

    def credentials(self, key: Secret) -> Mapping[str, str]:
        """LiteLLM's header for it."""
        return {"x-api-key": key.reveal()}

    def body(self, question: Question) -> Mapping[str, Any]:
        """Texts, and the same as messages. Images and definitions of tools are not sent; texts in them are."""
        ctx = question.ctx
        return {
            "texts": [each.text for each in question.texts],
            "structured_messages": messages(question.texts),
            "request_data": {_IDENTITY[name]: value for name, value in question.identity.items()},
            "input_type": question.side,
            "litellm_call_id": ctx.request_id,
            "litellm_trace_id": ctx.trace.trace_id,
            "model": question.model,
            "additional_provider_specific_params": dict(self._params),
        }

    def read(self, told: Any, question: Question) -> Verdict:
        """One action for all texts."""
        answer = fields(told)
        action, texts = answer.get("action"), answer.get("texts")
        if action == "BLOCKED":
            return refused_first(question, Opinion(FLAGGED, reason=reason(answer.get("blocked_reason"))))
        if action == "NONE":
            return [None] * len(question.texts)
        if action != "GUARDRAIL_INTERVENED":
            raise Unusable("its action is none of BLOCKED, NONE and GUARDRAIL_INTERVENED")
        return rewritten(question, texts)


def rewritten(question: Question, texts: Any) -> Verdict:
    """An opinion wherever a text comes back as another one."""
    if not isinstance(texts, list) or len(texts) != len(question.texts):
        raise Unusable("the texts that it gives back are not as many as it was asked about")
    if not all(isinstance(text, str) for text in texts):
        raise Unusable("it gives back what is no text")
    pairs = zip(question.texts, texts, strict=True)
    return [None if new == asked.text else Opinion(FLAGGED, new) for asked, new in pairs]
