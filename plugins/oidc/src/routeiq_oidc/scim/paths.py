"""SCIM's small languages: filters of lists, and paths of PATCH (RFC 7644, sections 3.4.2.2 and 3.5.2).

Only equality is understood, which is what identity providers send.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from routeiq_oidc.scim.errors import invalid

Value = str | bool | float | int | None

_NAME = r"[A-Za-z][A-Za-z0-9_$-]*"
_VALUE = r'"(?:[^"\\]|\\.)*"|true|false|null|-?[0-9]+(?:\.[0-9]+)?'
_FILTER = re.compile(rf"\s*((?:urn:[A-Za-z0-9.:_-]+:)?{_NAME}(?:\.{_NAME})?)\s+eq\s+({_VALUE})\s*", re.IGNORECASE)
_PATH = re.compile(
    rf"((?P<urn>urn:[A-Za-z0-9.:_-]+):)?(?P<name>{_NAME})"
    rf"(\[(?P<key>{_NAME})\s+eq\s+(?P<value>{_VALUE})\])?(\.(?P<sub>{_NAME}))?",
    re.IGNORECASE,
)
_LONGEST = 2048
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_CORE = frozenset({USER.lower(), GROUP.lower()})


@dataclass(frozen=True, slots=True)
class Path:
    """Where a PATCH operation works. All names are in lower case, as SCIM's know no case. `urn` is an extension's."""

    name: str
    sub: str | None = None
    urn: str | None = None
    key: str | None = None
    value: Value = None


def parse_filter(text: str) -> tuple[str, str]:
    """The attribute, in lower case, and the text it must equal. Raises `ScimError`."""
    match = _FILTER.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise invalid('a filter reads: ATTRIBUTE eq "VALUE"', "invalidFilter")
    value = _value(match[2])
    if not isinstance(value, str):
        raise invalid("a filter compares with a text", "invalidFilter")
    name = match[1].lower()
    for core in _CORE:
        name = name.removeprefix(core + ":")
    return name, value


def parse_path(text: str) -> Path:
    """The path of an operation. Raises `ScimError`."""
    if text.lower() == ENTERPRISE.lower():
        return Path("", urn=ENTERPRISE)
    match = _PATH.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if match is None:
        raise invalid(f"{text[:100]!r} is no path that can be patched", "invalidPath")
    urn = match["urn"]
    if urn is not None and urn.lower() in _CORE:
        urn = None
    return Path(
        match["name"].lower(),
        match["sub"].lower() if match["sub"] is not None else None,
        urn,
        match["key"].lower() if match["key"] is not None else None,
        _value(match["value"]) if match["value"] is not None else None,
    )


def _value(text: str) -> Value:
    try:
        value: Value = json.loads(text if text.startswith('"') else text.lower())
    except ValueError:
        raise invalid("a value in a filter is malformed", "invalidFilter") from None
    return value
