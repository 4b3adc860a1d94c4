"""The simulated models as data: what each is good at, what it costs and how fast it is.
The numbers are invented to make routing worth while; no code that acts on them lives here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SimulatedModel:
    """`skill` is the share of a topic's questions answered well; prices are USD a million tokens."""

    name: str
    skill: Mapping[str, float]
    input_usd_per_mtok: float
    output_usd_per_mtok: float
    first_token_ms: float
    token_ms: float


MODELS: tuple[SimulatedModel, ...] = (
    SimulatedModel(
        name="sim-swift",
        skill={
            "code": 0.35,
            "reasoning": 0.25,
            "writing": 0.55,
            "translation": 0.88,
            "extraction": 0.90,
            "smalltalk": 0.97,
            "general": 0.70,
        },
        input_usd_per_mtok=0.10,
        output_usd_per_mtok=0.40,
        first_token_ms=50,
        token_ms=1.5,
    ),
    SimulatedModel(
        name="sim-scribe",
        skill={
            "code": 0.30,
            "reasoning": 0.40,
            "writing": 0.95,
            "translation": 0.91,
            "extraction": 0.75,
            "smalltalk": 0.96,
            "general": 0.80,
        },
        input_usd_per_mtok=0.80,
        output_usd_per_mtok=3.20,
        first_token_ms=120,
        token_ms=3.0,
    ),
    SimulatedModel(
        name="sim-coder",
        skill={
            "code": 0.96,
            "reasoning": 0.65,
            "writing": 0.45,
            "translation": 0.60,
            "extraction": 0.88,
            "smalltalk": 0.80,
            "general": 0.72,
        },
        input_usd_per_mtok=1.20,
        output_usd_per_mtok=4.80,
        first_token_ms=140,
        token_ms=3.5,
    ),
    SimulatedModel(
        name="sim-sage",
        skill={
            "code": 0.86,
            "reasoning": 0.96,
            "writing": 0.82,
            "translation": 0.86,
            "extraction": 0.92,
            "smalltalk": 0.95,
            "general": 0.94,
        },
        input_usd_per_mtok=5.00,
        output_usd_per_mtok=20.00,
        first_token_ms=320,
        token_ms=7.0,
    ),
)
