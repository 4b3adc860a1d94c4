"""One JSON schema (draft 2020-12) of the whole YAML, for editors and `routeiq schema`.

Built from the key tables and the typed models; plugins bring their own schemas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from routeiq.config.key_tables import TABLES
from routeiq.config.keys import Key, KeyTable
from routeiq.config.routeiq_block import PluginEntry, RouteiqBlock
from routeiq.config.rows import LitellmParams, ModelInfo
from routeiq.config.settings import GeneralSettings, LitellmSettings, RouterSettings

Schema = dict[str, Any]

_TYPED: Mapping[str, type[BaseModel]] = {
    "model_list[].litellm_params": LitellmParams,
    "model_list[].model_info": ModelInfo,
    "router_settings": RouterSettings,
    "litellm_settings": LitellmSettings,
    "general_settings": GeneralSettings,
}
_RESERVED = ("enabled", "before", "after")
_NOTHING: Schema = {"type": "null"}
_REFERENCE: Schema = {"$ref": "#/$defs/reference"}
_DEFS: Schema = {
    "reference": {
        "description": "A value taken from the environment, or nothing.",
        "anyOf": [{"type": "null"}, {"type": "string", "pattern": "^os\\.environ/.+$"}],
    }
}


def json_schema(plugins: Mapping[str, Mapping[str, Any]] | None = None) -> Schema:
    """The schema. `plugins` gives the JSON schema of each known plugin's configuration, by name."""
    defs: Schema = dict(_DEFS)
    sections = {path: _section(table, defs) for path, table in TABLES.items()}
    block = _model(RouteiqBlock, defs)
    block["properties"]["plugins"] = _plugins(block["properties"]["plugins"], plugins or {}, defs)
    rows = sections["model_list[]"]
    rows["properties"]["litellm_params"] = sections["model_list[].litellm_params"]
    rows["properties"]["model_info"] |= _or_null(sections["model_list[].model_info"])
    rows["required"] = ["model_name", "litellm_params"]
    guardrails = sections["guardrails[]"]
    guardrails["properties"]["litellm_params"] |= sections["guardrails[].litellm_params"]

    top = sections[""]
    inner: Mapping[str, Schema] = {
        "model_list": {"type": "array", "items": rows},
        "credential_list": {"type": "array", "items": sections["credential_list[]"]},
        "guardrails": {"type": "array", "items": guardrails},
        "mcp_servers": {"type": "object", "additionalProperties": _or_null(sections["mcp_servers.*"])},
        "include": {"type": ["array", "string"], "items": {"type": "string"}},
        "environment_variables": {
            "type": "object",
            "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        },
        "routeiq": block,
        **{name: sections[name] for name in ("router_settings", "litellm_settings", "general_settings")},
    }
    for name, schema in inner.items():
        top["properties"][name] |= _or_null(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "RouteIQ configuration",
        **top,
        "$defs": defs,
    }


def _section(table: KeyTable, defs: Schema) -> Schema:
    typed = _model(_TYPED[table.section], defs) if table.section in _TYPED else {"properties": {}}
    properties: Schema = {}
    patterns: Schema = {}
    for key in table.rows:
        if "*" in key.name:
            patterns[f"^{key.name.replace('*', '.*')}$"] = _marked({}, key)
        else:
            properties[key.name] = _marked(typed["properties"].get(key.name, {}), key)
    for name, schema in typed["properties"].items():
        properties.setdefault(name, schema)
    section: Schema = {"type": "object", "properties": properties, "additionalProperties": True}
    if patterns:
        section["patternProperties"] = patterns
    if typed.get("required"):
        section["required"] = typed["required"]
    return section


def _marked(schema: Mapping[str, Any], key: Key) -> Schema:
    marked: Schema = {**schema, "description": key.description, "x-routeiq-class": key.key_class.value}
    if key.plugin:
        marked["x-routeiq-plugin"] = key.plugin
    return marked


def _model(model: type[BaseModel], defs: Schema) -> Schema:
    schema = model.model_json_schema(ref_template="#/$defs/{model}")
    for name, definition in schema.pop("$defs", {}).items():
        defs[name] = _with_references(definition)
    return _with_references(schema)


def _with_references(schema: Schema) -> Schema:
    """A model's schema in which each property may also be a reference or nothing, as the loader has it."""
    if "properties" not in schema:
        return schema
    properties = {name: _property(item) for name, item in schema["properties"].items()}
    return {**schema, "properties": properties}


def _property(schema: Schema) -> Schema:
    notes: Schema = {name: schema[name] for name in ("description", "title", "default") if name in schema}
    core = {name: item for name, item in schema.items() if name not in notes}
    structured = core.get("type") in ("object", "array") or "$ref" in core
    return {**notes, "anyOf": [core, _NOTHING if structured else _REFERENCE]}


def _or_null(schema: Schema) -> Schema:
    notes: Schema = {name: schema[name] for name in ("description", "title") if name in schema}
    core = {name: item for name, item in schema.items() if name not in notes}
    return {**notes, "anyOf": [core, _NOTHING]}


def _plugins(field: Schema, plugins: Mapping[str, Mapping[str, Any]], defs: Schema) -> Schema:
    entry = _model(PluginEntry, defs)["properties"]
    reserved = {name: entry[name] for name in _RESERVED}
    unknown = {"type": "object", "properties": reserved, "additionalProperties": True}
    known: Schema = {}
    for name, written in plugins.items():
        schema = _renamed(dict(written), lambda ref, name=name: f"#/$defs/{name}.{ref}")  # type: ignore[misc]
        for inner, definition in schema.pop("$defs", {}).items():
            defs[f"{name}.{inner}"] = _with_references(definition)
        schema = _with_references(schema)
        known[name] = _or_null({**schema, "properties": {**schema.get("properties", {}), **reserved}})
    core = {"type": "object", "properties": known, "additionalProperties": _or_null(unknown)}
    return {**_or_null(core), "description": field["description"]}


def _renamed(value: Any, name_of: Callable[[str], str]) -> Any:
    """A copy in which local definitions are looked up under other names."""
    if isinstance(value, Mapping):
        return {
            key: name_of(item.rpartition("/")[2])
            if key == "$ref" and isinstance(item, str) and item.startswith("#/$defs/")
            else _renamed(item, name_of)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_renamed(item, name_of) for item in value]
    return value
