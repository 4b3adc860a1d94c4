"""A strong and a weak model, and what one query says about them: the ground that RouteLLM's recipes share.
How the win rate is learnt is theirs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.routers.recipe import Array, Prediction


@dataclass(frozen=True)
class Pair:
    """Columns of the two models. `won` (n,) is 1 where the strong model was better, 0 where worse, 0.5 at a tie."""

    strong: int
    weak: int
    won: Array

    @classmethod
    def of(cls, quality: Array) -> Pair:
        """From quality (n, 2) of the training part: the strong model has the higher mean."""
        if quality.shape[1] != 2:
            raise ValueError(f"RouteLLM routes between two models, not {quality.shape[1]}")
        strong = int(quality.mean(axis=0).argmax())
        ahead = quality[:, strong] - quality[:, 1 - strong]
        return cls(strong, 1 - strong, np.where(ahead > 0, 1.0, np.where(ahead < 0, 0.0, 0.5)))

    def prediction(self, win_rate: Array) -> Prediction:
        """Scores whose difference is the centred win rate of the strong model (n,); no notion of cost."""
        scores = np.zeros((len(win_rate), 2))
        scores[:, self.strong] = win_rate
        scores[:, self.weak] = 1 - win_rate
        return Prediction(scores, None)
