"""OpenAI's moderation endpoint, and whoever speaks its protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routeiq_guard_external.contracts.base import bearer, fields, kind
from routeiq_guard_external.question import FLAGGED, Opinion, Question, Unusable, Verdict
from routeiq_sdk import Secret

MODEL = "omni-moderation-latest"
CATEGORIES = frozenset(
    {
        "harassment",
        "harassment/threatening",
        "hate",
        "hate/threatening",
        "illicit",
        "illicit/violent",
        "self-harm",
        "self-harm/instructions",
        "self-harm/intent",
        "sexual",
        "sexual/minors",
        "violence",
        "violence/graphic",
    }
)


class OpenAIModeration:
    """`POST /moderations`. With `thresholds` a category refuses from its score on, and others do not count."""

    def __init__(self, model: str | None, thresholds: Mapping[str, float]) -> None:
        self._model = model or MODEL
        self._thresholds = thresholds

    def url(self, base: str) -> str:
        """Below the base, as for models."""
        return f"{base}/moderations"

    def credentials(self, key: Secret) -> Mapping[str, str]:
        """A bearer."""
        return bearer(key)

    def body(self, question: Question) -> Mapping[str, Any]:
        """All texts in one call."""
        return {"model": self._model, "input": [each.text for each in question.texts]}

    def read(self, told: Any, question: Question) -> Verdict:
        """One result a text."""
        results = fields(told).get("results")
        if not isinstance(results, list) or len(results) != len(question.texts):
            raise Unusable("its results are not one for each text")
        return [self._opinion(fields(result)) for result in results]

    def _opinion(self, result: Mapping[str, Any]) -> Opinion | None:
        if self._thresholds:
            return self._by_scores(fields(result.get("category_scores")))
        flagged = result.get("flagged")
        if not isinstance(flagged, bool):
            raise Unusable("a result says neither that it is flagged nor that it is not")
        if not flagged:
            return None
        categories = result.get("categories")
        named = categories if isinstance(categories, Mapping) else {}
        return Opinion(_listed(name for name, on in named.items() if on is True))

    def _by_scores(self, scores: Mapping[str, Any]) -> Opinion | None:
        over = []
        for name, threshold in self._thresholds.items():
            score = scores.get(name)
            if isinstance(score, bool) or not isinstance(score, int | float):
                raise Unusable("a result has no score for a category of the row")
            if not score < threshold:  # a score that is no number refuses
                over.append(name)
        return Opinion(_listed(over)) if over else None


def _listed(names: Any) -> str:
    return ", ".join(sorted({kind(name) for name in names})) or FLAGGED
