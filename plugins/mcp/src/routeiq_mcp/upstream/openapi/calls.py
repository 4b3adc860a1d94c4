"""Writes a tool's arguments into an HTTP request, and reads the answer as a tool's result.

Source: OpenAPI 3.1, section 4.8.12 (styles of parameters). Nothing is sent here.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from routeiq_mcp.upstream.openapi.operations import Operation, Parameter

_DELIMITERS = {"spaceDelimited": " ", "pipeDelimited": "|"}
_TEXTUAL = ("application/json", "application/xml", "application/javascript", "application/x-www-form-urlencoded")


class BadArguments(ValueError):
    """Arguments that make no request; the text is for the model."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request to be sent."""

    url: str
    headers: Mapping[str, str]
    body: bytes | None


def call_of(operation: Operation, base_url: str, arguments: Mapping[str, Any]) -> Call:
    """The request for these arguments. Raises `BadArguments`."""
    unknown = sorted(set(arguments) - operation.known)
    if unknown:
        raise BadArguments(f"there is no argument {unknown[0]!r}")
    path, query = operation.path, list[tuple[str, str]]()
    headers = {"accept": "application/json, */*;q=0.5"}
    for parameter in operation.parameters:
        value = arguments.get(parameter.argument)
        if value is None:
            if parameter.required:
                raise BadArguments(f"the argument {parameter.argument!r} is missing")
        elif parameter.place == "path":
            path = path.replace("{" + parameter.name + "}", _segment(parameter, value))
        elif parameter.place == "query":
            query += _pairs(parameter, value)
        else:
            headers[parameter.name.lower()] = _header(parameter, value)
    body = _body(operation, arguments, headers)
    url = base_url.rstrip("/") + path
    return Call(url + ("?" + urlencode(query, quote_via=quote) if query else ""), headers, body)


def result_of(status: int, media_type: str, body: bytes, uri: str) -> dict[str, Any]:
    """What the tool gave. A status other than 2xx says that it failed."""
    failed = not 200 <= status < 300
    content: list[dict[str, Any]] = []
    structured: Any = None
    if failed:
        content.append({"type": "text", "text": f"HTTP status {status}"})
    if media_type.partition("/")[0] in ("image", "audio") and not failed:
        kind = media_type.partition("/")[0]
        content.append({"type": kind, "mimeType": media_type, "data": base64.b64encode(body).decode()})
    elif _is_text(media_type) or not body:
        text = body.decode("utf-8", "replace")
        if text or not content:
            content.append({"type": "text", "text": text})
        if media_type == "application/json" or media_type.endswith("+json"):
            structured = _object(body)
    else:
        blob = {"uri": uri, "mimeType": media_type, "blob": base64.b64encode(body).decode()}
        content.append({"type": "resource", "resource": blob})
    result: dict[str, Any] = {"resultType": "complete", "content": content, "isError": failed}
    if structured is not None:
        result["structuredContent"] = structured
    return result


def refusal(text: str) -> dict[str, Any]:
    """A result that tells the model what was wrong with its call."""
    return {"resultType": "complete", "content": [{"type": "text", "text": text}], "isError": True}


def _body(operation: Operation, arguments: Mapping[str, Any], headers: dict[str, str]) -> bytes | None:
    kind, value = operation.body_type, arguments.get("body")
    if kind is None or "body" not in arguments:
        if kind is not None and operation.body_required:
            raise BadArguments("the argument 'body' is missing")
        return None
    headers["content-type"] = kind
    if kind == "text/plain":
        return _scalar(value).encode()
    if kind == "application/x-www-form-urlencoded":
        if not isinstance(value, Mapping):
            raise BadArguments("the argument 'body' is an object")
        fields = [(str(k), _plain(one)) for k, v in value.items() for one in (v if isinstance(v, list) else [v])]
        return urlencode(fields).encode()
    return orjson.dumps(value, default=dict)


def _segment(parameter: Parameter, value: Any) -> str:
    """One segment of the path, whatever stands in it: no argument leaves its place."""
    if isinstance(value, list):
        text = ",".join(quote(_plain(one), safe="") for one in value)
    elif isinstance(value, Mapping) and not parameter.as_json:
        joint = "=" if parameter.explode else ","
        text = ",".join(f"{quote(str(k), safe='')}{joint}{quote(_plain(v), safe='')}" for k, v in value.items())
    else:
        text = quote(_plain(value), safe="")
    if text in ("", ".", ".."):
        raise BadArguments(f"the argument {parameter.argument!r} cannot stand in a path")
    if parameter.style == "label":
        return "." + text
    return f";{quote(parameter.name, safe='')}={text}" if parameter.style == "matrix" else text


def _pairs(parameter: Parameter, value: Any) -> Iterator[tuple[str, str]]:
    name = parameter.name
    if parameter.as_json:
        yield name, orjson.dumps(value, default=dict).decode()
    elif isinstance(value, Mapping):
        if parameter.style == "deepObject":
            yield from ((f"{name}[{key}]", _plain(one)) for key, one in value.items())
        elif parameter.explode:
            yield from ((str(key), _plain(one)) for key, one in value.items())
        else:
            yield name, ",".join(f"{key},{_plain(one)}" for key, one in value.items())
    elif isinstance(value, list):
        if parameter.explode:
            yield from ((name, _plain(one)) for one in value)
        else:
            yield name, _DELIMITERS.get(parameter.style, ",").join(_plain(one) for one in value)
    else:
        yield name, _plain(value)


def _header(parameter: Parameter, value: Any) -> str:
    if isinstance(value, list):
        text = ",".join(_plain(one) for one in value)
    elif isinstance(value, Mapping) and not parameter.as_json:
        joint = "=" if parameter.explode else ","
        text = ",".join(f"{key}{joint}{_plain(one)}" for key, one in value.items())
    else:
        text = _plain(value)
    if any(ord(letter) < 32 or ord(letter) > 126 for letter in text):
        raise BadArguments(f"the argument {parameter.argument!r} cannot stand in a header")
    return text


def _plain(value: Any) -> str:
    """A value that stands alone; one with parts is written as JSON."""
    return orjson.dumps(value, default=dict).decode() if isinstance(value, list | Mapping) else _scalar(value)


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else orjson.dumps(value, default=dict).decode()


def _is_text(media_type: str) -> bool:
    return media_type.startswith("text/") or media_type in _TEXTUAL or media_type.endswith(("+json", "+xml"))


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
