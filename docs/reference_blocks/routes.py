"""The reference of routes, from the route table of a gateway without plugins.

Plugins add routes of their own; a running gateway shows them at `/openapi.json`.
"""

from __future__ import annotations

from reference_blocks.tables import code, table
from routeiq.config import loads
from routeiq.routes.table import Route
from routeiq.runtime import assemble_all
from routeiq.shared import closed_shared

_CONFIG = "general_settings: {master_key: os.environ/KEY}\nrouteiq: {profile: minimal}\n"
_KEY = "sk-7f3c91e0b84d62a5"
_ACCESS = {
    "public": "nobody asks for a key",
    "key": "any valid key",
    "admin": "the master key",
    "road": "any valid key; the whole road",
}


def core_routes() -> list[Route]:
    """The routes of the core."""
    config = loads(_CONFIG, env={"KEY": _KEY})
    return assemble_all(config, closed_shared()).table.routes


def routes() -> str:
    """One row a route."""
    rows = ((route.method, code(route.path), _ACCESS[route.access], route.summary) for route in core_routes())
    return table(("method", "path", "access", "what"), rows)
