"""Feedback reaches its own decision, once, from its own caller, and every worker hears of it; no prompt is kept."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_routing_ml.serving.feedback import (
    CHANNEL,
    KEPT_SECONDS,
    TABLE,
    Feedback,
    Remembered,
    announce,
    give,
    listen,
    remember,
)
from routeiq_sdk import Principal, RequestError
from routeiq_sdk.testing import FakeClock, FakeState

CALLER = Principal("key-1")
DECISION = Remembered(
    decision_id="dec-1",
    principal="key-1",
    router="main",
    digest="ab12",
    chosen="large",
    called="medium",
    predicted=0.75,
    directions=(0.5, -0.25, 0.125),
    propensity=0.975,
    at=1_700_000_000_000_000_000,
)

names = st.text(max_size=30)
shares = st.floats(0, 1)
decisions = st.builds(
    Remembered,
    decision_id=st.text(min_size=1, max_size=40),
    principal=names,
    router=names,
    digest=names,
    chosen=names,
    called=names,
    predicted=shares,
    directions=st.lists(st.floats(-1, 1, width=16), max_size=40).map(tuple),
    propensity=st.floats(0, 1, exclude_min=True),
    at=st.integers(0, 2**63 - 1),
    score=st.none() | shares,
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def state(clock: FakeClock) -> FakeState:
    return FakeState(clock)


@given(decision=decisions)
def test_a_decision_comes_back_as_it_was_kept(decision: Remembered) -> None:
    kept = decision.encode()
    back = Remembered.decode(kept)
    assert back == decision
    assert back.encode() == kept


def test_directions_cost_two_bytes_each_and_lose_no_more_than_half_precision() -> None:
    exact = np.random.default_rng(1).uniform(-1, 1, 32)
    kept = replace(DECISION, directions=tuple(exact.tolist())).encode()
    assert len(kept) < 400
    np.testing.assert_allclose(Remembered.decode(kept).vector, exact, atol=5e-4)


@settings(max_examples=300)
@given(data=st.data())
def test_a_damaged_record_is_refused_or_is_another_whole_decision(data: st.DataObject) -> None:
    kept = DECISION.encode()
    place = data.draw(st.integers(0, len(kept) - 1))
    bad = kept[:place] + data.draw(st.binary(max_size=3)) + kept[place + 1 :]
    try:
        found = Remembered.decode(bad)
    except ValueError:
        return
    assert found.encode() == bad


@pytest.mark.parametrize(
    "change",
    [
        {"predicted": 1.5},
        {"predicted": 1},
        {"propensity": 0.0},
        {"score": "0.5"},
        {"score": True},
        {"at": -1},
        {"at": 1.0},
        {"principal": None},
        {"decision_id": ""},
        {"directions": "AAA"},
        {"directions": "AAAA"},
        {"directions": "AHw="},
        {"directions": [0.5]},
        {"surplus": 1},
    ],
)
def test_records_that_encode_would_not_write_are_refused(change: dict[str, Any]) -> None:
    told = {**json.loads(DECISION.encode()), **change}
    with pytest.raises(ValueError):
        Remembered.decode(json.dumps(told, sort_keys=True, separators=(",", ":")).encode())


def test_what_decode_would_refuse_is_not_written() -> None:
    with pytest.raises(ValueError, match="propensity"):
        replace(DECISION, propensity=0.0).encode()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", "request_body"),
        (b"\xff", "request_body"),
        (b"[" * 100_000, "request_body"),
        (b"[]", "request_body"),
        (b'"dec-1"', "request_body"),
        (b'{"decision_id": "dec-1", "score": NaN}', "request_body"),
        (b'{"decision_id": "dec-1", "score": 1e999}', "request_body"),
        (b'{"decision_id": "dec-1", "score": 0.5, "score": 1}', "request_body"),
        (b'{"score": 0.5}', "decision_id"),
        (b'{"decision_id": 7, "score": 0.5}', "decision_id"),
        (b'{"decision_id": "", "score": 0.5}', "decision_id"),
        (b'{"decision_id": "a\\u0000b", "score": 0.5}', "decision_id"),
        (b'{"decision_id": "\\ud800", "score": 0.5}', "decision_id"),
        (b'{"decision_id": "dec-1"}', "score"),
        (b'{"decision_id": "dec-1", "score": null}', "score"),
        (b'{"decision_id": "dec-1", "score": true}', "score"),
        (b'{"decision_id": "dec-1", "score": "0.5"}', "score"),
        (b'{"decision_id": "dec-1", "score": -0.1}', "score"),
        (b'{"decision_id": "dec-1", "score": 1.1}', "score"),
        (b'{"decision_id": "dec-1", "score": 0.5, "reward": 1}', "reward"),
    ],
)
def test_a_body_that_is_no_feedback_is_a_400_that_names_the_field(body: bytes, param: str) -> None:
    with pytest.raises(RequestError) as caught:
        Feedback.parse(body)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_feedback_is_a_decision_and_a_score_and_the_comment_is_not_kept() -> None:
    body = json.dumps({"decision_id": "dec-1", "score": 1, "comment": "my secret"}).encode()
    assert Feedback.parse(body) == Feedback("dec-1", 1.0)


async def test_a_score_comes_to_its_decision(state: FakeState) -> None:
    await remember(state, DECISION)
    scored = await give(state, Feedback("dec-1", 0.5), CALLER)
    assert scored == replace(DECISION, score=0.5)
    assert scored.residual == -0.25


async def test_a_decision_takes_one_score(state: FakeState) -> None:
    await remember(state, DECISION)
    await give(state, Feedback("dec-1", 0.5), CALLER)
    with pytest.raises(RequestError) as caught:
        await give(state, Feedback("dec-1", 1.0), CALLER)
    assert caught.value.status == 409
    kept = await state.get(TABLE, "dec-1")
    assert kept is not None
    assert Remembered.decode(kept).score == 0.5


class Interrupted(FakeState):
    """Lets all readers read before the first of them writes."""

    readers = asyncio.Barrier(5)

    async def get(self, table: str, key: str) -> bytes | None:
        found = await super().get(table, key)
        if found is not None and Remembered.decode(found).score is None:
            await self.readers.wait()
        return found

    async def put_if(self, table: str, key: str, value: bytes, *, expected: bytes | None) -> bool:
        if await FakeState.get(self, table, key) != expected:
            return False
        await self.put(table, key, value)
        return True


async def test_of_scores_at_once_one_wins_and_the_others_are_told(clock: FakeClock) -> None:
    state = Interrupted(clock)
    await remember(state, DECISION)
    outcomes = await asyncio.gather(
        *(give(state, Feedback("dec-1", place / 4), CALLER) for place in range(5)), return_exceptions=True
    )
    won = [outcome for outcome in outcomes if isinstance(outcome, Remembered)]
    refused = [outcome.status for outcome in outcomes if isinstance(outcome, RequestError)]
    assert (len(won), refused) == (1, [409] * 4)


async def test_another_callers_decision_looks_like_none(state: FakeState) -> None:
    await remember(state, DECISION)

    async def refusal(decision_id: str) -> tuple[int, str]:
        with pytest.raises(RequestError) as caught:
            await give(state, Feedback(decision_id, 0.5), Principal("key-2"))
        return caught.value.status, str(caught.value)

    assert await refusal("dec-1") == await refusal("dec-unknown")
    await give(state, Feedback("dec-1", 0.5), CALLER)
    assert (await refusal("dec-1"))[0] == 404  # nor does its score show


async def test_an_admin_may_score_every_decision(state: FakeState) -> None:
    await remember(state, DECISION)
    scored = await give(state, Feedback("dec-1", 0.0), Principal("master", kind="admin"))
    assert scored.principal == "key-1"


async def test_after_seven_days_a_decision_is_forgotten(state: FakeState, clock: FakeClock) -> None:
    await remember(state, DECISION)
    clock.advance(KEPT_SECONDS - 1)
    assert await state.get(TABLE, "dec-1") is not None
    clock.advance(2)
    with pytest.raises(RequestError) as caught:
        await give(state, Feedback("dec-1", 0.5), CALLER)
    assert caught.value.status == 404


async def test_a_record_of_another_version_is_unknown_and_not_a_crash(state: FakeState) -> None:
    await state.put(TABLE, "dec-1", b'{"version":2}')
    with pytest.raises(RequestError) as caught:
        await give(state, Feedback("dec-1", 0.5), CALLER)
    assert caught.value.status == 404


async def test_every_worker_hears_of_a_score_and_passes_over_what_is_none(state: FakeState) -> None:
    heard: list[list[Remembered]] = [[], []]
    ready, done = [asyncio.Event(), asyncio.Event()], [asyncio.Event(), asyncio.Event()]

    def hearing(worker: int) -> asyncio.Task[None]:
        def hear(scored: Remembered) -> None:
            heard[worker].append(scored)
            done[worker].set()

        return asyncio.create_task(listen(state, hear, ready[worker].set))

    workers = [hearing(0), hearing(1)]
    async with asyncio.timeout(10):
        await asyncio.gather(*(event.wait() for event in ready))
        await state.publish(CHANNEL, b"noise")
        await state.publish(CHANNEL, DECISION.encode())
        await announce(state, replace(DECISION, score=1.0))
        await asyncio.gather(*(event.wait() for event in done))
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    assert heard == [[replace(DECISION, score=1.0)]] * 2


async def test_a_decision_without_a_score_is_not_announced(state: FakeState) -> None:
    with pytest.raises(ValueError, match="without a score"):
        await announce(state, DECISION)
