"""Simulated models: an OpenAI-wire provider whose models differ in skill by topic, price and latency.
Everything they say is made up and says so; none of this imitates a real model.
"""

from __future__ import annotations

from .answers import SimulatedAnswer, simulate
from .models import MODELS, SimulatedModel
from .server import SimulatedModels
from .topics import TOPICS, recognise

__all__ = ["MODELS", "TOPICS", "SimulatedAnswer", "SimulatedModel", "SimulatedModels", "recognise", "simulate"]
