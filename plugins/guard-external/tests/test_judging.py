"""The deadline and the breaker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from routeiq_guard_external.breaker import Breaker
from routeiq_guard_external.judging import Judge
from routeiq_guard_external.question import NoVerdict, Opinion, Question, Text, Unreachable, Unusable
from routeiq_sdk.testing.fakes import make_context
from routeiq_sdk.testing.services import FakeClock

QUESTION = Question(make_context(), "request", [Text("x", "user")])


class Scripted:
    """A service that raises or answers what stands in its script; `None` hangs."""

    def __init__(self, *script: NoVerdict | Sequence[Opinion | None] | None) -> None:
        self.script = list(script)
        self.asked = 0

    async def ask(self, question: Question) -> Sequence[Opinion | None]:
        self.asked += 1
        step = self.script.pop(0)
        if step is None:
            await asyncio.Event().wait()
        if isinstance(step, NoVerdict):
            raise step
        assert step is not None
        return step


def judge(service: Scripted, clock: FakeClock, seconds: float = 5.0) -> Judge:
    return Judge(service, seconds, Breaker(2, 10.0, clock))


async def failure(asked: Judge) -> str:
    with pytest.raises(NoVerdict) as error:
        await asked.ask(QUESTION)
    return f"{error.value.kind}: {error.value}"


async def test_after_failures_in_a_row_the_service_is_left_alone_until_one_call_finds_it_again() -> None:
    clock = FakeClock()
    service = Scripted(Unreachable("a"), Unreachable("b"), Unreachable("c"), [None], [None])
    asked = judge(service, clock)
    assert await failure(asked) == "unreachable: a"
    assert await failure(asked) == "unreachable: b"
    assert "left alone" in await failure(asked)
    assert service.asked == 2
    clock.advance(10.0)
    assert await failure(asked) == "unreachable: c"
    assert "left alone" in await failure(asked), "the one that tried opened it again"
    clock.advance(10.0)
    assert list(await asked.ask(QUESTION)) == [None]
    assert list(await asked.ask(QUESTION)) == [None]
    assert service.asked == 5


async def test_a_verdict_between_failures_starts_the_count_anew() -> None:
    service = Scripted(Unreachable("a"), [None], Unreachable("b"), [None])
    asked = judge(service, FakeClock())
    assert await failure(asked) == "unreachable: a"
    await asked.ask(QUESTION)
    assert await failure(asked) == "unreachable: b"
    await asked.ask(QUESTION)


async def test_texts_that_a_service_cannot_judge_do_not_keep_others_from_being_judged() -> None:
    service = Scripted(*[Unusable("odd")] * 5, [None])
    asked = judge(service, FakeClock())
    for _ in range(5):
        assert await failure(asked) == "error: odd"
    assert list(await asked.ask(QUESTION)) == [None]


async def test_only_one_call_tries_a_service_that_was_left_alone_and_one_that_is_given_up_leaves_room() -> None:
    clock = FakeClock()
    service = Scripted(Unreachable("a"), Unreachable("b"), None, [None])
    asked = judge(service, clock)
    await failure(asked)
    await failure(asked)
    clock.advance(10.0)
    trying = asyncio.create_task(asked.ask(QUESTION))
    await asyncio.sleep(0)
    assert "left alone" in await failure(asked)
    trying.cancel()
    await asyncio.wait([trying])
    assert list(await asked.ask(QUESTION)) == [None]


async def test_a_service_that_is_late_is_not_there() -> None:
    asked = judge(Scripted(None, None), FakeClock(), 0.01)
    assert await failure(asked) == "unreachable: it did not answer within 0.01 s"
    await failure(asked)
    assert "left alone" in await failure(asked)


async def test_a_verdict_about_other_texts_is_none() -> None:
    assert "not about the texts" in await failure(judge(Scripted([None, None]), FakeClock()))
