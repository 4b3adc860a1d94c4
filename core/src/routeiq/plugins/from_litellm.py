"""Fields of a plugin's configuration that are written in LiteLLM's own sections, marked with `FromLitellm`.

They are moved into the plugin's configuration before it is checked, and errors on them back to where they were written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from routeiq.config.errors import problem_at
from routeiq.config.position import KeyPath, Positions, dotted
from routeiq.config.validation import checked, translated, without_nulls
from routeiq_sdk import ConfigError, FromLitellm, PluginConfig

_SETTINGS = ("general_settings", "litellm_settings", "router_settings")


def litellm_fields(model: type[BaseModel]) -> dict[str, KeyPath]:
    """The marked fields of a configuration class, each with the path of its key."""
    return {
        name: tuple(mark.key.split("."))
        for name, field in model.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, FromLitellm)
    }


def sees(model: type[BaseModel], path: str) -> bool:
    """Whether a plugin with this configuration can see a key of LiteLLM's settings, so that it may enforce it. Rows of
    models, guardrails and servers reach plugins in other ways."""
    section, _, rest = path.partition(".")
    if section not in _SETTINGS or not rest:
        return True
    marks = (".".join(str(part) for part in key) for key in litellm_fields(model).values())
    return any(path == mark or path.startswith((f"{mark}.", f"{mark}[")) for mark in marks)


def configured(
    model: type[PluginConfig], own: Any, path: KeyPath, document: Mapping[str, Any], positions: Positions
) -> tuple[PluginConfig | None, list[ConfigError]]:
    """The configuration made of a plugin's `own` block at `path` and of the keys it takes from the `document`."""
    marked = litellm_fields(model)
    if not marked or not isinstance(own, Mapping):
        return checked(model, own, path, positions)
    twice = [
        problem_at(
            positions.at((*path, name)),
            f"{dotted((*path, name))} is an unknown key",
            f"write {dotted(marked[name])} instead",
        )
        for name in marked
        if name in own
    ]
    if twice:
        return None, twice
    taken = {name: value for name, key in marked.items() if (value := _at(document, key)) is not None}
    data = {**own, **taken}
    try:
        return model.model_validate(data, context={"folder": positions.folder}), []
    except ValidationError as error:
        details: Sequence[Mapping[str, Any]] = error.errors(include_input=False, include_url=False)
    problems = translated(model, [d for d in details if not _is_taken(d, taken)], data, path, positions)
    for detail in details:
        if _is_taken(detail, taken):
            key = marked[str(detail["loc"][0])]
            moved = {**detail, "loc": (key[-1], *detail["loc"][1:])}
            holder = {key[-1]: taken[str(detail["loc"][0])]}
            problems += translated(model, [moved], holder, key[:-1], positions)
    return None, problems


def _at(document: Mapping[str, Any], key: KeyPath) -> Any:
    value: Any = document
    for part in key:
        value = value.get(part) if isinstance(value, Mapping) else None
    return without_nulls(value)


def _is_taken(detail: Mapping[str, Any], taken: Mapping[str, Any]) -> bool:
    return bool(detail["loc"]) and detail["loc"][0] in taken
