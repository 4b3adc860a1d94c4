"""Which version of A2A a request speaks: the header `A2A-Version`, whose absence means 0.3 (specification 3.6.2).

What the versions' messages look like is the bindings' business.
"""

from __future__ import annotations

import re

from routeiq_sdk.values.http import HttpRequest

V1_0 = "1.0"
V0_3 = "0.3"
HEADER = "a2a-version"
EXTENSIONS = "A2A-Extensions"
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.\d{1,9})?")


def major_minor(version: str) -> str | None:
    """`1.0` of `1.0.1`: patches play no part. `None` for what is no version."""
    found = _VERSION.fullmatch(version.strip())
    return f"{int(found[1])}.{int(found[2])}" if found else None


def told_version(request: HttpRequest) -> str | None:
    """What the client said, in the header or else in the query; `None` for nothing."""
    told = request.headers.get(HEADER)
    if told is None:
        told = next((value for name, value in request.queries if name.lower() == HEADER), None)
    return told or None


def told_extensions(request: HttpRequest) -> tuple[str, ...]:
    """The extensions that a client declares, under either version's name of the header."""
    return extensions_of(request.headers.get(EXTENSIONS) or request.headers.get(f"X-{EXTENSIONS}"))


def extensions_of(told: str | None) -> tuple[str, ...]:
    """The extensions that the value of such a header names."""
    return tuple(part.strip() for part in (told or "").split(",") if part.strip())
