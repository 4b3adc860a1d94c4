"""Aporia's guardrails, over their REST API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routeiq_guard_external.contracts.base import fields, messages
from routeiq_guard_external.question import FLAGGED, Opinion, Question, Unusable, Verdict, refused_first
from routeiq_sdk import Secret


class Aporia:
    """`POST /validate`. One text of an answer is sent at a time as `response`; a prompt is sent as its messages."""

    def url(self, base: str) -> str:
        """Below the base, which names the project."""
        return f"{base}/validate"

    def credentials(self, key: Secret) -> Mapping[str, str]:
        """A header of its own."""
        return {"x-aporia-api-key": key.reveal()}

    def body(self, question: Question) -> Mapping[str, Any]:
        """Messages of a prompt, or the texts of an answer as one."""
        if question.side == "request":
            return {"messages": messages(question.texts), "validation_target": "prompt"}
        asked = question.ctx.asked
        prompt = asked.last_user_text() if asked is not None else ""
        return {
            "messages": [{"role": "user", "content": prompt}],
            "response": "\n\n".join(each.text for each in question.texts),
            "validation_target": "response",
        }

    def read(self, told: Any, question: Question) -> Verdict:
        """One action for all texts."""
        answer = fields(told)
        action = answer.get("action")
        if action == "passthrough":
            return [None] * len(question.texts)
        if action not in ("block", "modify", "rephrase"):
            raise Unusable("its action is none of passthrough, block, modify and rephrase")
        revised = answer.get("revised_response")
        if action != "block" and question.side == "response" and len(question.texts) == 1 and isinstance(revised, str):
            return [Opinion(FLAGGED, revised)]
        return refused_first(question, Opinion(FLAGGED))
