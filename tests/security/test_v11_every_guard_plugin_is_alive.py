"""V11 for guards of content: each refuses a request, an answer and a stream, and blinded it lets each of them pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from routeiq_sdk.guards import TextGuard
from routeiq_testkit import Reply
from routeiq_testkit.gateway import TestGateway

from .guard_field import Field
from .guard_table import GUARDS


class SeesNothing:
    """A filter that lets everything pass."""

    def feed(self, delta: str) -> list[str]:
        return [delta]

    def end(self) -> list[str]:
        return []


@contextmanager
def blinded(running: TestGateway, plugin: str) -> Iterator[None]:
    """The guard is there and is asked, and finds nothing."""
    (kind,) = {type(member.instance) for member in running.runtime.plugins.members if member.name == plugin}
    assert issubclass(kind, TextGuard)

    async def judge(self: Any, ctx: Any, rail: Any, passages: Sequence[Any], what: str) -> Sequence[Sequence[Any]]:
        return [() for _ in passages]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "judge", judge)
        patch.setattr(kind, "watch", lambda self, ctx, rail, part: SeesNothing())
        yield


@pytest.mark.parametrize("name", GUARDS)
async def test_what_a_guard_refuses_passes_once_it_is_blind(attacked: Field, name: str) -> None:
    guarded = GUARDS[name]
    running = await attacked.guarded(guarded, ["pre_call", "post_call"])

    async def got_through() -> list[bool]:
        asked = (await running.chat("fast", guarded.bad))[0] == 200
        attacked.up.script(Reply.chat(guarded.bad_answer))
        answered = (await running.chat("fast", "hello"))[0] == 200
        attacked.up.script(Reply.stream(list(guarded.bad_answer)))
        _, _, streamed = await running.stream("fast", "hello")
        return [asked, answered, b"[DONE]" in streamed]

    assert await got_through() == [False, False, False]
    with blinded(running, guarded.plugin):
        assert await got_through() == [True, True, True], "it makes no difference: the guard is dead, or the attack is"
    assert await got_through() == [False, False, False]
