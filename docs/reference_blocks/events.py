"""The reference of event contracts, from their JSON Schemas: one section a contract, one row a field.

The contracts themselves live in `routeiq_sdk.events`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reference_blocks.tables import code, paragraph, table
from routeiq_sdk.events import CONTRACTS, ToolCallV1
from routeiq_sdk.events.tool_call import FACTS


def events() -> str:
    """Every contract, by name."""
    return "\n".join(line for name in sorted(CONTRACTS) for line in _section(name))


def _section(name: str) -> Iterator[str]:
    schema = CONTRACTS[name].schema()
    yield f"## `{name}` {{ #{name.replace('.', '-')} }}\n"
    yield paragraph(schema["description"]) + "\n"
    yield f"[JSON Schema](schemas/{name}.json)\n"
    yield _fields(schema)
    for title, definition in schema.get("$defs", {}).items():
        yield f"**{title}**: {paragraph(definition.get('description', ''))}\n"
        yield _fields(definition)
    if name == ToolCallV1.NAME:
        yield "**attributes**: what the gateway's own adapters tell, as far as it is known.\n"
        yield table(("name", "meaning"), ((code(fact), meaning) for fact, meaning in FACTS.items()))


def _fields(schema: dict[str, Any]) -> str:
    return table(
        ("field", "type", "meaning"),
        (
            (code(name), _kind(field), field.get("description", ""))
            for name, field in schema.get("properties", {}).items()
        ),
    )


def _kind(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "anyOf" in field:
        return " or ".join(_kind(each) for each in field["anyOf"])
    if "enum" in field:
        return ", ".join(code(str(value)) for value in field["enum"])
    if field.get("type") == "array":
        return f"array of {_kind(field.get('items', {}))}"
    return str(field.get("type", "any"))
