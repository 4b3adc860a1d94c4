"""The JSON schema agrees with the loader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import Field

from routeiq.config.key_tables import TABLES
from routeiq.config.routeiq_block import RouteiqBlock
from routeiq.config.schema import json_schema
from routeiq.config.starter import starter_yaml
from routeiq_sdk import PluginConfig


class Inner(PluginConfig):
    depth: int = Field(1, description="How deep.")


class Example(PluginConfig):
    words: int = Field(description="How many.")
    inner: Inner = Field(default_factory=Inner, description="More.")


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json_schema({"example": Example.model_json_schema()})
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def wrong(validator: Draft202012Validator, text: str) -> list[str]:
    return [error.json_path for error in validator.iter_errors(yaml.safe_load(text))]


def test_every_example_file_agrees_with_the_schema(validator: Draft202012Validator, data: Path) -> None:
    for path in sorted(data.glob("*.yaml")):
        text = path.read_text().replace("2025-02-01", "'2025-02-01'")
        assert wrong(validator, text) == [], path.name


def test_the_starter_and_the_empty_file_agree_with_the_schema(validator: Draft202012Validator) -> None:
    assert wrong(validator, starter_yaml({"OPENAI_API_KEY": "x"}).yaml) == []
    assert wrong(validator, "model_list:\nrouteiq:\n  server:\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "routeiq: {profile: big}",
        "routeiq: {profil: minimal}",
        "routeiq: {server: {port: x}}",
        "routeiq: {server: {tls: {certfile: x}}}",
        "routeiq: {plugins: {example: {words: many}}}",
        "routeiq: {plugins: {example: {words: 3, wrods: 3}}}",
        "routeiq: {plugins: {example: {words: 3, inner: {deep: 1}}}}",
        "routeiq: {plugins: {example: {}}}",
        "routeiq: {plugins: {other: {enabled: often}}}",
        "model_list: {}",
        "model_list: [{model_name: a}]",
        "model_list: [{model_name: a, litellm_params: {rpm: 1}}]",
        "model_list: [{model_name: a, litellm_params: {model: m, rpm: many}}]",
        "router_settings: {num_retries: -1}",
        "router_settings: {fallbacks: [a]}",
        "general_settings: {master_key: 3}",
    ],
)
def test_mistakes_are_seen_by_the_schema(validator: Draft202012Validator, text: str) -> None:
    assert wrong(validator, text) != []


@pytest.mark.parametrize(
    "text",
    [
        "routeiq: {server: {port: os.environ/PORT, allow_weak_master_key: os.environ/WEAK}}",
        "routeiq: {plugins: {example: {words: 3, enabled: false, after: [x]}, other: {any: 1}, third: }}",
        "routeiq: {plugins: {example: {words: os.environ/N, inner: {depth: 2}}}}",
        "router_settings: {fallbacks: [{a: b}, {c: [d, e]}], model_group_alias: {x: a, y: {model: a, hidden: true}}}",
        "router_settings: {timeout: os.environ/T, a_future_key: 1}",
        "include: more.yaml",
    ],
)
def test_what_the_loader_takes_the_schema_takes(validator: Draft202012Validator, text: str) -> None:
    assert wrong(validator, text) == []


def walk(schema: Any) -> list[dict[str, Any]]:
    found = [schema] if isinstance(schema, dict) else []
    for item in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        found += walk(item)
    return found


def test_every_key_of_every_table_is_described_and_classed() -> None:
    classed = [part for part in walk(json_schema()) if "x-routeiq-class" in part]
    assert len(classed) >= sum(len(table.rows) for table in TABLES.values()) - 20
    assert all(part["description"] for part in classed)


def test_every_own_setting_is_described() -> None:
    schema = RouteiqBlock.model_json_schema()
    for name, definition in {"routeiq": schema, **schema["$defs"]}.items():
        for field, part in definition["properties"].items():
            described = schema["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
            assert described.get("description"), f"{name}.{field}"
