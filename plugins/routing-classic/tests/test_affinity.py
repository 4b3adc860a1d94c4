"""What belongs together stays on its deployment: sessions, callers, marked prefixes of a prompt."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq_routing_classic.affinity import Affinity
from routeiq_routing_classic.prefixes import MOST_MARKS, marked_prefixes
from routeiq_sdk import Attempt, Context, Deployment, ModelGroup, Principal
from routeiq_sdk.testing import FakeGateway, make_context

A, B, C = (Deployment(name, "m", "openai", "gpt", "openai") for name in ("a", "b", "c"))
GROUP = ModelGroup("m", (A, B, C))
MARK = {"cache_control": {"type": "ephemeral"}}
LONG = "word " * 1100


def made(*checks: str, gateway: FakeGateway | None = None, **options: Any) -> Affinity:
    affinity = Affinity(checks, options.get("by_model", {}), options.get("seconds", 60.0))
    affinity.gateway = gateway or FakeGateway()
    return affinity


async def serve(affinity: Affinity, ctx: Context, target: Deployment) -> None:
    await affinity.find(ctx, GROUP)
    await affinity.before(ctx, Attempt(1, target))


async def home(affinity: Affinity, ctx: Context, *among: Deployment) -> str | None:
    await affinity.find(ctx, GROUP)
    found = affinity.preferred(ctx, GROUP, among or GROUP.deployments)
    return found.id if found is not None else None


def session(name: str, who: str = "key") -> Context:
    return make_context(headers={"x-litellm-session-id": name}, principal=Principal(who))


async def test_a_session_stays_until_its_ttl_after_the_last_call() -> None:
    gateway = FakeGateway()
    affinity = made("session_affinity", gateway=gateway)
    await serve(affinity, session("s"), B)
    gateway.clock.advance(59)
    assert await home(affinity, session("s")) == "b"
    await serve(affinity, session("s"), B)
    gateway.clock.advance(59)
    assert await home(affinity, session("s")) == "b"
    gateway.clock.advance(2)
    assert await home(affinity, session("s")) is None


async def test_a_session_may_be_named_in_the_metadata() -> None:
    affinity = made("session_affinity")
    await serve(affinity, make_context(metadata={"session_id": "s"}), C)
    assert await home(affinity, make_context(litellm_metadata={"session_id": "s"})) == "c"
    for other in ({"session_id": "t"}, {"session_id": 3}, {}, "s", None):
        assert await home(affinity, make_context(metadata=other)) is None


async def test_a_session_is_its_callers_alone() -> None:
    affinity = made("session_affinity")
    await serve(affinity, session("s", "one"), B)
    assert await home(affinity, session("s", "another")) is None


async def test_a_caller_stays_and_a_session_goes_before_it() -> None:
    affinity = made("session_affinity", "deployment_affinity")
    await serve(affinity, make_context(), A)
    assert await home(affinity, make_context()) == "a"
    assert await home(affinity, session("s", "test")) == "a"
    await serve(affinity, session("s", "test"), B)
    await serve(affinity, make_context(), A)
    assert await home(affinity, session("s", "test")) == "b"


async def test_it_is_a_preference_and_moves_with_a_fallback() -> None:
    affinity = made("session_affinity")
    await serve(affinity, session("s"), B)
    assert await home(affinity, session("s"), A, C) is None
    ctx = session("s")
    await serve(affinity, ctx, B)
    await affinity.before(ctx, Attempt(2, C))
    assert await home(affinity, session("s")) == "c"


async def test_models_may_have_affinities_of_their_own() -> None:
    for by_model, expected in (({"m": []}, None), ({"m": ["session_affinity"]}, "b"), ({"other": []}, None)):
        affinity = made(by_model=by_model)
        await serve(affinity, session("s"), B)
        assert await home(affinity, session("s")) == expected
    without = made("session_affinity", by_model={"m": []})
    await serve(without, session("s"), B)
    assert await home(without, session("s")) is None


class _BrokenState:
    async def get(self, *args: object) -> bytes:
        raise ConnectionError("the store is down")

    async def put(self, *args: object, **options: object) -> None:
        raise ConnectionError("the store is down")


async def test_a_store_that_fails_costs_the_preference_alone() -> None:
    gateway = FakeGateway()
    gateway.state = _BrokenState()  # type: ignore[assignment]
    affinity = made("session_affinity", gateway=gateway)
    await serve(affinity, session("s"), B)
    assert await home(affinity, session("s")) is None


def conversation(*texts: str, marks: set[int] = frozenset(), **fields: Any) -> Context:  # type: ignore[assignment]
    messages = [
        {
            "role": "user" if number % 2 == 0 else "assistant",
            "content": [{"type": "text", "text": text, **(MARK if number in marks else {})}],
        }
        for number, text in enumerate(texts)
    ]
    return make_context(messages=messages, **fields)


async def test_a_growing_conversation_stays_with_its_cached_prefix_for_five_minutes() -> None:
    gateway = FakeGateway()
    affinity = made("prompt_caching", gateway=gateway)
    await serve(affinity, conversation(LONG, marks={0}), B)
    grown = conversation(LONG, "answer", "and now?", marks={0, 2})
    assert await home(affinity, grown) == "b"
    assert await home(affinity, conversation(LONG + "!", marks={0})) is None
    assert await home(affinity, conversation(LONG)) is None
    gateway.clock.advance(301)
    assert await home(affinity, conversation(LONG, marks={0})) is None


async def test_the_longest_prefix_decides() -> None:
    affinity = made("prompt_caching")
    await serve(affinity, conversation(LONG, marks={0}), A)
    await serve(affinity, conversation(LONG, "x", "y", marks={0, 2}), B)
    await serve(affinity, conversation(LONG, marks={0}), C)
    assert await home(affinity, conversation(LONG, "x", "y", "z", "w", marks={2, 4})) == "b"


async def test_short_prompts_are_not_kept_together() -> None:
    affinity = made("prompt_caching")
    await serve(affinity, conversation("short", marks={0}), B)
    assert await home(affinity, conversation("short", marks={0})) is None


def test_a_mark_is_no_part_of_the_prefix_but_tools_and_system_are() -> None:
    plain: dict[str, Any] = {"messages": [{"role": "user", "content": "hi", **MARK}]}
    as_part = {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi", **MARK}]}]}
    assert marked_prefixes(plain) == marked_prefixes(as_part)
    tool = {"type": "function", "function": {"name": "f"}}
    different = [
        plain,
        {**plain, "system": "be kind"},
        {**plain, "tools": [tool]},
        {"messages": [{"role": "assistant", "content": "hi", **MARK}]},
    ]
    assert len({marked_prefixes(body) for body in different}) == len(different)
    (with_tool,) = marked_prefixes({"tools": [{**tool, **MARK}], "messages": []})
    (in_function,) = marked_prefixes({"tools": [{**tool, "function": {"name": "f", **MARK}}]})
    assert with_tool == in_function


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["messages", "tools", "system", "content", "cache_control", "type", "function"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_no_shape_of_a_body_breaks_it(value: Any) -> None:
    for body in (value, {"messages": value}, {"tools": value, "system": value}, {"messages": [value, value]}):
        if isinstance(body, dict):
            assert len(marked_prefixes(body)) <= MOST_MARKS


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(0, 12))
def test_prefixes_of_the_same_blocks_are_the_same_and_others_are_not(marks: list[bool], cut: int) -> None:
    def body(count: int) -> dict[str, Any]:
        parts = [{"type": "text", "text": f"{n}", **(MARK if mark else {})} for n, mark in enumerate(marks[:count])]
        return {"messages": [{"role": "user", "content": parts}]}

    whole, begun = marked_prefixes(body(len(marks))), marked_prefixes(body(cut))
    assert len(whole) == len(set(whole)) == min(sum(marks), MOST_MARKS)
    if sum(marks) <= MOST_MARKS:
        assert set(begun) <= set(whole)


@pytest.mark.parametrize("wire", ["openai-embedding", "openai-completion"])
async def test_other_protocols_have_no_prefixes(wire: str) -> None:
    affinity = made("prompt_caching")
    ctx = conversation(LONG, marks={0}, wire=wire)
    await serve(affinity, ctx, B)
    assert await home(affinity, ctx) is None
