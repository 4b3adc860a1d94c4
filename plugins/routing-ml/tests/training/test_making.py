"""An artifact is made whole or not at all: with checked vectors, a stand-in, a report, and what its manifest says."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeRegressor

from routeiq_routing_ml.artifact import keys, loader
from routeiq_routing_ml.artifact.errors import ArtifactError
from routeiq_routing_ml.model.packing import unpack
from routeiq_routing_ml.training import embedding
from routeiq_routing_ml.training.making import Made, Plan, make
from routeiq_routing_ml.training.reading import Reading, read
from routeiq_routing_ml.training.table import Refused, TrainingError

from .recorded_outcomes import MODELS, WORDS, outcomes, write

RIDGE = Plan(strategy="ridge")


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Reading:
    return read(write(tmp_path_factory.mktemp("data") / "a.jsonl", outcomes()))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, reading: Reading) -> Made:
    folder = tmp_path_factory.mktemp("made")
    return make(reading, replace(RIDGE, expires_days=3), folder / "router", folder / ".routeiq")


class WordsEmbedder:
    """Counts the words of each kind."""

    fingerprint = "words-1"
    dimensions = 4

    def embed(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        rows = [[1.0, *(sum(word in text for word in words) for words in WORDS.values())] for text in texts]
        return np.array(rows, np.float32) / np.linalg.norm(rows, axis=1, keepdims=True).astype(np.float32)


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> WordsEmbedder:
    """An embedder `words` as if a distribution offered it."""

    class Plugin:
        Config = dict

        def __init__(self, config: object) -> None:
            pass

        def register_embedders(self, embedders: Any) -> None:
            embedders.add_embedder("words", WordsEmbedder())

    class Point:
        name = "embed-words"

        def load(self) -> type[Plugin]:
            return Plugin

    monkeypatch.setattr(embedding, "entry_points", lambda group: [Point()] if group == "routeiq.embedders" else [])
    return WordsEmbedder()


def test_an_artifact_loads_with_the_key_of_its_data_folder(made: Made) -> None:
    folder = made.folder.parent / ".routeiq/keys"
    artifact = loader.load(made.folder, keys.trusted(folder))
    packed = unpack(artifact.manifest, artifact.arrays)
    assert packed.main.models == MODELS
    assert packed.embedder is None
    assert artifact.key == made.key
    assert artifact.manifest.digest() == made.manifest.digest()
    with pytest.raises(ArtifactError, match="expired"):
        loader.load(made.folder, keys.trusted(folder), now=datetime.now(UTC) + timedelta(days=3, minutes=1))


def test_a_manifest_tells_the_figures(made: Made) -> None:
    told = made.manifest.metrics
    assert {"quality", "cost", "best_single", "oracle", "gap", "d_aiq", "save"} <= told.keys()
    assert {"queries", "calibration_error", "seconds", "curve", "profiles"} <= told.keys()
    assert told["queries"] == 480
    assert told["gap"] == pytest.approx(made.trained.outcome.gap, abs=1e-6)
    assert set(told["profiles"]) == {"quality", "balanced", "economy", "floor"}


def test_one_seed_gives_one_digest_of_arrays(made: Made, reading: Reading, tmp_path: Path) -> None:
    again = make(reading, RIDGE, tmp_path / "again", tmp_path)
    other = make(reading, replace(RIDGE, seed=1), tmp_path / "other", tmp_path)
    name = "arrays.safetensors"
    assert again.manifest.files[name] == made.manifest.files[name]
    assert other.manifest.files[name] != made.manifest.files[name]


def test_a_refused_router_leaves_the_old_artifact(tmp_path: Path, reading: Reading) -> None:
    make(reading, RIDGE, tmp_path / "router", tmp_path)
    before = (tmp_path / "router/manifest.json").read_bytes()
    few = Reading.of(reading.table.rows(np.arange(100)))
    with pytest.raises(Refused):
        make(few, RIDGE, tmp_path / "router", tmp_path)
    assert (tmp_path / "router/manifest.json").read_bytes() == before


def test_a_folder_of_other_things_is_refused_before_the_work(tmp_path: Path, reading: Reading) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter1.txt").write_text("precious")
    with pytest.raises(ArtifactError, match="something else is there"):
        make(reading, RIDGE, tmp_path / "thesis", tmp_path, lambda *step: pytest.fail("it worked"))


def test_with_an_embedder_a_stand_in_without_it_is_packed(
    tmp_path: Path, reading: Reading, words: WordsEmbedder
) -> None:
    made = make(reading, replace(RIDGE, embedder="words"), tmp_path / "router", tmp_path)
    artifact = loader.load(tmp_path / "router", keys.trusted(tmp_path / "keys"))
    packed = unpack(artifact.manifest, artifact.arrays)
    assert made.plain is not None
    assert (packed.embedder, packed.fingerprint) == ("words", "words-1")
    assert (packed.main.space.embedded, packed.plain.space.embedded) == (4, 0)


def test_vectors_from_a_file_make_the_router_that_the_embedder_makes(tmp_path: Path, words: WordsEmbedder) -> None:
    rows = outcomes()
    reading = read(write(tmp_path / "a.jsonl", [*rows, rows[0]]))
    np.save(tmp_path / "a.npy", words.embed(reading.table.texts))
    plan = replace(RIDGE, embedder="words")
    asked = make(reading, plan, tmp_path / "asked", tmp_path)
    given = make(reading, replace(plan, features=tmp_path / "a.npy"), tmp_path / "given", tmp_path)
    assert given.manifest.files["arrays.safetensors"] == asked.manifest.files["arrays.safetensors"]


def test_vectors_of_a_sample_are_those_of_its_rows(tmp_path: Path, words: WordsEmbedder) -> None:
    path = write(tmp_path / "a.jsonl", outcomes(60))
    whole, part = read(path), read(path, most=20)
    np.save(tmp_path / "a.npy", words.embed(whole.table.texts))
    found = embedding.from_file(tmp_path / "a.npy", words, "words", part.table.texts, part.chosen, part.rows)
    assert (found == words.embed(part.table.texts)).all()


def broken_vectors(name: str, good: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if name == "other rows":
        return good[::-1]
    if name == "NaN":
        return np.where(np.arange(len(good))[:, None] == 7, np.nan, good)
    return {"short": good[:-1], "narrow": good[:, :3], "whole numbers": (9 * good).astype(int)}[name]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("short", "479, 4"),
        ("narrow", "480, 3"),
        ("whole numbers", "int64"),
        ("NaN", "row 8 is not finite"),
        ("other rows", "not words's vectors"),
    ],
)
def test_vectors_of_something_else_are_refused(
    tmp_path: Path, reading: Reading, words: WordsEmbedder, name: str, told: str
) -> None:
    np.save(tmp_path / "a.npy", broken_vectors(name, words.embed(reading.table.texts)))
    plan = replace(RIDGE, embedder="words", features=tmp_path / "a.npy")
    with pytest.raises(TrainingError, match=told):
        make(reading, plan, tmp_path / "router", tmp_path)


@pytest.mark.parametrize("name", ["pickle", "objects", "text"])
def test_vectors_in_a_pickle_are_never_read(tmp_path: Path, reading: Reading, words: WordsEmbedder, name: str) -> None:
    path = tmp_path / "a.npy"
    if name == "objects":
        np.save(path, np.array([{"a": 1}] * 480, dtype=object), allow_pickle=True)
    else:
        path.write_bytes(pickle.dumps(list(range(4))) if name == "pickle" else b"hello")
    with pytest.raises(TrainingError, match="not an array of numbers"):
        make(reading, replace(RIDGE, embedder="words", features=path), tmp_path / "router", tmp_path)


def test_a_missing_embedder_names_what_to_install(tmp_path: Path, reading: Reading) -> None:
    with pytest.raises(TrainingError, match="pip install routeiq-embed-giant"):
        make(reading, replace(RIDGE, embedder="giant"), tmp_path / "router", tmp_path)


def estimator(path: Path, model: Any) -> Path:
    path.write_bytes(skops.io.dumps(model))
    return path


def test_a_custom_estimator_routes(tmp_path: Path, reading: Reading) -> None:
    plan = Plan(strategy="custom", estimator=estimator(tmp_path / "ridge.skops", Ridge(alpha=10.0)))
    made = make(reading, plan, tmp_path / "router", tmp_path)
    assert made.trained.outcome.gap > 0.3
    assert "estimators.skops" in made.manifest.files


def test_a_custom_estimator_of_a_type_that_is_not_allowed_is_refused(tmp_path: Path, reading: Reading) -> None:
    fitted = DecisionTreeRegressor(max_depth=2).fit([[0.0], [1.0]], [0.0, 1.0])
    plan = Plan(strategy="custom", estimator=estimator(tmp_path / "tree.skops", fitted))
    with pytest.raises(ArtifactError, match=r"not allowed: sklearn\.tree\._tree\.Tree"):
        make(reading, plan, tmp_path / "router", tmp_path)
    allowed = replace(plan, allowed=("sklearn.tree._tree.Tree",))
    assert make(reading, allowed, tmp_path / "router", tmp_path).manifest.strategy == "custom"


def test_a_pickled_estimator_is_refused_unread(tmp_path: Path, reading: Reading) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Ridge()))
    with pytest.raises(TrainingError, match=r"pickles are never loaded.*routeiq route convert"):
        make(reading, Plan(strategy="custom", estimator=tmp_path / "model.pkl"), tmp_path / "router", tmp_path)


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (Plan(strategy="custom"), "needs an estimator"),
        (Plan(strategy="ridge", estimator=Path("a.skops")), "takes no estimator"),
        (Plan(strategy="custom", estimator=Path("a.skops"), embedder="minilm"), "works on hashing alone"),
        (Plan(features=Path("a.npy")), "without the embedder"),
    ],
)
def test_a_plan_without_sense_is_refused(tmp_path: Path, reading: Reading, plan: Plan, told: str) -> None:
    with pytest.raises(TrainingError, match=told):
        make(reading, plan, tmp_path / "router", tmp_path)
