"""What a simulated model says to a question: a pure function of the two, drawn by hashes.
No clock, no network and no state: asking twice gives the same answer at the same pace.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from .models import SimulatedModel
from .topics import recognise

_FEWEST_WORDS, _MOST_WORDS = 24, 72
_UNEVENNESS = 0.2

_PHRASES = {
    "code": ("Name the inputs first.", "Keep the loop small.", "Test the empty case.", "Return early on bad data."),
    "reasoning": ("Write down what is known.", "Combine the two facts.", "Check the last step.", "Nothing else fits."),
    "writing": ("Open with the picture.", "Let one image carry it.", "Cut the spare words.", "End on a quiet note."),
    "translation": (
        "Keep the tone.",
        "The verb moves to the end here.",
        "The idiom has a close cousin.",
        "Mind the form.",
    ),
    "extraction": ("One name was found.", "One date was found.", "One amount was found.", "The rest is noise."),
    "smalltalk": ("Nice to hear from you.", "The day is going well.", "Tell me more.", "That made me smile."),
    "general": ("There are three main reasons.", "It began long ago.", "Most sources agree.", "One detail surprises."),
}


@dataclass(frozen=True, slots=True)
class SimulatedAnswer:
    """An answer with its quality, which a real provider would not tell; times are in seconds."""

    topic: str
    correct: bool
    skill: float
    words: tuple[str, ...]
    first_token_seconds: float
    token_seconds: float

    @property
    def text(self) -> str:
        return "".join(self.words)


def simulate(model: SimulatedModel, question: str) -> SimulatedAnswer:
    """Answer rightly if the hash of model and question falls below the model's skill in the question's topic."""
    topic = recognise(question)
    skill = model.skill[topic]
    correct = _draw("correct", model.name, question) < skill
    pace = 1 + _UNEVENNESS * (2 * _draw("pace", model.name, question) - 1)
    return SimulatedAnswer(
        topic=topic,
        correct=correct,
        skill=skill,
        words=_words(model.name, question, topic, correct),
        first_token_seconds=model.first_token_ms * pace / 1000,
        token_seconds=model.token_ms * pace / 1000,
    )


def _words(model: str, question: str, topic: str, correct: bool) -> tuple[str, ...]:
    verdict = "a good answer" if correct else "a poor answer"
    words = f"[simulated: {model} on {topic}, {verdict}]".split()
    wanted = _FEWEST_WORDS + int(_draw("length", model, question) * (_MOST_WORDS - _FEWEST_WORDS))
    phrases = _PHRASES[topic]
    turn = int(_draw("phrase", model, question) * len(phrases))
    while len(words) < wanted:
        words += phrases[turn % len(phrases)].split()
        turn += 1
    return tuple(word if place == 0 else f" {word}" for place, word in enumerate(words))


def _draw(purpose: str, model: str, question: str) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    digest = hashlib.sha256("\0".join((purpose, model, question)).encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
