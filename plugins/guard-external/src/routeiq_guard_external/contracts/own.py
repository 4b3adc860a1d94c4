"""The contract of this plugin, for services that one writes oneself. `docs/how-to/guard-external.md` tells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routeiq_guard_external.contracts.base import bearer, fields, reason
from routeiq_guard_external.contracts.generic import rewritten
from routeiq_guard_external.question import FLAGGED, Opinion, Question, Unusable, Verdict, refused_first
from routeiq_sdk import Secret


class OwnContract:
    """`{"allow": true}`, `{"allow": false, "reason": "..."}`, or `{"allow": true, "texts": [...]}`."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params

    def url(self, base: str) -> str:
        """As it is written."""
        return base

    def credentials(self, key: Secret) -> Mapping[str, str]:
        """A bearer."""
        return bearer(key)

    def body(self, question: Question) -> Mapping[str, Any]:
        """Texts with what they are."""
        sent: dict[str, Any] = {
            "request_id": question.ctx.request_id,
            "side": question.side,
            "model": question.model,
            "texts": [each._asdict() for each in question.texts],
        }
        if question.identity:
            sent["identity"] = dict(question.identity)
        if self._params:
            sent["params"] = dict(self._params)
        return sent

    def read(self, told: Any, question: Question) -> Verdict:
        """One answer for all texts."""
        answer = fields(told)
        allow = answer.get("allow")
        if allow is False:
            return refused_first(question, Opinion(FLAGGED, reason=reason(answer.get("reason"))))
        if allow is not True:
            raise Unusable("its answer has no allow that is true or false")
        if answer.get("texts") is None:
            return [None] * len(question.texts)
        return rewritten(question, answer["texts"])
