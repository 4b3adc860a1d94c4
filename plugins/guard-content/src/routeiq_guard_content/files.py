"""Files that the configuration names: words, categories, schemas. Read once, at the start.

Nothing that a client says is ever a name of a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError, ValidationInfo

M = TypeVar("M", bound=BaseModel)
MOST_BYTES = 16 * 1024 * 1024


def folder_of(info: ValidationInfo) -> Path:
    """Where the configuration stands; the working folder when it is no file."""
    told = info.context.get("folder") if isinstance(info.context, Mapping) else None
    return told if isinstance(told, Path) else Path()


def document(name: str, folder: Path) -> Any:
    """The YAML or JSON of a file. Raises `ValueError` that names it."""
    text = _text(name, folder)
    try:
        return json.loads(text) if name.endswith(".json") else yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise ValueError(f"{name} is no YAML, at line {line}; correct it") from None
    except (ValueError, yaml.YAMLError):
        raise ValueError(f"{name} cannot be read as YAML or JSON; correct it") from None


def parsed(model: type[M], held: Any, name: str) -> M:
    """What a file holds, checked. Raises `ValueError` that names the file and the place."""
    try:
        return model.model_validate(held)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        said = str(first["msg"]).removeprefix("Value error, ")
        raise ValueError(f"{name}: {f'{place}: ' if place else ''}{said}; correct the file") from None


def lines(name: str, folder: Path) -> list[str]:
    """The lines of a file that hold something. Raises `ValueError` that names it."""
    return [line.strip() for line in _text(name, folder).splitlines() if line.strip()]


@cache
def shipped(category: str) -> Any | None:
    """A category that comes with the plugin."""
    found = files("routeiq_guard_content") / "categories" / f"{category}.yaml"
    return yaml.safe_load(found.read_text(encoding="utf-8")) if category in shipped_names() else None


def shipped_names() -> list[str]:
    """The categories that come with the plugin."""
    folder = files("routeiq_guard_content") / "categories"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def _text(name: str, folder: Path) -> str:
    path = folder / name
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"{name} is larger than {MOST_BYTES >> 20} MiB; split it")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{name} is no text in UTF-8; write it so") from None
    except OSError as error:
        raise ValueError(
            f"{name} cannot be read ({error.strerror}); looked for as {path.absolute()}. Create it, or correct the name"
        ) from None
