"""A folder that several workers of a test share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from routeiq_sdk.testing import FakeGateway


@pytest_asyncio.fixture
async def gateway_folder() -> AsyncIterator[FakeGateway]:
    """A gateway for the sake of its folder, which stays until the end of the test."""
    gateway = FakeGateway()
    yield gateway
    await gateway.aclose()
