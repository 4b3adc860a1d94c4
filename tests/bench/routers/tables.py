"""The recorded tables: queries, what each model scored and cost on them, and their splits.
Reads files and shapes them; nothing is learnt or judged here."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.provision import BenchSetupError
from bench.routers.recipe import Array, Features

NAMES = ("llmrouter9", "routerbench11", "routellm2")
TRAIN_SHARE = 0.8
FIRST_SEED = 1000
# LLMRouter's candidate file lists its models in this order, and its label depends on it. Other tables go by name.
CANDIDATE_FILE = {
    "llmrouter9": (
        "qwen2.5-7b-instruct",
        "codegemma-7b",
        "gemma-2-9b-it",
        "llama-3.1-8b-instruct",
        "llama3-chatqa-1.5-8b",
        "mistral-7b-instruct-v0.3",
        "llama-3.3-nemotron-super-49b-v1",
        "llama-3.1-nemotron-51b-instruct",
        "llama3-chatqa-1.5-70b",
    )
}
FILE_HELP = """Each line of NAME.jsonl.gz is one query: {"id", "task", "query", "tokens_in", "scores": {model: 0..1}, \
"cost": {model: US dollars}}; NAME.minilm.f16.npy, if there is one, holds MiniLM vectors in the same order."""

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Table:
    """`quality` and `cost` are (n, m), `tokens` (n,) the prompt's length; `minilm` (n, 384) only where its file is."""

    name: str
    models: tuple[str, ...]
    texts: tuple[str, ...]
    tasks: tuple[str, ...]
    tokens: Array
    quality: Array
    cost: Array
    minilm: Features | None

    @property
    def candidate_order(self) -> list[int]:
        listed = CANDIDATE_FILE.get(self.name)
        return [self.models.index(model) for model in listed or sorted(self.models)]

    @property
    def task_families(self) -> list[str]:
        """`mmlu/history` and `mmlu/law` are one family."""
        return [task.partition("/")[0] for task in self.tasks]

    def texts_of(self, rows: Rows) -> list[str]:
        return [self.texts[row] for row in rows]


def split(count: int, seed: int) -> tuple[Rows, Rows]:
    """Training and test rows: 80/20 by query, `numpy.random.default_rng(seed).permutation`."""
    order = np.random.default_rng(seed).permutation(count)
    cut = int(TRAIN_SHARE * count)
    return order[:cut], order[cut:]


def load_all(folder: Path, names: list[str]) -> list[Table]:
    """Every named table, or one error that says which files are missing."""
    missing = [f"{name}.jsonl.gz" for name in names if not (folder / f"{name}.jsonl.gz").is_file()]
    if missing:
        raise BenchSetupError(
            f"recorded outcomes not found in {folder}: {', '.join(missing)}. {FILE_HELP} "
            "Mend: --data FOLDER_WITH_THESE_FILES, or --table with those you have"
        )
    return [load(folder, name) for name in names]


def load(folder: Path, name: str) -> Table:
    path = folder / f"{name}.jsonl.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        models = tuple(sorted(rows[0]["scores"]))
        return Table(
            name=name,
            models=models,
            texts=tuple(row["query"] for row in rows),
            tasks=tuple(row["task"] for row in rows),
            tokens=np.array([row["tokens_in"] for row in rows], dtype=np.float64),
            quality=np.array([[row["scores"][model] for model in models] for row in rows], dtype=np.float64),
            cost=np.array([[row["cost"][model] for model in models] for row in rows], dtype=np.float64),
            minilm=_minilm(folder / f"{name}.minilm.f16.npy", len(rows)),
        )
    except (OSError, EOFError, ValueError, LookupError, TypeError) as error:
        raise BenchSetupError(f"{path} is not a table of recorded outcomes: {error!r}. {FILE_HELP}") from error


def _minilm(path: Path, count: int) -> Features | None:
    if not path.is_file():
        return None
    vectors: Features = np.load(path, allow_pickle=False).astype(np.float32)
    if vectors.ndim != 2 or len(vectors) != count:
        raise ValueError(f"{path.name} has the shape {vectors.shape} for {count} queries")
    return vectors
