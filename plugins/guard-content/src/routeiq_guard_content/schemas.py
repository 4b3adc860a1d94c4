"""Answers against a JSON schema: checked at the start, references within it, its expressions in linear time.

Which answers are judged is decided elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import jsonschema
import referencing
import referencing.jsonschema
from jsonschema import validators

from routeiq_guard_content.expressions import compiled, encodable

_UNSERVED = ("unevaluatedProperties", "$dynamicRef", "$recursiveRef")


class Schema:
    """A schema that was found good. Raises `ValueError` that says where it is not."""

    def __init__(self, schema: Any) -> None:
        if not isinstance(schema, Mapping):
            raise ValueError("a schema is a mapping; write {type: object, ...}")
        kind = validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        try:
            kind.check_schema(schema)
        except jsonschema.SchemaError as error:
            raise ValueError(f"it is no JSON schema, at {_place(error.absolute_path)}: {error.message}") from None
        _check(schema)
        self._validator = validators.extend(kind, _linear(kind.VALIDATORS))(
            dict(schema), registry=referencing.Registry()
        )

    def problem(self, text: str) -> str | None:
        """What is wrong with a text, in words of the schema alone; `None` when it is valid, or empty."""
        if not text.strip():
            return None
        try:
            document = json.loads(text, parse_constant=_no_json)
            errors = list(self._validator.iter_errors(document))
        except RecursionError:
            return "JSON that is nested too deeply"
        except ValueError:
            return "text that is not JSON"
        if not errors:
            return None
        worst = jsonschema.exceptions.best_match(errors)
        return f"JSON that is not valid under the schema, at {_place(worst.absolute_schema_path)}"


def _no_json(name: str) -> NoReturn:
    raise ValueError(name)


def _place(path: Any) -> str:
    return ".".join(str(part) for part in path) or "its root"


def _check(schema: Mapping[str, Any]) -> None:
    """Refuse what cannot be resolved within the schema, or not be matched in linear time."""
    resource = referencing.Resource.from_contents(schema, referencing.jsonschema.DRAFT202012)
    resolver = referencing.Registry().with_resource("", resource).resolver()
    for part in _parts(schema):
        for name in _UNSERVED:
            if name in part:
                raise ValueError(f"{name} is not served; write the schema without it")
        reference = part.get("$ref")
        if isinstance(reference, str):
            if not reference.startswith("#"):
                raise ValueError(f"$ref {reference!r} leaves the schema; write what it means under $defs")
            try:
                resolver.lookup(reference)
            except referencing.exceptions.Unresolvable:
                raise ValueError(f"$ref {reference!r} names nothing; correct it") from None
        expressions = [part["pattern"]] if isinstance(part.get("pattern"), str) else []
        named = part.get("patternProperties")
        for expression in (*expressions, *(named if isinstance(named, Mapping) else ())):
            try:
                compiled(expression)
            except ValueError as error:
                raise ValueError(f"pattern {expression!r}: {error}") from None


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        for key, entry in value.items():
            if key not in ("const", "enum", "default", "examples"):
                yield from _parts(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _parts(entry)


def _linear(before: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords that match expressions, done with RE2: the library's own could take forever on a bad text."""
    found: dict[str, Any] = {"pattern": _pattern, "patternProperties": _pattern_properties}
    if "additionalProperties" in before:
        found["additionalProperties"] = _additional_properties
    return found


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    if isinstance(instance, str) and compiled(pattern).search(encodable(instance)) is None:
        yield jsonschema.ValidationError("it does not match")


def _pattern_properties(validator: Any, patterns: Mapping[str, Any], instance: Any, schema: Any) -> Iterator[Any]:
    if isinstance(instance, dict):
        for pattern, below in patterns.items():
            expression = compiled(pattern)
            for name, value in instance.items():
                if expression.search(encodable(name)) is not None:
                    yield from validator.descend(value, below, path=name, schema_path=pattern)


def _additional_properties(validator: Any, below: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    if not isinstance(instance, dict):
        return
    expressions = [compiled(pattern) for pattern in schema.get("patternProperties", ())]
    for name, value in instance.items():
        if name in schema.get("properties", ()) or any(each.search(encodable(name)) for each in expressions):
            continue
        if below is False:
            yield jsonschema.ValidationError("it has another property")
        elif below is not True:
            yield from validator.descend(value, below, path=name)
