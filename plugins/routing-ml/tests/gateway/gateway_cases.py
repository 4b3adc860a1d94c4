"""Questions of three kinds, and a table in which each of three models is good at one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from routeiq_routing_ml.training.table import Table
from routeiq_testkit.gateway import TestGateway

MODELS = ("chatty", "coder", "sage")
QUESTIONS = {
    "chat": "Tell me a nice story about {} and the harbour, please.",
    "code": "Write a Python function that sorts a list of {} items; def solve(xs): return xs",
    "math": "Solve the equation {}x + 7 = 3 and prove that the solution is unique. 2 + 2 = 4",
}
GOOD_AT = {"chat": "chatty", "code": "coder", "math": "sage"}
PRICES = {"chatty": 1e-4, "coder": 3e-4, "sage": 1e-3}
DIMENSIONS = 16


def question(kind: str, number: int = 3) -> str:
    return QUESTIONS[kind].format(f"number {number}")


def embed(texts: list[str]) -> np.ndarray:
    """What the fixture embedder below makes of texts: the kind is in the vector, plainly."""
    rows = []
    for text in texts:
        row = np.full(DIMENSIONS, 0.1, np.float32)
        row[0 if "story" in text else 1 if "Python" in text else 2] = 1.0
        rows.append(row)
    return np.array(rows, np.float32).reshape(len(texts), DIMENSIONS)


def table(rows: int = 600, seed: int = 0, best: Mapping[str, str] = GOOD_AT) -> Table:
    rng = np.random.default_rng(seed)
    kinds = rng.choice(list(QUESTIONS), rows)
    texts = [question(kind, number) for number, kind in enumerate(kinds)]
    hit = np.array([[0.95 if best[kind] == model else 0.25 for model in MODELS] for kind in kinds])
    quality = (rng.random(hit.shape) < hit).astype(float)
    cost = np.tile([PRICES[model] for model in MODELS], (rows, 1))
    return Table.of(texts, MODELS, quality, cost, tasks=list(kinds))


async def explain(gateway: TestGateway, text: str, headers: Mapping[str, str] | None = None, **body: Any) -> Any:
    fields = {"model": "auto", "messages": [{"role": "user", "content": text}], **body}
    async with gateway.session.post("/routeiq/v1/route", json=fields, headers=headers) as response:
        told = await response.json()
        assert response.status == 200, told
        return told
