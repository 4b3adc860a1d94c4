"""From answers to a router: the file of outcomes, and `routeiq route train` on it.

With models of your own a judge, a test or a person gives the scores; here the simulation knows them.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from learned.asking import Answer


class TrainingFailed(Exception):
    """The trainer refused; the message is its own."""


def write_outcomes(path: Path, outcomes: Sequence[Sequence[Answer]]) -> None:
    """One line a question: the prompt, and for each model its score, its cost in US dollars and its answer's tokens."""
    with path.open("w", encoding="utf-8") as lines:
        for answers in outcomes:
            row = {
                "query": answers[0].question.text,
                "task": answers[0].question.topic,
                "tokens_in": answers[0].tokens_in,
                "tokens_out": {answer.model: answer.tokens_out for answer in answers},
                "scores": {answer.model: float(answer.good) for answer in answers},
                "cost": {answer.model: float(answer.cost) for answer in answers},
            }
            lines.write(json.dumps(row) + "\n")


def command(outcomes: Path, router: Path, data_dir: Path) -> list[str]:
    """The words that train a router after `routeiq`."""
    return ["route", "train", "--data", str(outcomes), "--out", str(router), "--data-dir", str(data_dir)]


async def train(words: Sequence[str]) -> str:
    """Run the trainer; the best single model of the data. Raises `TrainingFailed`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "routeiq", *words, "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        told, error = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise TrainingFailed(error.decode(errors="replace").strip())
    return str(json.loads(told)["default"])
