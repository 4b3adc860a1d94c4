"""What a modern request says of itself, and whether its headers agree: the checks before anybody is asked.

Intermediaries route by the headers, so a request whose body says otherwise is refused. What is answered is elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from routeiq_mcp.seams import Face, Json, McpError
from routeiq_mcp.wire import codes, fields, keys, versions
from routeiq_sdk import Context
from routeiq_sdk.values.http import Headers

_ROUTING: Final = frozenset(name.encode() for name in (keys.VERSION_HEADER, keys.METHOD_HEADER, keys.NAME_HEADER))
_PARAM_PREFIX: Final = keys.PARAM_HEADER_PREFIX.encode()
_DECIMAL: Final = re.compile(r"-?[0-9]{1,400}(\.0*)?")
_ANNOTATION: Final = "x-mcp-header"
_MOST_KNOWN: Final = 4096

SUPPORTED: Final = tuple(reversed(versions.KNOWN))
"""The versions that this gateway speaks, newest first."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a request says of its client."""

    version: str
    capabilities: Json
    info: Json | None
    log_level: str | None


def is_enveloped(message: Any) -> bool:
    """Whether a message is of the modern era by its body."""
    if not isinstance(message, dict) or message.get("method") == "initialize":
        return False
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return isinstance(meta, dict) and keys.VERSION in meta


def envelope(message: Mapping[str, Any], headers: Headers) -> Envelope:
    """Check a request's `_meta` and its headers. Raises `McpError` for the first thing that is wrong."""
    duplicated = _duplicated(headers)
    if duplicated is not None:
        raise McpError(codes.HEADER_MISMATCH, f"the header {duplicated} was sent more than once")
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    if not isinstance(meta, dict):
        raise McpError(codes.INVALID_PARAMS, f"params._meta has to carry {keys.VERSION} and {keys.CLIENT_CAPABILITIES}")
    for key in (keys.VERSION, keys.CLIENT_CAPABILITIES):
        if key not in meta:
            raise McpError(codes.INVALID_PARAMS, f"params._meta lacks {key}")
    version, capabilities, info = meta[keys.VERSION], meta[keys.CLIENT_CAPABILITIES], meta.get(keys.CLIENT_INFO)
    _agree(keys.VERSION_HEADER, _value(headers, keys.VERSION_HEADER), version, keys.VERSION)
    method = message["method"]
    _agree(keys.METHOD_HEADER, _value(headers, keys.METHOD_HEADER), method, "method")
    named = keys.NAMED_BY.get(method)
    if named is not None and params is not None and params.get(named) is not None:
        _agree(keys.NAME_HEADER, fields.read(_value(headers, keys.NAME_HEADER)), params[named], f"params.{named}")
    if version not in versions.MODERN:
        raise unsupported(version)
    if not isinstance(capabilities, dict):
        raise McpError(codes.INVALID_PARAMS, f"{keys.CLIENT_CAPABILITIES} has to be an object")
    level = meta.get(keys.LOG_LEVEL)
    return Envelope(
        version,
        capabilities,
        info if isinstance(info, dict) else None,
        level if isinstance(level, str) and level in keys.LOG_LEVELS else None,
    )


def unsupported(version: object) -> McpError:
    """A version that nobody here speaks."""
    return McpError(
        codes.UNSUPPORTED_VERSION,
        "unsupported protocol version",
        {"supported": list(SUPPORTED), "requested": version},
    )


class ParamHeaders:
    """Compares `Mcp-Param-*` headers with the arguments that they repeat, as the tool's schema says."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[Json, tuple[tuple[tuple[str, ...], str, str], ...]]] = {}

    async def check(self, face: Face, ctx: Context, params: Json, headers: Headers) -> None:
        """Look at a `tools/call`. Raises `McpError` when header and argument differ, or one of them is missing."""
        name, arguments = params.get("name"), params.get("arguments") or {}
        if not isinstance(name, str) or not isinstance(arguments, Mapping):
            return
        if not arguments and not any(key.startswith(_PARAM_PREFIX) for key, _ in headers.raw):
            return
        definition = await face.tool(ctx, name)
        if definition is None:
            return
        for path, header, kind in self._annotated(face.name, name, definition):
            _compare(header, kind, _at(arguments, path), headers)

    def _annotated(self, face: str, name: str, definition: Json) -> tuple[tuple[tuple[str, ...], str, str], ...]:
        known = self._known.get((face, name))
        if known is not None and known[0] is definition:
            return known[1]
        found = tuple(_annotations(definition.get("inputSchema"), ()))
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[face, name] = (definition, found)
        return found


def _annotations(schema: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Only what a chain of `properties` reaches may be repeated in a header."""
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping) or len(path) > 32:
        return
    for name, sub in properties.items():
        if not isinstance(sub, Mapping):
            continue
        header, kind = sub.get(_ANNOTATION), sub.get("type")
        if isinstance(header, str) and kind in ("string", "integer", "boolean"):
            yield (*path, name), header, str(kind)
        yield from _annotations(sub, (*path, name))


def _compare(header: str, kind: str, value: Any, headers: Headers) -> None:
    name = keys.PARAM_HEADER_PREFIX + header.lower()
    sent = [field.decode("latin-1").strip(" \t") for key, field in headers.raw if key == name.encode()]
    title = f"Mcp-Param-{header}"
    if len(sent) > 1:
        raise McpError(codes.HEADER_MISMATCH, f"the header {title} was sent more than once")
    written = _written(value)
    if written is None:
        if sent:
            raise McpError(codes.HEADER_MISMATCH, f"the header {title} repeats no argument of the body")
        return
    if not sent:
        raise McpError(codes.HEADER_MISMATCH, f"the header {title} is missing, and the body has the argument")
    said = fields.read(sent[0])
    if said is None:
        raise McpError(codes.HEADER_MISMATCH, f"the header {title} is no valid base64 form")
    whole = not isinstance(value, (bool, str)) and kind == "integer" and float(value).is_integer()
    if whole and _DECIMAL.fullmatch(said):
        if int(said.partition(".")[0]) == int(value):
            return
    elif said == written:
        return
    raise McpError(codes.HEADER_MISMATCH, f"the header {title} does not say what the argument says")


def _written(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int, float)) else None


def _at(arguments: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        arguments = arguments.get(name) if isinstance(arguments, Mapping) else None
    return arguments


def _agree(header: str, sent: str | None, said: object, where: str) -> None:
    if sent is None or sent != said:
        raise McpError(codes.HEADER_MISMATCH, f"the header {header} does not say what {where} of the body says")


def _value(headers: Headers, name: str) -> str | None:
    value = headers.get(name)
    return None if value is None else value.strip(" \t")


def _duplicated(headers: Headers) -> str | None:
    seen = set()
    for name, _ in headers.raw:
        if name in _ROUTING:
            if name in seen:
                return name.decode()
            seen.add(name)
    return None
