"""Real servers for tests: Valkey (alone, under sentinels, as a cluster) and PostgreSQL, started from wheels.

They live on loopback ports and in a temporary folder, and are gone when the process that started them ends, even when
it is killed. Nothing here imitates a server, and no client library lives here.
"""

from __future__ import annotations

from .cluster import ValkeyCluster
from .postgres import PostgresServer
from .process import ServerError
from .sentinel import ValkeySentinels
from .valkey import ValkeyServer

__all__ = ["PostgresServer", "ServerError", "ValkeyCluster", "ValkeySentinels", "ValkeyServer"]
