"""The questions: enough of them, all different, each recognised for what it is."""

from __future__ import annotations

from collections import Counter

import pytest

from routeiq_testkit import QUESTIONS, multiply
from routeiq_testkit.simulated import TOPICS, recognise


def test_there_are_about_forty_different_questions_over_all_topics() -> None:
    assert len(QUESTIONS) == len({question.text for question in QUESTIONS}) >= 40
    assert {question.topic for question in QUESTIONS} == set(TOPICS)
    assert min(Counter(question.topic for question in QUESTIONS).values()) >= 5


def test_the_simulated_models_recognise_every_topic() -> None:
    asked = [*QUESTIONS, *multiply(1400, seed=3)]
    assert [question for question in asked if recognise(question.text) != question.topic] == []


def test_multiplied_questions_are_different_and_balanced() -> None:
    made = multiply(703, seed=1)
    assert len({question.text for question in made}) == 703
    counts = Counter(question.topic for question in made)
    assert set(counts) == set(TOPICS)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_the_seed_decides_which_questions_are_made() -> None:
    assert multiply(50, seed=1) == multiply(50, seed=1) != multiply(50, seed=2)
    assert multiply(0) == ()


def test_more_questions_than_the_templates_hold_is_an_error() -> None:
    with pytest.raises(ValueError, match="templates make"):
        multiply(100_000)
