"""Receivers of OTLP, and records to export."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from .collector import GrpcCollector, HttpCollector


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own settings are none of the tests'."""
    for name in ("ENDPOINT", "HEADERS", "PROTOCOL"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)
    for name in ("OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_SAMPLER"):
        monkeypatch.delenv(name, raising=False)


@pytest_asyncio.fixture
async def otlp_collector() -> AsyncIterator[HttpCollector]:
    """A receiver over HTTP."""
    async with HttpCollector() as collector:
        yield collector


@pytest_asyncio.fixture
async def grpc_collector() -> AsyncIterator[GrpcCollector]:
    """A receiver over gRPC."""
    async with GrpcCollector() as collector:
        yield collector
