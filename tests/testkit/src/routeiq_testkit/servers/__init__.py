"""Servers for tests: Valkey (alone, under sentinels, as a cluster) and PostgreSQL, started from wheels; S3 as moto and
Kafka as librdkafka's mock cluster speak it.

They live on loopback ports and in a temporary folder, and are gone when the process that started them ends, even when
it is killed. Nothing of our own imitates a server here.
"""

from __future__ import annotations

from .cluster import ValkeyCluster
from .kafka import KafkaCluster
from .postgres import PostgresServer
from .process import ServerError
from .s3 import S3Server
from .sentinel import ValkeySentinels
from .valkey import ValkeyServer

__all__ = [
    "KafkaCluster",
    "PostgresServer",
    "S3Server",
    "ServerError",
    "ValkeyCluster",
    "ValkeySentinels",
    "ValkeyServer",
]
