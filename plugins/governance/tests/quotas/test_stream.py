"""A stream holds money ahead of what passes, and ends before what is not paid for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from routeiq_governance.quotas.stream import AWAY, Counting, StreamTopUp
from routeiq_sdk import Stop
from routeiq_sdk.values.meters import Held, Refused

GONE = Stop("gone", type="budget_exceeded")


class Purse:
    """Pays for so many tokens."""

    def __init__(self, money: int, *, away: bool = False) -> None:
        self.money = money
        self.away = away
        self.asked = 0

    async def grow(self, most: int, least: int) -> Held | Refused | None:
        self.asked += 1
        if self.away:
            return None
        if self.money < least:
            return Refused("m", 1)
        got = min(most, self.money)
        self.money -= got
        return Held(got)


def meter(purse: Purse, *, held: int = 64, most: int = 10_000, size: int = 64) -> StreamTopUp:
    return StreamTopUp(purse.grow, held=held, most=most, size=size, told=lambda _: GONE)


async def passed(stream: StreamTopUp, tokens: int, text_bytes: int) -> Stop | None:
    return await stream.more() if stream.passed(tokens, text_bytes) else None


@given(st.integers(0, 3000), st.lists(st.integers(1, 400), min_size=1, max_size=40))
async def test_nothing_goes_out_that_is_not_held(money: int, pieces: list[int]) -> None:
    purse = Purse(money)
    stream = meter(purse)
    out = 0
    for number, piece in enumerate(pieces, start=1):
        if await passed(stream, number, out + piece) is not None:
            break
        out += piece
    assert out <= 64 + money - purse.money
    assert out <= 64 + money


async def test_it_asks_before_the_slice_is_used_up_and_not_for_each_event() -> None:
    purse = Purse(10_000)
    stream = meter(purse)
    for sent in range(1, 1001):
        assert await passed(stream, sent, sent) is None
    assert 1000 / 64 <= purse.asked <= 1000 / 32 + 1


async def test_what_is_held_goes_out_after_the_money_is_gone() -> None:
    stream = meter(Purse(0))
    assert await passed(stream, 1, 40) is None
    assert await passed(stream, 1, 64) is None
    assert await passed(stream, 1, 65) == GONE


async def test_a_request_that_is_held_in_full_asks_nobody() -> None:
    purse = Purse(0)
    stream = meter(purse, held=100, most=100)
    assert await passed(stream, 100, 5_000) is None, "its tokens are bounded by the provider, whatever their bytes"
    assert purse.asked == 0


async def test_a_store_that_is_away_ends_it_by_that_name_and_not_by_the_budgets() -> None:
    assert await passed(meter(Purse(0, away=True)), 1, 65) == AWAY


async def test_a_stream_without_limits_is_only_counted() -> None:
    assert not Counting().passed(10**9, 10**9)
    assert await Counting().more() is None
