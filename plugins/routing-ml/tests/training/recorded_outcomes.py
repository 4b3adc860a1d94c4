"""Recorded outcomes of the tests: questions of three kinds, three models, each good at one kind, each at its price."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WORDS = {
    "chat": ("weather", "garden", "holiday", "friend", "dinner", "music", "letter", "thanks", "summer", "river"),
    "code": ("function", "compile", "loop", "array", "pointer", "class", "string", "parser", "thread", "stack"),
    "maths": ("integral", "theorem", "prime", "matrix", "proof", "triangle", "modulo", "vector", "limit", "sum"),
}
GOOD = {
    "small": {"chat": 0.9, "code": 0.15, "maths": 0.1},
    "coder": {"chat": 0.5, "code": 0.95, "maths": 0.2},
    "thinker": {"chat": 0.6, "code": 0.3, "maths": 0.95},
}
DOLLARS = {"small": 1e-5, "coder": 6e-5, "thinker": 2e-4}
TASKS = tuple(WORDS)
MODELS = tuple(GOOD)

Rows = list[dict[str, Any]]


def outcomes(count: int = 480, seed: int = 5) -> Rows:
    """Rows as they stand in a .jsonl file."""
    lot = random.Random(seed)
    rows = []
    for number in range(count):
        task = lot.choice(TASKS)
        words = " ".join(lot.choices(WORDS[task], k=9))
        scores = {model: float(lot.random() < good[task]) for model, good in GOOD.items()}
        rows.append(
            {
                "id": f"q{number}",
                "task": task,
                "query": f"{words} {number}",
                "tokens_in": 12,
                "tokens_out": dict.fromkeys(MODELS, 40),
                "scores": scores,
                "cost": {model: dollars * lot.uniform(0.8, 1.2) for model, dollars in DOLLARS.items()},
            }
        )
    return rows


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """The rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
