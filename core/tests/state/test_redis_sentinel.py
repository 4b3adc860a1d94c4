"""The Redis store behind sentinels: both contracts, and a promotion in the middle of work."""

from __future__ import annotations

import pytest

from routeiq_sdk import MetersLost, StoreUnavailable
from routeiq_sdk.values.meters import Charge, Held, Level, Posting
from routeiq_testkit.servers import ValkeySentinels

from .redis_places import MetersAtAPlace, StateAtAPlace, stores, until_back


class TestSentinelStateKeepsTheContract(StateAtAPlace):
    @pytest.fixture(autouse=True)
    def place(self, valkey_sentinels: ValkeySentinels) -> None:
        self.server = valkey_sentinels


class TestSentinelMetersKeepTheContract(MetersAtAPlace):
    @pytest.fixture(autouse=True)
    def place(self, valkey_sentinels: ValkeySentinels) -> None:
        self.server = valkey_sentinels


async def test_a_promotion_is_followed_and_the_meters_are_lost_until_restored(
    valkey_sentinels: ValkeySentinels,
) -> None:
    charge = Charge("a", 100, base=10)
    async with stores(valkey_sentinels.url) as opened, stores(valkey_sentinels.url) as peer:
        assert await opened.meters.restore([Posting("a", 5)]) is True
        assert await opened.meters.reserve("h", [charge]) == Held(0, (85,))
        epoch = await opened.state.acquire("l", "one", 60)
        valkey_sentinels.primary.kill()
        with pytest.raises(StoreUnavailable):
            await opened.meters.settle("h", [])
        valkey_sentinels.await_promotion()
        for each in (opened, peer):
            await until_back(each)
            assert await each.meters.lost() is True
            with pytest.raises(MetersLost):
                await each.meters.reserve("other", [charge])
        # A hold that the replica knows, or that its owner puts back, counts on top of what is restored.
        await opened.meters.reserve("h", [charge], forced=True)
        assert await peer.meters.restore([Posting("a", 20)]) is True
        assert await opened.meters.lost() is False
        assert await opened.meters.levels(["a"]) == [Level(30, 10)]
        assert await opened.meters.settle("h", [Posting("a", 7)]) is True
        assert await opened.meters.reserve("other", [charge]) == Held(0, (63,))
        await opened.state.release("l", "one")
        later = await opened.state.acquire("l", "two", 60)
        assert epoch is not None
        assert later is not None
        assert later.epoch > epoch.epoch


async def test_a_primary_that_hangs_is_left_for_the_promoted_replica(valkey_sentinels: ValkeySentinels) -> None:
    async with stores(valkey_sentinels.url) as opened:
        await opened.meters.restore([])
        valkey_sentinels.primary.pause()
        with pytest.raises(StoreUnavailable):
            await opened.state.increment("a", 1)
        valkey_sentinels.await_promotion()
        await until_back(opened)
        assert await opened.state.increment("a", 1) == 1
        assert await opened.meters.lost() is True
