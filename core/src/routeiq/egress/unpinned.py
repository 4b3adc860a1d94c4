"""Where a library that opens its own connections may be sent: looked at once, when the plugin that has it is loaded.

Such a connection is not pinned: between this look and the library's own the name may change. Hence operators' words
alone come here, never a stranger's.
"""

from __future__ import annotations

import asyncio
import re

from routeiq.egress.connector import LOOKUP_SECONDS, Lookup
from routeiq.egress.policy import reachable_class, refuse_metadata
from routeiq.egress.url import parse_operator_url, redact

_SCHEME = re.compile(r"[a-z][a-z0-9+._-]*://", re.IGNORECASE | re.ASCII)


async def check(target: str, lookup: Lookup) -> None:
    """Refuse cloud metadata, by its name, by its address, and by any address that the name has now.

    `target` is a URL of any scheme, or `host[:port]`. A name that has no address now is let through: what it names may
    be away. Raises `EgressRefused`.
    """
    found = _SCHEME.match(target)
    # The grammar is that of every other URL; a scheme of the library's own says nothing about where it goes.
    url = parse_operator_url("http://" + (target[found.end() :] if found else target))
    refuse_metadata(url.host, redact(target))
    if url.is_literal:
        return
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            addresses = await lookup(url.host, url.port)
    except (OSError, TimeoutError, UnicodeError):
        return
    for address in addresses:
        reachable_class(url.host, url.port, address)
