"""Makes tools of the operations of an OpenAPI document: names, schemas, hints, and where each argument goes.

How an argument is written into a request is `calls`' business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

import structlog

from routeiq_mcp.upstream.config import OperationChoice
from routeiq_mcp.upstream.openapi.document import BadDocument, References

log = structlog.get_logger("routeiq.mcp")

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch")
MOST_OPERATIONS: Final = 2000
_MOST_NAME: Final = 120
_MOST_TEXT: Final = 4000
_BODY: Final = "body"
_BODY_TYPES: Final = ("application/json", "application/x-www-form-urlencoded", "text/plain")
_OWN_HEADERS: Final = frozenset(
    {"accept", "content-type", "authorization", "host", "cookie", "connection", "content-length", "transfer-encoding",
     "proxy-authorization", "te", "upgrade", "traceparent", "tracestate"}
)  # fmt: skip
_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
_HEADER = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Parameter:
    """Where an argument goes. `name` is the API's own, `argument` the tool's."""

    argument: str
    name: str
    place: str
    required: bool
    style: str
    explode: bool
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """A tool and the request behind it."""

    method: str
    path: str
    tool: Mapping[str, Any]
    parameters: tuple[Parameter, ...]
    body_type: str | None = None
    body_required: bool = False
    known: frozenset[str] = field(default_factory=frozenset)

    @property
    def name(self) -> str:
        """The tool's name."""
        return str(self.tool["name"])


def operations_of(document: Mapping[str, Any], choice: OperationChoice, server: str) -> dict[str, Operation]:
    """The operations that were chosen, by tool name, in the document's order. One that cannot be a tool is left out."""
    references, found = References(document), dict[str, Operation]()
    for path, method, item, operation in _written(document, references):
        if len(found) >= MOST_OPERATIONS:
            log.warning("an OpenAPI document has too many operations", server=server, most=MOST_OPERATIONS)
            break
        name = _name(operation, method, path)
        if not _chosen(choice, name, operation.get("tags")):
            continue
        unique, number = name, 2
        while unique in found:
            unique, number = f"{name}_{number}", number + 1
        references.renew()
        try:
            found[unique] = _operation(references, unique, method, path, item, operation)
        except BadDocument as error:
            log.warning("an operation is no tool", server=server, operation=unique, reason=str(error))
    return found


def _written(
    document: Mapping[str, Any], references: References
) -> Iterator[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]]:
    for path, written in document["paths"].items():
        try:
            item = references.target(written)
        except BadDocument:
            continue
        if not isinstance(item, Mapping) or not isinstance(path, str) or not path.startswith("/"):
            continue
        for method in METHODS:
            operation = item.get(method)
            if isinstance(operation, Mapping):
                yield path, method, item, operation


def _name(operation: Mapping[str, Any], method: str, path: str) -> str:
    written = operation.get("operationId")
    text = written if isinstance(written, str) and written.strip() else f"{method} {path}"
    return _NAME.sub("_", text).strip("_")[:_MOST_NAME] or method


def _chosen(choice: OperationChoice, name: str, tags: Any) -> bool:
    told = {str(tag) for tag in tags} if isinstance(tags, list) else set()
    if told & set(choice.exclude_tags) or any(fnmatchcase(name, glob) for glob in choice.exclude):
        return False
    if not choice.include and not choice.include_tags:
        return True
    return bool(told & set(choice.include_tags)) or any(fnmatchcase(name, glob) for glob in choice.include)


def _operation(
    references: References,
    name: str,
    method: str,
    path: str,
    item: Mapping[str, Any],
    operation: Mapping[str, Any],
) -> Operation:
    properties: dict[str, Any] = {}
    required: list[str] = []
    body_type, body_required = None, False
    body = references.target(operation.get("requestBody"))
    if isinstance(body, Mapping):
        body_type, schema = _body(references, body)
        body_required = body.get("required") is True
        if body_type is not None:
            properties[_BODY] = _described(schema, body.get("description"))
            required += [_BODY] if body_required else []
        elif body_required:
            raise BadDocument("its body is neither JSON, a form nor text")
    parameters = []
    for written in _parameters(references, item, operation):
        parameter, schema = _parameter(references, written, properties)
        if parameter is None:
            continue
        parameters.append(parameter)
        properties[parameter.argument] = _described(schema, written.get("description"))
        required += [parameter.argument] if parameter.required else []
    missing = set(re.findall(r"{([^{}]+)}", path)) - {one.name for one in parameters if one.place == "path"}
    if missing:
        raise BadDocument("its path names parameters that it does not describe")
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    tool: dict[str, Any] = {
        "name": name,
        "description": _text(operation, method, path),
        "inputSchema": {**schema, "required": required} if required else schema,
        "annotations": _hints(method),
    }
    if isinstance(operation.get("summary"), str):
        tool["title"] = operation["summary"][:200]
    return Operation(method.upper(), path, tool, tuple(parameters), body_type, body_required, frozenset(properties))


def _parameters(
    references: References, item: Mapping[str, Any], operation: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """Those of the path, overridden by those of the operation."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for owner in (item, operation):
        for written in owner.get("parameters") or ():
            parameter = references.target(written)
            if isinstance(parameter, Mapping) and isinstance(parameter.get("name"), str):
                found[parameter["name"], str(parameter.get("in"))] = parameter
    yield from found.values()


def _parameter(
    references: References, written: Mapping[str, Any], taken: Mapping[str, Any]
) -> tuple[Parameter | None, dict[str, Any]]:
    name, place = written["name"], written.get("in")
    required = place == "path" or written.get("required") is True
    own = place == "header" and (not _HEADER.fullmatch(name) or _is_own(name))
    if place not in ("path", "query", "header") or own:
        if required and place == "cookie":
            raise BadDocument("it needs a cookie")
        return None, {}
    content = written.get("content")
    if isinstance(content, Mapping) and content:
        schema = references.schema(next(iter(content.values())).get("schema"))
        as_json = True
    else:
        schema, as_json = references.schema(written.get("schema")), False
    style = written.get("style")
    if not isinstance(style, str):
        style = "form" if place == "query" else "simple"
    explode = written.get("explode")
    if not isinstance(explode, bool):
        explode = style == "form"
    argument, number = name if name not in taken else f"{name}_{place}", 2
    while argument in taken:
        argument, number = f"{name}_{place}_{number}", number + 1
    return Parameter(argument, name, place, required, style, explode, as_json), schema


def _is_own(name: str) -> bool:
    """Headers that the gateway writes: no argument of a tool gets into one."""
    return name.lower() in _OWN_HEADERS or name.lower().startswith(("mcp-", "proxy-", "x-forwarded-"))


def _body(references: References, body: Mapping[str, Any]) -> tuple[str | None, dict[str, Any]]:
    content = body.get("content")
    if not isinstance(content, Mapping):
        return None, {}
    kinds = {str(kind).partition(";")[0].strip().lower(): media for kind, media in content.items()}
    others = [kind for kind in kinds if kind.endswith("+json")]
    for kind in (*_BODY_TYPES[:1], *others, *_BODY_TYPES[1:]):
        if isinstance(kinds.get(kind), Mapping):
            return kind, references.schema(kinds[kind].get("schema"))
    return None, {}


def _described(schema: dict[str, Any], description: Any) -> dict[str, Any]:
    if isinstance(description, str) and "description" not in schema:
        return {**schema, "description": description[:_MOST_TEXT]}
    return schema


def _text(operation: Mapping[str, Any], method: str, path: str) -> str:
    parts = [operation.get("summary"), operation.get("description")]
    told = "\n\n".join(part.strip() for part in parts if isinstance(part, str) and part.strip())
    return (told or f"{method.upper()} {path}")[:_MOST_TEXT]


def _hints(method: str) -> dict[str, bool]:
    reads = method in ("get", "head", "options")
    return {
        "readOnlyHint": reads,
        "destructiveHint": method == "delete",
        "idempotentHint": reads or method in ("put", "delete"),
    }
