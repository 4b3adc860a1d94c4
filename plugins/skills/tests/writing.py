"""Writes skills and archives of them, good and bad."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

MODEL = {"model_name": "m", "litellm_params": {"model": "openai/m", "mock_response": "hello"}}


def skill_md(name: str, description: str = "Does a thing.", more: str = "", body: str = "# Do it\n") -> bytes:
    """A SKILL.md."""
    return f"---\nname: {name}\ndescription: {description}\n{more}---\n\n{body}".encode()


def write_skill(source: Path, name: str, files: Mapping[str, bytes] | None = None, *, md: bytes | None = None) -> Path:
    """A skill in a folder of its name."""
    for path, data in {"SKILL.md": md or skill_md(name), **(files or {})}.items():
        place = source / name / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return source / name


def zip_of(files: Mapping[str, bytes], *, modes: Mapping[str, int] | None = None) -> bytes:
    """An archive; `modes` are the Unix modes of entries."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (modes or {}).get(path, 0o100644) << 16
            archive.writestr(entry, data)
    return packed.getvalue()
