"""Pydantic's verdicts as configuration errors: file, line, key path, mend. Values are never repeated.

Also used for the configuration of plugins; the models themselves are elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from routeiq.config.errors import nearest, problem_at
from routeiq.config.position import KeyPath, Positions, dotted
from routeiq_sdk.errors import ConfigError

M = TypeVar("M", bound=BaseModel)


class Strict(BaseModel):
    """Base of our own blocks: unknown keys are errors."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), hide_input_in_errors=True, allow_inf_nan=False
    )


class Open(BaseModel):
    """Base of LiteLLM's sections: what is not typed is kept in `extras`."""

    model_config = ConfigDict(
        extra="allow", frozen=True, protected_namespaces=(), hide_input_in_errors=True, allow_inf_nan=False
    )

    @property
    def extras(self) -> Mapping[str, Any]:
        """The keys without a type of their own, as written."""
        return self.model_extra or {}


def checked(model: type[M], data: Any, path: KeyPath, positions: Positions) -> tuple[M | None, list[ConfigError]]:
    """The model of some data, or `None` and every problem of it."""
    if data is None:
        data = {}
    if not isinstance(data, Mapping):
        return None, [problem_at(positions.at(path), f"{dotted(path)} is a mapping of keys", "indent its keys below")]
    try:
        return model.model_validate(data, context={"folder": positions.folder}), []
    except ValidationError as error:
        details: Sequence[Mapping[str, Any]] = error.errors(include_input=False, include_url=False)
    return None, translated(model, details, data, path, positions)


def translated(
    model: type[BaseModel], details: Sequence[Mapping[str, Any]], data: Any, path: KeyPath, positions: Positions
) -> list[ConfigError]:
    """Errors of `ValidationError.errors()` as ours, one a place. `path` is where `data` was written."""
    problems: dict[tuple[str, str], ConfigError] = {}
    for detail in details:
        where = (*path, *_written(detail["loc"], data, detail["type"]))
        name = dotted(where)
        if detail["type"] == "missing":
            mend = f"add {where[-1]} to {dotted(where[:-1])}"
            problem = problem_at(positions.at(where[:-1]), f"{name} is missing", mend)
        elif detail["type"] == "extra_forbidden":
            known = _known(model, detail["loc"])
            hint = nearest(str(where[-1]), known)
            mend = f"did you mean {hint!r}?" if hint else f"known keys: {', '.join(sorted(known))}"
            problem = problem_at(positions.at(where), f"{name} is an unknown key", mend)
        else:
            problem = problem_at(positions.at(where), f"{name}: {_what(detail)}", "correct the value")
        problems.setdefault((name, "unique"), problem)
    return list(problems.values())


def _what(detail: Mapping[str, Any]) -> str:
    message = str(detail["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return message[:1].lower() + message[1:]


def _written(loc: tuple[str | int, ...], data: Any, kind: str) -> KeyPath:
    """The part of an error's location that is a path of the data; branches of unions are not."""
    path: list[str | int] = []
    for number, part in enumerate(loc):
        inside = part in data if isinstance(data, Mapping) else isinstance(data, list) and part in range(len(data))
        if inside:
            data = data[part]
        elif kind != "missing" or number < len(loc) - 1:
            continue
        path.append(part)
    return tuple(path)


def _known(model: type[BaseModel], loc: tuple[str | int, ...]) -> frozenset[str]:
    """The field names of the (nested) model that an error's location ends in."""
    current, containers = model, 0
    for part in loc[:-1]:
        if containers:
            containers -= 1
            continue
        field = current.model_fields.get(str(part))
        inner = _inner(field.annotation) if field else None
        if inner is None:
            return frozenset()
        current, containers = inner
    return frozenset(current.model_fields)


def _inner(annotation: Any) -> tuple[type[BaseModel], int] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, 0
    step = 1 if get_origin(annotation) in (tuple, list, Mapping, dict) else 0
    for argument in get_args(annotation):
        found = _inner(argument)
        if found:
            return found[0], found[1] + step
    return None


def without_nulls(value: Any, keep: str | None = None) -> Any:
    """A copy in which keys without a value are not written at all, so that defaults hold; `keep` is left as it is."""
    if isinstance(value, Mapping):
        return {key: item if key == keep else without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value
