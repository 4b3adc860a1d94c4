"""The test kit's public names: a scripted upstream, simulated models and questions to ask them.
Fixtures live in `pytest_plugin`; nothing here is ever imported by product code.
"""

from __future__ import annotations

from .questions import QUESTIONS, Question, multiply
from .recording import RecordedRequest
from .replies import Reply
from .scripted import ScriptedUpstream
from .simulated import MODELS, SimulatedModel, SimulatedModels
from .values import ToolCall, Usage

__all__ = [
    "MODELS",
    "QUESTIONS",
    "Question",
    "RecordedRequest",
    "Reply",
    "ScriptedUpstream",
    "SimulatedModel",
    "SimulatedModels",
    "ToolCall",
    "Usage",
    "multiply",
]
