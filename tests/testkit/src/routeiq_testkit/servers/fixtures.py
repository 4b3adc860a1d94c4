"""Pytest fixtures of the real servers: each is started once a process, at first use, and refreshed for each test.

A test may stop, kill, pause or flush its server; the next one gets it running and empty.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .cluster import ValkeyCluster
from .kafka import KafkaCluster
from .postgres import PostgresServer
from .s3 import S3Server
from .sentinel import ValkeySentinels
from .valkey import ValkeyServer


@pytest.fixture(scope="session")
def _valkey_process() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def _valkey_cluster_processes() -> Iterator[ValkeyCluster]:
    cluster = ValkeyCluster()
    yield cluster
    cluster.kill()


@pytest.fixture(scope="session")
def _valkey_sentinel_processes() -> Iterator[ValkeySentinels]:
    sentinels = ValkeySentinels()
    yield sentinels
    sentinels.stop()


@pytest.fixture(scope="session")
def _postgres_process() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def _s3_process() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.kill()


@pytest.fixture
def valkey(_valkey_process: ValkeyServer) -> ValkeyServer:
    """An empty Valkey server."""
    _valkey_process.refresh()
    return _valkey_process


@pytest.fixture
def valkey_cluster(_valkey_cluster_processes: ValkeyCluster) -> ValkeyCluster:
    """An empty Valkey cluster of three nodes."""
    _valkey_cluster_processes.refresh()
    return _valkey_cluster_processes


@pytest.fixture
def valkey_sentinels(_valkey_sentinel_processes: ValkeySentinels) -> ValkeySentinels:
    """An empty Valkey primary with a replica, watched by three sentinels."""
    _valkey_sentinel_processes.refresh()
    return _valkey_sentinel_processes


@pytest.fixture
def postgres(_postgres_process: PostgresServer) -> PostgresServer:
    """A PostgreSQL server; `await postgres.database()` makes an empty database."""
    _postgres_process.refresh()
    return _postgres_process


@pytest.fixture
def s3_server(_s3_process: S3Server) -> S3Server:
    """An empty server that speaks S3 (moto)."""
    _s3_process.refresh()
    return _s3_process


@pytest.fixture
def kafka_cluster() -> Iterator[KafkaCluster]:
    """A Kafka cluster of one broker (librdkafka's mock cluster), the test's own."""
    cluster = KafkaCluster()
    cluster.start()
    yield cluster
    cluster.kill()
