"""Clients for the kit's own tests, all closed when a test ends.
The kit's fixtures come from its pytest plugin, as for any user of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import anthropic
import openai
import pytest_asyncio

from routeiq_testkit import ScriptedUpstream


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


@pytest_asyncio.fixture
async def openai_client(scripted_upstream: ScriptedUpstream) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=scripted_upstream.base_url, api_key="sk-test", max_retries=0, timeout=10
    ) as client:
        yield client


@pytest_asyncio.fixture
async def anthropic_client(scripted_upstream: ScriptedUpstream) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(
        base_url=scripted_upstream.origin, api_key="sk-test", max_retries=0, timeout=10
    ) as client:
        yield client
