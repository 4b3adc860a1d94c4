"""One look at a text of a request: how much it looks like prompt injection, and of what kind.

Which parts are looked at, and what score refuses, is decided elsewhere.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from routeiq_guard_injection import heuristics, views
from routeiq_guard_injection.model import Model
from routeiq_guard_injection.phrases import CLASSIFIER, STRONG
from routeiq_guard_injection.reading import Reading, pieces


class Score(NamedTuple):
    """0 (nothing) to 1, and the kinds of what was found."""

    value: float
    labels: tuple[str, ...]


class Scanner:
    """Scores texts by phrases, by the classifier, or by both."""

    def __init__(self, *, phrases: bool, model: Model | None) -> None:
        self._phrases = phrases
        self._model = model

    def score(self, text: str, *, quoted: bool) -> Score:
        """The score of the worst piece. Linear in the length of the text."""
        best = Score(0.0, ())
        code = leet = spaced = False
        labels: set[str] = set()
        view_of_all: list[str] = []
        for piece in pieces(text):
            view = views.plain(piece)
            reading = Reading(view)
            hits = heuristics.search(reading, quoted=quoted) if self._phrases else []
            labels.update(hit.label for hit in hits)
            best = max(best, self._combined(hits, self._model.logit(reading) if self._model is not None else None))
            if self._phrases:
                code, leet, spaced = (
                    code or reading.has_code(),
                    leet or reading.has_leet(),
                    spaced or reading.has_spaced(),
                )
                view_of_all.append(view)
        if self._phrases and best.value < STRONG:
            view = view_of_all[0] if len(view_of_all) == 1 else views.plain(text)
            for found in views.decoded(text, view, views.Signs(code, leet, spaced)):
                if (hit := heuristics.search_code(found, labels)) is not None:
                    best = max(best, Score(hit.score, (hit.label,)))
        return best

    def _combined(self, hits: list[heuristics.Hit], logit: float | None) -> Score:
        """A strong phrase counts alone. A weaker one and the classifier are two witnesses: their odds multiply."""
        said = max((hit.score for hit in hits), default=0.0)
        labels = tuple(sorted({hit.label for hit in hits if hit.score == said}))
        if logit is None:
            return Score(said, labels)
        learned = _probability(logit)
        if said >= STRONG:
            return Score(max(said, learned), labels)
        if hits:
            return Score(_probability(logit + math.log(said / (1.0 - said))), labels)
        return Score(learned, (CLASSIFIER,))


def _probability(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit))))
