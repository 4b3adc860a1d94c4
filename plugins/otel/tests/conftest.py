"""Receivers of OTLP, and records to export."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from .collector import GrpcCollector, HttpCollector
from .exporting import Exporters


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own settings are none of the tests'."""
    for name in ("ENDPOINT", "HEADERS", "PROTOCOL"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)
    for name in ("SDK_DISABLED", "SERVICE_NAME", "RESOURCE_ATTRIBUTES", "TRACES_SAMPLER", "TRACES_EXPORTER"):
        monkeypatch.delenv(f"OTEL_{name}", raising=False)


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


@pytest.fixture
def exporters(tmp_path: Path) -> Iterator[Exporters]:
    """Span exporters of somebody else."""
    installed = Exporters(tmp_path / "exporters")
    installed.install()
    yield installed
    installed.remove()
