"""Prompts are embedded once, in time or not at all, and nothing of a prompt is kept or told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import numpy as np
import pytest

from routeiq_routing_ml.serving.embedding import Embedding, EmbeddingFailed

SECRET = "the secret recipe of the harbour inn"
LONG = 30.0


class Gated:
    """An embedder that answers when the test opens its gate, and says when it has begun."""

    fingerprint = "gated-1"
    dimensions = 3

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.began = threading.Semaphore(0)
        self.gate = threading.Event()
        self.answer: Callable[[str], Any] = lambda text: [[len(text), 1.0, 2.0]]

    def embed(self, texts: Sequence[str]) -> Any:
        (text,) = texts
        self.asked.append(text)
        self.began.release()
        assert self.gate.wait(60)
        return self.answer(text)

    async def has_begun(self) -> None:
        assert await asyncio.to_thread(self.began.acquire, timeout=60)


@pytest.fixture
async def gated() -> AsyncIterator[Gated]:
    embedder = Gated()
    embedder.gate.set()
    yield embedder
    embedder.gate.set()


@pytest.fixture
async def make(gated: Gated) -> AsyncIterator[Callable[..., Embedding]]:
    made: list[Embedding] = []

    def build(seconds: float = LONG, cache: int = 100) -> Embedding:
        made.append(Embedding(gated, seconds=seconds, cache=cache))
        return made[-1]

    yield build
    for embedding in made:
        embedding.close()


async def until(there: Callable[[], bool]) -> None:
    """Let callbacks of the loop run until something is there."""
    async with asyncio.timeout(60):
        while not there():
            await asyncio.sleep(0)


async def test_a_text_gets_the_embedders_vector(make: Callable[..., Embedding], gated: Gated) -> None:
    embedding = make()
    vector = await embedding.vector("four")
    np.testing.assert_array_equal(vector, np.array([[4, 1, 2]], np.float32))
    assert vector.dtype == np.float32
    assert embedding.fingerprint == "gated-1"


async def test_equal_prompts_at_once_are_embedded_once(make: Callable[..., Embedding], gated: Gated) -> None:
    embedding = make()
    gated.gate.clear()
    waiting = [asyncio.create_task(embedding.vector("same")) for _ in range(50)]
    other = asyncio.create_task(embedding.vector("other"))
    await gated.has_begun()
    gated.gate.set()
    vectors = await asyncio.gather(*waiting, other)
    assert sorted(gated.asked) == ["other", "same"]
    assert {vector[0, 0] for vector in vectors[:-1]} == {4}
    assert vectors[-1][0, 0] == 5


async def test_a_prompt_that_was_seen_is_not_embedded_again(make: Callable[..., Embedding], gated: Gated) -> None:
    embedding = make()
    first = await embedding.vector("same")
    assert await embedding.vector("same") is first
    assert gated.asked == ["same"]


async def test_the_vectors_kept_are_bounded_and_those_asked_for_lately_stay(
    make: Callable[..., Embedding], gated: Gated
) -> None:
    embedding = make(cache=2)
    for text in ("a", "bb", "a", "ccc", "a"):
        await embedding.vector(text)
    assert gated.asked == ["a", "bb", "ccc"]
    await embedding.vector("bb")
    assert gated.asked == ["a", "bb", "ccc", "bb"]
    assert len(embedding._kept) == 2


async def test_without_a_cache_nothing_is_kept(make: Callable[..., Embedding], gated: Gated) -> None:
    embedding = make(cache=0)
    for _ in range(2):
        await embedding.vector("same")
    assert gated.asked == ["same", "same"]
    assert not embedding._kept


async def test_one_that_comes_too_late_fails_in_time_and_is_kept_for_the_next(
    make: Callable[..., Embedding], gated: Gated
) -> None:
    embedding = make(seconds=0.01)
    gated.gate.clear()
    with pytest.raises(EmbeddingFailed, match=r"the embedder took longer than 0\.01 s"):
        await embedding.vector("late")
    gated.gate.set()
    await until(lambda: bool(embedding._kept))
    assert (await embedding.vector("late"))[0, 0] == 4
    assert gated.asked == ["late"]


async def test_a_request_that_is_given_up_does_not_take_the_vector_from_the_others(
    make: Callable[..., Embedding], gated: Gated
) -> None:
    embedding = make()
    gated.gate.clear()
    given_up, waiting = (asyncio.create_task(embedding.vector("same")) for _ in range(2))
    await gated.has_begun()
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    gated.gate.set()
    assert (await waiting)[0, 0] == 4
    assert gated.asked == ["same"]


async def test_more_than_sixteen_waiting_prompts_are_turned_away_at_once(
    make: Callable[..., Embedding], gated: Gated
) -> None:
    embedding = make()
    gated.gate.clear()
    waiting = [asyncio.create_task(embedding.vector(f"text {number}")) for number in range(16)]
    await gated.has_begun()
    with pytest.raises(EmbeddingFailed, match="busy"):
        await embedding.vector("one more")
    joined = asyncio.create_task(embedding.vector("text 3"))
    gated.gate.set()
    assert len(await asyncio.gather(*waiting, joined)) == 17
    assert (await embedding.vector("one more"))[0, 0] == 8


@pytest.mark.parametrize(
    "answer",
    [
        [[1.0, 2.0]],
        [[1.0, 2.0, 3.0, 4.0]],
        [1.0, 2.0, 3.0],
        [],
        [[1.0, 2.0, float("nan")]],
        [[1.0, 2.0, float("inf")]],
        [[1, 2, 3], [4, 5, 6]],
        [["a", "b", "c"]],
        [[1.0], [1.0, 2.0]],
        None,
    ],
)
async def test_what_is_no_vector_fails_and_is_not_kept(
    make: Callable[..., Embedding], gated: Gated, answer: Any
) -> None:
    embedding = make()
    gated.answer = lambda text: answer
    with pytest.raises(EmbeddingFailed, match="the embedder"):
        await embedding.vector("x")
    gated.answer = lambda text: [[1.0, 2.0, 3.0]]
    assert (await embedding.vector("x")).shape == (1, 3)


async def test_a_failure_names_its_kind_and_nothing_of_the_prompt(make: Callable[..., Embedding], gated: Gated) -> None:
    def fail(text: str) -> Any:
        raise RuntimeError(f"cannot embed {text}")

    gated.answer = fail
    with pytest.raises(EmbeddingFailed) as failed:
        await make().vector(SECRET)
    assert str(failed.value) == "the embedder failed: RuntimeError"
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__


async def test_nothing_of_a_prompt_is_in_what_is_kept(make: Callable[..., Embedding], gated: Gated) -> None:
    embedding = make()
    await embedding.vector(SECRET)
    gated.gate.clear()
    running = asyncio.create_task(embedding.vector(SECRET + " again"))
    await gated.has_begun()
    await gated.has_begun()
    for keys in (embedding._kept, embedding._under_way):
        (digest,) = keys
        assert isinstance(digest, bytes)
        assert len(digest) == 16
        assert not any(word.encode() in digest for word in SECRET.split())
    gated.gate.set()
    await running


@pytest.mark.parametrize("text", ["", "\ud800", "\x00", "\U0001f600" * 10_000])
async def test_every_text_can_be_asked_for(make: Callable[..., Embedding], gated: Gated, text: str) -> None:
    assert (await make().vector(text))[0, 0] == len(text)


async def test_closing_fails_those_that_wait_and_those_that_come_and_cancels_nobody(
    make: Callable[..., Embedding], gated: Gated
) -> None:
    embedding = make()
    await embedding.vector("kept")
    await gated.has_begun()
    gated.gate.clear()
    running = asyncio.create_task(embedding.vector("running"))
    await gated.has_begun()
    queued = asyncio.create_task(embedding.vector("queued"))
    await until(lambda: len(embedding._under_way) == 2)
    embedding.close()
    with pytest.raises(EmbeddingFailed, match="no longer asked"):
        await queued
    with pytest.raises(EmbeddingFailed, match="no longer asked"):
        await embedding.vector("new")
    gated.gate.set()
    assert (await running)[0, 0] == 7
    assert (await embedding.vector("kept"))[0, 0] == 4
    assert gated.asked == ["kept", "running"]
    embedding.close()
