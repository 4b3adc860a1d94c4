"""Logs of decisions that were made and scored, as `offpolicy` wants them: what a gateway chose, how likely, how good.

A gateway's records hold no prompts; whoever writes the log joins them with the prompts and the feedback.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from routeiq_routing_ml.training.offpolicy import Log
from routeiq_routing_ml.training.sources import records, wrong
from routeiq_routing_ml.training.table import TrainingError
from routeiq_routing_ml.training.trainer import Progress, silent


@dataclass(frozen=True, slots=True)
class Logged:
    """Prompts (n) and what was decided on them; `log.chosen` are columns of the pool that it was read for."""

    texts: list[str]
    log: Log


def read_logged(path: Path, pool: Sequence[str], progress: Progress = silent) -> Logged:
    """Rows of `query`, `chosen` (of the pool), `propensity` and `score` (both 0..1). Raises `TrainingError`."""
    columns = {model: column for column, model in enumerate(pool)}
    texts, chosen, propensity, score = [], [], [], []
    for line, fields in records(path, progress):
        query, model = fields.get("query"), fields.get("chosen")
        if not isinstance(query, str) or not query.strip():
            raise wrong(path, line, "no `query`.", "give each row the text that was routed.")
        if model not in columns:
            told = f"`chosen` is {str(model)[:40]!r}, which is no model of the artifact."
            raise wrong(path, line, told, f"use training names: {', '.join(pool)}.")
        texts.append(query)
        chosen.append(columns[model])
        propensity.append(_share(path, line, fields, "propensity", above=0.0))
        score.append(_share(path, line, fields, "score"))
    if not texts:
        raise TrainingError(f"{path}: no rows.", "log decisions with their propensity and score first.")
    return Logged(texts, Log(np.array(propensity), np.array(chosen, dtype=np.intp), np.array(score)))


def _share(path: Path, line: int, fields: Mapping[str, Any], name: str, above: float = -1.0) -> float:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise wrong(path, line, f"`{name}` is no number.", f"write the {name} of each decision.")
    if not 0 <= value <= 1 or value <= above:
        raise wrong(path, line, f"`{name}` is {value:g}, not within 0..1.", f"write the {name} of each decision.")
    return float(value)
