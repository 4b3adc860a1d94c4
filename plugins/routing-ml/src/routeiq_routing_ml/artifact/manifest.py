"""What a manifest says about an artifact, its canonical bytes, and the strict reading of them.

Whether a manifest is signed, fresh and true of the files beside it is decided in `loader`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    model_validator,
)

from routeiq_routing_ml.artifact import canonical
from routeiq_routing_ml.artifact.errors import ArtifactError

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
ARRAYS: Final = "arrays.safetensors"
ESTIMATORS: Final = "estimators.skops"
REPORT: Final = "report.html"

PREVIOUS_SUFFIX: Final = ".previous"
"""Beside the artifact FOLDER lies FOLDER.previous, the one before it."""

SCHEMA: Final = 1
"""The newest form of manifest that this version reads and writes."""
MOST_BYTES: Final = 1 << 20
"""The longest manifest, in bytes."""
CODE_SUFFIXES: Final = frozenset(
    {".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".dill", ".npy", ".npz", ".py", ".pyc", ".so"}
)
"""Endings of files that can run code when loaded, or hold pickles; none of them may lie in an artifact."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def _time(text: str) -> str:
    if datetime.fromisoformat(text).utcoffset() is None:
        raise ValueError("a time without its zone; write for instance 2026-01-31T12:00:00+00:00")
    return text


def _file_name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise ValueError("a file name has 1 to 100 letters, digits, dots, lines and underlines")
    if name.lower() in {MANIFEST, SIGNATURE}:
        raise ValueError(f"{name} is not listed in the manifest")
    if Path(name.lower()).suffix in CODE_SUFFIXES:
        raise ValueError(f"{name} is of a kind that can run code; an artifact holds arrays, skops and reports")
    return name


Time = Annotated[str, StringConstraints(max_length=40), AfterValidator(_time)]
FileName = Annotated[str, AfterValidator(_file_name)]
Model = Annotated[str, StringConstraints(min_length=1, max_length=200)]
FreeJson = Mapping[str, JsonValue]


class FileEntry(BaseModel):
    """One file beside the manifest: its `size` in bytes and the `sha256` of its content in lower-case hex."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    size: int = Field(ge=0, description="Bytes.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Digest of the content, lower-case hex.")


class Manifest(BaseModel):
    """The description of one artifact. It never changes once it is signed."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, serialize_by_alias=True)

    schema_version: int = Field(SCHEMA, alias="schema", ge=1, le=SCHEMA, strict=True, description="Form of the file.")
    strategy: str = Field(min_length=1, max_length=100, description="Name of the scorer that reads the arrays.")
    version: int = Field(
        ge=1, lt=1 << 63, strict=True, description="Rises with each training; the trainer uses UTC milliseconds."
    )
    created: Time = Field(description="When it was trained, ISO 8601 with its zone.")
    trainer: str = Field(min_length=1, max_length=200, description="Distribution and version that trained it.")
    features: FreeJson = Field(description="How a text becomes a vector: kind, fingerprint, dimensions, ...")
    pool: tuple[Model, ...] = Field(min_length=2, max_length=1000, description="Models it was trained to choose among.")
    metrics: FreeJson = Field(default={}, description="What was measured when it was trained.")
    settings: FreeJson = Field(default={}, description="What the scorer needs besides arrays: margins, lambdas, ...")
    probes: tuple[dict[str, JsonValue], ...] = Field(
        (), max_length=1000, description="Self-test cases: a text, or null, and the scores it must get."
    )
    files: Mapping[FileName, FileEntry] = Field(default={}, max_length=32, description="The files beside the manifest.")
    expires: Time | None = Field(None, description="After this time the artifact is refused.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(set(self.pool)) != len(self.pool):
            raise ValueError("pool: a model that is listed twice")
        if len({name.lower() for name in self.files}) != len(self.files):
            raise ValueError("files: two names that differ in case only")
        if len(self.to_bytes()) > MOST_BYTES:
            raise ValueError(f"a manifest has at most {MOST_BYTES} bytes")
        return self

    def to_bytes(self) -> bytes:
        """The canonical JSON that is signed. Raises `ValueError` for NaN and text that is not Unicode."""
        return canonical.encode(self.model_dump(mode="python"))

    def digest(self) -> str:
        """sha256 of the canonical bytes, hex: the identity of the whole artifact, since they hold all digests."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def expires_at(self) -> datetime | None:
        """`expires` as a time in UTC; `None` when it never does."""
        return None if self.expires is None else datetime.fromisoformat(self.expires).astimezone(UTC)

    @classmethod
    def parse(cls, data: bytes, path: Path | str) -> Self:
        """Read canonical bytes. `path` is for the message. Raises `ArtifactError`."""
        if len(data) > MOST_BYTES:
            raise ArtifactError(path, f"a manifest of more than {MOST_BYTES} bytes.", "train the router again.")
        try:
            raw = canonical.decode_canonical(data)
        except ValueError as error:
            raise ArtifactError(path, f"not a manifest: {error}.", "train the router again.") from None
        _schema(raw, path)
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            reason = f"not a manifest: {place + ': ' if place else ''}{first['msg']}."
            raise ArtifactError(path, reason, "train the router again.") from None


def _schema(raw: Any, path: Path | str) -> None:
    schema = raw.get("schema") if isinstance(raw, dict) else None
    if type(schema) is not int or schema < 1:
        raise ArtifactError(path, "not a manifest: it has no schema number.", "name the folder of a router artifact.")
    if schema > SCHEMA:
        raise ArtifactError(
            path,
            f"made by a newer version: schema {schema}, and this one reads up to {SCHEMA}.",
            "upgrade routeiq-routing-ml, or train the router again with the installed version.",
        )
