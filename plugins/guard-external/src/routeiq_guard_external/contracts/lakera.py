"""Lakera Guard, version 2 of its API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routeiq_guard_external.contracts.base import bearer, fields, kind, messages
from routeiq_guard_external.question import FLAGGED, Opinion, Question, Unusable, Verdict, refused_first
from routeiq_sdk import Secret


class LakeraGuard:
    """`POST /v2/guard`. Which detectors run is decided by the policy of the project."""

    def __init__(self, project_id: str | None) -> None:
        self._project_id = project_id

    def url(self, base: str) -> str:
        """Below the base."""
        return base if base.endswith("/v2/guard") else f"{base}/v2/guard"

    def credentials(self, key: Secret) -> Mapping[str, str]:
        """A bearer."""
        return bearer(key)

    def body(self, question: Question) -> Mapping[str, Any]:
        """The texts as messages. Lakera looks at the last turn, so what is no turn comes first."""
        ordered = sorted(question.texts, key=lambda each: each.part not in ("tools", "input"))
        sent: dict[str, Any] = {"messages": messages(ordered), "breakdown": True}
        if self._project_id:
            sent["project_id"] = self._project_id
        return sent

    def read(self, told: Any, question: Question) -> Verdict:
        """One answer for all messages."""
        answer = fields(told)
        flagged = answer.get("flagged")
        if not isinstance(flagged, bool):
            raise Unusable("it says neither that the texts are flagged nor that they are not")
        if not flagged:
            return [None] * len(question.texts)
        breakdown = answer.get("breakdown")
        found = [each for each in breakdown if isinstance(each, Mapping)] if isinstance(breakdown, list) else []
        kinds = sorted({kind(each.get("detector_type")) for each in found if each.get("detected") is True})
        return refused_first(question, Opinion(", ".join(kinds) or FLAGGED))
