"""What a definition of a tool is worth: whether it can be offered at all, and the hash that names it.

Whether it is approved is decided in `pins`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

_TOLD = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")
_LONGEST_NAME = 256
_DEEPEST = 64


def hash_of(definition: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the canonical JSON of what a model reads of a tool: its names, description, schemas and
    annotations."""
    told = {name: definition[name] for name in _TOLD if definition.get(name) is not None}
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)).hexdigest()


def fault_of(definition: Any) -> str | None:
    """Why a definition cannot be offered; `None` when it can."""
    if not isinstance(definition, Mapping):
        return "it is no object"
    name = definition.get("name")
    if not isinstance(name, str) or not name:
        return "it has no name"
    if len(name) > _LONGEST_NAME:
        return "its name is too long"
    if not isinstance(definition.get("description", ""), str | None):
        return "its description is no text"
    schema = definition.get("inputSchema")
    if not isinstance(schema, Mapping):
        return "it has no input schema"
    fault = _fault_of_schema(schema)
    if fault is None and schema.get("type", "object") != "object":
        fault = "its root is no object"
    if fault is not None:
        return f"its input schema is not valid: {fault}"
    output = definition.get("outputSchema")
    if output is not None:
        if not isinstance(output, Mapping | bool):
            return "its output schema is no schema"
        fault = _fault_of_schema(output) if isinstance(output, Mapping) else None
        if fault is not None:
            return f"its output schema is not valid: {fault}"
    return None


def _fault_of_schema(schema: Mapping[str, Any], depth: int = 0) -> str | None:
    """The plain lies: words of JSON Schema with values that they cannot have. What a schema means is not asked."""
    if depth > _DEEPEST:
        return f"nested deeper than {_DEEPEST}"
    kind = schema.get("type")
    if kind is not None and not _is_type(kind):
        return f"type {kind!r}" if isinstance(kind, str) else "type is no name"
    for word in ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"):
        inner = schema.get(word)
        if inner is None:
            continue
        if not isinstance(inner, Mapping):
            return f"{word} is no object"
        for name, part in inner.items():
            fault = _fault_of_part(part, depth)
            if fault is not None:
                return f"{word}.{name}: {fault}"
    required = schema.get("required")
    if required is not None and not (
        isinstance(required, list | tuple) and all(isinstance(name, str) for name in required)
    ):
        return "required is no list of names"
    for word in ("items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else"):
        part = schema.get(word)
        if part is None or (word == "items" and isinstance(part, list | tuple)):
            continue
        fault = _fault_of_part(part, depth)
        if fault is not None:
            return f"{word}: {fault}"
    for word in ("anyOf", "oneOf", "allOf"):
        parts = schema.get(word)
        if parts is None:
            continue
        if not isinstance(parts, list | tuple) or not parts:
            return f"{word} is no list"
        for part in parts:
            fault = _fault_of_part(part, depth)
            if fault is not None:
                return f"{word}: {fault}"
    return None


def _fault_of_part(part: Any, depth: int) -> str | None:
    if isinstance(part, bool):
        return None
    return _fault_of_schema(part, depth + 1) if isinstance(part, Mapping) else "no schema"


_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})


def _is_type(kind: Any) -> bool:
    if isinstance(kind, str):
        return kind in _TYPES
    return (
        isinstance(kind, list | tuple) and bool(kind) and all(isinstance(each, str) and each in _TYPES for each in kind)
    )
