"""Reads an OpenAPI 3 document and follows its references, which never leave it.

What its operations become is `operations`' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
import yaml

MOST_BYTES: Final = 8 * 1024 * 1024
_MOST_DEPTH: Final = 40
_MOST_NODES: Final = 20_000
_MOST_NODES_IN_ALL: Final = 1_000_000
_NOT_OF_JSON_SCHEMA: Final = frozenset({"discriminator", "xml", "externalDocs", "example", "nullable"})
_MOST_POINTER: Final = 64

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BadDocument(ValueError):
    """A document that cannot be used; the text says why, for the operator."""


def read(data: bytes) -> Mapping[str, Any]:
    """The document, JSON or YAML. Raises `BadDocument`."""
    if len(data) > MOST_BYTES:
        raise BadDocument(f"it is larger than {MOST_BYTES} bytes")
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            found = _yaml(data)
        except (yaml.YAMLError, RecursionError, ValueError):
            raise BadDocument("it is neither JSON nor YAML") from None
    if not isinstance(found, dict) or not str(found.get("openapi", "")).startswith("3."):
        raise BadDocument("it is no OpenAPI 3 document")
    if not isinstance(found.get("paths"), dict):
        raise BadDocument("it has no paths")
    return found


def _yaml(data: bytes) -> Any:
    """By the safe loader, in C where there is one: documents of megabytes are common."""
    loader = _Loader(data)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


class References:
    """Follows `$ref`s inside one document. What one operation may grow to is bounded, however its schemas refer to one
    another."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._left = 0
        self._in_all = _MOST_NODES_IN_ALL

    def renew(self) -> None:
        """Another operation begins."""
        self._left = _MOST_NODES

    def target(self, node: Any) -> Any:
        """The node itself, or what its `$ref` names. Raises `BadDocument`."""
        for _ in range(_MOST_POINTER):
            if not isinstance(node, Mapping) or not isinstance(node.get("$ref"), str):
                return node
            node = self._at(node["$ref"])
        raise BadDocument("a reference refers to itself")

    def schema(self, node: Any) -> dict[str, Any]:
        """A JSON schema without references; where one refers to itself, anything is allowed. Raises `BadDocument`."""
        found = self._resolve(node, (), 0)
        return found if isinstance(found, dict) else {}

    def _resolve(self, node: Any, above: tuple[str, ...], depth: int) -> Any:
        self._left -= 1
        self._in_all -= 1
        if self._left < 0 or self._in_all < 0 or depth > _MOST_DEPTH:
            raise BadDocument("its schemas are too large")
        if isinstance(node, list):
            return [self._resolve(item, above, depth + 1) for item in node]
        if not isinstance(node, Mapping):
            return node
        ref = node.get("$ref")
        if isinstance(ref, str):
            if ref in above:
                return {}
            return self._resolve(self._at(ref), (*above, ref), depth + 1)
        resolved = {
            str(key): self._resolve(value, above, depth + 1)
            for key, value in node.items()
            if key not in _NOT_OF_JSON_SCHEMA or not _is_schema(node)
        }
        return _of_3_0(resolved, node) if _is_schema(node) else resolved

    def _at(self, ref: str) -> Any:
        if not ref.startswith("#/"):
            raise BadDocument("it refers to another document, and none is fetched")
        node: Any = self._document
        for part in ref[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(node, Mapping) or key not in node:
                raise BadDocument(f"nothing is at {ref[:200]}")
            node = node[key]
        return node


def _is_schema(node: Mapping[str, Any]) -> bool:
    """Whether this is a schema, and no map of property names."""
    return isinstance(node.get("type"), str | list) or any(
        key in node for key in ("allOf", "anyOf", "oneOf", "properties", "items", "enum")
    )


def _of_3_0(schema: dict[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """What OpenAPI 3.0 said before it used JSON schema proper."""
    kind = schema.get("type")
    if written.get("nullable") is True and isinstance(kind, str):
        schema["type"] = [kind, "null"]
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(exclusive), bool) and schema.pop(exclusive) and bound in schema:
            schema[exclusive] = schema.pop(bound)
    return schema
