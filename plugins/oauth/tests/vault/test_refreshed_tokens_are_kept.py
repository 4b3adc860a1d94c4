"""What a refresh brought is never thrown away: not by a database that is away, nor by a replica that lost its lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from routeiq_oauth.delegation.token_endpoint import Tokens
from routeiq_oauth.delegation.trouble import Away, Denied
from routeiq_oauth.vault import refreshing
from routeiq_oauth.vault.database import Database
from routeiq_oauth.vault.grant import Grant
from routeiq_oauth.vault.refreshing import Refresher
from routeiq_oauth.vault.store import Kept, Store
from routeiq_sdk import Secret, StoreUnavailable
from routeiq_sdk.testing import FakeGateway

from .test_store import ALICE, KEYS, grant


class Endpoint:
    """A token endpoint that rotates: a refresh token counts once."""

    def __init__(self) -> None:
        self.used: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()

    async def ask(self, url: str, client: Any, form: dict[str, str], reach: Any, *, issuer: str) -> Tokens:
        token = form["refresh_token"]
        self.asked.set()
        await self.gate.wait()
        if token in self.used:
            raise Denied("invalid_grant", "as.example")
        self.used.append(token)
        number = len(self.used) + 1
        return Tokens(Secret(f"at-{number}"), 1_700_000_000, 1_700_003_600, Secret(f"rt-{number}"), None, None)


class FlakyStore(Store):
    """Writing fails as often as `failures` says."""

    failures = 0

    async def replace(self, kept: Kept, grant: Grant) -> bool:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("the vault's database cannot be reached: test")
        return await super().replace(kept, grant)


@pytest_asyncio.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    made = FakeGateway("oauth")
    yield made
    await made.aclose()


@pytest_asyncio.fixture
async def store(tmp_path: Path, gateway: FakeGateway) -> AsyncIterator[FlakyStore]:
    database = Database(None, tmp_path)
    await database.open()
    yield FlakyStore(database, KEYS, gateway.clock)
    await database.close()


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    monkeypatch.setattr(refreshing, "_WRITE_PAUSE", 0)
    return Endpoint()


async def kept_in(store: Store) -> Kept:
    found = await store.find(ALICE, "mcp:a")
    assert found is not None
    return found


async def test_a_database_that_comes_back_soon_gets_the_tokens(
    gateway: FakeGateway, store: FlakyStore, endpoint: Endpoint
) -> None:
    await store.add(ALICE, "mcp:a", grant("at-1"))
    store.failures = 3
    fresh = await Refresher(gateway, store, endpoint).fresh(await kept_in(store))  # type: ignore[arg-type]
    assert fresh is not None
    assert (await kept_in(store)).grant == fresh
    assert fresh.access == Secret("at-2")


async def test_a_database_that_comes_back_late_gets_them_too(
    gateway: FakeGateway, store: FlakyStore, endpoint: Endpoint
) -> None:
    await store.add(ALICE, "mcp:a", grant("at-1"))
    refresher = Refresher(gateway, store, endpoint)  # type: ignore[arg-type]
    store.failures = 10
    with pytest.raises(StoreUnavailable):
        await refresher.fresh(await kept_in(store))
    fresh = await refresher.fresh(await kept_in(store))
    assert fresh is not None
    assert fresh.refresh == Secret("rt-2")
    assert endpoint.used == ["rt-1"], "the spent refresh token was tried again"
    assert (await kept_in(store)).grant == fresh


async def test_a_replica_that_lost_its_lease_overwrites_nothing(
    gateway: FakeGateway, store: FlakyStore, endpoint: Endpoint
) -> None:
    await store.add(ALICE, "mcp:a", grant("at-1"))
    slow = Refresher(gateway, store, endpoint)  # type: ignore[arg-type]
    endpoint.gate.clear()
    kept = await kept_in(store)
    waiting = asyncio.create_task(slow.fresh(kept))
    await endpoint.asked.wait()
    newer = grant("at-newer", refresh="rt-newer")
    assert await store.replace(kept, newer)  # another replica, after the lease ran out
    endpoint.gate.set()
    assert await waiting == newer
    assert (await kept_in(store)).grant == newer


async def test_a_grant_that_was_ended_meanwhile_stays_ended(
    gateway: FakeGateway, store: FlakyStore, endpoint: Endpoint
) -> None:
    await store.add(ALICE, "mcp:a", grant("at-1"))
    endpoint.gate.clear()
    kept = await kept_in(store)
    waiting = asyncio.create_task(Refresher(gateway, store, endpoint).fresh(kept))  # type: ignore[arg-type]
    await endpoint.asked.wait()
    assert await store.remove(kept)
    endpoint.gate.set()
    assert await waiting is None
    assert await store.find(ALICE, "mcp:a") is None


async def test_a_lease_that_another_holds_is_waited_for_and_its_result_taken(
    gateway: FakeGateway, store: FlakyStore, endpoint: Endpoint
) -> None:
    await store.add(ALICE, "mcp:a", grant("at-1"))
    kept = await kept_in(store)
    first = Refresher(gateway, store, endpoint)  # type: ignore[arg-type]
    second = Refresher(gateway, store, endpoint)  # type: ignore[arg-type]
    one, other = await asyncio.gather(first.fresh(kept), second.fresh(kept))
    assert one == other
    assert endpoint.used == ["rt-1"]


async def test_a_store_of_leases_that_is_away_asks_nobody(
    gateway: FakeGateway, store: FlakyStore, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.add(ALICE, "mcp:a", grant("at-1"))

    async def away(*_: Any) -> None:
        raise StoreUnavailable("the store is away")

    monkeypatch.setattr(gateway.state, "acquire", away)
    with pytest.raises((StoreUnavailable, Away)):
        await Refresher(gateway, store, endpoint).fresh(await kept_in(store))  # type: ignore[arg-type]
    assert endpoint.used == []
