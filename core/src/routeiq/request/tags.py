"""The tags of a request, from wherever LiteLLM's clients put them.

What tags do is decided by deployments and plugins.
"""

from __future__ import annotations

from typing import Any

from routeiq.wires.body import Body
from routeiq_sdk import Context

_NONE: frozenset[str] = frozenset()


def request_tags(ctx: Context, body: Body) -> frozenset[str]:
    """Tags of the header, of the body (`tags`, `metadata.tags`), and of the caller."""
    found: set[str] = set()
    header = ctx.headers.get("x-litellm-tags")
    if header:
        found.update(tag.strip() for tag in header.split(",") if tag.strip())
    if "tags" in body.fields:
        found.update(_texts(body.param("tags")))
    for name in ("metadata", "litellm_metadata"):
        if name in body.fields:
            metadata = body.param(name)
            if isinstance(metadata, dict):
                found.update(_texts(metadata.get("tags")))
    principal = ctx.identified
    if principal is not None:
        found.update(principal.tags)
    return frozenset(found) if found else _NONE


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
