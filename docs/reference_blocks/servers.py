"""The reference of server engines and what each of them refuses.

The probes are sent by the tests of the server.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from reference_blocks.tables import code, table
from routeiq.server.engine import ENGINE_GROUP, Engine
from routeiq.server.probes import markdown


def engines() -> str:
    """One row an engine."""
    rows = []
    for point in sorted(entry_points(group=ENGINE_GROUP), key=lambda point: point.name):
        engine: Engine = point.load()
        extra = "comes with `routeiq`" if engine.safe_alone else code(f'pip install "routeiq[{point.name}]"')
        alone = "yes" if engine.safe_alone else "only with `routeiq.server.behind_proxy: true`"
        rows.append((code(point.name), extra, alone))
    return table(("engine", "install", "listens beyond loopback"), rows)


def probes() -> str:
    """The table of malformed requests."""
    return markdown()
