"""The reference of the YAML, from the one JSON schema that `routeiq schema` prints.

Defaults and descriptions are written where the settings are defined.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from reference_blocks.tables import code, table
from routeiq.config.key_tables import TABLES
from routeiq.config.schema import json_schema

Schema = Mapping[str, Any]
_REFERENCE = "#/$defs/reference"


class Setting(NamedTuple):
    """One key of the YAML. `key_class` and `plugin` are empty for keys of ours."""

    path: str
    type: str
    default: str
    description: str
    key_class: str
    plugin: str


def settings() -> str:
    """The `routeiq:` block: one table for its own keys and one for each block inside."""
    top, parts = _split(_found("routeiq", json_schema()), "routeiq")
    text = table(("key", "type", "default", "meaning"), (_row(item) for item in top))
    for name, items in parts.items():
        text += f"\n### `{name}`\n\n" + table(("key", "type", "default", "meaning"), (_row(item) for item in items))
    return text


def litellm_keys() -> str:
    """Every key of LiteLLM's dialect, by section, with its class."""
    schema = json_schema()
    found = {item.path: item for name in schema["properties"] for item in _found(name, schema)}
    return "\n".join(_section(section, found) for section in TABLES)


def _section(section: str, found: Mapping[str, Setting]) -> str:
    prefix = f"{section}." if section else ""
    rows = []
    for key in TABLES[section].rows:
        item = found.get(prefix + key.name)
        kind = f"**{key.key_class.value}**" if key.key_class.value == "protective" else key.key_class.value
        rows.append((code(prefix + key.name), kind, code(key.plugin or ""), _default(item), key.description))
    title = f"`{section}`" if section else "Top level"
    return f"## {title}\n\n" + table(("key", "class", "plugin", "default", "meaning"), rows)


def _default(item: Setting | None) -> str:
    return code(item.default) if item is not None else ""


def _row(item: Setting) -> tuple[str, ...]:
    return code(item.path), item.type, code(item.default), item.description


def _split(items: list[Setting], prefix: str) -> tuple[list[Setting], dict[str, list[Setting]]]:
    top: list[Setting] = []
    parts: dict[str, list[Setting]] = {}
    for item in items:
        first, dot, _ = item.path.removeprefix(prefix + ".").partition(".")
        if dot:
            parts.setdefault(f"{prefix}.{first}", []).append(item)
        elif item.path != prefix:
            top.append(item)
    return top, parts


def _found(name: str, schema: Schema) -> list[Setting]:
    return list(_walk(name, schema["properties"][name], schema["$defs"]))


def _walk(path: str, schema: Schema, defs: Schema) -> Iterator[Setting]:
    forms = list(_forms(schema, defs))
    yield Setting(
        path,
        " or ".join(dict.fromkeys(_type(form) for form in forms)) or "anything",
        _shown(schema["default"]) if "default" in schema else "",
        schema.get("description") or next((form["description"] for form in forms if "description" in form), ""),
        schema.get("x-routeiq-class", ""),
        schema.get("x-routeiq-plugin", ""),
    )
    for form in forms:
        for name, inner in form.get("properties", {}).items():
            yield from _walk(f"{path}.{name}", inner, defs)
        others = form.get("additionalProperties")
        if isinstance(others, dict) and any("properties" in inner for inner in _forms(others, defs)):
            yield from _inside(f"{path}.NAME", others, defs)
        if isinstance(form.get("items"), dict):
            yield from _inside(f"{path}[]", form["items"], defs)


def _inside(path: str, schema: Schema, defs: Schema) -> Iterator[Setting]:
    """The keys of a nameless member, without a row for the member itself."""
    members = _walk(path, schema, defs)
    next(members)
    yield from members


def _forms(schema: Schema, defs: Schema) -> Iterator[Schema]:
    """What a value may be, with references followed; null and `os.environ/NAME` go without saying."""
    if "$ref" in schema:
        if schema["$ref"] != _REFERENCE:
            yield from _forms(defs[schema["$ref"].rpartition("/")[2]], defs)
    elif "anyOf" in schema:
        for form in schema["anyOf"]:
            yield from _forms(form, defs)
    elif schema.get("type") != "null":
        yield schema


def _type(form: Schema) -> str:
    if "enum" in form:
        return " or ".join(code(str(value)) for value in form["enum"])
    if "const" in form:
        return code(str(form["const"]))
    kind = form.get("type", "anything")
    name = " or ".join(kind) if isinstance(kind, list) else str(kind)
    bounds = [f"{sign} {form[key]:g}" for key, sign in _BOUNDS.items() if key in form]
    return " ".join((_NAMES.get(name, name), *bounds))


_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_NAMES = {"array": "list", "object": "mapping", "string": "text", "integer": "whole number", "boolean": "true or false"}


def _shown(default: Any) -> str:
    return "" if default is None else json.dumps(default)
